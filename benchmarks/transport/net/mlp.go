// Package net has the networks of the published experiments, which start as PyTorch's linear layers do.
package net

import (
	"fmt"
	"hash/fnv"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
)

// MLP is a field of x, [n, d], and the time: linear layers of these widths with φ between them, from d + 1 numbers to d. Weights and
// biases start uniform in ±1/√inputs; seed and name choose which.
func MLP(store *model.Store, name string, seed uint64, widths []int, φ func(*Node) *Node) ebm.Field {
	hash := fnv.New32a()
	hash.Write([]byte(name))
	key := []uint32{uint32(seed), hash.Sum32()}
	return ebm.FieldNet{Scope: store.Scope(name), Fn: func(scope *model.Scope, x, t *Node, _ ...*Node) *Node {
		h, d, draws := Concatenate([]*Node{x, ExpandAxes(t, -1)}, 1), x.Shape().Dimensions[1], int32(0)
		linear := func(layer string, out int) {
			in, at := h.Shape().Dimensions[1], scope.At("%s", layer)
			variable := func(name string, dims ...int) *Node {
				draws++
				draw := draws
				start := func(g *Graph, shape shapes.Shape) *Node {
					u := ebm.NewRand(Const(g, key), Const(g, draw)).Uniform(shape)
					return MulScalar(AddScalar(MulScalar(u, 2), -1), 1/math.Sqrt(float64(in)))
				}
				return at.WithInitializer(start).VariableWithShape(name, shapes.Make(x.DType(), dims...)).NodeValue(x.Graph())
			}
			h = Add(MatMul(h, variable("weights", in, out)), ExpandAxes(variable("biases", out), 0))
		}
		for i, width := range widths {
			linear(fmt.Sprintf("hidden_%d", i), width)
			h = φ(h)
		}
		linear("output", d)
		return h
	}}
}

// SELU is Klambauer et al.'s scaled exponential unit, arXiv:1706.02515. The exponential of what is negative alone keeps the gradient finite.
func SELU(x *Node) *Node {
	const alpha, scale = 1.6732632423543772, 1.0507009873554805
	return MulScalar(Add(MaxScalar(x, 0), MulScalar(MinusOne(Exp(MinScalar(x, 0))), alpha)), scale)
}
