package flow

import (
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// Transport says how a [Sampler] carries points along a trained field: from noise to data by the flow
//
//	dx = v(x, t) dt,
//
// or, with a Diffusion D, by the diffusion that has the same densities at all times,
//
//	dx = (v + D(t)·s) dt + √(2D(t)) dW,
//
// with v and s made of what the field tells, as [Coeffs.Convert] does. Of a model of scores the first is the probability-flow equation
// and the second, with [PathDiffusion], the noising diffusion reversed in time. The zero value is 50 steps of RK4 along a velocity
// on the straight path.
//
// At singular ends there is a gap, of 0.001 or of one step where there is noise, unless From and To say otherwise:
//
//   - at t = 0 where α = 0, so on [Linear] and [Cosine], with a Predict of Score or Noise, which divide by α; and where D is infinite
//   - at t = 1 where σ = 0, so on [Linear], [Cosine] and [VariancePreserving], with noise or a Predict other than Velocity
//
// LastStep, without noise, takes the points from To to t = 1.
//
// Choose the flow for few steps, likelihoods and the way back; the diffusion where the model is not exact and steps may be many.
// On a [VarianceExploding] path points begin at N(0, σ(From)²I), as on all.
//
// Y. Song et al., "Score-based generative modeling through stochastic differential equations", 2020, arXiv:2011.13456; N. Ma et al., 2024,
// arXiv:2401.08740; for the log density, R. T. Q. Chen et al., "Neural ordinary differential equations", 2018, arXiv:1806.07366.
type Transport struct {
	Path    Interpolant // default Linear
	Predict Quantity    // what the field tells, default Velocity
	Score   ebm.Field   // for a Diffusion: the score, where it has a model of its own. Default: made of the field

	From, To float64 // times to go between, 0 ≤ From < To ≤ 1. Default 0 and 1, but for the gaps above
	Steps    int     // steps of equal length. Default 50, with a Diffusion 250
	Reverse  bool    // go back, from data at To to noise at From; not with a Diffusion

	Method   Integrator // of the flow, default RK4
	Adaptive *Adaptive  // in place of Steps and Method: steps of each chain's own length

	Diffusion Diffusion            // D; nil: the flow
	Noisy     StochasticIntegrator // of the diffusion, default EulerMaruyama
	LastStep  LastStep             // from To to 1, where the way is not Reverse. Default LastMean

	LogDensity bool       // log densities of the points too; not with a Diffusion
	Probes     int        // Rademacher directions that estimate the divergence, drawn once for each chain; unbiased. Default 0: the exact trace, one backward pass an axis
	Prior      ebm.Energy // −log density of the noise, normalised. Default that of N(0, σ(From)²I), from which points begin that are not given
}

// LastStep is how the last stretch, from To to t = 1, is gone. For h = 1 − To, x' is as below; where To is 1, all but LastTweedie leave x alone,
// and that takes away the noise that is left in it, on [VarianceExploding] and [EDM].
type LastStep int

const (
	LastMean    LastStep = iota // x + (v + D·s)h: a step of the same equation, without its noise
	LastEuler                   // x + v·h: a step of the flow
	LastTweedie                 // E[x₁ | x]: what the model makes of the points without any noise
	LastNone                    // x: the points are left at To
)

// complete fills in the defaults and tells σ(From), or says which field is wrong.
func (w Transport) complete(b compute.Backend) (_ Transport, sigma float64, err error) {
	noisy := w.Diffusion != nil
	switch {
	case w.Predict < Velocity || w.Predict > Data:
		return w, 0, errors.Errorf("flow: Transport.Predict must be Velocity, Score, Noise or Data, got %d", int(w.Predict))
	case w.Steps < 0:
		return w, 0, errors.Errorf("flow: Transport.Steps must be positive, or 0 for the default, got %d", w.Steps)
	case w.Probes < 0:
		return w, 0, errors.Errorf("flow: Transport.Probes must be positive, or 0 for the exact trace, got %d", w.Probes)
	case w.LastStep < LastMean || w.LastStep > LastNone:
		return w, 0, errors.Errorf("flow: Transport.LastStep must be LastMean, LastEuler, LastTweedie or LastNone, got %d", int(w.LastStep))
	case noisy && (w.Reverse || w.LogDensity || w.Adaptive != nil):
		return w, 0, errors.New("flow: Transport: Reverse, LogDensity and Adaptive are the flow's: leave Diffusion out")
	case !noisy && (w.Noisy != nil || w.Score != nil):
		return w, 0, errors.New("flow: Transport.Noisy and Score are for a Diffusion, which is nil")
	case w.Adaptive != nil && (w.Method != nil || w.Steps != 0):
		return w, 0, errors.New("flow: Transport.Adaptive takes the place of Method and Steps: leave them out")
	case w.LogDensity && w.LastStep == LastTweedie:
		return w, 0, errors.New("flow: Transport.LogDensity: the points' log density is lost in LastTweedie")
	}
	if w.Path == nil {
		w.Path = Linear{}
	}
	if w.Method == nil {
		w.Method = RK4
	}
	if w.Noisy == nil {
		w.Noisy = EulerMaruyama{}
	}
	if w.Steps == 0 {
		if w.Steps = 50; noisy {
			w.Steps = 250
		}
	}
	if w.Adaptive != nil {
		a, err := w.Adaptive.withDefaults()
		if err != nil {
			return w, 0, err
		}
		w.Adaptive = &a
	}
	gap := 1e-3
	if noisy {
		gap = 1 / float64(w.Steps)
	}
	path, err := w.coefficients(b, 0, 1, gap, w.From)
	if err != nil {
		return w, 0, err
	}
	const tiny = 1e-9 // the cosine's σ(1) is not quite 0
	noAlpha := math.Abs(path.alpha[0]) < tiny && (w.Predict == Score || w.Predict == Noise)
	sigma = path.sigma[3]
	if w.From == 0 && (noAlpha || math.IsInf(path.diffusion[0], 0) || math.IsNaN(path.diffusion[0])) {
		w.From, sigma = gap, path.sigma[2]
	}
	if w.To == 0 {
		if w.To = 1; math.Abs(path.sigma[1]) < tiny && (noisy || w.Predict != Velocity) {
			w.To = 1 - gap
		}
	}
	if !(w.From >= 0 && w.From < w.To && w.To <= 1) {
		return w, 0, errors.Errorf("flow: Transport: want 0 ≤ From < To ≤ 1, got %g and %g", w.From, w.To)
	}
	return w, sigma, nil
}

// pathAt is what of a path is needed on the host, at some times.
type pathAt struct{ alpha, sigma, diffusion []float64 }

func (w Transport) coefficients(b compute.Backend, times ...float64) (at pathAt, err error) {
	thrown := exceptions.TryCatch[error](func() {
		out, err := CallOnceN(b, func(t *Node) []*Node {
			c, d := w.Path.At(t), ZerosLike(t)
			if w.Diffusion != nil {
				d = w.Diffusion.At(t, c)
			}
			return []*Node{Identity(c.Alpha), Identity(c.Sigma), Identity(d)}
		}, times)
		if err != nil {
			panic(err)
		}
		at = pathAt{out[0].Value().([]float64), out[1].Value().([]float64), out[2].Value().([]float64)}
	})
	return at, errors.WithMessage(thrown, "flow: Transport")
}

// velocity is v as a field.
func (w Transport) velocity(field ebm.Field) ebm.Field {
	return Converted{Of: field, Path: w.Path, From: w.Predict, To: Velocity}
}

// drift is v + D·s as a field; v where there is no noise.
func (w Transport) drift(field ebm.Field) ebm.Field {
	if w.Diffusion == nil {
		return w.velocity(field)
	}
	return ebm.FieldFunc(func(x, t *Node, cond ...*Node) *Node {
		f, path := ebm.FieldAt(field, x, t, cond...), w.Path.At(t)
		var score *Node
		if w.Score != nil {
			score = ebm.FieldAt(w.Score, x, t, cond...)
		} else {
			score = path.Convert(f, x, w.Predict, Score)
		}
		d := AlongRows(w.Diffusion.At(t, path), x)
		return Add(path.Convert(f, x, w.Predict, Velocity), Mul(d, score))
	})
}

// amplitude is √(2D), [n].
func (w Transport) amplitude(_, t *Node, _ ...*Node) *Node {
	return Sqrt(MulScalar(w.Diffusion.At(t, w.Path.At(t)), 2))
}

// kernels are the way of a field from From to To, or back, and its last step, nil where there is none.
func (w Transport) kernels(field ebm.Field) (way, last ebm.Kernel) {
	velocity, drift := w.velocity(field), w.drift(field)
	if w.LogDensity {
		velocity = withDensity{velocity, w.Probes == 0}
		drift = velocity
	}
	from, to := w.way()
	switch {
	case w.Diffusion != nil:
		way = NoisySteps{Drift: drift, Diffusion: w.amplitude, Method: w.Noisy, From: from, To: to, Steps: w.Steps}
	case w.Adaptive != nil:
		way = solving{*w.Adaptive, drift}
	default:
		way = FixedSteps{Field: drift, Method: w.Method, From: from, To: to, Steps: w.Steps}
	}
	if w.Reverse || w.LastStep == LastNone || w.To == 1 && w.LastStep != LastTweedie {
		return way, nil
	}
	step := FixedSteps{Field: drift, Method: Euler, From: w.To, To: 1, Steps: 1}
	switch w.LastStep {
	case LastEuler:
		step.Field = velocity
	case LastTweedie:
		return way, denoise{Converted{Of: field, Path: w.Path, From: w.Predict, To: Data}, w.To}
	}
	return way, step
}

// way is from where to where.
func (w Transport) way() (from, to float64) {
	if w.Reverse {
		return w.To, w.From
	}
	return w.From, w.To
}

// denoise is the kernel that puts points in the place of what a field tells of them.
type denoise struct {
	data ebm.Field
	at   float64
}

// Init starts at x, [n, event...].
func (k denoise) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }

// Step makes the points the field's data.
func (k denoise) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	return ebm.State{ebm.FieldAt(k.data, x, AddScalar(ebm.ZeroTime(x), k.at), env.Cond...)}, ebm.Info{}
}
