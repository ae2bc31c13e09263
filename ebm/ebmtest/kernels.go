package ebmtest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Kernels is the contract of [ebm.Kernel], for a table of kernels by name, on both backends, in Float32 and Float64,
// for events of the shapes [2] and [4, 4, 1] (XLA, which takes long to compile, sees two of these four):
//
//   - the driver (one loop on XLA, chunks on the Go backend) gives the states that [ebm.Unroll] gives in one graph,
//     and nine steps give the same on both backends: bit by bit within the Go backend, else to tolerance·(1 + |x|),
//     where tolerance is 10⁻⁶ for Float32 and 10⁻¹² for Float64
//   - position and caches keep their shapes and types
//   - a second run, longer and with another seed, compiles nothing, and gives other samples if the kernel draws
//   - acceptance, where there is one, is in [0, 1]
//
// Kernels must be stable on an energy of curvature 0.6 to 1.4, with the given step sizes.
func Kernels(t *testing.T, kernels map[string]ebm.Kernel) {
	t.Helper()
	first := map[string][]float64{} // what the backend before gave
	Backends(t, func(t *testing.T, b compute.Backend) {
		for name, kernel := range kernels {
			for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
				for _, event := range [][]int{{2}, {4, 4, 1}} {
					if b.Name() == "xla" && (dtype == dtypes.Float32) != (len(event) == 1) {
						continue
					}
					id := fmt.Sprintf("%s/%s%v", name, dtype, event)
					t.Run(id, func(t *testing.T) {
						x := kernelContract(t, b, kernel, dtype, event)
						if before, ok := first[id]; ok {
							within(t, "this backend", "the other", x, before, tolerance(dtype))
						}
						first[id] = x
					})
				}
			}
		}
	})
}

const (
	contractChains = 5
	contractSteps  = 9 // a chunk of the Go backend and a step more
)

// ripples is ½x² + ⅒·cos(2x), summed, and a little of the sum's square, so that no number moves alone.
func ripples(x *Node, _ ...*Node) *Node {
	flat := Reshape(x, x.Shape().Dimensions[0], -1)
	own := Add(MulScalar(Square(flat), 0.5), MulScalar(Cos(MulScalar(flat, 2)), 0.1))
	return Add(ReduceSum(own, 1), MulScalar(Square(ReduceMean(flat, 1)), 0.1))
}

func tolerance(dtype dtypes.DType) float64 {
	if dtype == dtypes.Float64 {
		return 1e-12
	}
	return 1e-6
}

// kernelContract returns the position after contractSteps.
func kernelContract(t *testing.T, b compute.Backend, kernel ebm.Kernel, dtype dtypes.DType, event []int) []float64 {
	builds := 0
	energy := ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node { builds++; return ripples(x) })
	sampler, err := ebm.NewSampler(b, nil, energy, kernel)
	if err != nil {
		t.Fatal(err)
	}
	defer sampler.Finalize()
	start := ramp(dtype, append([]int{contractChains}, event...))
	sample := func(steps int, seed uint64) *ebm.Samples {
		out, err := sampler.Sample(t.Context(), ebm.Options{Start: start, Steps: steps, Seed: seed})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		return out
	}
	const seed = 1<<40 + 7
	driven := sample(contractSteps, seed)
	if !(driven.Accept >= 0 && driven.Accept <= 1 || math.IsNaN(driven.Accept)) {
		t.Errorf("mean acceptance is %g", driven.Accept)
	}

	exact, inline := 0.0, driven
	unrolledSteps := contractSteps
	if b.Name() == "xla" {
		unrolledSteps = 2
		exact, inline = tolerance(dtype), sample(unrolledSteps, seed)
	}
	unrolled, accept, err := unroll(b, energy, kernel, start, seed, unrolledSteps)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for _, a := range accept {
		if !(a >= 0 && a <= 1) {
			t.Errorf("acceptance is %g", a)
		}
	}
	for i, want := range unrolled {
		got := inline.Checkpoint.State[i]
		if !got.Shape().Equal(want.Shape()) || got.Shape().Dimensions[0] != contractChains {
			t.Fatalf("state[%d] is %s from the driver and %s unrolled, want %d rows", i, got.Shape(), want.Shape(), contractChains)
		}
		within(t, fmt.Sprintf("the driver's state[%d]", i), "unrolled", numbers(t, got), numbers(t, want), exact)
	}
	if !driven.X.Shape().Equal(start.Shape()) {
		t.Errorf("the samples are %s, the start was %s", driven.X.Shape(), start.Shape())
	}

	again := builds
	other := sample(2*contractSteps+1, seed+1)
	if builds != again {
		t.Errorf("a second run built the energy %d times more: it compiled again", builds-again)
	}
	if slices.Equal(numbers(t, other.X), numbers(t, driven.X)) {
		t.Error("another seed and another number of steps gave the same samples")
	}
	return numbers(t, driven.X)
}

// unroll builds Init and the steps in one graph, as a loss does.
func unroll(b compute.Backend, energy ebm.Energy, kernel ebm.Kernel, start *tensors.Tensor, seed uint64, steps int) (state []*tensors.Tensor, accept []float64, err error) {
	has := false
	thrown := exceptions.TryCatch[error](func() {
		state, err = CallOnceN(b, func(key, first, x *Node) []*Node {
			initial := Const(x.Graph(), int32(-1)) // the driver's number for the step before the first; its use 0 draws starts
			env := ebm.Env{Energy: energy, Step: initial, Rand: ebm.NewRand(key, initial)}
			env.Rand.Fold()
			s := kernel.Init(env, x)
			env.Step, env.Rand = first, ebm.NewRand(key, first)
			s, info := ebm.Unroll(env, kernel, s, steps)
			out := slices.Clone(s)
			if has = info.Accept != nil; has {
				out = append(out, info.Accept)
			}
			for i := range out {
				out[i] = Identity(out[i])
			}
			return out
		}, []uint32{uint32(seed), uint32(seed >> 32)}, int32(0), start)
	})
	if thrown != nil {
		err = thrown
	}
	if err == nil && has {
		last := len(state) - 1
		accept, _, err = matrix(state[last])
		state = state[:last]
	}
	return state, accept, err
}

// ramp fills a tensor with numbers between −1 and 1.
func ramp(dtype dtypes.DType, dims []int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	double, single := make([]float64, size), make([]float32, size)
	for i := range double {
		double[i] = math.Sin(float64(3 * i))
		single[i] = float32(double[i])
	}
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(double, dims...)
	}
	return tensors.FromFlatDataAndDimensions(single, dims...)
}

// numbers copies a floating-point tensor to the host.
func numbers(t *testing.T, x *tensors.Tensor) []float64 {
	t.Helper()
	flat, _, err := matrix(x)
	if err != nil {
		t.Fatal(err)
	}
	return flat
}

// within reports the first difference above tolerance·(1 + |x|).
func within(t *testing.T, nameA, nameB string, a, b []float64, tolerance float64) {
	t.Helper()
	for i := range a {
		if !(math.Abs(a[i]-b[i]) <= tolerance*(1+math.Abs(b[i]))) {
			t.Errorf("number %d is %.17g by %s and %.17g by %s", i, a[i], nameA, b[i], nameB)
			return
		}
	}
}
