// Command limits measures what a Langevin step on the energy 2-64-64-1 and a training step of persistent contrastive divergence spend
// their time on, by leaving parts out, and prints it as tables for benchmarks/README.md.
//
//	go run ./benchmarks/limits
package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

func main() {
	b := must.M1(backend.New())
	fmt.Printf("A product of two 2048×2048 matrices: %.0f GFLOP/s.\n\n", product(b, 2048))
	langevin(b)
	fmt.Println()
	training(b)
}

// product is the rate, in GFLOP/s, at which the backend multiplies two n×n matrices: what the machine can do at best.
func product(b compute.Backend, n int) float64 {
	exec := must.M1(NewExec(b, func(seed *Node) *Node {
		a := AddScalar(Sin(ConvertDType(Iota(seed.Graph(), shapes.Make(dtypes.Int32, n, n), 0), dtypes.Float32)), 1)
		for range 10 { // so that what is not a product does not count
			a = MatMul(a, MulScalar(a, 1/float64(n)))
		}
		return Add(ReduceAllSum(a), seed)
	}))
	ms := median(1, 7, func() { must.M1(exec.Call1(float32(0))).Value() })
	return 10 * 2 * math.Pow(float64(n), 3) / ms / 1e6
}

// langevin times whole runs with everything, without exponentials, and without noise either; they take turns.
func langevin(b compute.Backend) {
	parts := []struct {
		name   string
		energy func(store *model.Store) ebm.Energy
		kernel ebm.Kernel
	}{
		{"all", silu, samplers.Langevin{StepSize: ebm.Fixed(1e-4)}},
		{"squares for SiLU", squares, samplers.Langevin{StepSize: ebm.Fixed(1e-4)}},
		{"squares, no noise", squares, samplers.GradientDescent{StepSize: ebm.Fixed(1e-4)}},
	}
	fmt.Println("| chains × steps | all, ms | squares for SiLU | squares, no noise | GFLOP/s of the last |\n|---|--:|--:|--:|--:|")
	for _, size := range [][2]int{{1000, 1000}, {10000, 100}, {128, 100}} {
		o := ebm.Options{Chains: size[0], Dim: 2, Steps: size[1]}
		runs := make([]func(), len(parts))
		for i, p := range parts {
			store := model.NewStore()
			sampler := must.M1(ebm.NewSampler(b, store, p.energy(store), p.kernel))
			runs[i] = func() { o.Seed++; must.M1(sampler.Sample(context.Background(), o)) }
		}
		ms := medians(3, max(30, 40000/size[0]), runs...)
		flop := float64(size[0]*size[1]) * 4 * (2*64 + 64*64 + 64) // a product each forwards and backwards, two operations a weight
		fmt.Printf("| %d × %d | %.3g | %.3g | %.3g | %.0f |\n", size[0], size[1], ms[0], ms[1], ms[2], flop/ms[2]/1e6)
	}
}

// silu is the benchmark's energy.
func silu(store *model.Store) ebm.Energy { return nn.MLPEnergy(store.Scope("/energy"), 64, 64) }

// squares is the same network with squares for SiLU: the same matrix products, and no exponential.
func squares(store *model.Store) ebm.Energy {
	return ebm.Net{Scope: store.Scope("/energy"), Fn: func(scope *model.Scope, x *Node, _ ...*Node) *Node {
		g, n := x.Graph(), x.Shape().Dimensions[0]
		layer := func(name string, x *Node, out int) *Node {
			weights := make([][]float32, x.Shape().Dimensions[1])
			for i := range weights {
				weights[i] = make([]float32, out)
				for j := range weights[i] {
					weights[i][j] = 0.1 * float32(math.Sin(float64(i*out+j)))
				}
			}
			w := scope.VariableWithValue("weights_"+name, weights).NodeValue(g)
			return MatMul(x, w)
		}
		h := Square(layer("0", x, 64))
		h = Square(layer("1", h, 64))
		return Reshape(layer("2", h, 1), n)
	}}
}

// training times training steps of CD-k for several k: the slope is a Langevin step, the rest the training step around it.
func training(b compute.Backend) {
	fmt.Println("| k | persistent, ms | CD-k, ms |\n|--:|--:|--:|")
	for _, k := range []int{1, 5, 10, 20} {
		fmt.Printf("| %d | %.3g | %.3g |\n", k, trainingStep(b, k, true), trainingStep(b, k, false))
	}
}

// trainingStep is the median time of a training step, ms.
func trainingStep(b compute.Backend, k int, persistent bool) float64 {
	store := model.NewStore()
	loss := losses.ContrastiveDivergence{Energy: silu(store), Kernel: samplers.Langevin{StepSize: ebm.Fixed(1e-2)}, Steps: k,
		Persistent: persistent, Buffer: 8192, Fresh: .05, EnergyL2: .1}
	batches := &datasets.Batches{Data: must.M1(datasets.TwoMoons{N: 3072}.Generate()), Size: 128}
	var epochs []float64
	before := time.Now()
	must.M1(ebm.Train(context.Background(), b, store, loss, batches, ebm.TrainOptions{Epochs: 100, OnEpoch: func(int, ebm.TrainProgress) error {
		epochs = append(epochs, time.Since(before).Seconds()*1e3)
		before = time.Now()
		return nil
	}}))
	slices.Sort(epochs)
	return epochs[len(epochs)/2] / float64(batches.PerEpoch())
}

// median is the median time of fn, ms, after some runs to warm up.
func median(warmUp, n int, fn func()) float64 { return medians(warmUp, n, fn)[0] }

// medians are the median times of functions that take turns, ms.
func medians(warmUp, n int, fns ...func()) []float64 {
	times := make([][]float64, len(fns))
	for round := range warmUp + n {
		for i, fn := range fns {
			start := time.Now()
			fn()
			if round >= warmUp {
				times[i] = append(times[i], time.Since(start).Seconds()*1e3)
			}
		}
	}
	out := make([]float64, len(fns))
	for i, t := range times {
		slices.Sort(t)
		out[i] = t[len(t)/2]
	}
	return out
}
