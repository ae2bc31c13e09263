package logz

import (
	"cmp"
	"context"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
)

// Bridge is bridge sampling with the optimal bridge. Between n₁ samples xᵢ of the target p = exp(−E)/Z and n₂ draws yⱼ of a base
// q = exp(−E₀)/Z₀, with l = log q⁻¹exp(−E) and shares s₁ = n₁/(n₁+n₂), s₂ = 1 − s₁, log Z is the c at which
//
//	(1/n₂) Σⱼ 1/(s₁ + s₂exp(c − l(yⱼ))) = (1/n₁) Σᵢ 1/(s₁exp(l(xᵢ) − c) + s₂)
//
// the fixed point of Meng and Wong's iteration. One side falls with c and the other rises, so it is found by bisection. The
// standard error is the relative error of Z by the variances of the two sides' terms f,
//
//	Var f₂/(n₂ mean² f₂) + Var f₁/(n₁ mean² f₁)
//
// with n₁ the effective number of samples where they come of a Markov chain.
//
// Without a Base the target is bridged to a Gaussian fitted to the first half of Samples, and the second half alone is used for the
// bridge, as a sum over the fitted half would be biased. Let the halves be of different chains.
//
// X.-L. Meng, W. H. Wong, Simulating ratios of normalizing constants via a simple identity, Statistica Sinica 6 (1996);
// S. Frühwirth-Schnatter, Estimating marginal likelihoods for mixture and Markov switching models using bridge sampling techniques,
// Econometrics Journal 7 (2004), doi:10.1111/j.1368-423X.2004.00125.x.
type Bridge struct {
	Backend compute.Backend
	Store   *model.Store // the weights of an energy that has some; default none
	Energy  ebm.Energy   // E

	Samples *tensors.Tensor // [m, event...], draws of the target
	ESS     float64         // how many independent draws Samples are worth; default m
	Base    Base            // E₀, default a Gaussian fitted to half of Samples
	Draws   int             // of the base; default as many as there are samples for the bridge
	Seed    uint64
}

// Run estimates log Z.
func (b Bridge) Run(ctx context.Context) (Estimate, error) {
	if err := b.check(ctx); err != nil {
		return Estimate{}, err
	}
	x, n := b.Samples, b.Samples.Shape().Dimensions[0]
	ess := cmp.Or(b.ESS, float64(n))
	if b.Base == nil {
		fitted, rest, err := halves(x)
		if err != nil {
			return Estimate{}, err
		}
		gaussian, err := FitGaussian(fitted)
		if err != nil {
			return Estimate{}, err
		}
		b.Base, x, ess = gaussian, rest, ess*float64(n-n/2)/float64(n)
		n -= n / 2
	}
	shape := x.Shape()
	logZ0, err := b.Base.LogZ(shape.Size() / n)
	if err != nil {
		return Estimate{}, errors.WithMessage(err, "logz: Bridge.Base")
	}
	y, err := draw("Bridge.Base", b.Base, cmp.Or(b.Draws, n), shape.Dimensions[1:], shape.DType, b.Seed, 1)
	if err != nil {
		return Estimate{}, err
	}
	ofSamples, err := b.logRatios("Samples", x, logZ0, -1)
	if err != nil {
		return Estimate{}, err
	}
	if err := ctx.Err(); err != nil {
		return Estimate{}, err
	}
	ofDraws, err := b.logRatios("draws of the base", y, logZ0, 1)
	if err != nil {
		return Estimate{}, err
	}
	return bridge(ofSamples, ofDraws, ess)
}

