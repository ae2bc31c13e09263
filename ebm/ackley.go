package ebm

import (
	"cmp"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// Ackley is a funnel covered with ripples,
//
//	E(x) = −a exp(−b √(Σ xᵢ²/d)) − exp(Σ cos(c xᵢ)/d) + a + e.
//
// x is [n, event...], of any event shape with d numbers.
// Minimum: 0 at the origin, where E has a cusp; its gradient there is defined as 0, the mean of the gradients around.
//
// E stays below a + e, so exp(−E) cannot be normalised over all space: chains wander off unless they are held, for
// example by [InBox].
//
// D. H. Ackley, "A Connectionist Machine for Genetic Hillclimbing", Kluwer, 1987, doi:10.1007/978-1-4613-1997-9.
type Ackley struct {
	A float64 // a, depth of the funnel, default 20
	B float64 // b, its steepness, default 0.2
	C float64 // c, wave number of the ripples, default 2π
}

var (
	_ Energy    = Ackley{}
	_ Minimizer = Ackley{}
)

// Energy builds E(x), [n].
func (e Ackley) Energy(x *Node, _ ...*Node) *Node {
	d := float64(events("Ackley", x))
	a, b, c := cmp.Or(e.A, 20), cmp.Or(e.B, 0.2), cmp.Or(e.C, 2*math.Pi)

	meanSquare := MulScalar(eventSum(Square(x)), 1/d) // [n]
	centre := IsZero(meanSquare)
	one := ScalarOne(x.Graph(), x.DType())
	radius := Sqrt(Where(centre, one, meanSquare)) // √ is kept off 0, where its slope is infinite
	radius = Where(centre, ScalarZero(x.Graph(), x.DType()), radius)

	funnel := MulScalar(Exp(MulScalar(radius, -b)), -a)
	ripples := Exp(MulScalar(eventSum(Cos(MulScalar(x, c))), 1/d))
	return AddScalar(Sub(funnel, ripples), a+math.E)
}

// Minima is the origin.
func (e Ackley) Minima(dim int) ([][]float64, error) {
	return [][]float64{make([]float64, max(dim, 0))}, checkDim("Ackley", dim)
}
