package flow

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Interpolant is a path from noise x₀ at t = 0 to data x₁ at t = 1,
//
//	x_t = α(t)·x₁ + σ(t)·x₀,    u_t = dx_t/dt = α̇(t)·x₁ + σ̇(t)·x₀.
//
// At gives the four coefficients at times t in [0, 1], of any shape.
//
// M. S. Albergo, N. M. Boffi, E. Vanden-Eijnden, "Stochastic interpolants: a unifying framework for flows and diffusions",
// 2023, arXiv:2303.08797.
type Interpolant interface {
	At(t *Node) Coeffs
}

// InterpolantFunc makes a path of a function, which gives all four coefficients with t's shape. That α̇ and σ̇ are the
// derivatives of α and σ is the writer's care: nothing else is made of them.
type InterpolantFunc func(t *Node) Coeffs

var _ Interpolant = InterpolantFunc(nil)

// At calls f.
func (f InterpolantFunc) At(t *Node) Coeffs { return f(t) }

// Coeffs are the coefficients of a path at some times, and their derivatives in t; all of t's shape and type.
type Coeffs struct{ Alpha, DAlpha, Sigma, DSigma *Node }

// Point is x_t, [n, event...], for noise x0 and data x1 of that shape and coefficients [n].
func (c Coeffs) Point(x0, x1 *Node) *Node { return mix(c.Alpha, x1, c.Sigma, x0) }

// Velocity is u_t, [n, event...], for noise x0 and data x1 of that shape and coefficients [n].
func (c Coeffs) Velocity(x0, x1 *Node) *Node { return mix(c.DAlpha, x1, c.DSigma, x0) }

// mix is a·x + b·y, with a number a row in a and b.
func mix(a, x, b, y *Node) *Node {
	if !x.Shape().Equal(y.Shape()) {
		exceptions.Panicf("Coeffs: x0 and x1 must have the same shape, got %s and %s", y.Shape(), x.Shape())
	}
	return Add(Mul(AlongRows(a, x), x), Mul(AlongRows(b, y), y))
}

// AlongRows gives one number a row, [n], as many axes of length 1 as x, [n, event...], has event axes.
func AlongRows(v, x *Node) *Node {
	if v.Rank() != 1 || x.Rank() == 0 || v.Shape().Dimensions[0] != x.Shape().Dimensions[0] {
		exceptions.Panicf("AlongRows: want one number for each row of %s, got %s", x.Shape(), v.Shape())
	}
	dims := make([]int, x.Rank())
	for i := range dims {
		dims[i] = 1
	}
	dims[0] = v.Shape().Dimensions[0]
	return Reshape(v, dims...)
}
