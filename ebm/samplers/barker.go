package samplers

import (
	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Barker is the Barker proposal: every number takes a step of normal length, downhill more likely than uphill,
//
//	x'ᵢ = xᵢ + wᵢ,   wᵢ = zᵢ with probability 1/(1 + exp(zᵢ∂ᵢE(x))), else −zᵢ,   z ~ N(0, σ²I),
//
// and x' is accepted with probability min(1, exp(E(x) − E(x'))·Πᵢ (1 + exp(wᵢ∂ᵢE(x)))/(1 + exp(−wᵢ∂ᵢE(x')))), which leaves
// exp(−E) exactly invariant. A proposal whose energy or gradient is not finite is refused.
//
// The gradient chooses the direction alone, never the length, so that a step size that is too large, or a gradient that
// grows without bound, costs acceptance and not the chain: choose it where [MALA] sticks, or to tune a step size from a
// poor start. On smooth targets with a good step size MALA is a little better. Aim at an acceptance of 0.4.
//
// The state is x [n, event...], E(x) [n] and ∇E(x): a step takes one gradient. Info has Accept and Energy.
// Building panics on a Fixed step size that is not positive.
//
// Livingstone and Zanella, The Barker proposal: combining robustness and efficiency in gradient-based MCMC,
// J. R. Stat. Soc. B 84 (2022), doi:10.1111/rssb.12482, arXiv:1908.11812.
type Barker struct {
	StepSize ebm.Schedule // σ > 0, default 0.1
}

var _ ebm.Kernel = Barker{}

// Init starts at x, [n, event...].
func (k Barker) Init(env ebm.Env, x *Node) ebm.State {
	checkSchedule("Barker", "StepSize", k.StepSize, true)
	energy, grad := env.ValueGrad(x)
	return ebm.State{x, energy, grad}
}

// Step makes one proposal for every chain.
func (k Barker) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	sigma := ebm.OrFixed(k.StepSize, 0.1).At(env.Step, x.DType())
	z, side := Mul(env.Rand.Normal(x.Shape()), sigma), env.Rand.Uniform(x.Shape())
	return k.transition(env, s, z, side, env.Rand.Uniform(shapes.Make(x.DType(), x.Shape().Dimensions[0])))
}

// WithStepSize is the kernel with another σ.
func (k Barker) WithStepSize(s ebm.Schedule) ebm.Kernel { k.StepSize = s; return k }

// transition is the step for given lengths z and uniforms side, both [n, event...], and uniforms u [n].
func (k Barker) transition(env ebm.Env, s ebm.State, z, side, u *Node) (ebm.State, ebm.Info) {
	x, energy, grad := s[0], s[1], s[2]
	w := Where(LessThan(side, Sigmoid(Neg(Mul(z, grad)))), z, Neg(z))
	newX := Add(x, w)
	newEnergy, newGrad := env.ValueGrad(newX)
	balance := sumEvent(Sub(Softplus(Mul(w, grad)), Softplus(Neg(Mul(w, newGrad))))) // log q(x|x')/q(x'|x)
	finite := IsFinite(Add(Add(newEnergy, balance), sumEvent(Add(newX, newGrad))))
	accept := Where(finite, Exp(MinScalar(Add(Sub(energy, newEnergy), balance), 0)), ZerosLike(energy))
	take := LessThan(u, accept)
	energy = Where(take, newEnergy, energy)
	return ebm.State{Where(take, newX, x), energy, Where(take, newGrad, grad)}, ebm.Info{Accept: accept, Energy: energy}
}
