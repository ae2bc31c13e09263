package samplers_test

import (
	"context"
	"fmt"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/must"
)

// Langevin on a flat energy is Brownian motion: clamped, it sticks to the walls; reflected, it fills the box evenly.
func ExampleReflected() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	flat := ebm.Scaled{Of: ebm.Gaussian{}, By: 1e-9}
	brownian, lo, hi := samplers.Langevin{StepSize: ebm.Fixed(0.5)}, []float64{0}, []float64{1}
	for _, kernel := range []ebm.Kernel{
		samplers.Clamped{Kernel: brownian, Lo: lo, Hi: hi},
		samplers.Reflected{Kernel: brownian, Lo: lo, Hi: hi},
	} {
		sampler := must.M1(ebm.NewSampler(b, nil, flat, kernel))
		out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 10_000, Dim: 1, Steps: 20, Seed: 1}))
		onWall, x := 0, must.M1(tensors.CopyFlatData[float32](out.X))
		for _, v := range x {
			if v == 0 || v == 1 {
				onWall++
			}
		}
		fmt.Printf("%T: %d %% of the chains on a wall, mean square %.2f, in theory 1/3\n", kernel, 100*onWall/len(x), meanSquare(out.X))
	}
	// Output:
	// samplers.Clamped: 66 % of the chains on a wall, mean square 0.44, in theory 1/3
	// samplers.Reflected: 0 % of the chains on a wall, mean square 0.33, in theory 1/3
}

// Hold the pixels of images in [−1, 1].
func ExampleClamped() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	kernel := samplers.Clamped{Kernel: samplers.Langevin{StepSize: ebm.Fixed(0.1)}, Lo: []float64{-1}, Hi: []float64{1}}
	sampler := must.M1(ebm.NewSampler(b, nil, ebm.Gaussian{}, kernel))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 100, Event: []int{8, 8, 1}, Steps: 10, Seed: 1}))
	lowest, highest := float32(0), float32(0)
	for _, v := range must.M1(tensors.CopyFlatData[float32](out.X)) {
		lowest, highest = min(lowest, v), max(highest, v)
	}
	fmt.Println(lowest, highest)
	// Output:
	// -1 1
}

// Find HMC's step size for an acceptance of 0.8, then sample with it: the burn-in is the adaptation.
func ExampleDualAveraging() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	kernel := samplers.DualAveraging{Kernel: samplers.HMC{Leapfrog: 3}, Steps: 200}
	sampler := must.M1(ebm.NewSampler(b, nil, ebm.DoubleWell{}, kernel))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 500, Dim: 2, BurnIn: 200, Steps: 100, Seed: 1}))
	fmt.Printf("step size %.2f, acceptance %.2f\n", must.M1(kernel.StepSize(out.Checkpoint)), out.Accept)
	// Output:
	// step size 0.27, acceptance 0.80
}

// Two modes that HMC does not travel between. All chains begin in the left one, whose weight is 0.2.
func ExampleReplicaExchange() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	modes := ebm.Mixture{Means: [][]float64{{-3}, {3}}, Weights: []float64{0.2, 0.8}, Std: 0.5}
	start := make([][]float32, 1000)
	for i := range start {
		start[i] = []float32{-3}
	}
	hmc := samplers.HMC{StepSize: ebm.Fixed(0.4), Leapfrog: 2}
	exchange := samplers.ReplicaExchange{Kernel: hmc, Temperatures: must.M1(samplers.GeometricLadder(4, 20))}
	for _, kernel := range []ebm.Kernel{hmc, exchange} {
		sampler := must.M1(ebm.NewSampler(b, nil, modes, kernel))
		out := must.M1(sampler.Sample(context.Background(), ebm.Options{Start: tensors.FromValue(start), Steps: 200, Seed: 1}))
		left := 0
		for _, v := range must.M1(tensors.CopyFlatData[float32](out.X)) {
			if v < 0 {
				left++
			}
		}
		fmt.Printf("%T: %.1f of the chains on the left\n", kernel, float64(left)/1000)
		if len(out.Checkpoint.State[1].Shape().Dimensions) == 3 {
			fmt.Printf("swap rates %.1f\n", must.M1(exchange.SwapRates(out.Checkpoint)))
		}
	}
	// Output:
	// samplers.HMC: 1.0 of the chains on the left
	// samplers.ReplicaExchange: 0.2 of the chains on the left
	// swap rates [0.6 0.7 0.7]
}

// Fit step size and mass, then the path length; the chains go on from where adaptation ended.
func ExampleWarmUp() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	ctx, energy := context.Background(), ebm.Gaussian{Mean: []float64{10, 0}, Cov: [][]float64{{4, 0}, {0, 0.01}}}
	options := ebm.Options{Chains: 400, Dim: 2, Steps: 200, Seed: 1}
	kernel, report, err := samplers.WarmUp{}.Run(ctx, b, nil, energy, samplers.HMC{Leapfrog: 3}, options)
	must.M(err)
	mass := report.Mass.(samplers.DiagonalMass)
	fmt.Printf("variances %.1f and %.3f\n", 1/mass[0], 1/mass[1])

	sampler := must.M1(ebm.NewSampler(b, nil, energy, kernel))
	out := must.M1(sampler.Sample(ctx, ebm.Options{Resume: report.Checkpoint, Steps: 100}))
	fmt.Printf("acceptance %.1f\n", out.Accept)
	// Output:
	// variances 3.9 and 0.010
	// acceptance 0.9
}

// The path length for a standard normal is a quarter of its period, π/2.
func ExampleChEES() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	options := ebm.Options{Chains: 200, Dim: 4, Steps: 2000, Seed: 1}
	kernel, report, err := samplers.ChEES{Target: 0.95}.Run(context.Background(), b, nil, ebm.Gaussian{}, samplers.HMC{}, options)
	must.M(err)
	fmt.Printf("a path of %.1f in %d leapfrog steps\n", report.Path, kernel.Leapfrog)
	// Output:
	// a path of 1.5 in 3 leapfrog steps
}
