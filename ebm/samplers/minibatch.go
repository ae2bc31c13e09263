package samplers

import (
	"cmp"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Minibatch runs a kernel on an [ebm.Posterior] with a sum over m of its N rows of data, drawn afresh with replacement at
// every step, in place of the sum over all:
//
//	E_B(x) = E₀(x) + (N/m)·Σ_{i∈B} e(yᵢ; x).
//
// Its gradient is right on average. Around [Langevin] this is stochastic-gradient Langevin dynamics (SGLD), around
// [UnderdampedLangevin] its relative with momentum, around [GradientDescent] stochastic gradient descent:
//
//	samplers.Minibatch{Size: 32, Kernel: samplers.Langevin{StepSize: ebm.PolynomialDecay{Start: 1e-3, Steps: 100}}}
//
// The noise of the batches adds to the noise of the kernel: at a fixed η, along an axis of curvature λ, SGLD's variance is
// (2 + ηV)/(λ(2 − ηλ)), where V, of the order of N²/m, is the variance of the batches' gradients. It is right in the limit
// η → 0 alone, which is what a decaying step size is for. A kernel with a Metropolis test (HMC, MALA) compares energies of
// different batches, and is wrong here at any step size.
//
// All chains share the batch of a step, so that m rows are read a step and not n·m. Each chain by itself is as it
// should be, but the noise of the batches does not average out over chains: average over steps too.
//
// The state and Info are the kernel's. Building panics on an energy that is not an [ebm.Posterior] and a negative size.
//
// Welling and Teh, Bayesian learning via stochastic gradient Langevin dynamics, ICML 2011; Vollmer, Zygalakis and Teh,
// Exploration of the (non-)asymptotic bias and variance of stochastic gradient Langevin dynamics, JMLR 17 (2016),
// arXiv:1501.00438.
type Minibatch struct {
	Kernel ebm.Kernel // default Langevin{StepSize: ebm.PolynomialDecay{Start: 0.001}}
	Size   int        // m ≥ 1, default 32
}

var _ ebm.Kernel = Minibatch{}

// Init starts at x, [n, event...], with a batch of its own.
func (k Minibatch) Init(env ebm.Env, x *Node) ebm.State { return k.kernel().Init(k.onBatch(env), x) }

// Step moves every chain once.
func (k Minibatch) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	return k.kernel().Step(k.onBatch(env), s)
}

func (k Minibatch) kernel() ebm.Kernel {
	if k.Kernel == nil {
		return Langevin{StepSize: ebm.PolynomialDecay{Start: 1e-3}}
	}
	return k.Kernel
}

// onBatch is the environment with the energy of a batch; what it draws of the noise the kernel does not draw again.
func (k Minibatch) onBatch(env ebm.Env) ebm.Env {
	posterior, ok := env.Energy.(ebm.Posterior)
	if !ok {
		exceptions.Panicf("Minibatch: the energy must be an ebm.Posterior, got %T", env.Energy)
	}
	if k.Size < 0 {
		exceptions.Panicf("Minibatch: Size must be at least 1, or 0 for the default of 32, got %d", k.Size)
	}
	// A Float64 has bits enough for any number of rows; u < 1, but u·N may round to N.
	u := env.Rand.Shared(func(r *ebm.Rand) *Node { return r.Uniform(shapes.Make(dtypes.Float64, cmp.Or(k.Size, 32))) })
	rows := MinScalar(Floor(MulScalar(u, float64(posterior.Rows))), float64(posterior.Rows-1))
	env.Energy = posterior.Minibatch(ConvertDType(rows, dtypes.Int32))
	return env
}
