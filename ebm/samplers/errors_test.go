package samplers

import (
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// What can't work is refused with the type, the field and the value.
func TestBadSettings(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for want, kernel := range map[string]ebm.Kernel{
			"Langevin: StepSize must be a finite number and positive, got 0":                   Langevin{StepSize: ebm.Fixed(0)},
			"Langevin: StepSize must be a finite number and positive, got -0.1":                Langevin{StepSize: ebm.Fixed(-0.1)},
			"Langevin: StepSize must be a finite number and positive, got NaN":                 Langevin{StepSize: ebm.Fixed(math.NaN())},
			"Langevin: Noise must be a finite number and not negative, got -1":                 Langevin{Noise: ebm.Fixed(-1)},
			"Langevin: Clamp must be a lower and a higher limit, got [2, 1]":                   Langevin{Clamp: &[2]float64{2, 1}},
			"GradientDescent: StepSize must be a finite number and positive, got 0":            GradientDescent{StepSize: ebm.Fixed(0)},
			"Nesterov: StepSize must be a finite number and positive, got +Inf":                Nesterov{StepSize: ebm.Fixed(math.Inf(1))},
			"Nesterov: Momentum must be a finite number and not negative, got -0.5":            Nesterov{Momentum: ebm.Fixed(-0.5)},
			"HMC: StepSize must be a finite number and positive, got -1":                       HMC{StepSize: ebm.Fixed(-1)},
			"HMC: Leapfrog must be at least 1, or 0 for the default of 10, got -1":             HMC{Leapfrog: -1},
			"HMC: Jitter must be in [0, 1), got 1":                                             HMC{Jitter: 1},
			"MALA: StepSize must be a finite number and positive, got 0":                       MALA{StepSize: ebm.Fixed(0)},
			"Barker: StepSize must be a finite number and positive, got -2":                    Barker{StepSize: ebm.Fixed(-2)},
			"UnderdampedLangevin: StepSize must be a finite number and positive, got 0":        UnderdampedLangevin{StepSize: ebm.Fixed(0)},
			"UnderdampedLangevin: Friction must be a finite number and not negative, got -1":   UnderdampedLangevin{Friction: ebm.Fixed(-1)},
			"RiemannianHMC: StepSize must be a finite number and positive, got 0":              RiemannianHMC{StepSize: ebm.Fixed(0)},
			"RiemannianHMC: Leapfrog must be at least 1, or 0 for the default of 4, got -3":    RiemannianHMC{Leapfrog: -3},
			"RiemannianHMC: Iterations must be at least 2, or 0 for the default of 6, got 1":   RiemannianHMC{Iterations: 1},
			"RiemannianHMC: Tolerance must be positive, or 0 for the default of 0.001, got -1": RiemannianHMC{Tolerance: -1},
			"RiemannianHMC: Metric of x (Float32)[4, 2] must be Float32 [4, 2, 2], got (Float32)[4, 3, 3]": RiemannianHMC{Metric: func(x *Node, _ ...*Node) *Node {
				return Zeros(x.Graph(), shapes.Make(x.DType(), 4, 3, 3))
			}},
			"EllipticalSlice: Tries must be at least 1, or 0 for the default of 8, got -1":             EllipticalSlice{Tries: -1},
			"Gaussian: events must have 3 numbers as Mean and Cov do, got 2":                           EllipticalSlice{Prior: ebm.Gaussian{Mean: []float64{1, 2, 3}}},
			"Minibatch: the energy must be an ebm.Posterior, got ebm.DoubleWell":                       Minibatch{},
			"Minibatch: Size must be at least 1, or 0 for the default of 32, got -1":                   overData{Minibatch{Size: -1}},
			"ScalarMass: a mass must be positive and finite, got -2":                                   HMC{Mass: ScalarMass(-2)},
			"DiagonalMass: a mass must be positive and finite, got 0":                                  HMC{Mass: DiagonalMass{1, 0}},
			"DiagonalMass: want 2 masses, one for each number of an event of x (Float32)[4, 2], got 3": HMC{Mass: DiagonalMass{1, 1, 1}},
			"DenseMass: want 2 rows, one for each number of an event of x (Float32)[4, 2], got 0":      HMC{Mass: DenseMass{}},
		} {
			sampler, err := ebm.NewSampler(b, nil, ebm.DoubleWell{}, kernel)
			if err != nil {
				t.Fatal(err)
			}
			_, err = sampler.Sample(t.Context(), ebm.Options{Chains: 4, Dim: 2, Steps: 1})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%#v: got the error %v, want one with %q", kernel, err, want)
			}
			sampler.Finalize()
		}
	})
}

