package samplers

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Langevin is the unadjusted Langevin algorithm, the Euler–Maruyama step of dx = −∇E(x) dt + √2 dW:
//
//	x' = x − η∇E(x) + √(2η)·σ·z,   z ~ N(0, I)
//
// There is no Metropolis test, so a finite step leaves a bias of order η: along an axis of a Gaussian with
// curvature λ the stationary variance is 1/(λ(1−ηλ/2)) and not 1/λ, and above η = 2/λ the chain diverges.
// With σ ≠ 1 the target is exp(−E/σ²).
//
// Choose it for speed, inside contrastive divergence, and where the energy is learnt anyway; [HMC] where the
// samples must be exact. It draws one normal a number and carries nothing but x, [n, event...].
//
// Building panics on a Fixed step size that is not positive, on a negative Fixed noise and on an empty clamp.
//
// Roberts and Tweedie, Exponential convergence of Langevin distributions and their discrete approximations,
// Bernoulli 2 (1996), doi:10.2307/3318418.
type Langevin struct {
	StepSize ebm.Schedule // η > 0, default 0.001
	Noise    ebm.Schedule // σ ≥ 0, default 1; 0 is gradient descent
	Clamp    *[2]float64  // every number is kept in [Clamp[0], Clamp[1]] after each step; default nil: no limits
}

var _ Tunable = Langevin{}

// WithStepSize is the kernel with another η.
func (k Langevin) WithStepSize(s ebm.Schedule) ebm.Kernel { k.StepSize = s; return k }

// Init starts at x, [n, event...].
func (k Langevin) Init(_ ebm.Env, x *Node) ebm.State {
	checkSchedule("Langevin", "StepSize", k.StepSize, true)
	checkSchedule("Langevin", "Noise", k.Noise, false)
	if c := k.Clamp; c != nil && !(c[0] < c[1]) {
		exceptions.Panicf("Langevin: Clamp must be a lower and a higher limit, got [%g, %g]", c[0], c[1])
	}
	return ebm.State{x}
}

// Step moves every chain once.
func (k Langevin) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	return ebm.State{k.move(env, s[0], env.Rand.Normal(s[0].Shape()))}, ebm.Info{}
}

// move is the step for given normals z, of x's shape.
func (k Langevin) move(env ebm.Env, x, z *Node) *Node {
	eta := ebm.OrFixed(k.StepSize, 1e-3).At(env.Step, x.DType())
	sigma := ebm.OrFixed(k.Noise, 1).At(env.Step, x.DType())
	_, grad := env.ValueGrad(x)
	x = Add(Sub(x, Mul(grad, eta)), Mul(z, Mul(sigma, Sqrt(MulScalar(eta, 2)))))
	if k.Clamp != nil {
		x = ClipScalar(x, k.Clamp[0], k.Clamp[1])
	}
	return x
}
