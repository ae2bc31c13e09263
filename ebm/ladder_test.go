package ebm_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

func TestLadder(t *testing.T) {
	rungs, err := ebm.Ladder{}.Rungs()
	if err != nil || len(rungs) != 10 || rungs[0] != 1 || rungs[9] != 0.01 {
		t.Fatalf("the default ladder is %v, error %v", rungs, err)
	}
	for i, v := range rungs {
		near(t, "default rung", v, math.Pow(10, -2*float64(i)/9), 1e-14)
	}
	own := ebm.Ladder{Values: []float64{5, 1, 0.5}, Steps: 3}
	geometric := ebm.Ladder{Start: 8, End: 1, Levels: 4}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		steps := []int32{-1, 0, 2, 3, 5, 6, 99, 100, 299, 300, 1 << 30}
		for dtype, tolerance := range map[dtypes.DType]float64{dtypes.Float64: 1e-14, dtypes.Float32: 1e-7} {
			got := stepValues(t, b, []ebm.Schedule{own, geometric}, dtype, steps...)
			for i, step := range steps {
				near(t, "own", got[0][i], []float64{5, 1, 0.5}[min(max(step, 0)/3, 2)], tolerance)
				near(t, "geometric", got[1][i], math.Pow(2, 3-float64(min(max(step, 0)/100, 3))), tolerance)
			}
		}
		levels, err := CallOnce(b, func(number *Node) *Node { return own.Level(number, dtypes.Float32) }, [][]int32{{2, 0}, {1, 1}})
		if err != nil {
			t.Fatal(err)
		}
		if got := tensors.MustCopyFlatData[float32](levels); !slices.Equal(got, []float32{0.5, 5, 1, 1}) {
			t.Errorf("levels 2, 0, 1, 1 are %v", got)
		}
	})
}

func TestBadLadders(t *testing.T) {
	for want, l := range map[string]ebm.Ladder{
		"Ladder: Start and End must be positive and finite, got -1 and 0.01":       {Start: -1},
		"Ladder: Start and End must be positive and finite, got 1 and NaN":         {End: math.NaN()},
		"Ladder: Start and End must be positive and finite, got +Inf and 0.01":     {Start: math.Inf(1)},
		"Ladder: Levels must be at least 2, got 1":                                 {Levels: 1},
		"Ladder: Levels must be at least 2, got -3":                                {Levels: -3},
		"Ladder: Steps must be positive, got -1":                                   {Steps: -1},
		"Ladder: Values must have at least one level, got none":                    {Values: []float64{}},
		"Ladder: Values[1] must be positive and finite, got 0":                     {Values: []float64{1, 0}},
		"Ladder: give either Values or Start, End and Levels, got [1] and 2, 0, 0": {Values: []float64{1}, Start: 2},
	} {
		if _, err := l.Rungs(); err == nil || err.Error() != want {
			t.Errorf("%+v: got the error %v, want %q", l, err, want)
		}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		if _, err := ebm.ScheduleValues(b, ebm.Ladder{Levels: 1}, 2); err == nil || !strings.Contains(err.Error(), "Ladder: Levels must be at least 2, got 1") {
			t.Errorf("a schedule of one level: got the error %v", err)
		}
		if _, err := ebm.ScheduleValues(b, ebm.Ladder{Steps: math.MaxInt32 + 1}, 2); err == nil || !strings.Contains(err.Error(), "Ladder: Steps must be less than 2³¹, got 2147483648") {
			t.Errorf("too many steps: got the error %v", err)
		}
	})
}
