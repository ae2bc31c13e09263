package flow

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
)

// Hamiltonian is a pair of Hamilton's equations, x˙ = Velocity = ∂H/∂p and p˙ = Force = −∂H/∂x, at positions x and momenta p,
// [n, event...], and times t, [n]. Where H separates into a part of p and a part of x, Velocity leaves x and t alone and Force leaves
// p alone; [Splitting] wants this.
type Hamiltonian struct {
	Velocity, Force func(x, p, t *Node) *Node
}

// Separable is the Hamiltonian E(x) + ½|p|² of an energy, with the given conditioning.
func Separable(e ebm.Energy, cond ...*Node) Hamiltonian {
	return Hamiltonian{
		Velocity: func(_, p, _ *Node) *Node { return p },
		Force: func(x, _, _ *Node) *Node {
			_, grad := ebm.ValueGrad(e, x, cond...)
			return Neg(grad)
		},
	}
}

// Symplectic makes one step of Hamilton's equations, for many chains at once, by a map that keeps phase-space volume: errors in
// the energy stay bounded however many the steps. x and p are [n, event...], t and dt are [n]. Order is p where the error of many
// steps to a given time shrinks as dt^p.
type Symplectic interface {
	Step(h Hamiltonian, x, p, t, dt *Node) (newX, newP *Node)
	Order() int
}

// velocity and force are the two functions, checked.
func (h Hamiltonian) velocity(x, p, t *Node) *Node {
	return slope("the velocity", func(x, t *Node) *Node { return h.Velocity(x, p, t) }, x, t)
}

func (h Hamiltonian) force(x, p, t *Node) *Node {
	return slope("the force", func(x, t *Node) *Node { return h.Force(x, p, t) }, x, t)
}
