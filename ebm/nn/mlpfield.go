package nn

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// MLPField is a field that is a multilayer perceptron, from an event to an event: the layers of [MLP] with an output of x's size,
//
//	hₗ = φ(hₗ₋₁ Wₗ + bₗ),    f(x, t) = h Wₒ + bₒ,    h₀ = x.
//
// Weights, their start, conditioning, labels and spectral normalisation are those of [MLP]. It is the same at all times
// unless Timed: then t is one more number of conditioning, after those given.
//
// Its features ([ebm.Featured]) are the units of the last hidden layer, [n, width].
type MLPField struct {
	Scope        *model.Scope    // where the weights live
	Widths       []int           // units of each hidden layer, default 64, 64
	Activation   activation.Type // φ, default SiLU
	SpectralNorm bool            // divide each layer by its largest singular value
	Classes      int             // of the labels, where the conditioning has some
	Timed        bool            // whether the field changes with t
}

var (
	_ ebm.Featured  = MLPField{}
	_ ebm.Validator = MLPField{}
)

func (f MLPField) stack() stack {
	return stack{"MLPField", f.Scope, f.Widths, f.Activation, f.SpectralNorm, f.Classes}
}

// Validate tells whether there is a scope, and the sizes are positive.
func (f MLPField) Validate() error { return f.stack().validate() }

// Field builds f(x, t), of x's shape.
func (f MLPField) Field(x, t *Node, cond ...*Node) *Node {
	value, _ := f.FieldFeatures(x, t, cond...)
	return value
}

// FieldFeatures builds f(x, t) and the last hidden layer, [n, width].
func (f MLPField) FieldFeatures(x, t *Node, cond ...*Node) (value, features *Node) {
	if f.Timed {
		if t.Rank() != 1 || !t.DType().IsFloat() {
			exceptions.Panicf("MLPField: t must be one floating-point number a row, got %s", t.Shape())
		}
		cond = append(cond[:len(cond):len(cond)], t)
	}
	size := 1
	if x.Rank() > 0 {
		size = x.Shape().Size() / x.Shape().Dimensions[0]
	}
	value, features = f.stack().build(x, cond, size)
	return Reshape(value, x.Shape().Dimensions...), features
}
