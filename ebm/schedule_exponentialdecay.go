package ebm

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// ExponentialDecay shrinks by the same factor at every step, down to a floor,
//
//	v(n) = max(Min, Start·γⁿ).
type ExponentialDecay struct {
	Start float64 // default 1
	Rate  float64 // γ in (0, 1], default 0.99
	Min   float64 // default 0
}

var _ Schedule = ExponentialDecay{}

// At builds v(step).
func (s ExponentialDecay) At(step *Node, dtype dtypes.DType) *Node {
	rate := cmp.Or(s.Rate, 0.99)
	if !(rate > 0 && rate <= 1) {
		exceptions.Panicf("ExponentialDecay: Rate must be in (0, 1], got %g", rate)
	}
	shrunk := Exp(MulScalar(ConvertDType(step, dtypes.Float64), math.Log(rate)))
	return ConvertDType(MaxScalar(MulScalar(shrunk, cmp.Or(s.Start, 1)), s.Min), dtype)
}
