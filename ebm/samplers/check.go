package samplers

import (
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/gomlx/support/exceptions"
)

// checkSchedule panics where a schedule is a constant that is negative or not finite, or, where it must be
// positive, zero. What another schedule will give is known only as it runs.
func checkSchedule(kernel, field string, s ebm.Schedule, positive bool) {
	v, fixed := s.(ebm.Fixed)
	if !fixed {
		return
	}
	if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) || f < 0 || (positive && f == 0) {
		want := "not negative"
		if positive {
			want = "positive"
		}
		exceptions.Panicf("%s: %s must be a finite number and %s, got %g", kernel, field, want, f)
	}
}
