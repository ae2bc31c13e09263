package nn

import (
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// TimeEmbedding makes of a time a vector that networks are conditioned on: cosines and sines of t at Frequencies/2 frequencies each, from 1 down
// to 10⁻⁴, and two linear layers with SiLU between them,
//
//	e(t) = W₂·SiLU(W₁·(cos t·ω, sin t·ω) + b₁) + b₂,    ωₖ = 10000^(−2k/Frequencies).
//
// t is taken as it is, here from 0 to 1. Weights start at N(0, 0.02²), biases at 0.
//
// A. Vaswani et al., "Attention is all you need", 2017, arXiv:1706.03762; P. Dhariwal, A. Nichol, "Diffusion models beat GANs on image
// synthesis", 2021, arXiv:2105.05233.
type TimeEmbedding struct {
	Scope       *model.Scope // where the weights live
	Width       int          // of the vector
	Frequencies int          // default 256; even
}

// Embed builds e(t), [n, Width], of times t, [n].
func (e TimeEmbedding) Embed(t *Node) *Node {
	frequencies := e.Frequencies
	if frequencies == 0 {
		frequencies = 256
	}
	if e.Scope == nil || e.Width < 1 || frequencies < 2 || frequencies%2 != 0 {
		exceptions.Panicf("TimeEmbedding: want a Scope, a Width of at least 1 and an even number of Frequencies, got %v, %d and %d", e.Scope != nil, e.Width, e.Frequencies)
	}
	if t.Rank() != 1 || !t.DType().IsFloat() {
		exceptions.Panicf("TimeEmbedding: t must be one floating-point number a row, got %s", t.Shape())
	}
	half := frequencies / 2
	k := Iota(t.Graph(), shapes.Make(t.DType(), half), 0)
	omega := Exp(MulScalar(k, -math.Log(10000)/float64(half)))
	angle := Mul(ExpandAxes(t, 1), ExpandAxes(omega, 0)) // [n, half]
	h := linear(e.Scope.At("first"), Concatenate([]*Node{Cos(angle), Sin(angle)}, 1), e.Width, narrow)
	return linear(e.Scope.At("second"), activation.Apply(activation.TypeSilu, h), e.Width, narrow)
}
