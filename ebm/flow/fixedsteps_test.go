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
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// swing is x˙ = −x cos t.
var swing = ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node { return Neg(Mul(x, flow.AlongRows(Cos(t), x))) })

func tenth(_, t *Node, _ ...*Node) *Node { return AddScalar(MulScalar(t, 0.01), 0.1) }

func TestFixedStepsAreKernels(t *testing.T) {
	ebmtest.Kernels(t, map[string]ebm.Kernel{
		"FixedSteps": flow.FixedSteps{Field: swing},
		"Dopri5":     flow.FixedSteps{Field: swing, Method: flow.Dopri5, From: 1, To: 0.5, Steps: 10},
		"NoisySteps": flow.NoisySteps{Drift: swing, Diffusion: tenth},
		"SRA1":       flow.NoisySteps{Drift: swing, Diffusion: tenth, Method: flow.SRA1{}, To: 2, Steps: 20},
	})
}

func TestFixedSteps(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		sampler, err := ebm.NewSampler(b, nil, flow.NoEnergy, flow.FixedSteps{Field: coupledField, From: 0.2, To: 1.4, Steps: 100})
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		out, err := sampler.Sample(t.Context(), ebm.Options{Start: tensors.FromValue([][]float64{coupledAt(0.2)}), Steps: 100, Trajectory: true, Thin: 50})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		for i, got := range out.Trajectory.Value().([][][]float64)[0] {
			for j, want := range coupledAt(0.8 + 0.6*float64(i)) {
				near(t, "RK4", got[j], want, 1e-7)
			}
		}
		// From N(0, ¼) dx = −x dt + dW goes towards N(0, ½): the variance at t is ½ − ¼e^−2t.
		ou, err := ebm.NewSampler(b, nil, flow.NoEnergy, flow.NoisySteps{
			Drift:     ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return Neg(x) }),
			Diffusion: func(_, t *Node, _ ...*Node) *Node { return OnesLike(t) }, Method: flow.SRA1{}, Steps: 20,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer ou.Finalize()
		const n = 50_000
		start := make([][]float32, n)
		for i := range start {
			start[i] = []float32{float32(math.Sqrt(0.5) * math.Erfinv(2*(float64(i)+0.5)/n-1))} // the quantiles
		}
		out, err = ou.Sample(t.Context(), ebm.Options{Start: tensors.FromValue(start), Steps: 20, Seed: 3})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		variance, want := 0.0, 0.5-0.25*math.Exp(-2)
		for _, x := range out.X.Value().([][]float32) {
			variance += float64(x[0]) * float64(x[0]) / n
		}
		if !(math.Abs(variance-want) < 4*want*math.Sqrt(2./n)) {
			t.Errorf("variance %g, want %g ± %.1g", variance, want, want*math.Sqrt(2./n))
		}
	})
}

func TestFixedStepsErrors(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for want, k := range map[string]ebm.Kernel{
			"FixedSteps: Field is nil": flow.FixedSteps{},
			"FixedSteps: want To other than From, and Steps of at least 1, or": flow.FixedSteps{Field: swing, Steps: -1},
			"NoisySteps: Drift or Diffusion is nil":                            flow.NoisySteps{Drift: swing},
			"NoisySteps: To must be after From, got 0 and 1":                   flow.NoisySteps{Drift: swing, Diffusion: tenth, From: 1},
			"got 2, 2 and 250": flow.NoisySteps{Drift: swing, Diffusion: tenth, From: 2, To: 2},
		} {
			sampler, err := ebm.NewSampler(b, nil, flow.NoEnergy, k)
			if err == nil {
				_, err = sampler.Sample(t.Context(), ebm.Options{Chains: 2, Dim: 1, Steps: 1})
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}

// Twenty steps along a field that closes in on 2.
func ExampleFixedSteps() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	towards := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return AddScalar(Neg(x), 2) })
	sampler, err := ebm.NewSampler(b, nil, flow.NoEnergy, flow.FixedSteps{Field: towards, To: 5, Steps: 20})
	if err != nil {
		panic(err)
	}
	out, err := sampler.Sample(context.Background(), ebm.Options{Start: tensors.FromValue([][]float32{{0}, {3}}), Steps: 20})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.3f\n", out.X.Value())
	// Output:
	// [[1.987] [2.007]]
}
