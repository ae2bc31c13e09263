package ebmtest

import (
	"fmt"
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

// Kernels is the contract of [ebm.Kernel], by [verify.Equivalence], for a table of kernels by name, on both backends, in Float32
// and Float64, for events of the shapes [2] and [4, 4, 1] or those given (XLA, which takes long to compile, sees vectors in Float32
// and the others in Float64). Nine steps must also give the same on both backends, to tolerance·(1 + |x|), where tolerance is 10⁻⁶
// for Float32 and 10⁻¹² for Float64.
//
// Kernels must be stable on an energy of curvature 0.6 to 1.4, with the given step sizes.
func Kernels(t *testing.T, kernels map[string]ebm.Kernel, events ...[]int) {
	t.Helper()
	if events == nil {
		events = [][]int{{2}, {4, 4, 1}}
	}
	first := map[string][]float64{} // what the backend before gave
	Backends(t, func(t *testing.T, b compute.Backend) {
		for name, kernel := range kernels {
			for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
				for _, event := range events {
					if b.Name() == "xla" && (dtype == dtypes.Float32) != (len(event) == 1) {
						continue
					}
					id := fmt.Sprintf("%s/%s%v", name, dtype, event)
					t.Run(id, func(t *testing.T) {
						report, err := verify.Equivalence{Backend: b, Kernel: kernel, Event: event, DType: dtype}.Run(t.Context())
						if err != nil {
							t.Fatalf("%+v", err)
						}
						if !report.Passed() {
							t.Errorf("%v", report)
						}
						if before, ok := first[id]; ok {
							within(t, report.X, before, tolerance(dtype))
						}
						first[id] = report.X
					})
				}
			}
		}
	})
}

func tolerance(dtype dtypes.DType) float64 {
	if dtype == dtypes.Float64 {
		return 1e-12
	}
	return 1e-6
}

// within reports the first difference above tolerance·(1 + |x|).
func within(t *testing.T, got, before []float64, tolerance float64) {
	t.Helper()
	for i := range got {
		if !(math.Abs(got[i]-before[i]) <= tolerance*(1+math.Abs(before[i]))) {
			t.Errorf("number %d is %.17g by this backend and %.17g by the other", i, got[i], before[i])
			return
		}
	}
}
