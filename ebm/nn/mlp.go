package nn

import (
	"fmt"
	"math"

	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// MLP is an energy that is a multilayer perceptron: with h₀ = x,
//
//	hₗ = φ(hₗ₋₁ Wₗ + bₗ) for each of the hidden layers,    E(x) = h Wₒ + bₒ.
//
// x is [n, event...], flattened to [n, d]. Weights start uniformly in ±√(6/the layer's inputs), He's range, with which an energy
// learns twice as fast as with PyTorch's default of a sixth of that variance; biases in ±1/√(inputs), for with biases of 0 the
// first layer's units would all bend in the origin. They are of x's type, and live under Scope.
//
// Conditioning enters the first layer, as further inputs would: numbers, [n, c...], by a weight matrix each, and
// labels, whole numbers [n] or [n, 1] from 0 to Classes−1, by one row of weights a class, which starts uniformly in ±1.
// A label outside makes the energy NaN.
//
// With SpectralNorm each of the layers that x goes through is divided by its largest singular value, so that E has no
// slope of more than about 1.1^len(Widths) (the slope of SiLU is at most 1.1). Where the data asks for a steeper one, put the
// energy into an [ebm.Scaled]. The singular value is followed by one power iteration a training step, so that it is
// underestimated during the first few.
//
// K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015, arXiv:1502.01852. Spectral norm: T. Miyato et al., "Spectral
// normalization for generative adversarial networks", ICLR 2018, arXiv:1802.05957.
type MLP struct {
	Scope        *model.Scope    // where the weights live
	Widths       []int           // units of each hidden layer, default 64, 64
	Activation   activation.Type // φ, default SiLU
	SpectralNorm bool            // divide each layer by its largest singular value
	Classes      int             // of the labels, where the conditioning has some
}

var (
	_ ebm.Energy    = MLP{}
	_ ebm.Validator = MLP{}
)

// MLPEnergy is an [MLP] with SiLU units and hidden layers of the given widths (default 64, 64), whose weights live
// under scope.
func MLPEnergy(scope *model.Scope, widths ...int) MLP { return MLP{Scope: scope, Widths: widths} }

// Validate tells whether there is a scope, and the sizes are positive.
func (e MLP) Validate() error {
	if e.Scope == nil {
		return errors.New("MLP: Scope is nil")
	}
	for i, width := range e.Widths {
		if width < 1 {
			return errors.Errorf("MLP: Widths[%d] must be at least 1, got %d", i, width)
		}
	}
	if e.Activation == activation.TypeSwiGLU {
		return errors.Errorf("MLP: Activation must act on each unit alone, got %s", e.Activation)
	}
	if e.Classes < 0 {
		return errors.Errorf("MLP: Classes must not be negative, got %d", e.Classes)
	}
	return nil
}

// Energy builds E(x), [n].
func (e MLP) Energy(x *Node, cond ...*Node) *Node {
	if err := e.Validate(); err != nil {
		panic(err)
	}
	if x.Rank() == 0 || !x.DType().IsFloat() {
		exceptions.Panicf("MLP: x must be [n, event...] of floating-point numbers, got %s", x.Shape())
	}
	widths, act := e.Widths, e.Activation
	if len(widths) == 0 {
		widths = []int{64, 64}
	}
	if act == activation.TypeNone {
		act = activation.TypeSilu
	}
	n := x.Shape().Dimensions[0]
	h := Reshape(x, n, -1) // [n, d]
	for i, width := range widths {
		scope := e.Scope.At("hidden_%d", i)
		h = e.dense(scope, h, width)
		if i == 0 {
			h = e.condition(scope, h, cond)
		}
		h = activation.Apply(act, h)
	}
	return Reshape(e.dense(e.Scope.At("output"), h, 1), n)
}

// dense is a linear layer: h is [n, in], the result [n, out].
func (e MLP) dense(scope *model.Scope, h *Node, out int) *Node {
	g, in := h.Graph(), h.Shape().Dimensions[1]
	w := variable(scope, "weights", 6, in, h.DType(), in, out).NodeValue(g)
	b := variable(scope, "biases", 1, in, h.DType(), out).NodeValue(g)
	if e.SpectralNorm {
		w = normalised(scope, w)
	}
	return Add(MatMul(h, w), ExpandAxes(b, 0))
}

// condition adds what the conditioning contributes to the first layer's h, [n, out].
func (e MLP) condition(scope *model.Scope, h *Node, cond []*Node) *Node {
	g, n, out := h.Graph(), h.Shape().Dimensions[0], h.Shape().Dimensions[1]
	labelled := false
	for i, c := range cond {
		if c.Rank() == 0 || c.Shape().Dimensions[0] != n {
			exceptions.Panicf("MLP: conditioning %d must have %d rows as x does, got %s", i, n, c.Shape())
		}
		if c.DType().IsFloat() {
			c = ConvertDType(Reshape(c, n, -1), h.DType()) // [n, c]
			size := c.Shape().Dimensions[1]
			w := variable(scope, fmt.Sprintf("condition_%d", i), 6, size, h.DType(), size, out).NodeValue(g)
			h = Add(h, MatMul(c, w))
			continue
		}
		if !c.DType().IsInt() || c.Shape().Size() != n {
			exceptions.Panicf("MLP: labels must be one whole number a row, got conditioning %d %s", i, c.Shape())
		}
		if e.Classes == 0 || labelled {
			exceptions.Panicf("MLP: Classes must be set for labels, and there can be one conditioning of them; got Classes %d and labels in conditioning %d %s",
				e.Classes, i, c.Shape())
		}
		labelled = true
		c = Reshape(c, n)
		rows := variable(scope, "labels", 1, 1, h.DType(), e.Classes, out).NodeValue(g)
		outside := LogicalOr(LessThan(c, ScalarZero(g, c.DType())), GreaterOrEqual(c, Scalar(g, c.DType(), e.Classes)))
		h = Add(h, MatMul(OneHot(c, e.Classes, h.DType()), rows))
		h = Add(h, ExpandAxes(Where(outside, Scalar(g, h.DType(), math.NaN()), ScalarZero(g, h.DType())), -1))
	}
	return h
}
