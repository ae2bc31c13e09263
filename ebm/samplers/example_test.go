package samplers_test

import (
	"context"
	"fmt"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/must"
)

// meanSquare of all numbers.
func meanSquare(x *tensors.Tensor) float64 {
	sum := 0.0
	flat := must.M1(tensors.CopyFlatData[float32](x))
	for _, v := range flat {
		sum += float64(v * v)
	}
	return sum / float64(len(flat))
}

// Many chains on a Gaussian of variance 1; the step size leaves a bias of 1/(1−η/2) − 1, here 5 %.
func ExampleLangevin() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	langevin := samplers.Langevin{StepSize: ebm.Fixed(0.1)}
	sampler := must.M1(ebm.NewSampler(b, nil, ebm.Gaussian{}, langevin))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 10_000, Dim: 10, Steps: 40, Seed: 1}))
	fmt.Printf("mean square %.2f, in theory %.3f\n", meanSquare(out.X), 1/(1-0.1/2))
	// Output: mean square 1.05, in theory 1.053
}

// A mass matrix that is the inverse of the covariance makes an ill-conditioned Gaussian as easy as a round one.
func ExampleHMC() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	gaussian := ebm.Gaussian{Cov: [][]float64{{1, 0.095}, {0.095, 0.01}}}
	mass := must.M1(samplers.NewDenseMass([][]float64{{10.256, -97.436}, {-97.436, 1025.641}}))
	for _, hmc := range []samplers.HMC{
		{StepSize: ebm.Fixed(0.5), Leapfrog: 3},
		{StepSize: ebm.Fixed(0.5), Leapfrog: 3, Mass: mass},
	} {
		sampler := must.M1(ebm.NewSampler(b, nil, gaussian, hmc))
		out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 1000, Dim: 2, Steps: 50, Seed: 1}))
		fmt.Printf("dense mass %t: acceptance %.1f\n", hmc.Mass != nil, out.Accept)
	}
	// Output:
	// dense mass false: acceptance 0.0
	// dense mass true: acceptance 1.0
}

// Himmelblau's function has four minima; descent from different starts finds them.
func ExampleGradientDescent() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	sampler := must.M1(ebm.NewSampler(b, nil, ebm.Himmelblau{}, samplers.GradientDescent{StepSize: ebm.Fixed(0.01)}))
	start := tensors.FromValue([][]float32{{2, 2}, {-2, 2}, {-2, -2}, {2, -2}})
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Start: start, Steps: 200}))
	for _, x := range out.X.Value().([][]float32) {
		fmt.Printf("%.3f\n", x)
	}
	// Output:
	// [3.000 2.000]
	// [-2.805 3.131]
	// [-3.779 -3.283]
	// [3.584 -1.848]
}

// Along the bottom of a narrow valley momentum gets farther in the same number of steps.
func ExampleNesterov() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	valley := ebm.Gaussian{Cov: [][]float64{{100, 0}, {0, 1}}}
	start := tensors.FromValue([][]float32{{20, 1}})
	for _, kernel := range []ebm.Kernel{
		samplers.GradientDescent{StepSize: ebm.Fixed(0.5)},
		samplers.Nesterov{StepSize: ebm.Fixed(0.5)},
	} {
		sampler := must.M1(ebm.NewSampler(b, nil, valley, kernel))
		out := must.M1(sampler.Sample(context.Background(), ebm.Options{Start: start, Steps: 100}))
		x := out.X.Value().([][]float32)[0]
		fmt.Printf("%T ends %.2f from the minimum\n", kernel, math.Hypot(float64(x[0]), float64(x[1])))
	}
	// Output:
	// samplers.GradientDescent ends 12.12 from the minimum
	// samplers.Nesterov ends 0.09 from the minimum
}
