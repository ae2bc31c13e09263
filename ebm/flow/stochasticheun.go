package flow

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// StochasticHeun is Heun's method with noise, in Stratonovich's sense,
//
//	x̃ = x + f(x, t)h + g(x, t)ΔW,   x' = x + ½(f(x, t) + f(x̃, t+h))h + ½(g(x, t) + g(x̃, t+h))ΔW.
//
// Strong order 1 and weak order 1, and order 2 where there is no noise. Two drifts and two diffusions a step, no derivative. Choose it for
// equations in Stratonovich's sense, and for additive noise where the drift is the harder part. An equation in Itô's sense has to be
// rewritten first: its Stratonovich drift is f − ½g∂g/∂x.
//
// W. Rümelin, Numerical treatment of stochastic differential equations, SIAM J. Numer. Anal. 19 (1982), doi:10.1137/0719041.
type StochasticHeun struct{}

var _ StochasticIntegrator = StochasticHeun{}

// Order is 1, strong and weak.
func (StochasticHeun) Order() (strong, weak float64) { return 1, 1 }

// Area is false.
func (StochasticHeun) Area() bool { return false }

// Step makes one step for every chain.
func (m StochasticHeun) Step(s SDE, x, t, dt *Node, noise Increment) *Node {
	noise.check(m, x)
	h := AlongRows(dt, x)
	f, g := s.drift(x, t), s.diffusion(x, t)
	guess, end := Add(Add(x, Mul(f, h)), Mul(g, noise.W)), Add(t, dt)
	f, g = Add(f, s.drift(guess, end)), Add(g, s.diffusion(guess, end))
	return Add(x, MulScalar(Add(Mul(f, h), Mul(g, noise.W)), 0.5))
}
