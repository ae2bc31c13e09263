package ebm

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Linear goes from Start to End in equal steps and stays there,
//
//	v(n) = Start + (End − Start)·min(n/N, 1).
type Linear struct {
	Start, End float64 // taken as they are, default 0
	Steps      int     // N, default 100
}

var _ Schedule = Linear{}

// At builds v(step).
func (s Linear) At(step *Node, dtype dtypes.DType) *Node {
	share := progress("Linear", step, s.Steps, 100)
	return ConvertDType(AddScalar(MulScalar(share, s.End-s.Start), s.Start), dtype)
}

// progress is min(step/steps, 1), in Float64: schedules compute in it whatever the dtype of the state is, since a
// step number need not fit in a short float.
func progress(name string, step *Node, steps, def int) *Node {
	if steps == 0 {
		steps = def
	}
	if steps < 0 {
		exceptions.Panicf("%s: Steps must be positive, got %d", name, steps)
	}
	return MinScalar(Div(ConvertDType(step, dtypes.Float64), Scalar(step.Graph(), dtypes.Float64, steps)), 1.0)
}
