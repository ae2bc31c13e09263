package flow

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
)

// Times draws the times at which a path is learnt, [n], of the shape's type and in (0, 1). Where they are dense the field is learnt
// better: they weigh the loss as Weight of losses.FlowMatching does, and with less variance.
type Times interface {
	Draw(rng *ebm.Rand, shape shapes.Shape) *Node
}

// UniformTimes are spread evenly over [From, To].
//
// With Spread the n times of a batch are n points of equal distance on that stretch, turned on it by one random number: each is
// uniform, and together they leave no gaps, so that the loss has less variance. The batch's rows must be in random order, as those of
// datasets.Batches are: times of neighbouring rows lie close together.
//
// Drawing panics where not 0 ≤ From < To ≤ 1.
type UniformTimes struct {
	From   float64 // default 0
	To     float64 // default 1
	Spread bool    // default false: n independent times
}

// LogNormalTimes have a normal logarithm of the ratio of noise to data on the straight path,
//
//	t = 1/(1 + e^w),    w = log((1−t)/t) ~ N(Mean, Std²),
//
// so that most lie in the middle, where the field is hardest to tell: Mean 0 and Std 1 did best of the many choices of Esser et al.
// Mean −1.2 and Std 1.2, those of log σ in Karras et al., lie nearer to the data.
//
// Drawing panics where Std is not positive.
//
// P. Esser et al., "Scaling rectified flow transformers for high-resolution image synthesis", 2024, arXiv:2403.03206; T. Karras et al., 2022,
// arXiv:2206.00364.
type LogNormalTimes struct {
	Mean float64 // default 0
	Std  float64 // default 1
}

// TimesFunc makes times of a function.
type TimesFunc func(rng *ebm.Rand, shape shapes.Shape) *Node

var (
	_ Times = UniformTimes{}
	_ Times = LogNormalTimes{}
	_ Times = TimesFunc(nil)
)

// Draw draws the times.
func (d UniformTimes) Draw(rng *ebm.Rand, shape shapes.Shape) *Node {
	to := cmp.Or(d.To, 1)
	if !(d.From >= 0 && d.From < to && to <= 1) {
		exceptions.Panicf("UniformTimes: want 0 ≤ From < To ≤ 1, got %g and %g", d.From, to)
	}
	var u *Node
	if d.Spread {
		n := shape.Dimensions[0]
		turn := rng.Uniform(shapes.Make(dtypes.Float64, 1))
		at := Add(DivScalar(Iota(turn.Graph(), shapes.Make(dtypes.Float64, n), 0), float64(n)), BroadcastToDims(turn, n))
		u = inside(ConvertDType(Sub(at, Floor(at)), shape.DType))
	} else {
		u = rng.Uniform(shape)
	}
	if d.From == 0 && to == 1 {
		return u
	}
	return AddScalar(MulScalar(u, to-d.From), d.From)
}

// Draw draws the times.
func (d LogNormalTimes) Draw(rng *ebm.Rand, shape shapes.Shape) *Node {
	std := cmp.Or(d.Std, 1)
	if !(std > 0) || math.IsInf(std, 1) || math.IsNaN(d.Mean) || math.IsInf(d.Mean, 0) {
		exceptions.Panicf("LogNormalTimes: want a finite Mean and a positive, finite Std, got %g and %g", d.Mean, std)
	}
	return inside(Logistic(Neg(AddScalar(MulScalar(rng.Normal(shape), std), d.Mean))))
}

// Draw calls d.
func (d TimesFunc) Draw(rng *ebm.Rand, shape shapes.Shape) *Node { return d(rng, shape) }

// inside keeps times that rounding has put on an end in (0, 1).
func inside(t *Node) *Node { return MinScalar(MaxScalar(t, 0x1p-24), 1-0x1p-24) }
