package flow

import (
	"cmp"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// GeneralisedLeapfrog is a symplectic method for any [Hamiltonian], separable or not:
//
//	p½ = p + ½h·Force(x, p½);   x' = x + ½h(Velocity(x, p½) + Velocity(x', p½));   p' = p½ + ½h·Force(x', p½).
//
// Order 2, reversible. The first two equations are implicit, and solved by fixed-point iterations, which converge where half
// the step times the slope of Force in p, and of Velocity in x, is below 1; a step keeps volume and is reversible to what the last
// iteration changed. It takes K+1 forces and K+1 velocities. Force and Velocity that depend on time are taken at the middle of the step.
//
// Building panics where Iterations is negative.
//
// B. Leimkuhler, S. Reich, Simulating Hamiltonian Dynamics, 2004, doi:10.1017/CBO9780511614118, §4.2.
type GeneralisedLeapfrog struct {
	Iterations int // K ≥ 1 of each of the two equations, default 8
}

var _ Symplectic = GeneralisedLeapfrog{}

// Order is 2.
func (GeneralisedLeapfrog) Order() int { return 2 }

// Step makes one step for every chain.
//
// Every iterate is computed once, behind a barrier: XLA would else fuse iteration into iteration, and compile for hours.
func (m GeneralisedLeapfrog) Step(h Hamiltonian, x, p, t, dt *Node) (newX, newP *Node) {
	if m.Iterations < 0 {
		exceptions.Panicf("GeneralisedLeapfrog: Iterations must be at least 1, or 0 for the default of 8, got %d", m.Iterations)
	}
	iterations := cmp.Or(m.Iterations, 8)
	half := MulScalar(AlongRows(dt, x), 0.5)
	t = Add(t, MulScalar(dt, 0.5))

	middle := p
	for range iterations {
		middle = OptimizationBarrier(Add(p, Mul(h.force(x, middle, t), half)))
	}
	start := h.velocity(x, middle, t)
	newX = OptimizationBarrier(Add(x, Mul(start, MulScalar(half, 2))))
	for range iterations {
		newX = OptimizationBarrier(Add(x, Mul(Add(start, h.velocity(newX, middle, t)), half)))
	}
	return newX, Add(middle, Mul(h.force(newX, middle, t), half))
}
