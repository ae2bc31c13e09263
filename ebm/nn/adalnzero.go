package nn

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// AdaLNZeroBlock is a transformer's layer for tokens h, [n, tokens, width], that is told a vector c, [n, any], by the shift, scale and gate of
// its two branches:
//
//	h ← h + g₁·Attention(LN(h)(1+s₁) + b₁),    h ← h + g₂·MLP(LN(h)(1+s₂) + b₂),
//	(b₁, s₁, g₁, b₂, s₂, g₂) = W·SiLU(c) + b.
//
// W and b start at 0, and with them the gates: at the start a block leaves h as it is. The other weights start in Xavier's
// range. LN has no weights; the MLP has one hidden layer with GELU (tanh).
//
// W. Peebles, S. Xie, "Scalable diffusion models with transformers", 2022, arXiv:2212.09748.
type AdaLNZeroBlock struct {
	Scope    *model.Scope // where the weights live
	Heads    int          // of attention, which divide the width. Default 1
	MLPRatio float64      // units of the MLP over the width, default 4
	Compute  dtypes.DType // of the products on tokens, default h's; see [ConditionalTransformer2D]
}

// AdaLNZeroMLPBlock is the MLP branch of [AdaLNZeroBlock] alone, for vectors h, [n, width]:
//
//	h ← h + g·MLP(LN(h)(1+s) + b),    (b, s, g) = W·SiLU(c) + b₀.
type AdaLNZeroMLPBlock struct {
	Scope      *model.Scope    // where the weights live
	MLPRatio   float64         // units of the MLP over the width, default 4
	Activation activation.Type // default GELU (tanh)
	Compute    dtypes.DType    // of the MLP's products, default h's; see [ConditionalTransformer2D]
}

// Apply builds the block on tokens h, [n, tokens, width], and c, [n, any].
func (b AdaLNZeroBlock) Apply(h, c *Node) *Node {
	heads := max(b.Heads, 1)
	if b.Scope == nil || h.Rank() != 3 || h.Shape().Dimensions[2]%heads != 0 || b.Heads < 0 {
		exceptions.Panicf("AdaLNZeroBlock: want a Scope, and h [n, tokens, width] with a width that Heads divide, got %v, %s and %d", b.Scope != nil, h.Shape(), b.Heads)
	}
	if err := precision(b.Compute).validate("AdaLNZeroBlock"); err != nil {
		panic(err)
	}
	m := modulation(b.Scope, c, h, 6)
	h = Add(h, Mul(m[2], b.attend(modulate(h, m[0], m[1]), heads)))
	return Add(h, Mul(m[5], precision(b.Compute).feedForward(b.Scope.At("mlp"), modulate(h, m[3], m[4]), b.MLPRatio, activation.TypeGeluApprox)))
}

// attend is self-attention of every token to all.
func (b AdaLNZeroBlock) attend(h *Node, heads int) *Node {
	dims := h.Shape().Dimensions
	n, tokens, width := dims[0], dims[1], dims[2]
	w, bias := layer(b.Scope.At("qkv"), h, 3*width, xavier)
	p := precision(b.Compute)
	x := p.of(h)
	// The weights are taken apart and not what comes of them: a slice of x would have no gradient of its gradient, and energies need one.
	part := func(i int) *Node {
		y := affine(x, p.of(Slice(w, AxisRange(), AxisRange(i*width, (i+1)*width))), p.of(Slice(bias, AxisRange(i*width, (i+1)*width))))
		return Reshape(y, n, tokens, heads, width/heads)
	}
	scores := ConvertDType(Einsum("nqhd,nkhd->nhqk", part(0), part(1)), h.DType())
	scores = softmax(MulScalar(scores, 1/math.Sqrt(float64(width/heads))))
	mixed := ConvertDType(Einsum("nhqk,nkhd->nqhd", p.of(scores), part(2)), h.DType())
	return p.linear(b.Scope.At("out"), Reshape(mixed, n, tokens, width), width, xavier)
}

// Apply builds the block on vectors h, [n, width], and c, [n, any].
func (b AdaLNZeroMLPBlock) Apply(h, c *Node) *Node {
	if b.Scope == nil || h.Rank() != 2 {
		exceptions.Panicf("AdaLNZeroMLPBlock: want a Scope, and h [n, width], got %v and %s", b.Scope != nil, h.Shape())
	}
	act := b.Activation
	if act == activation.TypeNone {
		act = activation.TypeGeluApprox
	}
	if err := precision(b.Compute).validate("AdaLNZeroMLPBlock"); err != nil {
		panic(err)
	}
	m := modulation(b.Scope, c, h, 3)
	return Add(h, Mul(m[2], precision(b.Compute).feedForward(b.Scope.At("mlp"), modulate(h, m[0], m[1]), b.MLPRatio, act)))
}

// modulation is W·SiLU(c) + b in k parts of h's width, each [n, (1,) width]; all start at 0.
func modulation(scope *model.Scope, c, h *Node, k int) []*Node {
	n, width := h.Shape().Dimensions[0], h.Shape().Dimensions[h.Rank()-1]
	if c.Rank() != 2 || c.Shape().Dimensions[0] != n {
		exceptions.Panicf("AdaLNZero: the conditioning must be a vector for each of %d rows, got %s", n, c.Shape())
	}
	all := linear(scope.At("modulation"), activation.Apply(activation.TypeSilu, c), k*width, zero)
	parts := make([]*Node, k)
	for i := range parts {
		parts[i] = Slice(all, AxisRange(), AxisRange(i*width, (i+1)*width))
		if h.Rank() == 3 {
			parts[i] = ExpandAxes(parts[i], 1)
		}
	}
	return parts
}

// modulate is LN(h)(1 + scale) + shift.
func modulate(h, shift, scale *Node) *Node {
	h = Sub(h, ReduceAndKeep(h, ReduceMean, -1))
	h = Div(h, Sqrt(AddScalar(ReduceAndKeep(Square(h), ReduceMean, -1), 1e-6)))
	return Add(Mul(h, OnePlus(scale)), shift)
}

// softmax is that of the last axis. Like LN it is written out: GoMLX's fused ones lose their gradients where blocks are built again.
func softmax(x *Node) *Node {
	e := Exp(Sub(x, StopGradient(ReduceAndKeep(x, ReduceMax, -1))))
	return Div(e, ReduceAndKeep(e, ReduceSum, -1))
}

// feedForward is an MLP of one hidden layer on the last axis.
func (p precision) feedForward(scope *model.Scope, h *Node, ratio float64, act activation.Type) *Node {
	if ratio == 0 {
		ratio = 4
	}
	width := h.Shape().Dimensions[h.Rank()-1]
	hidden := int(float64(width) * ratio)
	if hidden < 1 {
		exceptions.Panicf("AdaLNZero: MLPRatio must leave a unit at least, got %g of %d", ratio, width)
	}
	return p.linear(scope.At("second"), activation.Apply(act, p.linear(scope.At("first"), h, hidden, xavier)), width, xavier)
}
