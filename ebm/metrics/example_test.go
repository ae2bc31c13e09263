package metrics_test

import (
	"fmt"
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