// bridge solves for log Z, given l = −E + E₀ + log Z₀ at samples of the target and at draws of the base.
func bridge(ofSamples, ofDraws []float64, ess float64) (Estimate, error) {
	s1 := ess / (ess + float64(len(ofDraws)))
	s2 := 1 - s1
	terms := func(c float64) (f1, f2 []float64) { // at samples, at draws
		f1, f2 = make([]float64, len(ofSamples)), make([]float64, len(ofDraws))
		for i, l := range ofSamples {
			f1[i] = 1 / (s1*math.Exp(l-c) + s2)
		}
		for j, l := range ofDraws {
			f2[j] = 1 / (s1 + s2*math.Exp(c-l))
		}
		return f1, f2
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, values := range [][]float64{ofSamples, ofDraws} {
		for _, l := range values {
			if !math.IsInf(l, 0) {
				lo, hi = min(lo, l), max(hi, l)
			}
		}
	}
	if lo > hi {
		return Estimate{}, errors.New("logz: Bridge: no point has a finite energy under both the target and the base")
	}
	lo, hi = lo-50, hi+50
	for range 200 { // to the last bit
		c := (lo + hi) / 2
		f1, f2 := terms(c)
		if m1, m2 := moments(f1), moments(f2); m2.mean > m1.mean {
			lo = c
		} else {
			hi = c
		}
	}
	c := (lo + hi) / 2
	f1, f2 := terms(c)
	m1, m2 := moments(f1), moments(f2)
	if !(m1.mean > 0 && m2.mean > 0) {
		return Estimate{}, errors.New("logz: Bridge: the samples and the base's draws do not overlap at all")
	}
	n2 := float64(len(f2))
	e := Estimate{Method: "bridge sampling", LogZ: c, Accept: math.NaN(), StdErr: math.Sqrt(m1.relative/ess + m2.relative/n2)}
	// n terms of relative variance v are worth n/(1+v) equal ones.
	e.N, e.ESS = len(f1), ess/(1+m1.relative)
	if worth := n2 / (1 + m2.relative); worth < e.ESS {
		e.N, e.ESS = len(f2), worth
	}
	e.interval()
	return e, nil
}

// moment is a mean and the variance relative to its square.
type moment struct{ mean, relative float64 }

func moments(v []float64) moment {
	n, sum := float64(len(v)), 0.0
	for _, x := range v {
		sum += x
	}
	mean, squares := sum/n, 0.0
	for _, x := range v {
		squares += (x - mean) * (x - mean)
	}
	return moment{mean, squares / (n - 1) / (mean * mean)}
}

func (b Bridge) check(ctx context.Context) error {
	switch {
	case ctx == nil:
		return errors.New("logz: Bridge.Run: the context is nil")
	case b.Energy == nil:
		return errors.New("logz: Bridge.Energy is nil")
	case b.Samples == nil:
		return errors.New("logz: Bridge.Samples is nil")
	case b.Draws < 0 || b.Draws == 1:
		return errors.Errorf("logz: Bridge.Draws must be at least 2, got %d", b.Draws)
	}
	if err := checkSamples("Bridge", b.Samples); err != nil {
		return err
	}
	if n := b.Samples.Shape().Dimensions[0]; !(b.ESS >= 0 && b.ESS <= float64(n)) {
		return errors.Errorf("logz: Bridge.ESS must be at most the %d Samples, got %g", n, b.ESS)
	}
	return ctx.Err()
}

// logRatios is log exp(−E)/q at each row of x. The target may not be 0 at its samples, where the ratio has an infinity of sign −1,
// nor the base at its draws, sign +1.
func (b Bridge) logRatios(name string, x *tensors.Tensor, logZ0 float64, sign int) ([]float64, error) {
	target, err := ebm.Evaluate(b.Backend, b.Store, b.Energy, x)
	if err != nil {
		return nil, err
	}
	base, err := ebm.Evaluate(b.Backend, nil, b.Base, x)
	if err != nil {
		return nil, err
	}
	bad := 0
	for i, e := range target {
		target[i] = base[i] + logZ0 - e
		if math.IsNaN(target[i]) || math.IsInf(target[i], sign) {
			bad++
		}
	}
	if bad > 0 {
		return nil, errors.Errorf("logz: Bridge: at %d of %d %s the energy is NaN or infinite", bad, len(target), name)
	}
	return target, nil
}
