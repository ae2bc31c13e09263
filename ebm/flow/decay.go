package flow

import (
	"cmp"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Decay is a number that goes down along a path, to 0 at the data if the field that it scales is to come to rest there. At
// gives it at times t in [0, 1], with t's shape and type.
//
// R. Wang, Y. Du, "Equilibrium Matching: generative modeling with implicit energy-based models", 2025, arXiv:2510.02300, calls it c.
type Decay interface {
	At(t *Node) *Node
}

// Truncated stays at its value for most of the path, and then goes down to 0,
//
//	c(t) = λ·min(1, (1−t)/(1−a)).
//
// Building panics where From is not in (0, 1) or Scale is not positive.
type Truncated struct {
	From  float64 // a, where it begins to go down. Default 0.8
	Scale float64 // λ, default 4
}

// Ramp goes down to 0 in a straight line all along the path, c(t) = λ(1−t).
//
// Building panics where Scale is not positive.
type Ramp struct {
	Scale float64 // λ, default 4
}

// Constant does not go down, c(t) = λ. The field that it scales is no smaller at the data than elsewhere, so that descent
// overshoots it: choose it for comparison.
//
// Building panics where Scale is not positive.
type Constant struct {
	Scale float64 // λ, default 4
}

// DecayFunc makes a decay of a function of t; nothing is multiplied to it.
type DecayFunc func(t *Node) *Node

var (
	_ Decay = Truncated{}
	_ Decay = Ramp{}
	_ Decay = Constant{}
	_ Decay = DecayFunc(nil)
)

// At gives c(t).
func (d Truncated) At(t *Node) *Node {
	from := cmp.Or(d.From, 0.8)
	if !(from > 0 && from < 1) {
		exceptions.Panicf("Truncated: From must be between 0 and 1, got %g", from)
	}
	return MulScalar(MinScalar(DivScalar(OneMinus(t), 1-from), 1), scale("Truncated", d.Scale))
}

// At gives c(t).
func (d Ramp) At(t *Node) *Node { return MulScalar(OneMinus(t), scale("Ramp", d.Scale)) }

// At gives c(t).
func (d Constant) At(t *Node) *Node { return MulScalar(OnesLike(t), scale("Constant", d.Scale)) }

// At calls d.
func (d DecayFunc) At(t *Node) *Node { return d(t) }

// scale is λ, checked.
func scale(kind string, v float64) float64 {
	v = cmp.Or(v, 4)
	if !(v > 0) || math.IsInf(v, 1) {
		exceptions.Panicf("%s: Scale must be positive and finite, got %g", kind, v)
	}
	return v
}
