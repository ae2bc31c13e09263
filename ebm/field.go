package ebm

import (
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// Field builds f(x, t), a vector for each point: a velocity, a score, a noise prediction, or the gradient of an energy.
// x is [n, event...] and t, the time, [n] of x's type; the result is like x. Conditioning values, if any, follow and have
// n rows too. A field that is the same at all times leaves t alone.
//
// Field is a graph-building method: it panics on wrong shapes, as GoMLX's own operations do.
type Field interface {
	Field(x, t *Node, cond ...*Node) *Node
}

// FieldFunc makes a field of a function:
//
//	inwards := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return Neg(x) })
type FieldFunc func(x, t *Node, cond ...*Node) *Node

// Field calls f.
func (f FieldFunc) Field(x, t *Node, cond ...*Node) *Node { return f(x, t, cond...) }

// FieldNet is a field with weights: a GoMLX model function bound to a scope, as [Net] is an energy. The scope is entered
// anew at every build, so a field that is evaluated many times in one graph shares its weights.
type FieldNet struct {
	Scope *model.Scope // where the weights live
	Fn    func(scope *model.Scope, x, t *Node, cond ...*Node) *Node
}

// Field builds Fn on the net's scope.
func (n FieldNet) Field(x, t *Node, cond ...*Node) *Node {
	return n.Fn(n.Scope.ResetVisited(), x, t, cond...)
}

// Featured is a field that also tells what it makes of its points on the way: features, [n, ...], such as the units of a
// network's last hidden layer. Losses spread them out.
type Featured interface {
	Field
	FieldFeatures(x, t *Node, cond ...*Node) (f, features *Node)
}

// FieldAt builds f(x, t) and checks its shape. A nil t stands for time 0.
func FieldAt(f Field, x, t *Node, cond ...*Node) *Node {
	if t == nil {
		t = ZeroTime(x)
	}
	value := f.Field(x, t, cond...)
	if value == nil || !value.Shape().Equal(x.Shape()) {
		got := "nil"
		if value != nil {
			got = value.Shape().String()
		}
		exceptions.Panicf("Field: the field of x %s must have x's shape, got %s", x.Shape(), got)
	}
	return value
}

// ZeroTime is time 0 for each row of x: [n], of x's type.
func ZeroTime(x *Node) *Node {
	return BroadcastToDims(ScalarZero(x.Graph(), x.DType()), x.Shape().Dimensions[0])
}

// EvaluateField computes a field at points x, [n, event...], all at the time t, with the weights as they are in the store.
// The result is like x.
func EvaluateField(b compute.Backend, store *model.Store, f Field, x *tensors.Tensor, t float64, cond ...*tensors.Tensor) (*tensors.Tensor, error) {
	if f == nil {
		return nil, errors.New("ebm: EvaluateField: the field is nil")
	}
	return evaluate("EvaluateField", b, store, x, cond, func(x *Node, cond []*Node) *Node {
		return FieldAt(f, x, AddScalar(ZeroTime(x), t), cond...)
	})
}

// FieldOnHost makes a host function of a field of d-dimensional points at a time: it takes n points, row after row, and
// gives their n vectors. Arrows are drawn from it.
func FieldOnHost(b compute.Backend, store *model.Store, f Field, d int, t float64) func(points []float32) ([]float64, error) {
	return func(points []float32) ([]float64, error) {
		if d < 1 || len(points) == 0 || len(points)%d != 0 {
			return nil, errors.Errorf("ebm: FieldOnHost: want points of %d numbers each, got %d numbers", d, len(points))
		}
		out, err := EvaluateField(b, store, f, tensors.FromFlatDataAndDimensions(points, len(points)/d, d), t)
		if err != nil {
			return nil, err
		}
		return host.Floats(out)
	}
}
