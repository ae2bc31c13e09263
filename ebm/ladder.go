package ebm

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// Ladder is a sequence of levels σ₁, …, σ_L, of noise or of temperature, each the same factor below the one before,
//
//	σᵢ = Start·(End/Start)^((i−1)/(L−1)),
//
// or any other, listed in Values. The same value goes to the loss that trains an energy at every level and to the sampler that
// comes down the levels. As a [Schedule] it stays at each level for Steps steps, and at the last for ever: as the Noise of
// Langevin it anneals the temperature T = σ² of an ordinary energy.
//
// Choose the first level as large as the largest distance between data, so that the data's modes are one there; the last small
// beside the finest detail that matters; and so many levels that one is not above twice the next.
//
// Y. Song, S. Ermon, "Generative Modeling by Estimating Gradients of the Data Distribution", 2019, arXiv:1907.05600, whose levels the
// defaults are; "Improved Techniques for Training Score-Based Generative Models", 2020, arXiv:2006.09011, on how to choose them.
type Ladder struct {
	Start, End float64   // σ₁ and σ_L, positive, default 1 and 0.01
	Levels     int       // L, at least 2, default 10
	Values     []float64 // the levels one by one, positive, in place of the three fields above
	Steps      int       // of a schedule, at each level; default 100
}

var _ Schedule = Ladder{}

// Rungs are the levels, from the first to the last, or what is wrong with the fields.
func (l Ladder) Rungs() ([]float64, error) {
	if l.Steps < 0 {
		return nil, errors.Errorf("Ladder: Steps must be positive, got %d", l.Steps)
	}
	if l.Values != nil {
		if l.Start != 0 || l.End != 0 || l.Levels != 0 {
			return nil, errors.Errorf("Ladder: give either Values or Start, End and Levels, got %v and %g, %g, %d", l.Values, l.Start, l.End, l.Levels)
		}
		if len(l.Values) == 0 {
			return nil, errors.New("Ladder: Values must have at least one level, got none")
		}
		for i, v := range l.Values {
			if !(v > 0) || math.IsInf(v, 1) {
				return nil, errors.Errorf("Ladder: Values[%d] must be positive and finite, got %g", i, v)
			}
		}
		return l.Values, nil
	}
	start, end, levels := cmp.Or(l.Start, 1), cmp.Or(l.End, 0.01), l.Levels
	if levels == 0 {
		levels = 10
	}
	if !(start > 0) || math.IsInf(start, 1) || !(end > 0) || math.IsInf(end, 1) {
		return nil, errors.Errorf("Ladder: Start and End must be positive and finite, got %g and %g", start, end)
	}
	if levels < 2 {
		return nil, errors.Errorf("Ladder: Levels must be at least 2, got %d", l.Levels)
	}
	rungs := make([]float64, levels)
	for i := range rungs {
		rungs[i] = start * math.Pow(end/start, float64(i)/float64(levels-1))
	}
	rungs[levels-1] = end
	return rungs, nil
}

// Level builds the levels with the given numbers, counted from 0: Int32 of any shape.
func (l Ladder) Level(number *Node, dtype dtypes.DType) *Node {
	rungs, err := l.Rungs()
	check(err)
	return ConvertDType(Gather(Const(number.Graph(), rungs), ExpandAxes(number, -1)), dtype)
}

// At builds the level of a step.
func (l Ladder) At(step *Node, dtype dtypes.DType) *Node {
	rungs, err := l.Rungs()
	check(err)
	steps := l.Steps
	if steps == 0 {
		steps = 100
	}
	if steps > math.MaxInt32 {
		exceptions.Panicf("Ladder: Steps must be less than 2³¹, got %d", steps)
	}
	number := Div(MaxScalar(step, 0), Scalar(step.Graph(), step.DType(), steps))
	return l.Level(MinScalar(number, len(rungs)-1), dtype)
}
