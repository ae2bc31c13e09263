package logz

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/goebm/goebm/ebm/samplers"
)

// Base is a normalised density with independent draws: [ebm.Gaussian], [ebm.Mixture] and other analytic energies.
type Base interface {
	ebm.Energy
	ebm.Normalizer
	ebm.ExactSampler
}

// AIS is annealed importance sampling. Chains start at draws of a base exp(−E₀)/Z₀ and are led to the target exp(−E)/Z through
//
//	E_β = (1−β)E₀ + βE,   0 = β₀ < β₁ < … < β_T = 1,   wᵢ = Πₜ exp(E_{βₜ}(xₜ) − E_{βₜ₊₁}(xₜ)),
//
// with moves of a kernel that leaves exp(−E_{βₜ₊₁}) invariant from xₜ to xₜ₊₁. Then mean w estimates Z/Z₀ without bias, and
//
//   - forward, log Z₀ + log mean w is too low on average (Jensen), and above log Z + a with probability exp(−a) at most (Markov):
//     a stochastic lower bound
//   - in reverse, from exact draws of the target back to the base, log Z₀ − log mean 1/w is too high on average, likewise
//
// so that the two together enclose log Z (bidirectional Monte Carlo). Standard errors are by the delta method and hold for many
// effective weights; the sentence of the [Estimate] warns where they are few: then take more temperatures, which narrow the
// weights, rather than more chains. A target whose modes the base does not reach, or the kernel does not cross, is what AIS can
// get wrong forward with no sign of it; the reverse bound shows it, as the gap between the two.
//
// All temperatures are one XLA loop of [ebm.Sampler]. A step makes the kernel's caches anew and takes Moves moves: with one of the
// default HMC 11 gradients. The kernel must be exact at every temperature ([samplers.HMC], not Langevin); it need not be reversible.
// Its schedules are asked for the number of the step, from 0: forward at β₁, in reverse at β = 1.
//
// Weights add up in the chains' type: choose Float64 where energies are in the thousands.
//
// R. M. Neal, Annealed importance sampling, Statistics and Computing 11 (2001), arXiv:physics/9803008; R. B. Grosse, Z. Ghahramani,
// R. P. Adams, Sandwiching the marginal likelihood using bidirectional Monte Carlo, 2015, arXiv:1511.02543; R. B. Grosse, S. Ancha,
// D. M. Roy, Measuring the reliability of MCMC inference with bidirectional Monte Carlo, 2016, arXiv:1606.02275.
type AIS struct {
	Backend compute.Backend
	Store   *model.Store // the weights of an energy that has some; default none
	Energy  ebm.Energy   // E

	Base   Base         // E₀, default N(0, I); [FitGaussian] to samples makes a better one
	Kernel ebm.Kernel   // default samplers.HMC{}
	Betas  []float64    // β₀, …, β_T, default SigmoidLadder(1000); see [LinearLadder] and [GeometricLadder]
	Moves  int          // moves at each temperature, default 1; all are in line in the graph, so more take longer to compile
	Event  []int        // shape of a point; needed where there are no Samples
	DType  dtypes.DType // Float32 (default) or Float64; with Samples, theirs
	Chains int          // forward; default 1000
	Seed   uint64

	// Samples are draws of the target, [m, event...], at which the reverse chains start. Default: Chains draws by Energy's own
	// SampleExact. Where they come of a Markov chain that has not converged, the upper bound is not one.
	Samples *tensors.Tensor
}

// Forward estimates log Z from below.
func (a AIS) Forward(ctx context.Context) (Estimate, error) { return a.once(ctx, false) }

// Reverse estimates log Z from above.
func (a AIS) Reverse(ctx context.Context) (Estimate, error) { return a.once(ctx, true) }

// Both goes both ways. LogZ is the middle of the two estimates, whose biases are opposite; Lower is the lower end of the forward
// interval and Upper the upper end of the reverse one. N and ESS are of the direction with the fewer effective weights.
func (a AIS) Both(ctx context.Context) (Estimate, error) {
	up, err := a.Forward(ctx)
	if err != nil {
		return Estimate{}, err
	}
	down, err := a.Reverse(ctx)
	if err != nil {
		return Estimate{}, err
	}
	return enclose(up, down), nil
}

// enclose joins a lower and an upper bound.
func enclose(up, down Estimate) Estimate {
	few := up
	if down.ESS < up.ESS {
		few = down
	}
	spread := math.Hypot(up.StdErr, down.StdErr)
	e := Estimate{
		Method: "AIS forward and reverse", LogZ: (up.LogZ + down.LogZ) / 2, StdErr: spread / 2, Lower: up.Lower, Upper: down.Upper,
		N: few.N, ESS: few.ESS, Accept: (up.Accept + down.Accept) / 2, Warnings: slices.Concat(up.Warnings, down.Warnings),
	}
	gap := down.LogZ - up.LogZ
	switch {
	case gap < -5*spread:
		e.Warnings = append(e.Warnings, fmt.Sprintf("the lower bound, %.4f, is above the upper, %.4f, by %.0f standard errors: "+
			"the kernel is not exact or Samples are not the energy's", up.LogZ, down.LogZ, -gap/spread))
	case gap > 5*spread:
		e.Warnings = append(e.Warnings, fmt.Sprintf("the lower bound, %.4f, and the upper, %.4f, are %.0f standard errors apart: "+
			"take more temperatures, and believe the interval rather than the standard error", up.LogZ, down.LogZ, gap/spread))
	}
	return e
}

