package flow_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

func TestSymplecticStepsAreKernels(t *testing.T) {
	ebmtest.Kernels(t, map[string]ebm.Kernel{
		"SymplecticSteps": flow.SymplecticSteps{To: 5},
		"Yoshida4":        flow.SymplecticSteps{Of: driven, Method: flow.Yoshida4, From: 2, To: 1, Steps: 10},
	})
}

// Against the solution of a driven oscillator, whose force depends on the time, from given momenta; the carried force is that of Step's own.
func TestSymplecticSteps(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			method flow.Symplectic
			within float64
		}{{nil, 4e-4}, {flow.Yoshida4, 3e-7}, {flow.GeneralisedLeapfrog{}, 4e-4}} {
			sampler, err := ebm.NewSampler(b, nil, flow.NoEnergy, flow.SymplecticSteps{Of: driven, Method: c.method, From: 0.5, To: 2.5, Steps: 100})
			if err != nil {
				t.Fatal(err)
			}
			defer sampler.Finalize()
			x0, p0 := drivenAt(0.5)
			state := []*tensors.Tensor{tensors.FromValue([][]float64{{x0}}), tensors.FromValue([][]float64{{p0}})}
			if c.method == nil {
				state = append(state, tensors.FromValue([][]float64{{math.Cos(1) - x0}}))
			}
			out, err := sampler.Sample(t.Context(), ebm.Options{Resume: &ebm.Checkpoint{State: state}, Steps: 100})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			x, p := drivenAt(2.5)
			near(t, fmt.Sprintf("%T: x", c.method), out.X.Value().([][]float64)[0][0], x, c.within)
			near(t, fmt.Sprintf("%T: p", c.method), out.Checkpoint.State[1].Value().([][]float64)[0][0], p, c.within)
		}
	})
}

func TestSymplecticStepsErrors(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		sampler, err := ebm.NewSampler(b, nil, ebm.Harmonic{}, flow.SymplecticSteps{Steps: -1})
		if err == nil {
			_, err = sampler.Sample(t.Context(), ebm.Options{Chains: 2, Dim: 1, Steps: 1})
		}
		if want := "SymplecticSteps: want To other than From, and Steps of at least 1, or 0 for the default of 50; got 1, 0 and -1"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want one with %q", err, want)
		}
	})
}

// Springs swing to and fro; the energy of each stays what it was.
func ExampleSymplecticSteps() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	sampler, err := ebm.NewSampler(b, nil, ebm.Harmonic{}, flow.SymplecticSteps{To: 20, Steps: 200})
	if err != nil {
		panic(err)
	}
	total := func(steps int) float64 {
		out, err := sampler.Sample(context.Background(), ebm.Options{Chains: 1, Dim: 1, Steps: steps, Seed: 1})
		if err != nil {
			panic(err)
		}
		x, p := out.X.Value().([][]float32)[0][0], out.Checkpoint.State[1].Value().([][]float32)[0][0]
		return float64(x*x+p*p) / 2
	}
	fmt.Printf("%.2f\n", total(200)/total(1))
	// Output:
	// 1.00
}
