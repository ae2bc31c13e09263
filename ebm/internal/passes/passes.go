// Package passes has what estimates of traces share that take a backward pass for each of several directions: the curvature of
// energies in package losses, the divergence of fields in package flow.
package passes

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// OneByOne is the largest number of directions that are taken one by one. Beyond, the graph would grow too long to compile, and one pass
// through rows that are repeated does all.
const OneByOne = 16

// Repeated is x, [n, ...], k times over, [k·n, ...].
func Repeated(x *Node, k int) *Node {
	if k == 1 {
		return x
	}
	dims := x.Shape().Dimensions
	x = BroadcastToDims(ExpandAxes(x, 0), append([]int{k}, dims...)...)
	return Reshape(x, append([]int{k * dims[0]}, dims[1:]...)...)
}

// Axes are the d unit vectors, [d, 1, d].
func Axes(g *Graph, dtype dtypes.DType, d int) *Node {
	return Reshape(OneHot(Iota(g, shapes.Make(dtypes.Int32, d), 0), d, dtype), d, 1, d)
}