func (a AIS) once(ctx context.Context, reverse bool) (Estimate, error) {
	w, err := a.prepare(reverse)
	if err != nil {
		return Estimate{}, err
	}
	defer w.sampler.Finalize()
	return w.run(ctx, a.Seed)
}

// walk is AIS in one direction, compiled once for any number of seeds.
type walk struct {
	AIS
	method  string
	reverse bool
	dim     int
	logZ0   float64
	sampler *ebm.Sampler
}

// prepare fills in the defaults, or says which field is wrong.
func (a AIS) prepare(reverse bool) (*walk, error) {
	if a.Energy == nil {
		return nil, errors.New("logz: AIS.Energy is nil")
	}
	if a.Base == nil {
		a.Base = ebm.Gaussian{}
	}
	if a.Kernel == nil {
		a.Kernel = samplers.HMC{}
	}
	if a.Betas == nil {
		a.Betas = SigmoidLadder(1000)
	}
	a.Moves, a.Chains = cmp.Or(a.Moves, 1), cmp.Or(a.Chains, 1000)
	if err := checkLadder(a.Betas); err != nil {
		return nil, err
	}
	if a.Moves < 1 {
		return nil, errors.Errorf("logz: AIS.Moves must be at least 1, got %d", a.Moves)
	}
	if a.Chains < 2 {
		return nil, errors.Errorf("logz: AIS.Chains must be at least 2, got %d", a.Chains)
	}
	if x := a.Samples; x != nil {
		if err := checkSamples("AIS", x); err != nil {
			return nil, err
		}
		event := x.Shape().Dimensions[1:]
		if a.Event != nil && !slices.Equal(a.Event, event) {
			return nil, errors.Errorf("logz: AIS.Samples has rows of shape %v, but Event says %v", event, a.Event)
		}
		if a.DType != dtypes.InvalidDType && a.DType != x.DType() {
			return nil, errors.Errorf("logz: AIS.Samples is %s, but DType says %s", x.DType(), a.DType)
		}
		a.Event, a.DType = event, x.DType()
	}
	a.DType = cmp.Or(a.DType, dtypes.Float32)
	if a.DType != dtypes.Float32 && a.DType != dtypes.Float64 {
		return nil, errors.Errorf("logz: AIS.DType must be Float32 or Float64, got %s", a.DType)
	}
	if len(a.Event) == 0 || slices.Min(a.Event) < 1 {
		return nil, errors.Errorf("logz: AIS.Event must hold positive sizes where there are no Samples, got %v", a.Event)
	}
	w := &walk{AIS: a, method: "AIS forward", reverse: reverse, dim: 1}
	if reverse {
		w.method = "AIS reverse"
	}
	for _, size := range a.Event {
		w.dim *= size
	}
	var err error
	if w.logZ0, err = a.Base.LogZ(w.dim); err != nil {
		return nil, errors.WithMessage(err, "logz: AIS.Base")
	}
	w.sampler, err = ebm.NewSampler(a.Backend, a.Store, a.Energy, anneal{a.Base, a.Kernel, a.Betas, a.Moves, reverse})
	return w, err
}

// run goes the way once. The two directions share no noise.
func (w *walk) run(ctx context.Context, seed uint64) (Estimate, error) {
	if w.reverse {
		seed = ^seed
	}
	start, err := w.start(seed)
	if err != nil {
		return Estimate{}, err
	}
	out, err := w.sampler.Sample(ctx, ebm.Options{Start: start, Steps: len(w.Betas) - 1, Seed: seed})
	if err != nil {
		return Estimate{}, err
	}
	logW, err := host.Floats(out.Checkpoint.State[1])
	if err != nil {
		return Estimate{}, err
	}
	e := Estimate{Method: w.method, N: len(logW), Accept: out.Accept, LogWeights: logW}
	sign := 1.0
	if w.reverse {
		sign = -1
	}
	signed := make([]float64, len(logW))
	for i, v := range logW {
		signed[i] = sign * v
		e.LogWeights[i] = w.logZ0 + v
	}
	value, stdErr, ess, err := meanExp(w.method, signed)
	if err != nil {
		return Estimate{}, err
	}
	e.LogZ, e.StdErr, e.ESS = w.logZ0+sign*value, stdErr, ess
	e.interval()
	return e, nil
}

// start is where the chains start: at draws of the base, or of the target.
func (w *walk) start(seed uint64) (*tensors.Tensor, error) {
	if !w.reverse {
		return draw("AIS.Base", w.Base, w.Chains, w.Event, w.DType, seed, 0)
	}
	if w.Samples != nil {
		return w.Samples, nil
	}
	exact, ok := w.Energy.(ebm.ExactSampler)
	if !ok {
		return nil, errors.Errorf("logz: AIS.Samples must hold draws of the energy for the way back, as %T has no SampleExact", w.Energy)
	}
	return draw("AIS.Energy", exact, w.Chains, w.Event, w.DType, seed, 0)
}

// draw puts n exact draws into a tensor: seed and stream say which.
func draw(name string, e ebm.ExactSampler, n int, event []int, dtype dtypes.DType, seed, stream uint64) (*tensors.Tensor, error) {
	dim := 1
	for _, size := range event {
		dim *= size
	}
	rows, err := e.SampleExact(rand.New(rand.NewPCG(seed, stream)), n, dim)
	if err != nil {
		return nil, errors.WithMessagef(err, "logz: %s", name)
	}
	return host.Tensor(dtype, slices.Concat(rows...), append([]int{n}, event...)...), nil
}
