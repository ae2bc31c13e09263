package flow

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// SDE is the stochastic differential equation dx = Drift(x, t) dt + Diffusion(x, t) dW with diagonal noise: each number of x
// has a Brownian motion of its own. x is [n, event...] and t is [n], as in [Integrator]. The diffusion has x's shape, its i-th number a
// function of t and x's i-th number; or, where the noise is additive, it may be [n], one number a chain.
//
// Whether it is read in Itô's sense or in Stratonovich's is the integrator's to say; with additive noise they are the same.
type SDE struct{ Drift, Diffusion func(x, t *Node) *Node }

// StochasticIntegrator makes one step of an [SDE], for many chains at once, with a given piece of the Brownian path; [Brownian]
// draws one. x is [n, event...]; t and dt ≥ 0 are [n].
//
// Order is (γ, β) where for steps to a given time E|x_h − x| on a shared Brownian path shrinks as dt^γ, the strong order, and
// E f(x_h) − E f(x) as dt^β, the weak one, for smooth f.
type StochasticIntegrator interface {
	Step(s SDE, x, t, dt *Node, noise Increment) *Node
	Order() (strong, weak float64)
	Area() bool // whether Step reads the increment's H
}

// Increment is what a step sees of the Brownian path W on its interval of length h. Both are of x's shape and independent.
type Increment struct {
	W *Node // W(t+h) − W(t), of variance h
	H *Node // the space–time Lévy area, 1/h ∫(W(t+s) − W(t))ds − ½W, of variance h/12; nil where it is not read
}

// Brownian draws what an integrator reads of the path for steps dt, [n], of chains x, [n, event...].
func Brownian(m StochasticIntegrator, rng *ebm.Rand, x, dt *Node) Increment {
	h := AlongRows(dt, x)
	noise := Increment{W: Mul(rng.Normal(x.Shape()), Sqrt(h))}
	if m.Area() {
		noise.H = Mul(rng.Normal(x.Shape()), Sqrt(MulScalar(h, 1./12)))
	}
	return noise
}

func (s SDE) drift(x, t *Node) *Node { return slope("the drift", s.Drift, x, t) }

// diffusion is g(x, t), or g(t) with an axis for each of x's.
func (s SDE) diffusion(x, t *Node) *Node {
	g := s.Diffusion(x, t)
	if g == nil {
		exceptions.Panicf("flow: the diffusion at x %s is nil", x.Shape())
	}
	if g.Rank() == 1 && x.Rank() > 1 {
		return AlongRows(g, x)
	}
	if !g.Shape().Equal(x.Shape()) {
		exceptions.Panicf("flow: the diffusion at x %s must have x's shape, or be one number a row, got %s", x.Shape(), g.Shape())
	}
	return g
}

// check that the path's pieces are there.
func (noise Increment) check(m StochasticIntegrator, x *Node) {
	if noise.W == nil || !noise.W.Shape().Equal(x.Shape()) || m.Area() && (noise.H == nil || !noise.H.Shape().Equal(x.Shape())) {
		exceptions.Panicf("%T: the increment's W, and H where Area, must have the shape of x %s", m, x.Shape())
	}
}
