package flow

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// EulerMaruyama is Euler's method with noise, in Itô's sense,
//
//	x' = x + f(x, t)h + g(x, t)ΔW.
//
// Strong order ½, or 1 with additive noise; weak order 1. One drift and one diffusion a step. Choose it unless its error shows.
//
// G. Maruyama, Continuous Markov processes and stochastic equations, Rend. Circ. Mat. Palermo 4 (1955), doi:10.1007/BF02846028;
// P. E. Kloeden, E. Platen, Numerical Solution of Stochastic Differential Equations, 1992, doi:10.1007/978-3-662-12616-5, §10.2.
type EulerMaruyama struct{}

var _ StochasticIntegrator = EulerMaruyama{}

// Order is ½, strong, and 1, weak.
func (EulerMaruyama) Order() (strong, weak float64) { return 0.5, 1 }

// Area is false.
func (EulerMaruyama) Area() bool { return false }

// Step makes one step for every chain.
func (m EulerMaruyama) Step(s SDE, x, t, dt *Node, noise Increment) *Node {
	noise.check(m, x)
	return Add(Add(x, Mul(s.drift(x, t), AlongRows(dt, x))), Mul(s.diffusion(x, t), noise.W))
}
