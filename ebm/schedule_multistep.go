package ebm

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// MultiStep is multiplied by a factor at each of the given steps,
//
//	v(n) = Start·γ^#{milestones ≤ n}.
type MultiStep struct {
	Start      float64 // default 1
	Milestones []int   // step numbers, positive and increasing; without any the value stays at Start
	Gamma      float64 // γ, default 0.1
}

var _ Schedule = MultiStep{}

// At builds v(step).
func (s MultiStep) At(step *Node, dtype dtypes.DType) *Node {
	value, gamma := cmp.Or(s.Start, 1), cmp.Or(s.Gamma, 0.1)
	at := Scalar(step.Graph(), dtypes.Float64, value)
	last := 0
	for i, milestone := range s.Milestones {
		if milestone <= last || milestone > math.MaxInt32 {
			exceptions.Panicf("MultiStep: Milestones must be positive and increasing, got %v", s.Milestones)
		}
		last = milestone
		later := Scalar(step.Graph(), dtypes.Float64, value*math.Pow(gamma, float64(i+1)))
		at = Where(GreaterOrEqual(step, Scalar(step.Graph(), step.DType(), milestone)), later, at)
	}
	return ConvertDType(at, dtype)
}
