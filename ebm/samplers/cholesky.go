package samplers

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// largestFactored is the size up to which matrices are factored: the graph grows with it, and the work with its cube.
const largestFactored = 8

// factored is a small symmetric positive definite matrix G for each chain, as G = LLᵀ. GoMLX has neither this nor a
// triangular solve, so both are unrolled, a column a turn. Where G is not positive definite everything here is NaN.
type factored struct {
	lower   *Node // L, [n, d, d]
	inverse *Node // L⁻¹, [n, d, d]
	logDet  *Node // log|G|, [n]
}

// factor computes Cholesky's factorisation of g, [n, d, d].
//
// Golub and Van Loan, Matrix Computations, 4th ed., 2013, §4.2.
func factor(g *Node) factored {
	n, d := g.Shape().Dimensions[0], g.Shape().Dimensions[1]
	if d > largestFactored {
		exceptions.Panicf("Cholesky: matrices must be at most %d×%d, got %s", largestFactored, largestFactored, g.Shape())
	}
	identity := make([][][]float64, 1)
	identity[0] = make([][]float64, d)
	for i := range identity[0] {
		identity[0][i] = make([]float64, d)
		identity[0][i][i] = 1
	}
	rest, right := g, BroadcastToDims(ConstAs(g, identity), n, d, d) // what is left of G, and of I in L·L⁻¹ = I
	var columns, rows, logs []*Node
	for j := range d {
		first := Slice(rest, AxisRange(), AxisRange(), AxisElem(0)) // [n, d−j, 1]
		pivot := Sqrt(Slice(first, AxisRange(), AxisElem(0)))       // [n, 1, 1]
		column := Div(first, pivot)
		row := Div(Slice(right, AxisRange(), AxisElem(0)), pivot) // [n, 1, d], of L⁻¹
		rows, logs = append(rows, row), append(logs, Log(pivot))
		if j+1 < d {
			below := Slice(column, AxisRange(), AxisRange(1)) // [n, d−j−1, 1]
			rest = Sub(Slice(rest, AxisRange(), AxisRange(1), AxisRange(1)), Mul(below, TransposeAllAxes(below, 0, 2, 1)))
			right = Sub(Slice(right, AxisRange(), AxisRange(1)), Mul(below, row))
		}
		if j > 0 {
			column = Concatenate([]*Node{BroadcastToDims(ScalarZero(g.Graph(), g.DType()), n, j, 1), column}, 1)
		}
		columns = append(columns, column)
	}
	return factored{
		lower:   Concatenate(columns, 2),
		inverse: Concatenate(rows, 1),
		logDet:  MulScalar(ReduceSum(Concatenate(logs, 1), 1, 2), 2),
	}
}

// root is Lz, for z [n, d].
func (f factored) root(z *Node) *Node { return rowsTimes(f.lower, z) }

// solve is G⁻¹b = L⁻ᵀ(L⁻¹b), for b [n, d].
func (f factored) solve(b *Node) *Node {
	return ReduceSum(Mul(f.inverse, ExpandAxes(rowsTimes(f.inverse, b), 2)), 1)
}

// inverted is G⁻¹, [n, d, d].
func (f factored) inverted() *Node { return Einsum("nki,nkj->nij", f.inverse, f.inverse) }

// rowsTimes is the product of matrices a [n, d, d] and vectors b [n, d].
func rowsTimes(a, b *Node) *Node { return ReduceSum(Mul(a, ExpandAxes(b, 1)), 2) }
