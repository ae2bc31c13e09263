package samplers

import (
	"cmp"

	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// place is a position and what the energy and the metric are there.
type place struct {
	x      *Node    // [n, event...]
	energy *Node    // E, [n]
	slope  *Node    // ∇(E + ½log|G|), [n, d]
	metric *Node    // G, [n, d, d], a function of x to GoMLX
	factor factored // of G, constant to GoMLX
}

// at is the place x.
func (k RiemannianHMC) at(env ebm.Env, x *Node) place {
	x = Identity(x) // a node of its own, at which every gradient ends
	energy, grad := env.ValueGrad(x)
	at := place{x: x, energy: energy, metric: k.metric(env, x)}
	at.factor = factor(StopGradient(at.metric))
	// ∂log|G| = tr(G⁻¹∂G): the gradient with G⁻¹ held fixed spares a way back through the factorisation.
	at.slope = Add(flatten(grad), at.gradient(MulScalar(at.factor.inverted(), 0.5)))
	return at
}

// metric is G(x), [n, d, d].
func (k RiemannianHMC) metric(env ebm.Env, x *Node) *Node {
	n := x.Shape().Dimensions[0]
	d := x.Shape().Size() / n
	if k.Metric == nil {
		return BroadcastToDims(ExpandAxes(DiagonalWithValue(ScalarOne(x.Graph(), x.DType()), d), 0), n, d, d)
	}
	g := k.Metric(x, env.Cond...)
	if g == nil || g.Rank() != 3 || g.Shape().Dimensions[0] != n || g.Shape().Dimensions[1] != d || g.Shape().Dimensions[2] != d || g.DType() != x.DType() {
		shape := "nil"
		if g != nil {
			shape = g.Shape().String()
		}
		exceptions.Panicf("RiemannianHMC: Metric of x %s must be %s [%d, %d, %d], got %s", x.Shape(), x.DType(), n, d, d, shape)
	}
	return g
}

// gradient is ∇ₓ Σᵢⱼ wᵢⱼGᵢⱼ(x), [n, d], for weights [n, d, d].
func (at place) gradient(weights *Node) *Node {
	return flatten(Gradient(ReduceAllSum(Mul(at.metric, StopGradient(weights))), at.x)[0])
}

// force is −∂ₓH at momentum p, [n, d]. ∂(pᵀG⁻¹p) = −vᵀ(∂G)v with v = G⁻¹p.
func (at place) force(p *Node) *Node {
	v := at.factor.solve(p)
	return Sub(at.gradient(MulScalar(Mul(ExpandAxes(v, 1), ExpandAxes(v, 2)), 0.5)), at.slope)
}

// step is one step of size h of the generalised leapfrog; changed, [n], is what the last iterations changed.
//
// Every iterate is computed once, behind a barrier: XLA would else fuse iteration into iteration, and compile for hours.
func (k RiemannianHMC) step(env ebm.Env, from place, p, h *Node) (to place, newP, changed *Node) {
	iterations, half := cmp.Or(k.Iterations, 6), MulScalar(h, 0.5)
	middle, last := p, p
	for range iterations {
		last, middle = middle, OptimizationBarrier(Add(p, Mul(from.force(middle), half)))
	}
	changed = gap(last, middle)

	start := flatten(from.x)
	velocity := from.factor.solve(middle)
	x := OptimizationBarrier(Add(start, Mul(velocity, h)))
	for range iterations - 1 {
		there := factor(k.metric(env, Reshape(x, from.x.Shape().Dimensions...))).solve(middle)
		last, x = x, OptimizationBarrier(Add(start, Mul(Add(velocity, there), half)))
	}
	changed = Add(changed, gap(last, x))

	to = k.at(env, Reshape(x, from.x.Shape().Dimensions...))
	return to, OptimizationBarrier(Add(middle, Mul(to.force(middle), half))), changed
}

// gap is √Σᵢ((aᵢ−bᵢ)/(1+|bᵢ|))², [n], for a and b [n, d].
func gap(a, b *Node) *Node {
	return Sqrt(ReduceSum(Square(Div(Sub(a, b), AddScalar(Abs(b), 1))), 1))
}

// flatten gives every event as a vector: [n, event...] → [n, d].
func flatten(x *Node) *Node {
	n := x.Shape().Dimensions[0]
	return Reshape(x, n, x.Shape().Size()/n)
}