func TestBadMass(t *testing.T) {
	for want, mass := range map[string][][]float64{
		"mass has no rows": nil,
		"mass must be square, got 2 rows and row 1 of 1 numbers":          {{1, 0}, {0}},
		"mass must be finite, got mass[0][1] = NaN":                       {{1, math.NaN()}, {0, 1}},
		"mass must be symmetric, got mass[1][0] = 0 and mass[0][1] = 0.5": {{1, 0.5}, {0, 1}},
		"mass must be positive definite, its smallest eigenvalue is -1":   {{1, 2}, {2, 1}},
		"mass must be positive definite, its smallest eigenvalue is 0":    {{0, 0}, {0, 1}},
	} {
		if _, err := NewDenseMass(mass); err == nil || !strings.Contains(err.Error(), "NewDenseMass: "+want) {
			t.Errorf("NewDenseMass(%v): got the error %v, want one with %q", mass, err, want)
		}
	}
}

// A proposal that is not finite, in the energy or in the gradient alone, is refused, and the chain stays finite.
func TestRefusesNonFinite(t *testing.T) {
	kernels := map[string]ebm.Kernel{
		"HMC":             HMC{StepSize: ebm.Fixed(0.8), Leapfrog: 3},
		"MALA":            MALA{StepSize: ebm.Fixed(0.5)},
		"Barker":          Barker{StepSize: ebm.Fixed(1)},
		"RiemannianHMC":   RiemannianHMC{StepSize: ebm.Fixed(0.8), Leapfrog: 1, Iterations: 2},
		"EllipticalSlice": EllipticalSlice{Tries: 2},
	}
	wall := func(x *Node, bad func(x *Node) *Node) *Node { // ½x² for x < 1
		inside := MulScalar(ReduceSum(Square(x), -1), 0.5)
		return Where(LessThan(ReduceMax(x, -1), Const(x.Graph(), float32(1))), inside, bad(x))
	}
	energies := map[string]ebm.EnergyFunc{
		"infinite": func(x *Node, _ ...*Node) *Node {
			return wall(x, func(x *Node) *Node { return AddScalar(ReduceSum(x, -1), math.Inf(1)) })
		},
		"NaN": func(x *Node, _ ...*Node) *Node {
			return wall(x, func(x *Node) *Node { return Log(Neg(Add(Square(ReduceSum(x, -1)), ScalarOne(x.Graph(), x.DType())))) })
		},
		"overflow": func(x *Node, _ ...*Node) *Node { // 10²⁰x⁴ overflows within a few steps
			return MulScalar(ReduceSum(Square(Square(x)), -1), 1e20)
		},
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, energy := range energies {
			for kind, kernel := range kernels {
				if kind != "HMC" && b.Name() == "xla" && name != "NaN" {
					continue // one of them is enough to compile
				}
				refusesNonFinite(t, b, name+", "+kind, energy, kernel)
			}
		}
	})
}

func refusesNonFinite(t *testing.T, b compute.Backend, name string, energy ebm.Energy, kernel ebm.Kernel) {
	t.Helper()
	sampler, err := ebm.NewSampler(b, nil, energy, kernel)
	if err != nil {
		t.Fatal(err)
	}
	start := tensors.FromValue([][]float32{{0, 0.5}, {-1, 0.2}, {0.3, -2}})
	out, err := sampler.Sample(t.Context(), ebm.Options{Start: start, Steps: 20})
	if err != nil {
		t.Fatalf("%s: %+v", name, err)
	}
	for i, part := range out.Checkpoint.State {
		for _, v := range tensors.MustCopyFlatData[float32](part) {
			if v-v != 0 {
				t.Errorf("%s: state[%d] holds %v", name, i, v)
			}
		}
	}
	if !(out.Accept >= 0 && out.Accept < 0.99) {
		t.Errorf("%s: acceptance is %g, want some proposals refused", name, out.Accept)
	}
	sampler.Finalize()
}
