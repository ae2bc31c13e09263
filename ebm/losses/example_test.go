package losses_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/metrics"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// An energy learns two moons for a few steps: afterwards the data's energy is below that of noise.
func ExampleContrastiveDivergence() {
	b := must.M1(backend.Open("go"))
	moons := must.M1(datasets.TwoMoons{N: 512, Seed: 1}.Generate())
	store := model.NewStore()
	energy := nn.MLPEnergy(store.Scope("/energy"), 32, 32)

	cd := losses.ContrastiveDivergence{Energy: energy, Kernel: samplers.Langevin{StepSize: ebm.Fixed(0.01)}, Persistent: true}
	report := must.M1(ebm.Train(context.Background(), b, store, cd, &datasets.Batches{Data: moons, Size: 64},
		ebm.TrainOptions{Epochs: 10, ClipNorm: 1}))

	x := must.M1(moons.Tensor(dtypes.Float32))
	noise := must.M1(must.M1(ebm.NewSampler(b, store, energy, samplers.Langevin{StepSize: ebm.Fixed(1e-9)})).
		Sample(context.Background(), ebm.Options{Chains: 512, Dim: 2, Steps: 1})).X
	data, far := mean(must.M1(ebm.Evaluate(b, store, energy, x))), mean(must.M1(ebm.Evaluate(b, store, energy, noise)))
	fmt.Println("steps:", report.Steps, "data below noise:", data < far)
	// Output: steps: 80 data below noise: true
}

// A field learns two moons about the origin; noise goes down it until it is short.
func ExampleEquilibriumMatching() {
	b := must.M1(backend.Open("go"))
	moons := must.M1(datasets.TwoMoons{N: 512, Seed: 1}.Generate())
	for i := range moons.X {
		moons.X[i] -= []float32{0.5, 0.25}[i%2]
	}
	store := model.NewStore()
	field := nn.MLPField{Scope: store.Scope("/field"), Widths: []int{32, 32}}
	must.M1(ebm.Train(context.Background(), b, store, losses.EquilibriumMatching{Field: field}, &datasets.Batches{Data: moons, Size: 128},
		ebm.TrainOptions{Steps: 500, LearningRate: 4e-3}))

	descent := samplers.StopAt{Kernel: samplers.GradientDescent{StepSize: ebm.Fixed(0.02)}, GradientNorm: 1}
	sampler := must.M1(ebm.NewSampler(b, store, ebm.ImplicitEnergy{Of: field}, descent))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 512, Dim: 2, Steps: 1000}))
	distance := must.M1(metrics.SlicedWasserstein{}.Between(tensors.MustCopyFlatData[float32](out.X), moons.X, 2))
	fmt.Println("all stopped early:", out.Checkpoint.Step < 1000, "distance below 0.2, of noise 0.42:", distance < 0.2)
	// Output: all stopped early: true distance below 0.2, of noise 0.42: true
}

// A field that is told the time is followed in time, by a kernel of its own: x' = x − f(x, k/N)/N.
func ExampleEquilibriumMatching_timeDependent() {
	b := must.M1(backend.Open("go"))
	moons := must.M1(datasets.TwoMoons{N: 512, Seed: 1}.Generate())
	store := model.NewStore()
	field := nn.MLPField{Scope: store.Scope("/field"), Widths: []int{32, 32}, Timed: true}
	match := losses.EquilibriumMatching{Field: field, TimeDependent: true, Decay: flow.Constant{Scale: 1}}
	must.M1(ebm.Train(context.Background(), b, store, match, &datasets.Batches{Data: moons, Size: 128},
		ebm.TrainOptions{Steps: 500, LearningRate: 4e-3}))

	sampler := must.M1(ebm.NewSampler(b, store, ebm.ImplicitEnergy{Of: field}, eulerInTime{field, 50}))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 512, Dim: 2, Steps: 50}))
	distance := must.M1(metrics.SlicedWasserstein{}.Between(tensors.MustCopyFlatData[float32](out.X), moons.X, 2))
	fmt.Println("distance below 0.2, of noise 0.7:", distance < 0.2)
	// Output: distance below 0.2, of noise 0.7: true
}

// A velocity learnt from optimal pairs of noise and data has straight paths, which a few steps follow.
func ExampleFlowMatching() {
	b := must.M1(backend.Open("go"))
	moons := must.M1(datasets.TwoMoons{N: 512, Seed: 1}.Generate())
	store := model.NewStore()
	velocity := nn.MLPField{Scope: store.Scope("/field"), Widths: []int{32, 32}, Timed: true}
	pairs := &flow.Paired{Data: &datasets.Batches{Data: moons, Size: 128}, Coupling: flow.ExactOT{}}
	must.M1(ebm.Train(context.Background(), b, store, losses.FlowMatching{Field: velocity, Paired: true}, pairs,
		ebm.TrainOptions{Steps: 1000, LearningRate: 4e-3}))

	sampler := must.M1(ebm.NewSampler(b, store, flow.NoEnergy, flow.FixedSteps{Field: velocity, Method: flow.Midpoint, Steps: 5}))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 512, Dim: 2, Steps: 5}))
	distance := must.M1(metrics.SlicedWasserstein{}.Between(tensors.MustCopyFlatData[float32](out.X), moons.X, 2))
	fmt.Println("distance below 0.2, of noise 0.7:", distance < 0.2)
	// Output: distance below 0.2, of noise 0.7: true
}

