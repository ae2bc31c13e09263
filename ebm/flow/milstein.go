package flow

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Milstein is Milstein's method for diagonal noise, in Itô's sense,
//
//	x' = x + f(x, t)h + g(x, t)ΔW + ½g ∂g/∂x (ΔW² − h).
//
// Strong order 1, weak order 1. One drift and one diffusion a step, with the diffusion's derivative, which GoMLX finds; it is right only
// where each number of g depends on no other number of x than its own. With additive noise the last term is 0 and the method
// is [EulerMaruyama].
//
// G. N. Milstein, Approximate integration of stochastic differential equations, Theory Probab. Appl. 19 (1975),
// doi:10.1137/1119062; Kloeden and Platen, doi:10.1007/978-3-662-12616-5, §10.3.
type Milstein struct{}

var _ StochasticIntegrator = Milstein{}

// Order is 1, strong and weak.
func (Milstein) Order() (strong, weak float64) { return 1, 1 }

// Area is false.
func (Milstein) Area() bool { return false }

// Step makes one step for every chain.
func (m Milstein) Step(s SDE, x, t, dt *Node, noise Increment) *Node {
	noise.check(m, x)
	h, at := AlongRows(dt, x), Identity(x) // a node of its own, at which the derivative ends
	g := s.diffusion(at, t)
	slope := Gradient(ReduceAllSum(g), at)[0] // of diagonal noise the sum's gradient is each number's own derivative
	x = Add(Add(x, Mul(s.drift(x, t), h)), Mul(g, noise.W))
	return Add(x, MulScalar(Mul(Mul(g, slope), Sub(Square(noise.W), h)), 0.5))
}
