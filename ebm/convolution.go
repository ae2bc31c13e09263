package ebm

import (
	"reflect"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Two operations that gradients are made of have no gradient in turn in GoMLX 0.28.1, so that no loss of ∇E could train an energy that
// convolves or slices: Reverse, by which the gradient of a convolution turns its kernel around, and Pad, the gradient of a slice.
func init() {
	if _, ok := VJPRegistration[NodeTypeReverse]; !ok {
		VJPRegistration[NodeTypeReverse] = func(node *Node, v []*Node, _ shapes.Shape) []*Node {
			return []*Node{node.CloneWithInputs(v[0])} // the transpose of a reversal is the same reversal
		}
	}
	if _, ok := VJPRegistration[NodeTypePad]; !ok {
		VJPRegistration[NodeTypePad] = func(node *Node, v []*Node, _ shapes.Shape) []*Node { return padVJP(node, v[0]) }
	}
}

// padVJP takes out of v what x became, and sums the rest for the number it was padded with.
func padVJP(node, v *Node) []*Node {
	x := node.Inputs()[0]
	// GoMLX keeps the amounts to itself; they can be read all the same.
	axes := reflect.ValueOf(node).Elem().FieldByName("inputs").Elem().Elem().FieldByName("axesConfig")
	cuts := make([]SliceAxisSpec, x.Rank())
	for i, dim := range x.Shape().Dimensions {
		var start, end, interior int
		if i < axes.Len() {
			amount := func(name string) int { return int(axes.Index(i).FieldByName(name).Int()) }
			start, end, interior = amount("Start"), amount("End"), amount("Interior")
		}
		if start < 0 || end < 0 || dim == 0 {
			exceptions.Panicf("ebm: there is no gradient of a Pad that cuts: %d and %d around axis %d of %s", start, end, i, x.Shape())
		}
		cuts[i] = AxisRange(start, start+(dim-1)*(interior+1)+1).Stride(interior + 1)
	}
	inner := Slice(v, cuts...)
	return []*Node{inner, Sub(ReduceAllSum(v), ReduceAllSum(inner))}
}
