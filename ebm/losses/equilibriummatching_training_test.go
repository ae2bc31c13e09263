package losses_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/metrics"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// The bounds below are from five trainings that differ in all seeds: each is five standard deviations from their mean. Between
// two true samples of this size the distance is 0.047 ± 0.012, and from noise to data 0.418 ± 0.012.

// centredMoons draws two moons about the origin.
func centredMoons(t *testing.T, seed uint64, n int) *datasets.Data {
	t.Helper()
	d, err := datasets.TwoMoons{N: n, Seed: seed, IID: true}.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.X {
		d.X[i] -= []float32{0.5, 0.25}[i%2]
	}
	return d
}

// eqmTrain trains on two moons for 1000 steps.
func eqmTrain(t *testing.T, b compute.Backend, store *model.Store, l losses.EquilibriumMatching) {
	t.Helper()
	_, err := ebm.Train(t.Context(), b, store, l, &datasets.Batches{Data: centredMoons(t, 0, 4096), Size: 256},
		ebm.TrainOptions{Steps: 1000, Schedule: ebm.Cosine{Start: 4e-3, End: 1e-5, Steps: 1000}})
	if err != nil {
		t.Fatal(err)
	}
}

// eqmSample runs 1000 chains from noise; it tells the sliced Wasserstein distance of where they end from fresh data.
func eqmSample(t *testing.T, b compute.Backend, store *model.Store, e ebm.Energy, k ebm.Kernel, steps int) (float64, *ebm.Samples) {
	t.Helper()
	s, err := ebm.NewSampler(b, store, e, k)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Finalize()
	out, err := s.Sample(t.Context(), ebm.Options{Chains: 1000, Dim: 2, Steps: steps, Seed: 7})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	distance, err := metrics.SlicedWasserstein{}.Between(tensors.MustCopyFlatData[float32](out.X), centredMoons(t, 1900, 1000).X, 2)
	if err != nil {
		t.Fatal(err)
	}
	return distance, out
}

// A field leads noise to the data: by descent with or without momentum and by noisy descent, each chain stopped where the field is
// short, and by Euler's method over a fixed time. Descent to the very end leads past the data, to the field's few zeros.
func TestEquilibriumMatchingField(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		field := nn.MLPField{Scope: store.Scope("/field")}
		eqmTrain(t, b, store, losses.EquilibriumMatching{Field: field})
		energy := ebm.ImplicitEnergy{Of: field}
		descent := samplers.GradientDescent{StepSize: ebm.Fixed(0.02)}
		for name, c := range map[string]struct {
			kernel ebm.Kernel
			steps  int
			most   float64
		}{
			"descent, stopped":  {samplers.StopAt{Kernel: descent, GradientNorm: 1}, 500, 0.163},
			"Nesterov, stopped": {samplers.StopAt{Kernel: samplers.Nesterov{StepSize: ebm.Fixed(0.01), Momentum: ebm.Fixed(0.5)}, GradientNorm: 1}, 500, 0.168},
			"Langevin, stopped": {samplers.StopAt{Kernel: samplers.Langevin{StepSize: ebm.Fixed(0.02), Noise: ebm.Fixed(0.1)}, GradientNorm: 1}, 500, 0.160},
			"Euler to T = 0.2":  {descent, 10, 0.158},
		} {
			distance, out := eqmSample(t, b, store, energy, c.kernel, c.steps)
			t.Logf("%s: distance %.3f after %d steps", name, distance, out.Checkpoint.Step)
			if !(distance < c.most) {
				t.Errorf("%s: the distance to the data is %.3f, want less than %.3f", name, distance, c.most)
			}
			if _, stops := c.kernel.(samplers.StopAt); stops && out.Checkpoint.Step >= 150 {
				t.Errorf("%s: the run took %d steps, want an end before 150", name, out.Checkpoint.Step)
			}
		}
		distance, _ := eqmSample(t, b, store, energy, descent, 500)
		t.Logf("descent to the end: distance %.3f", distance)
		if !(distance > 0.4) {
			t.Errorf("descent to the end: the distance to the data is %.3f, want more than 0.4", distance)
		}
	})
}

// An explicit energy can be sampled with a Metropolis test. Its acceptance falls with the step, and tells what the same step without
// the test is worth.
func TestEquilibriumMatchingEnergyAccepts(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		energy := ebm.DotEnergy{Of: nn.MLPField{Scope: store.Scope("/field")}}
		eqmTrain(t, b, store, losses.EquilibriumMatching{Energy: energy})
		distance, _ := eqmSample(t, b, store, energy, samplers.StopAt{Kernel: samplers.GradientDescent{StepSize: ebm.Fixed(0.02)}, GradientNorm: 1}, 500)
		t.Logf("descent, stopped: distance %.3f", distance)
		if !(distance < 0.156) {
			t.Errorf("descent, stopped: the distance to the data is %.3f, want less than 0.156", distance)
		}
		var adjusted float64
		for _, c := range []struct{ eta, least, most float64 }{{0.01, 0.99, 1}, {0.16, 0.71, 0.78}} {
			var out *ebm.Samples
			adjusted, out = eqmSample(t, b, store, energy, samplers.HMC{Leapfrog: 1, StepSize: ebm.Fixed(math.Sqrt(2 * c.eta))}, 150)
			t.Logf("η = %g: acceptance %.4f", c.eta, out.Accept)
			if !(out.Accept > c.least && out.Accept < c.most) {
				t.Errorf("η = %g: the acceptance is %.4f, want it between %g and %g", c.eta, out.Accept, c.least, c.most)
			}
		}
		plain, _ := eqmSample(t, b, store, energy, samplers.Langevin{StepSize: ebm.Fixed(0.16)}, 150)
		t.Logf("η = 0.16: distance %.3f with the test, %.3f without", adjusted, plain)
		if !(adjusted < 0.134 && plain > 0.168) {
			t.Errorf("η = 0.16: distances %.3f with the test and %.3f without, want less than 0.134 and more than 0.168", adjusted, plain)
		}
	})
}

// A field that is told the time, matched to the path's own velocity, leads noise to the data in one unit of time.
func TestEquilibriumMatchingInTime(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		field := nn.MLPField{Scope: store.Scope("/field"), Timed: true}
		eqmTrain(t, b, store, losses.EquilibriumMatching{Field: field, TimeDependent: true, Decay: flow.Constant{Scale: 1}})
		distance, _ := eqmSample(t, b, store, ebm.ImplicitEnergy{Of: field}, eulerInTime{field, 50}, 50)
		t.Logf("distance %.3f", distance)
		if !(distance < 0.107) {
			t.Errorf("the distance to the data is %.3f, want less than 0.107", distance)
		}
	})
}
