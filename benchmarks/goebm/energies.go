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

// newMLP is the network 2-64-64-1 with SiLU, written out so that it begins with the weights that work.py prescribes.
func newMLP(store *model.Store) ebm.Net {
	layers := mlpWeights()
	return ebm.Net{Scope: store.Scope("energy"), Fn: func(scope *model.Scope, x *Node, _ ...*Node) *Node {
		g := x.Graph()
		for i, weights := range layers {
			w := scope.VariableWithValue(fmt.Sprintf("w%d", i), weights).NodeValue(g)
			b := scope.VariableWithValue(fmt.Sprintf("b%d", i), make([]float32, len(weights[0]))).NodeValue(g)
			x = Add(MatMul(x, w), ExpandAxes(b, 0))
			if i < len(layers)-1 {
				x = activation.Swish(x)
			}
		}
		return Squeeze(x, -1)
	}}
}

// mlpWeights are the weights [in][out] of the layers.
func mlpWeights() [][][]float32 {
	var layers [][][]float32
	k := 0
	for _, size := range [][2]int{{2, 64}, {64, 64}, {64, 1}} {
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
