package ebm

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// Himmelblau has four equally deep wells in the plane,
//
//	E(x) = (x₁² + x₂ − 11)² + (x₁ + x₂² − 7)².
//
// x is [n, event...] with 2 numbers an event.
// Minima: 0 at (3, 2), (−2.805118, 3.131313), (−3.779310, −3.283186) and (3.584428, −1.848127).
//
// The wells are equally deep but not equally wide, and the barriers between them are more than 13 high: with
// [Scaled] it is a target for tempering, without it one for optimisers, whose basins of attraction it shows.
//
// D. M. Himmelblau, "Applied Nonlinear Programming", McGraw-Hill, 1972.
type Himmelblau struct{}

var (
	_ Energy    = Himmelblau{}
	_ Minimizer = Himmelblau{}
)

// Energy builds E(x), [n].
func (Himmelblau) Energy(x *Node, _ ...*Node) *Node {
	x1, x2 := plane("Himmelblau", x)
	first := Square(AddScalar(Add(Square(x1), x2), -11))
	second := Square(AddScalar(Add(x1, Square(x2)), -7))
	return Add(first, second)
}

// Minima are the four wells, for d = 2.
func (Himmelblau) Minima(dim int) ([][]float64, error) {
	if dim != 2 {
		return nil, errors.Errorf("Himmelblau: dim must be 2, got %d", dim)
	}
	return [][]float64{
		{3, 2},
		{-2.805118086952745, 3.131312518250573},
		{-3.779310253377747, -3.283185991286170},
		{3.584428340330492, -1.848126526964404},
	}, nil
}

// plane takes events of two numbers apart: x is [n, event...], the results are [n]. It sums over masks, since GoMLX
// cannot differentiate a slice twice, and XLA takes seconds to compile a chain of slices' gradients.
func plane(name string, x *Node) (x1, x2 *Node) {
	if d := events(name, x); d != 2 {
		exceptions.Panicf("%s: events must have 2 numbers, got x %s", name, x.Shape())
	}
	x = flat(name, x)
	coordinate := func(mask ...float64) *Node { return ReduceSum(Mul(x, ConstAs(x, [][]float64{mask})), 1) }
	return coordinate(1, 0), coordinate(0, 1)
}
