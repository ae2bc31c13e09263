package flow

import (
	"cmp"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// ImplicitEulerMaruyama is the drift-implicit Euler method with noise, in Itô's sense,
//
//	x' = x + f(x', t+h)h + g(x, t)ΔW.
//
// Strong order ½, or 1 with additive noise; weak order 1. Choose it for stiff drifts: on x˙ = −λx it is stable for every h > 0,
// where [EulerMaruyama] is for hλ < 2 only.
//
// The equation is solved by Newton's method, from x' = x + gΔW on; an iteration takes the drift and its Jacobian, which is d gradients
// for d numbers an event, 8 at most. With FixedPoint it is solved by inserting x' again and again instead, which takes one drift
// each, for events of any shape, but converges only where hλ < 1: this gains accuracy over none of the explicit methods, and is there
// to compare with.
//
// Building panics where Iterations is negative, and without FixedPoint for more than 8 numbers an event.
//
// Kloeden and Platen, doi:10.1007/978-3-662-12616-5, §12.2.
type ImplicitEulerMaruyama struct {
	Iterations int  // default 4 of Newton's, 8 with FixedPoint
	FixedPoint bool // insert x' again and again
}

var _ StochasticIntegrator = ImplicitEulerMaruyama{}

// Order is ½, strong, and 1, weak.
func (ImplicitEulerMaruyama) Order() (strong, weak float64) { return 0.5, 1 }

// Area is false.
func (ImplicitEulerMaruyama) Area() bool { return false }

// Step makes one step for every chain.
//
// Every iterate is computed once, behind a barrier: XLA would else fuse iteration into iteration, and compile for hours.
func (m ImplicitEulerMaruyama) Step(s SDE, x, t, dt *Node, noise Increment) *Node {
	noise.check(m, x)
	if m.Iterations < 0 {
		exceptions.Panicf("ImplicitEulerMaruyama: Iterations must be at least 1, or 0 for the default, got %d", m.Iterations)
	}
	shape := x.Shape()
	n := shape.Dimensions[0]
	d := shape.Size() / n
	h, end := AlongRows(dt, x), Add(t, dt)
	base := Add(x, Mul(s.diffusion(x, t), noise.W))
	next := OptimizationBarrier(base)
	if m.FixedPoint {
		for range cmp.Or(m.Iterations, 8) {
			next = OptimizationBarrier(Add(base, Mul(s.drift(next, end), h)))
		}
		return next
	}
	if d > 8 {
		exceptions.Panicf("ImplicitEulerMaruyama: Newton's method is for at most 8 numbers an event, got x %s: set FixedPoint, with short steps", shape)
	}
	h = Reshape(dt, n, 1)
	for range cmp.Or(m.Iterations, 4) {
		f := Reshape(s.drift(next, end), n, d)
		rows := make([]*Node, d) // of I − hJ, [n, d] each
		for i := range rows {
			grad := Gradient(ReduceAllSum(Slice(f, AxisRange(), AxisRange(i, i+1))), next)[0]
			rows[i] = Sub(unit(next, d, i), Mul(Reshape(grad, n, d), h))
		}
		residual := Sub(Add(Reshape(base, n, d), Mul(f, h)), Reshape(next, n, d))
		next = OptimizationBarrier(Add(next, Reshape(eliminate(rows, residual), shape.Dimensions...)))
	}
	return next
}

// unit is the i-th unit vector in every row, [1, d].
func unit(like *Node, d, i int) *Node {
	v := [][]float64{make([]float64, d)}
	v[0][i] = 1
	return ConstAsDType(like.Graph(), like.DType(), v)
}

// eliminate solves Ax = b, [n, d], for A given by its rows, [n, d] each, by Gauss–Jordan elimination. Without pivoting: this is
// stable where A + Aᵀ is positive definite, which I − hJ is for drifts that contract.
func eliminate(rows []*Node, b *Node) *Node {
	d := len(rows)
	column := func(v *Node, j int) *Node { return Slice(v, AxisRange(), AxisRange(j, j+1)) }
	rhs := make([]*Node, d) // [n, 1]
	for i := range rhs {
		rhs[i] = column(b, i)
	}
	for p := range d {
		pivot := column(rows[p], p)
		rows[p], rhs[p] = Div(rows[p], pivot), Div(rhs[p], pivot)
		for i := range d {
			if i != p {
				factor := column(rows[i], p)
				rows[i], rhs[i] = Sub(rows[i], Mul(factor, rows[p])), Sub(rhs[i], Mul(factor, rhs[p]))
			}
		}
	}
	return Concatenate(rhs, 1)
}
