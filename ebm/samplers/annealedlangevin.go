package samplers

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// AnnealedLangevin is Langevin dynamics that comes down a ladder of noise levels σ₁ > … > σ_L on a noise-conditional energy
// E(x, σ): at each level, for as many steps as the ladder says,
//
//	x' = x − η∇E(x, σ) + √(2η)·z,   η = ε·σ²/σ_L²,   z ~ N(0, I)
//
// At a large σ the data's modes are one and chains go everywhere in a few steps; each level hands its samples to the next, narrower
// one. The step size follows σ², as the energy's curvature follows 1/σ², so that ε/σ_L² says how fast every level is: a
// step forgets that share of the distance, and leaves a bias of half that share. Where σ is less than the data's own breadth τ the
// curvature is 1/τ² and a step forgets but the share η/τ²: with σ_L far below τ raise StepSize, up to σ_L². Steps beyond the
// ladder's stay at σ_L.
//
// The energy must be an [ebm.AtNoise] around what losses.MultiscaleDenoising trained: its own Sigma counts for what the driver
// reports, the ladder's levels for the steps.
//
// An ordinary energy is annealed in temperature, which needs no kernel of its own: [Langevin] with a ladder for Noise samples
// exp(−E/T) at T = σ² on its way down, at one step size,
//
//	samplers.Langevin{StepSize: ebm.Fixed(0.01), Noise: ebm.Ladder{Start: 10, End: 1, Levels: 10, Steps: 100}}
//
// Both find modes that plain Langevin does not reach; only the first gives them their weights, since with temperature the
// share of a mode is settled at the last level from which chains still change mode, and is that level's share.
//
// It carries x, [n, event...], and draws one normal a number. Building panics on a ladder without proper levels, on a Fixed step
// size that is not positive and on an energy that is no ebm.AtNoise.
//
// Y. Song, S. Ermon, "Generative Modeling by Estimating Gradients of the Data Distribution", 2019, arXiv:1907.05600, whose step size α is
// 2η here.
type AnnealedLangevin struct {
	Ladder   ebm.Ladder   // σ₁, …, σ_L and the steps at each, default 100. Default: ten levels from 1 to 0.01
	StepSize ebm.Schedule // ε > 0, the step size at the last level; default σ_L²/10
}

var _ ebm.Kernel = AnnealedLangevin{}

// Init starts at x, [n, event...].
func (k AnnealedLangevin) Init(env ebm.Env, x *Node) ebm.State {
	checkSchedule("AnnealedLangevin", "StepSize", k.StepSize, true)
	if _, err := k.Ladder.Rungs(); err != nil {
		exceptions.Panicf("AnnealedLangevin: %v", err)
	}
	if _, ok := env.Energy.(ebm.AtNoise); !ok {
		exceptions.Panicf("AnnealedLangevin: the energy must be an ebm.AtNoise, since it is given log σ; got %T", env.Energy)
	}
	return ebm.State{x}
}

// Step moves every chain once, at the level of the step.
func (k AnnealedLangevin) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	rungs, err := k.Ladder.Rungs()
	if err != nil {
		exceptions.Panicf("AnnealedLangevin: %v", err)
	}
	last := rungs[len(rungs)-1]
	sigma := k.Ladder.At(env.Step, x.DType())
	eta := Mul(ebm.OrFixed(k.StepSize, last*last/10).At(env.Step, x.DType()), Square(DivScalar(sigma, last)))
	_, grad := ebm.ValueGrad(env.Energy.(ebm.AtNoise).Of, x, ebm.NoiseCond(x, sigma, env.Cond...)...)
	z := env.Rand.Normal(x.Shape())
	return ebm.State{Add(Sub(x, Mul(grad, eta)), Mul(z, Sqrt(MulScalar(eta, 2))))}, ebm.Info{}
}
