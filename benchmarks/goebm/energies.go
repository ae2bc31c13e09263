package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/nn"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// newEnergy is the energy of a row.
func newEnergy(store *model.Store, w work) ebm.Energy {
	switch w.energy {
	case "mlp", "mlp128":
		return newMLP(store, w)
	case "gaussian":
		cov := make([][]float64, w.dim)
		for i := range cov {
			cov[i] = make([]float64, w.dim)
			for j := range cov[i] {
				cov[i][j] = math.Pow(correlation, math.Abs(float64(i-j)))
			}
		}
		return ebm.Gaussian{Cov: cov}
	default:
		return ebm.DoubleWell{}
	}
}

// newMLP is a network as an energy.
func newMLP(store *model.Store, w work) ebm.Net {
	net := network(w)
	return ebm.Net{Scope: store.Scope("energy"), Fn: func(scope *model.Scope, x *Node, _ ...*Node) *Node { return Squeeze(net(scope, x), -1) }}
}

// newField is a network as a field, which "flow" tells the time as one more number behind x.
func newField(store *model.Store, w work) ebm.FieldNet {
	net := network(w)
	return ebm.FieldNet{Scope: store.Scope("field"), Fn: func(scope *model.Scope, x, t *Node, _ ...*Node) *Node {
		if w.energy == "flow" {
			x = Concatenate([]*Node{x, ExpandAxes(t, -1)}, -1)
		}
		return net(scope, x)
	}}
}

// sizes of the networks' layers; 0 stands for the dimension of x.
var sizes = map[string][]int{"mlp": {2, 64, 64, 1}, "field": {2, 64, 64, 2}, "flow": {3, 64, 64, 2}, "mlp128": {0, 128, 128, 1}}

// network has SiLU units, and is written out so that it begins with the weights that work.py prescribes.
func network(w work) func(scope *model.Scope, x *Node) *Node {
	layers := mlpWeights(w)
	return func(scope *model.Scope, x *Node) *Node {
		g := x.Graph()
		for i, weights := range layers {
			w := scope.VariableWithValue(fmt.Sprintf("w%d", i), weights).NodeValue(g)
			b := scope.VariableWithValue(fmt.Sprintf("b%d", i), make([]float32, len(weights[0]))).NodeValue(g)
			x = Add(MatMul(x, w), ExpandAxes(b, 0))
			if i < len(layers)-1 {
				x = nn.SiLU(x)
			}
		}
		return x
	}
}

// mlpWeights are the weights [in][out] of the layers.
func mlpWeights(w work) [][][]float32 {
	var layers [][][]float32
	k, size := 0, slices.Clone(sizes[w.energy])
	if size[0] == 0 {
		size[0] = w.dim
	}
	for l, out := range size[1:] {
		in := size[l]
		scale := math.Sqrt(3 / float64(in))
		w := make([][]float32, in)
		for i := range w {
			w[i] = make([]float32, out)
			for j := range w[i] {
				w[i][j] = float32(scale * math.Sin(12.9898*float64(k+i*out+j+1)))
			}
		}
		k += in * out
		layers = append(layers, w)
	}
	return layers
}
