package ebm

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"
)

// ScheduleValues computes a schedule's values at steps 0, 1, …, n−1, to look at or to draw.
func ScheduleValues(b compute.Backend, s Schedule, n int) ([]float64, error) {
	if s == nil {
		return nil, errors.New("ebm: ScheduleValues: the schedule is nil")
	}
	if n < 0 {
		return nil, errors.Errorf("ebm: ScheduleValues: n must not be negative, got %d", n)
	}
	values := make([]float64, n)
	err := catch(func() error {
		exec, err := NewExec(b, func(step *Node) *Node { return Identity(s.At(step, dtypes.Float64)) })
		if err != nil {
			return err
		}
		defer exec.Finalize()
		for i := range values {
			v, err := exec.Call1(int32(i))
			if err != nil {
				return err
			}
			values[i] = v.Value().(float64)
			if err := v.FinalizeAll(); err != nil {
				return err
			}
		}
		return nil
	})
	return values, err
}
