package flow

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// SRA1 is Rößler's Runge–Kutta method for additive noise, g = g(t). With I = ½ΔW + H, 1/h times the integral of the path on the step,
//
//	k₁ = f(x, t),   k₂ = f(x + ¾k₁h + (3/2)g(t+h)I, t + ¾h),   x' = x + (⅓k₁ + ⅔k₂)h + g(t+h)(ΔW − I) + g(t)I.
//
// Strong order 1.5, weak order 2. Two drifts and two diffusions a step, and two normals a number. Choose it wherever the noise is additive
// and steps are not so long that stability rules. The diffusion must not depend on x, which is not checked.
//
// A. Rößler, Runge–Kutta methods for the strong approximation of solutions of stochastic differential equations, SIAM J. Numer.
// Anal. 48 (2010), doi:10.1137/09076636X, §6.
type SRA1 struct{}

var _ StochasticIntegrator = SRA1{}

// Order is 1.5, strong, and 2, weak.
func (SRA1) Order() (strong, weak float64) { return 1.5, 2 }

// Area is true.
func (SRA1) Area() bool { return true }

// Step makes one step for every chain.
func (m SRA1) Step(s SDE, x, t, dt *Node, noise Increment) *Node {
	noise.check(m, x)
	h := AlongRows(dt, x)
	integral := Add(MulScalar(noise.W, 0.5), noise.H)
	begin, end := s.diffusion(x, t), s.diffusion(x, Add(t, dt))

	k1 := s.drift(x, t)
	middle := Add(Add(x, Mul(k1, MulScalar(h, 3./4))), Mul(end, MulScalar(integral, 3./2)))
	k2 := s.drift(middle, Add(t, MulScalar(dt, 3./4)))
	x = Add(x, Mul(Add(MulScalar(k1, 1./3), MulScalar(k2, 2./3)), h))
	return Add(x, Add(Mul(end, Sub(noise.W, integral)), Mul(begin, integral)))
}
