package metrics_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/goebm/goebm/ebm/metrics"
	"github.com/janpfeifer/must"
)

// normal draws n points of N(mean, I) in the plane.
func normal(n int, mean float64, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 0))
	x := make([]float32, 2*n)
	for i := range x {
		x[i] = float32(mean + rng.NormFloat64())
	}
	return x
}

// A distance says something beside its noise floor only.
func ExampleFloor() {
	sw := metrics.SlicedWasserstein{}
	distance := must.M1(sw.Between(normal(1000, 0.2, 1), normal(1000, 0, 2), 2))
	floor := must.M1(metrics.Floor(sw, 2, 5, func(seed uint64) ([]float32, error) {
		return normal(1000, 0, 100+seed), nil
	}))
	fmt.Printf("SW₂ %.2f, floor %.2f\n", distance, floor.Mean)
	// Output:
	// SW₂ 0.22, floor 0.08
}

func ExampleWasserstein() {
	x := []float32{0, 0, 1, 0} // two points
	y := []float32{1, 2, 0, 2} // the same, moved up by 2
	fmt.Println(must.M1(metrics.Wasserstein{}.Between(x, y, 2)))
	// Output:
	// 2
}

func ExampleESS() {
	chains := normal(4*500, 0, 1) // 4 chains of 500 independent draws of 2 coordinates
	ess := must.M1(metrics.ESS(chains, 4, 2))
	rhat := must.M1(metrics.RHat(chains, 4, 2))
	fmt.Printf("worth %.0f draws, R̂ %.2f\n", ess[0], rhat[0])
	// Output:
	// worth 1920 draws, R̂ 1.00
}

// One table says whether chains can be believed; here the second coordinate was started apart and has not forgotten it.
func ExampleDiagnose() {
	chains := normal(4*500, 0, 1) // 4 chains of 500 draws of 2 coordinates
	for i := range 500 {
		chains[2*i+1] += 1.5 // the first chain
	}
	fmt.Println(must.M1(metrics.Diagnose(chains, 4, 2, metrics.Evidence{Names: []string{"a", "b"}})))
	// Output:
	// Do not trust these 4 chains of 500 draws yet:
	// - R̂ of b is 1.223, want at most 1.01: the chains do not agree, run them longer.
	// - bulk ESS of b is 13, want at least 400: its mean is uncertain.
	// - tail ESS of b is 43, want at least 400: its tails are uncertain.
	// Divergences and E-BFMI: unknown, no energies given.
	//         mean     sd     5%      50%   95%  mcse mean  mcse sd  mcse 5%  mcse 95%  ess bulk  ess tail     ρ₁     R̂
	//   a  -0.0223  0.982  -1.62  -0.0491  1.61     0.0224   0.0153   0.0433    0.0544      1920      1805  -0.02  1.000
	//   b    0.352    1.2  -1.49    0.278  2.41      0.342   0.0875   0.0928     0.373        13        43   0.00  1.223
}

// Superchains of 500 chains each, of one draw: nested R̂ sees whether the 4 starting points are forgotten.
func ExampleNestedRHat() {
	x := normal(4*500, 0, 1)
	fmt.Printf("forgotten %.2f, ", must.M1(metrics.NestedRHat(x, 4*500, 4, 2))[0])
	for i := range x {
		x[i] += float32(i / (500 * 2)) // the starting points 0, 1, 2, 3
	}
	fmt.Printf("remembered %.2f\n", must.M1(metrics.NestedRHat(x, 4*500, 4, 2))[0])
	// Output:
	// forgotten 1.00, remembered 1.62
}

func ExampleMCSEMean() {
	chains := normal(4*500, 0, 1)
	fmt.Printf("± %.3f\n", must.M1(metrics.MCSEMean(chains, 4, 2))[0]) // 1/√2000 for independent draws
	// Output:
	// ± 0.022
}

func ExampleAutocorrelation() {
	x := make([]float32, 1000) // each draw is half the one before and fresh noise
	for i, z := range normal(500, 0, 1) {
		if x[i] = z; i > 0 {
			x[i] += 0.5 * x[i-1]
		}
	}
	fmt.Printf("%.2f\n", must.M1(metrics.Autocorrelation(x, 1, 1, 4))[0])
	// Output:
	// [1.00 0.48 0.26 0.12 0.06]
}

func ExamplePermutationTest() {
	test := metrics.PermutationTest{Distance: metrics.MMD{}}
	ctx := context.Background()
	x, same, moved := normal(400, 0, 1), normal(400, 0, 2), normal(400, 0.3, 3)
	fmt.Println(must.M1(test.Between(ctx, x, same, 2)))
	fmt.Println(must.M1(test.Between(ctx, x, moved, 2)))
	// Output:
	// 0.0498, by chance 0.0473 ± 0.0092, p = 0.338
	// 0.0939, by chance 0.0469 ± 0.0092, p = 0.001
}

func ExampleModes() {
	modes := metrics.Modes{Centres: []float32{-3, -3, 3, 3}, Std: 1}
	fmt.Println(must.M1(modes.Cover(normal(1000, 3, 1), 2))) // all samples at one of the two
	// Output:
	// 1 of 2 modes hit, 98.9% of the samples good, KL of the weights 0.693 (0.001 by chance)
}

// A model's log-density beside the truth N(0, I): this one's variance is 1.44, so its log Z is log(2π·1.44) = 2.20.
func ExampleDensityMSE() {
	x := normal(2000, 0, 1)
	energies, truth := make([]float32, 2000), make([]float64, 2000)
	for i := range energies {
		r2 := float64(x[2*i]*x[2*i] + x[2*i+1]*x[2*i+1])
		energies[i] = float32(r2 / (2 * 1.44))
		truth[i] = -r2/2 - math.Log(2*math.Pi)
	}
	z := must.M1(metrics.ImportanceLogZ(energies, truth))
	mse := must.M1(metrics.DensityMSE(energies, truth, z.LogZ))
	fmt.Printf("log Z %.2f ± %.2f, MSE %.2f\n", z.LogZ, z.StdErr, mse)
	// Output:
	// log Z 2.19 ± 0.01, MSE 0.09
}

func ExampleEBFMI() {
	energies := normal(500, 0, 1) // 2 chains of 500 independent energies
	fmt.Printf("%.1f\n", must.M1(metrics.EBFMI(energies, 2)))
	fmt.Println(must.M1(metrics.Divergences(energies, 2, 0)))
	// Output:
	// [2.0 2.1]
	// [0 0]
}
