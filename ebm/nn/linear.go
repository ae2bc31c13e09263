package nn

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/pkg/errors"
)

// start is how weights begin.
type start int

const (
	xavier start = iota // uniform in ±√(6/(inputs + outputs)); X. Glorot, Y. Bengio, AISTATS 2010
	narrow              // N(0, 0.02²)
	zero
)

// linear is a layer on the last axis of x, [..., in] to [..., out], with biases that start at 0.
func linear(scope *model.Scope, x *Node, out int, begin start) *Node {
	w, b := layer(scope, x, out, begin)
	return affine(x, w, b)
}

// precision is the type that the products of a network are computed in: 0 for that of its numbers.
type precision dtypes.DType

// linear is a layer whose product is computed in this precision, with the result in x's again.
func (p precision) linear(scope *model.Scope, x *Node, out int, begin start) *Node {
	w, b := layer(scope, x, out, begin)
	return ConvertDType(affine(p.of(x), p.of(w), p.of(b)), x.DType())
}

// of is x in this precision.
func (p precision) of(x *Node) *Node {
	if p == 0 {
		return x
	}
	return ConvertDType(x, dtypes.DType(p))
}

// validate tells whether products can be computed in it.
func (p precision) validate(kind string) error {
	if d := dtypes.DType(p); p != 0 && (!d.IsFloat() || d.IsPacked()) {
		return errors.Errorf("%s: Compute must be a type of floating-point numbers, such as BFloat16, got %s", kind, d)
	}
	return nil
}

// layer are the weights, [in, out], and biases, [out], of a layer on x's last axis.
func layer(scope *model.Scope, x *Node, out int, begin start) (w, b *Node) {
	in := x.Shape().Dimensions[x.Rank()-1]
	return begin.variable(scope, "weights", x.DType(), in, out).NodeValue(x.Graph()), zero.variable(scope, "biases", x.DType(), out).NodeValue(x.Graph())
}

// affine is xW + b on the last axis, or xW where b is nil.
func affine(x, w, b *Node) *Node {
	dims := append([]int{}, x.Shape().Dimensions...)
	y := MatMul(Reshape(x, -1, dims[len(dims)-1]), w)
	if b != nil {
		y = Add(y, ExpandAxes(b, 0))
	}
	dims[len(dims)-1] = w.Shape().Dimensions[1]
	return Reshape(y, dims...)
}

// variable is a weight with this start.
func (s start) variable(scope *model.Scope, name string, dtype dtypes.DType, dims ...int) *model.Variable {
	shape := shapes.Make(dtype, dims...)
	switch s {
	case xavier:
		return variable(scope, name, 6, dims[0]+dims[1], dtype, dims...)
	case narrow:
		store, path := scope.Store(), model.JoinPath(scope.Scope(), name)
		return scope.WithInitializer(func(g *Graph, shape shapes.Shape) *Node {
			return MulScalar(noise(g, store, path).Normal(shape), 0.02)
		}).VariableWithShape(name, shape)
	}
	return scope.WithInitializer(initializer.Zero).VariableWithShape(name, shape)
}