// One process with noise turns eight Gaussians into two moons, and the same process, seen from its end, moons into Gaussians.
func ExampleScoreFlowMatching() {
	b := must.M1(backend.Open("go"))
	ring := must.M1(datasets.EightGaussians{N: 512, Std: 0.2}.Generate())
	moons := must.M1(datasets.TwoMoons{N: 512, Seed: 1}.Generate())
	store := model.NewStore()
	net := func(name string) ebm.Field {
		return nn.MLPField{Scope: store.Scope(name), Widths: []int{32, 32}, Timed: true}
	}
	bridge := losses.ScoreFlowMatching{Velocity: net("/velocity"), Score: net("/score"), Sigma: 0.5, Paired: true}
	pairs := &flow.Paired{
		Data:     &datasets.Batches{Data: moons, Size: 128},
		Coupling: flow.Sinkhorn{Epsilon: 2 * 0.5 * 0.5},
		Source: func(x0 []float64, dim int, rng *rand.Rand) {
			for i := 0; i < len(x0); i += dim {
				for k, v := range ring.Row(rng.IntN(512)) {
					x0[i+k] = float64(v)
				}
			}
		},
	}
	must.M1(ebm.Train(context.Background(), b, store, bridge, pairs, ebm.TrainOptions{Steps: 800, LearningRate: 4e-3}))

	distance := func(process flow.NoisySteps, from, to *datasets.Data) float64 {
		sampler := must.M1(ebm.NewSampler(b, store, flow.NoEnergy, process))
		out := must.M1(sampler.Sample(context.Background(), ebm.Options{Start: must.M1(from.Tensor(dtypes.Float32)), Steps: 50}))
		return must.M1(metrics.SlicedWasserstein{}.Between(tensors.MustCopyFlatData[float32](out.X), to.X, 2))
	}
	fmt.Println("both below 0.25, of the two sets 0.88:", distance(bridge.Forward(50), ring, moons) < 0.25, distance(bridge.Backward(50), moons, ring) < 0.25)
	// Output: both below 0.25, of the two sets 0.88: true true
}

// One energy carries 8 Gaussians to two moons, and holds them there: the flow first, then flow and density.
func ExampleEnergyMatching() {
	b := must.M1(backend.Open("go"))
	moons := must.M1(datasets.TwoMoons{N: 512, Seed: 1}.Generate())
	store := model.NewStore()
	v := nn.MLPEnergy(store.Scope("/v"), 32, 32)
	ring := func(x0 []float64, _ int, rng *rand.Rand) {
		for i := 0; i < len(x0); i += 2 {
			sin, cos := math.Sincos(math.Pi / 4 * float64(rng.IntN(8)))
			x0[i], x0[i+1] = 4*cos+0.2*rng.NormFloat64(), 4*sin+0.2*rng.NormFloat64()
		}
	}
	pairs := &flow.Paired{Data: &datasets.Batches{Data: moons, Size: 64}, Source: ring}
	em := losses.EnergyMatching{Energy: v, Paired: true, Steps: 40}
	must.M1(ebm.Train(context.Background(), b, store, em, pairs, ebm.TrainOptions{Steps: 500, LearningRate: 4e-3}))
	em.Contrast = 2
	must.M1(ebm.Train(context.Background(), b, store, em, pairs, ebm.TrainOptions{Steps: 530, LearningRate: 1e-3}))

	ringed := make([]float64, 1024)
	ring(ringed, 2, rand.New(rand.NewPCG(1, 1)))
	start := make([]float32, len(ringed))
	for i, v := range ringed {
		start[i] = float32(v)
	}
	sampler := must.M1(ebm.NewSampler(b, store, v, samplers.Langevin{StepSize: ebm.Fixed(0.01), Noise: ebm.Temperature{Steps: 100}}))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Start: tensors.FromFlatDataAndDimensions(start, 512, 2), Steps: 100}))
	distance := must.M1(metrics.SlicedWasserstein{}.Between(tensors.MustCopyFlatData[float32](out.X), moons.X, 2))
	fmt.Println("distance below 0.2:", distance < 0.2)
	// Output: distance below 0.2: true
}

// eulerInTime follows a field from noise at t = 0 to data at t = 1 in n steps.
type eulerInTime struct {
	field ebm.Field
	n     int
}

func (k eulerInTime) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }

func (k eulerInTime) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	t := DivScalar(ConvertDType(env.Step, x.DType()), float64(k.n))
	f := k.field.Field(x, BroadcastToDims(t, x.Shape().Dimensions[0]), env.Cond...)
	return ebm.State{Sub(x, DivScalar(f, float64(k.n)))}, ebm.Info{}
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
