package nn

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// stack is the layers that [MLP] and [MLPField] share; their documentation says what each field is.
type stack struct {
	kind         string // the type that messages name
	scope        *model.Scope
	widths       []int
	activation   activation.Type
	spectralNorm bool
	classes      int
}

func (s stack) validate() error {
	if s.scope == nil {
		return errors.Errorf("%s: Scope is nil", s.kind)
	}
	for i, width := range s.widths {
		if width < 1 {
			return errors.Errorf("%s: Widths[%d] must be at least 1, got %d", s.kind, i, width)
		}
	}
	if s.activation == activation.TypeSwiGLU {
		return errors.Errorf("%s: Activation must act on each unit alone, got %s", s.kind, s.activation)
	}
	if s.classes < 0 {
		return errors.Errorf("%s: Classes must not be negative, got %d", s.kind, s.classes)
	}
	return nil
}

// build builds the layers on x, [n, event...]: the last one's output, [n, out], and the units before it, [n, width].
func (s stack) build(x *Node, cond []*Node, out int) (output, hidden *Node) {
	if err := s.validate(); err != nil {
		panic(err)
	}
	if x.Rank() == 0 || !x.DType().IsFloat() {
		exceptions.Panicf("%s: x must be [n, event...] of floating-point numbers, got %s", s.kind, x.Shape())
	}
	widths, act := s.widths, s.activation
	if len(widths) == 0 {
		widths = []int{64, 64}
	}
	if act == activation.TypeNone {
		act = activation.TypeSilu
	}
	h := Reshape(x, x.Shape().Dimensions[0], -1) // [n, d]
	for i, width := range widths {
		scope := s.scope.At("hidden_%d", i)
		h = s.dense(scope, h, width)
		if i == 0 {
			h = s.condition(scope, h, cond)
		}
		h = activate(act, h)
	}
	return s.dense(s.scope.At("output"), h, out), h
}

// dense is a linear layer: h is [n, in], the result [n, out].
func (s stack) dense(scope *model.Scope, h *Node, out int) *Node {
	g, in := h.Graph(), h.Shape().Dimensions[1]
	w := variable(scope, "weights", 6, in, h.DType(), in, out).NodeValue(g)
	b := variable(scope, "biases", 1, in, h.DType(), out).NodeValue(g)
	if s.spectralNorm {
		w = normalised(scope, w)
	}
	return affine(h, w, b)
}

// condition adds what the conditioning contributes to the first layer's h, [n, out].
func (s stack) condition(scope *model.Scope, h *Node, cond []*Node) *Node {
	g, n, out := h.Graph(), h.Shape().Dimensions[0], h.Shape().Dimensions[1]
	labelled := false
	for i, c := range cond {
		if c.Rank() == 0 || c.Shape().Dimensions[0] != n {
			exceptions.Panicf("%s: conditioning %d must have %d rows as x does, got %s", s.kind, i, n, c.Shape())
		}
		if c.DType().IsFloat() {
			c = ConvertDType(Reshape(c, n, -1), h.DType()) // [n, c]
			size := c.Shape().Dimensions[1]
			w := variable(scope, fmt.Sprintf("condition_%d", i), 6, size, h.DType(), size, out).NodeValue(g)
			h = Add(h, MatMul(c, w))
			continue
		}
		if !c.DType().IsInt() || c.Shape().Size() != n {
			exceptions.Panicf("%s: labels must be one whole number a row, got conditioning %d %s", s.kind, i, c.Shape())
		}
		if s.classes == 0 || labelled {
			exceptions.Panicf("%s: Classes must be set for labels, and there can be one conditioning of them; got Classes %d and labels in conditioning %d %s",
				s.kind, s.classes, i, c.Shape())
		}
		labelled = true
		rows := variable(scope, "labels", 1, 1, h.DType(), s.classes, out).NodeValue(g)
		h = Add(h, lookUp(rows, Reshape(c, n)))
	}
	return h
}
