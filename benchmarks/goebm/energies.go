package main

import (
	"fmt"
	"math"

	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// newEnergy is the energy of a row.
func newEnergy(store *model.Store, w work) ebm.Energy {
	switch w.energy {
	case "mlp":
		return newMLP(store)
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

// newMLP is the network 2-64-64-1 as an energy.
func newMLP(store *model.Store) ebm.Net {
	net := network(1)
	return ebm.Net{Scope: store.Scope("energy"), Fn: func(scope *model.Scope, x *Node, _ ...*Node) *Node { return Squeeze(net(scope, x), -1) }}
}

// newField is the network 2-64-64-2 as a field.
func newField(store *model.Store) ebm.FieldNet {
	net := network(2)
	return ebm.FieldNet{Scope: store.Scope("field"), Fn: func(scope *model.Scope, x, _ *Node, _ ...*Node) *Node { return net(scope, x) }}
}

// network has SiLU units, and is written out so that it begins with the weights that work.py prescribes.
func network(outputs int) func(scope *model.Scope, x *Node) *Node {
	layers := mlpWeights(outputs)
	return func(scope *model.Scope, x *Node) *Node {
		g := x.Graph()
		for i, weights := range layers {
			w := scope.VariableWithValue(fmt.Sprintf("w%d", i), weights).NodeValue(g)
			b := scope.VariableWithValue(fmt.Sprintf("b%d", i), make([]float32, len(weights[0]))).NodeValue(g)
			x = Add(MatMul(x, w), ExpandAxes(b, 0))
			if i < len(layers)-1 {
				x = activation.Swish(x)
			}
		}
		return x
	}
}

// mlpWeights are the weights [in][out] of the layers.
func mlpWeights(outputs int) [][][]float32 {
	var layers [][][]float32
	k := 0
	for _, size := range [][2]int{{2, 64}, {64, 64}, {64, outputs}} {
		in, out := size[0], size[1]
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
