package ebm

import (
	"cmp"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Warmup rises linearly to the start of another schedule, which then runs from its own step 0,
//
//	v(n) = main(0)·(f + (1 − f)·n/W) for n < W,    v(n) = main(n − W) for n ≥ W.
//
// P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017, arXiv:1706.02677.
type Warmup struct {
	Main   Schedule // default Fixed(1)
	Steps  int      // W, default 100
	Factor float64  // f, the share of main(0) to begin with, default 0.01
}

var _ Schedule = Warmup{}

// At builds v(step).
func (s Warmup) At(step *Node, dtype dtypes.DType) *Node {
	steps, factor, main := s.Steps, cmp.Or(s.Factor, 0.01), OrFixed(s.Main, 1)
	if steps == 0 {
		steps = 100
	}
	if !(factor > 0 && factor <= 1) {
		exceptions.Panicf("Warmup: Factor must be in (0, 1], got %g", factor)
	}
	share := AddScalar(MulScalar(progress("Warmup", step, steps, steps), 1-factor), factor) // 1 from step W on
	since := MaxScalar(AddScalar(step, -steps), 0)                                          // 0 until step W
	return ConvertDType(Mul(main.At(since, dtypes.Float64), share), dtype)
}
