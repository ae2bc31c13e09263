package samplers_test

import (
	"context"
	"fmt"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/samplers"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/must"
)

// Data at 20 and at −20, and chains that begin near 0: a noise-conditional energy, here one in closed form, leads half of them to
// each.
func ExampleAnnealedLangevin() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	energy := ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
		variance := Reshape(AddScalar(Exp(MulScalar(cond[len(cond)-1], 2)), 0.01), -1) // σ² and the data's own
		x = Reshape(x, -1)
		near := Div(AddScalar(Square(x), 400), MulScalar(variance, 2)) // ½(x² + 20²)/v
		tilt := Abs(Div(MulScalar(x, 20), variance))
		return Sub(near, Add(tilt, Log1P(Exp(MulScalar(tilt, -2))))) // −log(e^(−(x−20)²/2v) + e^(−(x+20)²/2v))
	})
	ladder := ebm.Ladder{Start: 20, End: 0.1, Levels: 12, Steps: 40}
	sampler := must.M1(ebm.NewSampler(b, nil, ebm.AtNoise{Of: energy, Sigma: 0.1}, samplers.AnnealedLangevin{Ladder: ladder}))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 2000, Dim: 1, Steps: 12 * 40, Seed: 1}))

	right, far := 0, 0
	for _, x := range out.X.Value().([][]float32) {
		if x[0] > 0 {
			right++
		}
		if d := max(x[0], -x[0]) - 20; max(d, -d) > 1 {
			far++
		}
	}
	fmt.Printf("at 20: %.1f of the chains; %d more than 1 from both\n", float64(right)/2000, far)
	// Output: at 20: 0.5 of the chains; 0 more than 1 from both
}

// An ordinary energy with a barrier of 40 between its wells at −1 and 1: chains that begin in one do not leave it, but for a ladder of
// temperatures that comes down from T = 10².
func ExampleLangevin_temperature() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	left := make([][]float32, 500)
	for i := range left {
		left[i] = []float32{-1}
	}
	for _, noise := range []ebm.Schedule{ebm.Fixed(1), ebm.Ladder{Start: 10, End: 1, Levels: 8, Steps: 200}} {
		sampler := must.M1(ebm.NewSampler(b, nil, ebm.DoubleWell{BarrierHeight: 40}, samplers.Langevin{StepSize: ebm.Fixed(2e-4), Noise: noise}))
		out := must.M1(sampler.Sample(context.Background(), ebm.Options{Start: tensors.FromValue(left), Steps: 8 * 200, Seed: 1}))
		right := 0
		for _, x := range out.X.Value().([][]float32) {
			if x[0] > 0 {
				right++
			}
		}
		fmt.Printf("%T: %.1f of the chains on the right\n", noise, float64(right)/500)
	}
	// Output:
	// ebm.Fixed: 0.0 of the chains on the right
	// ebm.Ladder: 0.5 of the chains on the right
}
