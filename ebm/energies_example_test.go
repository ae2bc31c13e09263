package ebm_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/must"
)

// A custom energy is a function: here a ring of radius 2.
func ExampleEnergyFunc() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	ring := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node {
		return Square(AddScalar(ReduceSum(Square(x), 1), -4)) // (‖x‖² − 4)², [n]
	})
	x := tensors.FromValue([][]float32{{0, 0}, {2, 0}, {1, 1}})
	fmt.Println(must.M1(ebm.Evaluate(b, nil, ring, x)))
	// Output: [16 0 4]
}

// Two wells held in a box, at twice the temperature.
func ExampleSum() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	tilt := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return ReduceSum(x, 1) })
	energy := ebm.InBox{
		Of: ebm.Scaled{Of: ebm.Sum{ebm.DoubleWell{}, tilt}, By: 1. / 2},
		Lo: []float64{-1.5},
		Hi: []float64{1.5},
	}
	x := tensors.FromValue([][]float32{{1, 1}, {-1, -1}, {0, 0}, {2, 0}})
	fmt.Println(must.M1(ebm.Evaluate(b, nil, energy, x)))
	// Output: [1 -1 2 +Inf]
}

// Three points on a spring that repel each other: the outer two gain more than the spring costs.
func ExampleInteraction() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	energy := ebm.Interaction{Of: ebm.Harmonic{}, Strength: 0.1}
	x := tensors.FromValue([][]float32{{-2}, {0}, {2}})
	fmt.Printf("%.1f\n", must.M1(ebm.Evaluate(b, nil, energy, x)))
	// Output: [1.0 -0.4 1.0]
}

// What is known of a target in closed form.
func ExampleGaussian() {
	g := ebm.Gaussian{Mean: []float64{1, -1}, Cov: [][]float64{{1, 0.5}, {0.5, 2}}}
	fmt.Printf("log Z = %.4f\n", must.M1(g.LogZ(2)))
	x := must.M1(g.SampleExact(rand.New(rand.NewPCG(1, 2)), 1000, 2))
	fmt.Println(len(x), "samples of", len(x[0]), "numbers")
	fmt.Println(ebm.Gaussian{Cov: [][]float64{{1, 2}, {2, 1}}}.Validate())
	// Output:
	// log Z = 2.1177
	// 1000 samples of 2 numbers
	// Gaussian: Cov must be positive definite, got one whose smallest eigenvalue is -1
}

// A step size that warms up over 4 steps and then falls along half a cosine.
func ExampleScheduleValues() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	step := ebm.Warmup{Main: ebm.Cosine{Start: 0.1, End: 0.01, Steps: 4}, Steps: 4}
	fmt.Printf("%.4f\n", must.M1(ebm.ScheduleValues(b, step, 10)))
	// Output: [0.0010 0.0258 0.0505 0.0752 0.1000 0.0868 0.0550 0.0232 0.0100 0.0100]
}

// Full noise for 3 steps, then annealed over 4.
func ExamplePiecewise() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	noise := ebm.Piecewise{{Schedule: ebm.Fixed(1), Steps: 3}, {Schedule: ebm.Linear{Start: 1, Steps: 4}}}
	fmt.Println(must.M1(ebm.ScheduleValues(b, noise, 9)))
	// Output: [1 1 1 1 0.75 0.5 0.25 0 0]
}
