package nn

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// LabelEmbedding makes of a label a vector that networks are conditioned on: a row of a table of weights, which start at N(0, 0.02²). The table
// has one row more than Classes: label Classes is the null label, no label at all, which losses.DropLabels puts in the place of some
// labels in training and [Guided] asks for in sampling.
//
// A label outside 0 to Classes makes its vector NaN.
//
// J. Ho, T. Salimans, "Classifier-free diffusion guidance", 2022, arXiv:2207.12598.
type LabelEmbedding struct {
	Scope   *model.Scope // where the weights live
	Classes int
	Width   int // of the vector
}

// Embed builds the vectors, [n, Width], of labels y, whole numbers [n] or [n, 1].
func (e LabelEmbedding) Embed(y *Node, like *Node) *Node {
	if e.Scope == nil || e.Classes < 1 || e.Width < 1 {
		exceptions.Panicf("LabelEmbedding: want a Scope, Classes and a Width of at least 1, got %v, %d and %d", e.Scope != nil, e.Classes, e.Width)
	}
	n := like.Shape().Dimensions[0]
	if !y.DType().IsInt() || y.Rank() == 0 || y.Shape().Dimensions[0] != n || y.Shape().Size() != n {
		exceptions.Panicf("LabelEmbedding: labels must be one whole number for each of %d rows, got %s", n, y.Shape())
	}
	table := narrow.variable(e.Scope, "labels", like.DType(), e.Classes+1, e.Width).NodeValue(like.Graph())
	return lookUp(table, Reshape(y, n))
}

// lookUp is the row of a table, [classes, width], for each of the labels y, [n]: [n, width], NaN for labels that have none.
func lookUp(table, y *Node) *Node {
	g, dtype, classes := table.Graph(), table.DType(), table.Shape().Dimensions[0]
	outside := LogicalOr(LessThan(y, ScalarZero(g, y.DType())), GreaterOrEqual(y, Scalar(g, y.DType(), classes)))
	rows := MatMul(OneHot(y, classes, dtype), table)
	return Add(rows, ExpandAxes(Where(outside, Scalar(g, dtype, math.NaN()), ScalarZero(g, dtype)), -1))
}
