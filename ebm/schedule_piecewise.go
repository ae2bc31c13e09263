package ebm

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Piecewise runs schedules one after the other, each from its own step 0. The last runs on for ever.
//
//	ebm.Piecewise{{Schedule: ebm.Linear{Start: 1, End: 0.1, Steps: 50}, Steps: 50}, {Schedule: ebm.Fixed(0.1)}}
type Piecewise []Piece

// Piece is one of the schedules of a [Piecewise].
type Piece struct {
	Schedule Schedule // default Fixed(1)
	Steps    int      // how many steps it runs for; positive, and of no account in the last piece
}

var _ Schedule = Piecewise{}

// At builds v(step).
func (s Piecewise) At(step *Node, dtype dtypes.DType) *Node {
	if len(s) == 0 {
		exceptions.Panicf("Piecewise: must have at least one piece, got none")
	}
	begin := 0
	var value *Node
	for i, piece := range s {
		if i < len(s)-1 && piece.Steps < 1 {
			exceptions.Panicf("Piecewise: Steps of piece %d must be positive, got %d", i, piece.Steps)
		}
		if begin > math.MaxInt32 {
			exceptions.Panicf("Piecewise: pieces must begin before step 2³¹, got step %d for piece %d", begin, i)
		}
		own := MaxScalar(AddScalar(step, -begin), 0)
		at := OrFixed(piece.Schedule, 1).At(own, dtype)
		if i == 0 {
			value = at
		} else {
			value = Where(GreaterOrEqual(step, Scalar(step.Graph(), step.DType(), begin)), at, value)
		}
		begin += piece.Steps
	}
	return value
}
