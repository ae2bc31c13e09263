package nn

import (
	"cmp"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// ConditionalTransformer2D is a field of pictures x, [n, height, width, channels], that is a transformer (DiT): patches of the picture are its tokens,
//
//	h = W·Patchify(x) + b + positions,    h ← AdaLNZeroBlock(h, c), Depth times,    f(x, t) = Unpatchify(AdaLNZeroHead(h, c)),
//
// where c is the sum of the embeddings of the time t, and of what the conditioning has: labels, whole numbers [n] or [n, 1] from 0 to
// Classes, of which the last is the null label, and vectors, [n, CondWidth].
//
// At the start it is exactly 0 everywhere. As an energy take [ebm.DotEnergy], [ebm.L2Energy] or [ebm.SumEnergy] of it.
//
// With Compute BFloat16 the products on tokens in the blocks, nearly all the work, take their numbers as bfloat16, and all else stays in x's type:
// weights, residuals, LN, softmax, GELU, the conditioning and the head. It is meant for GPUs with fast products of that type; benchmarks/README.md
// says what it costs on a CPU, and how far the field and its gradients are off.
//
// With Recompute a gradient keeps the tokens at each block's beginning alone and builds the rest of the block again when it needs it
// (T. Chen et al., "Training deep nets with sublinear memory cost", 2016, arXiv:1604.06174): the numbers are the same.
//
// A HeadDepth adds blocks of a width of their own before the head (Zheng et al.).
//
// W. Peebles, S. Xie, "Scalable diffusion models with transformers", 2022, arXiv:2212.09748; B. Zheng et al., "Diffusion transformers with
// representation autoencoders", 2025, arXiv:2510.11690.
type ConditionalTransformer2D struct {
	Scope     *model.Scope // where the weights live
	Patch     int          // pixels a side of a patch, which divide the picture's sides. Default 2
	Width     int          // of a token, which 4 divides (SinCos), and Heads. Default 384
	Depth     int          // blocks, default 12
	Heads     int          // of attention, default 6
	MLPRatio  float64      // units of a block's MLP over the width, default 4
	CondWidth int          // of the vector c, default Width
	Classes   int          // of the labels, where the conditioning has some
	Channels  int          // of the result, default x's
	Positions Positions    // default SinCos

	Compute   dtypes.DType // of the products in the blocks, default x's: mixed precision, see above
	Recompute bool         // the blocks' insides in the gradient, in the place of keeping them: less memory for more time

	HeadWidth int // of tokens in the head, default Width
	HeadDepth int // blocks in the head, default 0
	HeadHeads int // of their attention, default Heads
}

// Positions are how tokens are told their place.
type Positions int

// The kinds of positions.
const (
	SinCos      Positions = iota // by [SinCosPositions]
	Learnt                       // by weights, which start at N(0, 0.02²)
	NoPositions                  // not at all
)

// TransformerSize is a size of the paper: Small, Base, Large or XLarge.
type TransformerSize int

// The sizes of W. Peebles and S. Xie; width × depth, heads.
const (
	Small  TransformerSize = iota // 384 × 12, 6
	Base                          // 768 × 12, 12
	Large                         // 1024 × 24, 16
	XLarge                        // 1152 × 28, 16
)

// Transformer is a [ConditionalTransformer2D] of one of the paper's sizes, such as S/2: Small with patches of 2.
func Transformer(scope *model.Scope, size TransformerSize, patch int) ConditionalTransformer2D {
	if size < Small || size > XLarge {
		exceptions.Panicf("Transformer: size must be Small, Base, Large or XLarge, got %d", int(size))
	}
	s := [...][3]int{{384, 12, 6}, {768, 12, 12}, {1024, 24, 16}, {1152, 28, 16}}[size]
	return ConditionalTransformer2D{Scope: scope, Patch: patch, Width: s[0], Depth: s[1], Heads: s[2]}
}

var (
	_ ebm.Field     = ConditionalTransformer2D{}
	_ ebm.Validator = ConditionalTransformer2D{}
)

func (e ConditionalTransformer2D) withDefaults() ConditionalTransformer2D {
	e.Patch, e.Width, e.Depth, e.Heads = cmp.Or(e.Patch, 2), cmp.Or(e.Width, 384), cmp.Or(e.Depth, 12), cmp.Or(e.Heads, 6)
	e.CondWidth, e.HeadWidth, e.HeadHeads = cmp.Or(e.CondWidth, e.Width), cmp.Or(e.HeadWidth, e.Width), cmp.Or(e.HeadHeads, e.Heads)
	return e
}

// Validate tells whether there is a scope, and the sizes fit together.
func (e ConditionalTransformer2D) Validate() error {
	e = e.withDefaults()
	switch {
	case e.Scope == nil:
		return errors.New("ConditionalTransformer2D: Scope is nil")
	case min(e.Patch, e.Width, e.Depth, e.Heads, e.CondWidth, e.HeadWidth, e.HeadHeads) < 1 || min(e.Classes, e.Channels, e.HeadDepth) < 0 || e.MLPRatio < 0:
		return errors.Errorf("ConditionalTransformer2D: sizes must not be negative, got %+v", e.sizes())
	case e.Width%e.Heads != 0 || e.HeadWidth%e.HeadHeads != 0:
		return errors.Errorf("ConditionalTransformer2D: heads must divide the width, got %d of %d, and %d of %d in the head", e.Heads, e.Width, e.HeadHeads, e.HeadWidth)
	case e.Positions < SinCos || e.Positions > NoPositions:
		return errors.Errorf("ConditionalTransformer2D: Positions must be SinCos, Learnt or NoPositions, got %d", int(e.Positions))
	case e.Positions == SinCos && e.Width%4 != 0:
		return errors.Errorf("ConditionalTransformer2D: 4 must divide the Width for SinCos positions, got %d", e.Width)
	}
	return precision(e.Compute).validate("ConditionalTransformer2D")
}

// sizes are the fields that a message shows.
func (e ConditionalTransformer2D) sizes() ConditionalTransformer2D { e.Scope = nil; return e }

// Field builds f(x, t), [n, height, width, Channels].
func (e ConditionalTransformer2D) Field(x, t *Node, cond ...*Node) *Node {
	if err := e.Validate(); err != nil {
		panic(err)
	}
	e = e.withDefaults()
	rows, columns := patchGrid("ConditionalTransformer2D", x, e.Patch)
	c := conditioned{"ConditionalTransformer2D", e.Scope, e.CondWidth, e.Classes}.vector(x, t, cond)
	h := linear(e.Scope.At("patches"), Patchify(x, e.Patch), e.Width, xavier)
	switch e.Positions {
	case SinCos:
		h = Add(h, ExpandAxes(SinCosPositions(x.Graph(), x.DType(), rows, columns, e.Width), 0))
	case Learnt:
		table := narrow.variable(e.Scope, "positions", x.DType(), rows*columns, e.Width)
		h = Add(h, ExpandAxes(table.NodeValue(x.Graph()), 0))
	}
	for i := range e.Depth {
		h = e.apply(AdaLNZeroBlock{e.Scope.At("block_%d", i), e.Heads, e.MLPRatio, e.Compute}, h, c)
	}
	if e.HeadWidth != e.Width {
		h = precision(e.Compute).linear(e.Scope.At("widening"), h, e.HeadWidth, xavier)
	}
	for i := range e.HeadDepth {
		h = e.apply(AdaLNZeroBlock{e.Scope.At("head_block_%d", i), e.HeadHeads, e.MLPRatio, e.Compute}, h, c)
	}
	channels := cmp.Or(e.Channels, x.Shape().Dimensions[3])
	h = AdaLNZeroHead{e.Scope.At("head"), e.Patch * e.Patch * channels}.Apply(h, c)
	return Unpatchify(h, e.Patch, rows, columns)
}

// apply builds a block, whose insides the gradient builds again where it is to Recompute.
func (e ConditionalTransformer2D) apply(block AdaLNZeroBlock, h, c *Node) *Node {
	if !e.Recompute {
		return block.Apply(h, c)
	}
	return block.Apply(h.Checkpoint(), c).StopCheckpoint()
}
