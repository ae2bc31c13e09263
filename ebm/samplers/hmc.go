package samplers

import (
	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// HMC is Hamiltonian (hybrid) Monte Carlo. A step draws momenta p ~ N(0, M), follows Hamilton's equations of
// H(x, p) = E(x) + ½pᵀM⁻¹p by L steps of [Leapfrog], and accepts where
//
//	u < min(1, exp(H(x, p) − H(x', p'))),   u ~ U(0, 1)
//
// which leaves exp(−E) exactly invariant at any step size. A proposal that is not finite is refused, so a chain
// that started finite stays so; one that started where the energy is +∞ takes its first finite proposal. Aim at an acceptance of 0.65 to 0.8, and at a path η·L of a quarter of a period of
// the slowest direction, π/2·σ at mass 1.
//
// The state is x [n, event...], E(x) [n] and ∇E(x): a step takes L gradients. Info has Accept and Energy.
// Choose it where samples must be exact and gradients are to be had: the work grows as d^(5/4) with the dimension.
//
// Building panics on a Fixed step size that is not positive, a negative number of leapfrog steps, a Jitter outside
// [0, 1) and a mass of the wrong length.
//
// Duane, Kennedy, Pendleton and Roweth, Hybrid Monte Carlo, Phys. Lett. B 195 (1987),
// doi:10.1016/0370-2693(87)91197-X; Neal, MCMC using Hamiltonian dynamics, 2011, arXiv:1206.1901.
type HMC struct {
	StepSize ebm.Schedule // η > 0, default 0.1
	Leapfrog int          // L ≥ 1, default 10
	Mass     Mass         // M, default the identity

	// Jitter J in [0, 1): every chain multiplies η by a number from U(1−J, 1+J) drawn afresh at each step, and with
	// it the length of its path, so that no direction is caught in a whole period. The number does not depend on
	// the state, which keeps the target invariant. Default 0.
	Jitter float64
}

var _ Preconditioned = HMC{}

// WithStepSize is the kernel with another η.
func (k HMC) WithStepSize(s ebm.Schedule) ebm.Kernel { k.StepSize = s; return k }

// WithMass is the kernel with another M.
func (k HMC) WithMass(m Mass) Tunable { k.Mass = m; return k }

// Init starts at x, [n, event...].
func (k HMC) Init(env ebm.Env, x *Node) ebm.State {
	checkSchedule("HMC", "StepSize", k.StepSize, true)
	if k.Leapfrog < 0 {
		exceptions.Panicf("HMC: Leapfrog must be at least 1, or 0 for the default of 10, got %d", k.Leapfrog)
	}
	if !(k.Jitter >= 0 && k.Jitter < 1) {
		exceptions.Panicf("HMC: Jitter must be in [0, 1), got %g", k.Jitter)
	}
	energy, grad := env.ValueGrad(x)
	return ebm.State{x, energy, grad}
}

// Step makes one proposal for every chain.
func (k HMC) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	perChain := shapes.Make(x.DType(), x.Shape().Dimensions[0])
	z, u := env.Rand.Normal(x.Shape()), env.Rand.Uniform(perChain)
	h := ebm.OrFixed(k.StepSize, 0.1).At(env.Step, x.DType())
	if k.Jitter > 0 {
		stretch := AddScalar(MulScalar(env.Rand.Uniform(perChain), 2*k.Jitter), 1-k.Jitter)
		h = Mul(alongRows(stretch, x), h)
	}
	return k.transition(env, s, z, u, h)
}

// transition is the step for given normals z [n, event...], uniforms u [n] and step size h.
func (k HMC) transition(env ebm.Env, s ebm.State, z, u, h *Node) (ebm.State, ebm.Info) {
	mass, steps := k.Mass, k.Leapfrog
	if mass == nil {
		mass = ScalarMass(1)
	}
	if steps == 0 {
		steps = 10
	}
	x, energy, grad := s[0], s[1], s[2]
	z, u = once(z), once(u)
	newX, p, newEnergy, newGrad := Leapfrog(env.ValueGrad, mass, x, mass.Momentum(z), grad, h, steps)

	// pᵀM⁻¹p at the start is zᵀz.
	kinetic := MulScalar(sumEvent(Sub(Square(z), Mul(p, mass.Velocity(p)))), 0.5) // [n], what it lost
	gain := Add(Sub(energy, newEnergy), kinetic)                                  // H − H'
	finite := IsFinite(Add(Add(newEnergy, kinetic), sumEvent(newX)))              // a bad gradient shows in p
	accept := Where(finite, Exp(MinScalar(gain, 0)), ZerosLike(gain))
	take := LessThan(u, accept)

	energy = Where(take, newEnergy, energy)
	return ebm.State{Where(take, newX, x), energy, Where(take, newGrad, grad)}, ebm.Info{Accept: accept, Energy: energy}
}

// once is x, for noise that is read in several places: XLA's fusions would each draw it anew. They do not where it ends in what counts as
// an expensive operation, here a division by a 1 of which the compiler does not know that it is always 1.
func once(x *Node) *Node {
	one := ConstAsDType(x.Graph(), x.DType(), 1)
	never := LessThan(x, ConstAsDType(x.Graph(), x.DType(), -1e30))
	return Div(x, Where(never, ConstAsDType(x.Graph(), x.DType(), 2), one))
}

// sumEvent sums each row: [n, event...] → [n].
func sumEvent(x *Node) *Node {
	n := x.Shape().Dimensions[0]
	return ReduceSum(Reshape(x, n, x.Shape().Size()/n), 1)
}

// alongRows gives a number for each row, [n], as many axes of length 1 as x has event axes.
func alongRows(v, x *Node) *Node {
	dims := make([]int, x.Rank())
	dims[0] = x.Shape().Dimensions[0]
	for i := 1; i < len(dims); i++ {
		dims[i] = 1
	}
	return Reshape(v, dims...)
}
