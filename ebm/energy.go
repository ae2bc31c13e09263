package ebm

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Energy builds E(x): x is [n, event...], the result [n]. Low energy is likely: p(x) ∝ exp(−E(x)).
// Conditioning values, if any, follow x and have n rows too.
//
// Energy is a graph-building method: it panics on wrong shapes, as GoMLX's own operations do.
type Energy interface {
	Energy(x *Node, cond ...*Node) *Node
}

// EnergyFunc makes an energy of a function, so that a custom energy takes three lines:
//
//	ring := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node {
//		return Square(AddScalar(ReduceSum(Square(x), -1), -4)) // low on the ring of radius 2
//	})
type EnergyFunc func(x *Node, cond ...*Node) *Node

// Energy calls f.
func (f EnergyFunc) Energy(x *Node, cond ...*Node) *Node { return f(x, cond...) }

// Net is an energy with weights: a GoMLX model function bound to a scope. The scope is entered anew at
// every build, so an energy that is evaluated many times in one graph shares its weights.
//
// Convolutions must have kernels of odd size: GoMLX 0.28.1 gets ∇ₓ of even ones wrong, and says nothing.
type Net struct {
	Scope *model.Scope // where the weights live
	Fn    func(scope *model.Scope, x *Node, cond ...*Node) *Node
}

// Energy builds Fn on the net's scope.
func (n Net) Energy(x *Node, cond ...*Node) *Node {
	return n.Fn(n.Scope.ResetVisited(), x, cond...)
}

// ValueGrad builds E(x), [n], and ∇ₓE(x), of x's shape. One backward pass serves all chains, since
// chain i's energy depends on row i alone.
func ValueGrad(e Energy, x *Node, cond ...*Node) (value, grad *Node) {
	if x.StopGradient() { // GoMLX gives zero, silently, for the gradient at such a node
		x = Identity(x)
	}
	value = energyOf(e, x, cond)
	return value, Gradient(ReduceAllSum(value), x)[0]
}

// energyOf builds E(x) and checks its shape.
func energyOf(e Energy, x *Node, cond []*Node) *Node {
	value := e.Energy(x, cond...)
	if value == nil {
		exceptions.Panicf("Energy: the energy of x %s is nil", x.Shape())
	}
	if value.Rank() != 1 || value.Shape().Dimensions[0] != x.Shape().Dimensions[0] || value.DType() != x.DType() {
		exceptions.Panicf("Energy: the energy of x %s must be one %s a row, [%d], got %s",
			x.Shape(), x.DType(), x.Shape().Dimensions[0], value.Shape())
	}
	return value
}
