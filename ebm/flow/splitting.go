package flow

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Splitting is a symplectic method for a [Hamiltonian] that separates: kicks and drifts in turn, a kick first,
//
//	p ← p + aᵢh·Force(x),   x ← x + bᵢh·Velocity(p),
//
// with a = Kick and b = Drift; coefficients of 0 are left out. Time goes on with the drifts, so that a force may depend on it.
// A method whose coefficients read the same backwards is reversible: a step of −h undoes one of h.
//
// Building panics where the coefficients of either kind do not add up to 1, or there are not as many drifts as kicks, or one less.
//
// E. Hairer, Ch. Lubich, G. Wanner, Geometric Numerical Integration, 2006, doi:10.1007/3-540-30666-8, §II.5.
type Splitting struct {
	Kick, Drift []float64
	P           int // the order
}

// Leapfrog is half a kick, a drift and half a kick, also known as velocity Verlet: order 2, two forces a step, the second of which is the
// next step's first, so that [SymplecticSteps] take one; stable below 2/ω at the highest frequency ω.
//
// L. Verlet, Computer "experiments" on classical fluids, Phys. Rev. 159 (1967), doi:10.1103/PhysRev.159.98.
var Leapfrog = Splitting{Kick: []float64{1. / 2, 1. / 2}, Drift: []float64{1}, P: 2}

// Yoshida4 is three leapfrog steps in one, the middle one backwards, of sizes w₁ = 1/(2−∛2), 1−2w₁ and w₁, each with its drift in
// two halves: order 4, three forces a step. Choose it where the energy is to be kept closely; stable below about 1.57/ω.
//
// H. Yoshida, Construction of higher order symplectic integrators, Phys. Lett. A 150 (1990), doi:10.1016/0375-9601(90)90092-3.
var Yoshida4 = Splitting{
	Kick:  []float64{0, yoshida, 1 - 2*yoshida, yoshida},
	Drift: []float64{yoshida / 2, (1 - yoshida) / 2, (1 - yoshida) / 2, yoshida / 2},
	P:     4,
}

const yoshida = 1.3512071919596576340476878089715 // 1/(2−∛2)

var _ Symplectic = Splitting{}

// Order is P.
func (m Splitting) Order() int { return m.P }

// Step makes one step for every chain.
func (m Splitting) Step(h Hamiltonian, x, p, t, dt *Node) (newX, newP *Node) {
	newX, newP, _ = m.stages(h, x, p, t, dt, nil)
	return newX, newP
}

// stages is Step, given the force of its first kick if it is not nil; last is that of its last kick.
func (m Splitting) stages(h Hamiltonian, x, p, t, dt, first *Node) (newX, newP, last *Node) {
	m.check()
	size := AlongRows(dt, x)
	for i, kick := range m.Kick {
		if kick != 0 {
			if last = first; i > 0 || first == nil {
				last = h.force(x, p, t)
			}
			p = Add(p, Mul(last, MulScalar(size, kick)))
		}
		if i < len(m.Drift) && m.Drift[i] != 0 {
			x = Add(x, Mul(h.velocity(x, p, t), MulScalar(size, m.Drift[i])))
			t = Add(t, MulScalar(dt, m.Drift[i]))
		}
	}
	return x, p, last
}

// firstSameAsLast is whether a step ends with the force with which the next begins.
func (m Splitting) firstSameAsLast() bool {
	s := len(m.Kick)
	return s > 1 && len(m.Drift) == s-1 && m.Kick[0] != 0 && m.Kick[s-1] != 0
}

func (m Splitting) check() {
	if short := len(m.Kick) - len(m.Drift); short != 0 && short != 1 || m.P < 1 {
		exceptions.Panicf("Splitting: want as many drifts as kicks, or one less, and P ≥ 1; got %d, %d and %d", len(m.Drift), len(m.Kick), m.P)
	}
	for _, c := range [][]float64{m.Kick, m.Drift} {
		if got := total(c); !(math.Abs(got-1) <= 1e-12*(1+spread(c))) {
			exceptions.Panicf("Splitting: kicks and drifts must each add up to 1, got %g", got)
		}
	}
}
