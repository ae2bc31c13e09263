package logz_test

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/logz"
	"github.com/goebm/goebm/ebm/samplers"
)

// The double well's log Z is enclosed from both sides.
func ExampleAIS() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	energy := ebm.DoubleWell{}
	ais := logz.AIS{
		Backend: b, Energy: energy, Event: []int{2}, Betas: logz.SigmoidLadder(200),
		Kernel: samplers.HMC{StepSize: ebm.Fixed(0.25), Leapfrog: 4},
	}
	z := must.M1(ais.Both(context.Background()))
	fmt.Printf("log Z = %.2f, between %.2f and %.2f; in truth %.2f\n", z.LogZ, z.Lower, z.Upper, must.M1(energy.LogZ(2)))
	// Output: log Z = 0.69, between 0.68 and 0.70; in truth 0.69
}

// Samples of a chain are enough for a bridge to the Gaussian fitted to them.
func ExampleBridge() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	energy := ebm.DoubleWell{}
	sampler := must.M1(ebm.NewSampler(b, nil, energy, samplers.HMC{StepSize: ebm.Fixed(0.25), Leapfrog: 4}))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 2000, Dim: 2, Steps: 50, Seed: 1}))
	z := must.M1(logz.Bridge{Backend: b, Energy: energy, Samples: out.X}.Run(context.Background()))
	fmt.Printf("log Z = %.2f ± %.2f, in truth %.2f\n", z.LogZ, z.StdErr, must.M1(energy.LogZ(2)))
	// Output: log Z = 0.67 ± 0.03, in truth 0.69
}

// How likely is my data? Three points under a Gaussian whose log Z we pretend not to know.
func ExampleMeanLogLikelihood() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	energy := ebm.Gaussian{Cov: [][]float64{{1, 0.5}, {0.5, 1}}}
	ais := logz.AIS{Backend: b, Energy: energy, Event: []int{2}, DType: dtypes.Float64, Betas: logz.SigmoidLadder(100), Kernel: samplers.HMC{StepSize: ebm.Fixed(0.5), Leapfrog: 3}}
	z := must.M1(ais.Both(context.Background()))
	data := tensors.FromValue([][]float64{{0, 0}, {1, 1}, {-1, 0.5}})
	l := must.M1(logz.MeanLogLikelihood(b, nil, energy, data, z))
	fmt.Printf("%.1f nats; exactly %.1f\n", l.Mean, -(0+2.0/3+7.0/6)/3-math.Log(2*math.Pi*math.Sqrt(0.75)))
	// Output: -2.3 nats; exactly -2.3
}

// A base near the target makes for weights that are nearly equal.
func ExampleFitGaussian() {
	x := tensors.FromValue([][]float64{{0, 0}, {2, 0}, {0, 4}, {2, 4}})
	g := must.M1(logz.FitGaussian(x))
	fmt.Printf("mean %.1f, covariance %.2f\n", g.Mean, g.Cov)
	// Output: mean [1.0 2.0], covariance [[1.33 0.00] [0.00 5.33]]
}
