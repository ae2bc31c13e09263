package nn

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// conditioned is what [ConditionalTransformer2D] and [TimeConditionedMLP] are told, as one vector a row: the sum of the embeddings of the time
// and of the labels, and of vectors that come ready.
type conditioned struct {
	kind    string // the type that messages name
	scope   *model.Scope
	width   int // of the vector
	classes int
}

// vector builds the sum, [n, width]. cond may have labels, whole numbers [n] or [n, 1], and vectors, [n, width].
func (c conditioned) vector(x, t *Node, cond []*Node) *Node {
	n := x.Shape().Dimensions[0]
	sum := TimeEmbedding{Scope: c.scope.At("time"), Width: c.width}.Embed(t)
	labelled := false
	for i, v := range cond {
		if v.DType().IsFloat() {
			if v.Rank() != 2 || v.Shape().Dimensions[0] != n || v.Shape().Dimensions[1] != c.width {
				exceptions.Panicf("%s: vectors of conditioning must be [%d, %d], got conditioning %d %s", c.kind, n, c.width, i, v.Shape())
			}
			sum = Add(sum, ConvertDType(v, x.DType()))
			continue
		}
		if c.classes == 0 || labelled {
			exceptions.Panicf("%s: Classes must be set for labels, and there can be one conditioning of them; got Classes %d and labels in conditioning %d %s",
				c.kind, c.classes, i, v.Shape())
		}
		labelled = true
		sum = Add(sum, LabelEmbedding{Scope: c.scope.At("label"), Classes: c.classes, Width: c.width}.Embed(v, x))
	}
	return sum
}
