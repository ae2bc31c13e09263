package main

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Transformers, as in work.py.
const (
	classes     = 10
	guidance    = 2
	frequencies = 256
	same        = 2e-4
)

// transformerSizes are width, blocks and heads.
var transformerSizes = map[string][]int{"dit_s2": {384, 12, 6}, "dit_128x6": {128, 6, 4}}

// transformerSize is that of a row's network; nil where it has none. Behind a + is an option.
func transformerSize(w work) []int {
	name, _, _ := strings.Cut(w.energy, "+")
	return transformerSizes[name]
}

// hashed are the numbers begin to begin+n of a sequence that looks like noise in (−1, 1), times scale.
func hashed(n, begin int, scale float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		h := uint32(begin + i)
		h = (h ^ h>>16) * 0x85EBCA6B
		h = (h ^ h>>13) * 0xC2B2AE35
		h ^= h >> 16
		out[i] = (float32(h>>8)*(1./(1<<23)) - 1) * float32(scale)
	}
	return out
}

// newTransformer is a network with the weights that work.py prescribes.
func newTransformer(store *model.Store, w work) nn.ConditionalTransformer2D {
	size := transformerSize(w)
	width, begin := size[0], 0
	net := nn.ConditionalTransformer2D{Scope: store.Scope("/net"), Width: width, Depth: size[1], Heads: size[2], Classes: classes}
	switch _, option, _ := strings.Cut(w.energy, "+"); option {
	case "bfloat16":
		net.Compute = dtypes.BFloat16
	case "recompute":
		net.Recompute = true
	}
	layer := func(path, weights string, in, out int) {
		scope := store.Scope("/net/" + path)
		scope.VariableWithValue(weights, tensors.FromFlatDataAndDimensions(hashed(in*out, begin, math.Sqrt(3/float64(in))), in, out))
		if weights == "weights" {
			scope.VariableWithValue("biases", tensors.FromFlatDataAndDimensions(hashed(out, begin+in*out, 0.02), out))
		}
		begin += (in + 1) * out
	}
	layer("patches", "weights", 4, width)
	layer("time/first", "weights", frequencies, width)
	layer("time/second", "weights", width, width)
	layer("label", "labels", classes+1, width)
	for i := range size[1] {
		at := fmt.Sprintf("block_%d/", i)
		layer(at+"modulation", "weights", width, 6*width)
		layer(at+"qkv", "weights", width, 3*width)
		layer(at+"out", "weights", width, width)
		layer(at+"mlp/first", "weights", width, 4*width)
		layer(at+"mlp/second", "weights", 4*width, width)
	}
	layer("head/modulation", "weights", width, 2*width)
	layer("head/projection", "weights", width, 4)
	return net
}

// pictures are a batch: x, times and labels.
func pictures(w work) (x, t, y *tensors.Tensor) {
	n, times, labels := w.chains, make([]float32, w.chains), make([]int32, w.chains)
	for i := range n {
		times[i], labels[i] = (float32(i)+0.5)/float32(n), int32(i%classes)
	}
	x = tensors.FromFlatDataAndDimensions(hashed(n*w.dim*w.dim, 1<<31, 1), n, w.dim, w.dim, 1)
	return x, tensors.FromValue(times), tensors.FromValue(labels)
}

func prepareTransformer(b compute.Backend, store *model.Store, w work) (*prepared, error) {
	net := newTransformer(store, w)
	x, t, y := pictures(w)
	if w.sampler == "guided" {
		return prepareGuided(b, store, nn.Guided{Of: net, Null: classes, Scale: guidance}, w, x, y)
	}
	gradients, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
		loss := ReduceAllMean(Square(net.Field(in[0], in[1], in[2])))
		var weights []*Node
		for v := range store.Scope("/net").IterVariables() {
			weights = append(weights, v.NodeValue(loss.Graph()))
		}
		return append(Gradient(loss, weights...), loss)
	})
	if err != nil {
		return nil, err
	}
	norm, err := NewExec(b, func(gradient []*Node) *Node {
		square := ScalarZero(gradient[0].Graph(), gradient[0].DType())
		for _, g := range gradient {
			square = Add(square, ReduceAllSum(Square(g)))
		}
		return Sqrt(square)
	})
	if err != nil {
		return nil, err
	}
	var gradient []*tensors.Tensor // of the last call; it stays on the device
	return &prepared{
		units: 1,
		call: func() error {
			for _, g := range gradient {
				if err := g.FinalizeAll(); err != nil {
					return err
				}
			}
			out, err := gradients.Call(x, t, y)
			if err != nil {
				return err
			}
			last := len(out) - 1
			_ = tensors.ToScalar[float32](out[last]) // waits
			gradient = out[:last]
			return out[last].FinalizeAll()
		},
		check: func() ([]float64, error) {
			in := make([]any, len(gradient))
			for i, g := range gradient {
				in[i] = g
			}
			out, err := norm.Call(in...)
			if err != nil {
				return nil, err
			}
			return exact(float64(tensors.ToScalar[float32](out[0]))), nil
		},
	}, nil
}

// prepareGuided samples with guidance.
func prepareGuided(b compute.Backend, store *model.Store, field ebm.Field, w work, x, y *tensors.Tensor) (*prepared, error) {
	sampler, err := flow.NewSampler(b, store, field, flow.Transport{Method: flow.Heun, Steps: w.steps})
	if err != nil {
		return nil, err
	}
	o := ebm.Options{Chains: w.chains, Event: []int{w.dim, w.dim, 1}, Cond: []*tensors.Tensor{y}, Devices: *devices}
	return &prepared{
		units: 1,
		call: func() error {
			o.Seed++
			_, err := sampler.Sample(context.Background(), o)
			return err
		},
		check: func() ([]float64, error) {
			samples, err := sampler.Sample(context.Background(), ebm.Options{Start: x, Cond: []*tensors.Tensor{y}, Devices: *devices})
			if err != nil {
				return nil, err
			}
			square, err := meanSquare(samples.X)
			if err != nil {
				return nil, err
			}
			return exact(square[0]), nil
		},
	}, nil
}

// exact is a number for the runner to compare, of work without noise: as if same were six standard errors.
func exact(x float64) []float64 { return []float64{x, same * math.Abs(x) / 6} }
