package samplers

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// box is the region that [Clamped] and [Reflected] keep to.
type box struct {
	kernel string
	lo, hi []float64 // one bound for all numbers of an event, or one each; nil: none
}

// bounds are the limits of each number of an event of x, ∓∞ where there is none.
func (b box) bounds(x *Node) (lo, hi []float64) {
	d := x.Shape().Size() / x.Shape().Dimensions[0]
	if b.lo == nil && b.hi == nil {
		exceptions.Panicf("%s: Lo or Hi must be given", b.kernel)
	}
	lo, hi = b.each("Lo", b.lo, d, math.Inf(-1)), b.each("Hi", b.hi, d, math.Inf(1))
	for i := range d {
		if !(lo[i] < hi[i]) {
			exceptions.Panicf("%s: Lo must be less than Hi, got [%g, %g] for number %d of an event", b.kernel, lo[i], hi[i], i)
		}
	}
	return lo, hi
}

func (b box) each(field string, values []float64, d int, none float64) []float64 {
	if values != nil && len(values) != 1 && len(values) != d {
		exceptions.Panicf("%s: %s must have 1 or %d numbers, got %d", b.kernel, field, d, len(values))
	}
	out := make([]float64, d)
	for i := range out {
		switch len(values) {
		case 0:
			out[i] = none
		case 1:
			out[i] = values[0]
		default:
			out[i] = values[i]
		}
	}
	return out
}

// perEvent is a constant for each number of an event, [1, event...], of x's type.
func perEvent(x *Node, values []float64) *Node {
	return Reshape(ConstAsDType(x.Graph(), x.DType(), values), append([]int{1}, x.Shape().Dimensions[1:]...)...)
}

// perEventBool is the same of truth values.
func perEventBool(x *Node, values []bool) *Node {
	return BroadcastToDims(Reshape(Const(x.Graph(), values), append([]int{1}, x.Shape().Dimensions[1:]...)...), x.Shape().Dimensions...)
}
