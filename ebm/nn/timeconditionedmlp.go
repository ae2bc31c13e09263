package nn

import (
	"cmp"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// TimeConditionedMLP is a field from an event to an event, for data that are no pictures, that is told time and labels as
// [ConditionalTransformer2D] is:
//
//	h = W·x + b,    h ← AdaLNZeroMLPBlock(h, c), Depth times,    f(x, t) = AdaLNZeroHead(h, c),
//
// exactly 0 at the start; or, with Concat, by the vector c beside x, in Depth hidden layers of plain weights in Xavier's range.
//
// x is [n, event...], flattened to [n, d]. Choose it over [MLPField] where the field changes much with time or labels.
//
// W. Peebles, S. Xie, 2022, arXiv:2212.09748.
type TimeConditionedMLP struct {
	Scope      *model.Scope    // where the weights live
	Width      int             // units of a layer, default 256
	Depth      int             // blocks or hidden layers, default 3
	Concat     bool            // c beside x
	MLPRatio   float64         // units in a block's MLP over the width, default 4
	Activation activation.Type // default GELU (tanh), with Concat SiLU
	CondWidth  int             // of the vector c, default Width
	Classes    int             // of the labels, where the conditioning has some
	Compute    dtypes.DType    // of the products in the blocks or hidden layers, default x's: mixed precision, as in [ConditionalTransformer2D]
}

var (
	_ ebm.Field     = TimeConditionedMLP{}
	_ ebm.Validator = TimeConditionedMLP{}
)

// Validate tells whether there is a scope, and the sizes are not negative.
func (e TimeConditionedMLP) Validate() error {
	switch {
	case e.Scope == nil:
		return errors.New("TimeConditionedMLP: Scope is nil")
	case min(e.Width, e.Depth, e.CondWidth, e.Classes) < 0 || e.MLPRatio < 0:
		return errors.Errorf("TimeConditionedMLP: sizes must not be negative, got Width %d, Depth %d, CondWidth %d, Classes %d and MLPRatio %g", e.Width, e.Depth, e.CondWidth, e.Classes, e.MLPRatio)
	case e.Concat && e.MLPRatio != 0:
		return errors.New("TimeConditionedMLP: MLPRatio is for blocks, and Concat has none")
	}
	return precision(e.Compute).validate("TimeConditionedMLP")
}

// Field builds f(x, t), like x.
func (e TimeConditionedMLP) Field(x, t *Node, cond ...*Node) *Node {
	if err := e.Validate(); err != nil {
		panic(err)
	}
	width, depth := cmp.Or(e.Width, 256), cmp.Or(e.Depth, 3)
	n := x.Shape().Dimensions[0]
	d := x.Shape().Size() / n
	c := conditioned{"TimeConditionedMLP", e.Scope, cmp.Or(e.CondWidth, width), e.Classes}.vector(x, t, cond)
	h := Reshape(x, n, d)
	if e.Concat {
		act := e.Activation
		if act == activation.TypeNone {
			act = activation.TypeSilu
		}
		h = Concatenate([]*Node{h, c}, 1)
		for i := range depth {
			h = activate(act, precision(e.Compute).linear(e.Scope.At("hidden_%d", i), h, width, xavier))
		}
		h = linear(e.Scope.At("output"), h, d, xavier)
	} else {
		h = linear(e.Scope.At("stem"), h, width, xavier)
		for i := range depth {
			h = AdaLNZeroMLPBlock{e.Scope.At("block_%d", i), e.MLPRatio, e.Activation, e.Compute}.Apply(h, c)
		}
		h = AdaLNZeroHead{e.Scope.At("head"), d}.Apply(h, c)
	}
	return Reshape(h, x.Shape().Dimensions...)
}
