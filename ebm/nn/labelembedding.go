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
	g := like.Graph()
	y = Reshape(y, n)
	table := narrow.variable(e.Scope, "labels", like.DType(), e.Classes+1, e.Width).NodeValue(g)
	rows := MatMul(OneHot(y, e.Classes+1, like.DType()), table)
	outside := LogicalOr(LessThan(y, ScalarZero(g, y.DType())), GreaterThan(y, Scalar(g, y.DType(), e.Classes)))
	return Add(rows, ExpandAxes(Where(outside, Scalar(g, like.DType(), math.NaN()), ScalarZero(g, like.DType())), -1))
}
