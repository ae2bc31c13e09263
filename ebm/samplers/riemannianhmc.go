package samplers

import (
	"cmp"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// RiemannianHMC is Hamiltonian Monte Carlo with a mass matrix G(x) that changes with the position, the metric of a
// Riemannian manifold:
//
//	H(x, p) = E(x) + ½pᵀG(x)⁻¹p + ½log|G(x)|,   p ~ N(0, G(x)).
//
// H does not separate, so a step is one of the generalised leapfrog, whose first two equations are implicit,
//
//	p½ = p − ½h ∂ₓH(x, p½);   x' = x + ½h (G(x)⁻¹ + G(x')⁻¹)p½;   p' = p½ − ½h ∂ₓH(x', p½),
//
// each solved by K fixed-point iterations. A proposal of L steps is accepted with probability min(1, exp(H − H')).
//
// Were the equations solved exactly, the path would be reversible and keep volume, and exp(−E) exactly invariant. Where K
// iterations have not converged, or the way back finds another solution, neither holds, and the target is off by an amount
// that no acceptance rate shows. So the path is walked back from (x', −p'), and the proposal refused unless what the last
// iterations changed, both ways together, is Tolerance at most, a condition that is the same from either end, and the way
// back ends within √Tolerance of (x, −p), which it misses where it found another solution; each as a norm of
// |a−b|/(1+|b|) over an event. What is left is an error of the order of Tolerance. Where this refuses much, take more
// iterations or smaller steps. Refused as well is what is not finite, or where the metric is not positive definite.
//
// The state is x, [n, event...] of d ≤ 8 numbers; a step takes 2L+1 gradients of E, and about 2L·K metrics and as many of
// their gradients. Info has Accept and Energy. Choose it for few numbers on a scale that changes from place to place, as in
// a funnel or a curved valley, with the Fisher information as a metric; else [HMC], at a fraction of the work.
//
// Building panics on a Fixed step size that is not positive, numbers of steps or iterations below 1 and 2, a metric that
// is not [n, d, d], and d > 8.
//
// Girolami and Calderhead, Riemann manifold Langevin and Hamiltonian Monte Carlo methods, J. R. Stat. Soc. B 73 (2011),
// doi:10.1111/j.1467-9868.2010.00765.x; the way back: Lelièvre, Santet and Stoltz, Unbiasing Hamiltonian Monte Carlo
// algorithms for a general Hamiltonian function, 2023, arXiv:2303.15918.
type RiemannianHMC struct {
	// Metric builds G(x), [n, d, d], symmetric and positive definite, with the energy's conditioning. Default: the identity.
	Metric func(x *Node, cond ...*Node) *Node

	StepSize   ebm.Schedule // h > 0, default 0.1
	Leapfrog   int          // L ≥ 1, default 4
	Iterations int          // K ≥ 2, default 6
	Tolerance  float64      // default 0.001
}

var _ ebm.Kernel = RiemannianHMC{}

// Init starts at x, [n, event...].
func (k RiemannianHMC) Init(_ ebm.Env, x *Node) ebm.State {
	checkSchedule("RiemannianHMC", "StepSize", k.StepSize, true)
	switch {
	case k.Leapfrog < 0:
		exceptions.Panicf("RiemannianHMC: Leapfrog must be at least 1, or 0 for the default of 4, got %d", k.Leapfrog)
	case k.Iterations < 0 || k.Iterations == 1:
		exceptions.Panicf("RiemannianHMC: Iterations must be at least 2, or 0 for the default of 6, got %d", k.Iterations)
	case !(k.Tolerance >= 0):
		exceptions.Panicf("RiemannianHMC: Tolerance must be positive, or 0 for the default of 0.001, got %g", k.Tolerance)
	}
	return ebm.State{x}
}

// Step makes one proposal for every chain.
func (k RiemannianHMC) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	z, u := env.Rand.Normal(x.Shape()), env.Rand.Uniform(shapes.Make(x.DType(), x.Shape().Dimensions[0]))
	return k.transition(env, x, z, u, ebm.OrFixed(k.StepSize, 0.1).At(env.Step, x.DType()))
}

// WithStepSize is the kernel with another h.
func (k RiemannianHMC) WithStepSize(s ebm.Schedule) ebm.Kernel { k.StepSize = s; return k }

// transition is the step for given normals z [n, event...], uniforms u [n] and step size h.
func (k RiemannianHMC) transition(env ebm.Env, x, z, u, h *Node) (ebm.State, ebm.Info) {
	tolerance := cmp.Or(k.Tolerance, 1e-3)
	start := k.at(env, x)
	p := start.factor.root(flatten(z))
	end, newP, residual := k.path(env, start, p, h)
	back, backP, residualBack := k.path(env, end, Neg(newP), h)
	settled := LessOrEqual(Add(residual, residualBack), Scalar(x.Graph(), x.DType(), tolerance))
	returned := LessOrEqual(Add(gap(flatten(back.x), flatten(x)), gap(Neg(backP), p)), Scalar(x.Graph(), x.DType(), math.Sqrt(tolerance)))

	lost := MulScalar(Sub(sumEvent(Square(z)), sumEvent(Mul(newP, end.factor.solve(newP)))), 0.5) // ½pᵀG⁻¹p at the start is ½zᵀz
	gain := Add(Add(Sub(start.energy, end.energy), lost), MulScalar(Sub(start.factor.logDet, end.factor.logDet), 0.5))
	good := LogicalAnd(LogicalAnd(settled, returned), IsFinite(Add(end.energy, lost)))
	accept := Where(good, Exp(MinScalar(gain, 0)), ZerosLike(gain))
	take := LessThan(u, accept)
	return ebm.State{Where(take, end.x, x)}, ebm.Info{Accept: accept, Energy: Where(take, end.energy, start.energy)}
}

// path takes L steps; residual, [n], is what the last iterations of all of them changed.
func (k RiemannianHMC) path(env ebm.Env, from place, p, h *Node) (to place, newP, residual *Node) {
	residual = ZerosLike(from.energy)
	for range cmp.Or(k.Leapfrog, 4) {
		var changed *Node
		from, p, changed = k.step(env, from, p, h)
		residual = Add(residual, changed)
	}
	return from, p, residual
}
