package ebm

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Schedule is a number that may change with the step: a pure function of the step number, an Int32
// scalar node. The value is a scalar of the given dtype.
type Schedule interface {
	At(step *Node, dtype dtypes.DType) *Node
}

// Fixed is the schedule that stays at one value.
type Fixed float64

// At returns the constant.
func (v Fixed) At(step *Node, dtype dtypes.DType) *Node {
	return Scalar(step.Graph(), dtype, float64(v))
}

// OrFixed returns s, or the constant def where s was left nil.
func OrFixed(s Schedule, def float64) Schedule {
	if s == nil {
		return Fixed(def)
	}
	return s
}
