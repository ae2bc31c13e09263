package samplers_test

import (
	"context"
	"fmt"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/samplers"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/must"
)

// At a step size of which Langevin's bias is 33 %, MALA has none.
func ExampleMALA() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	for _, kernel := range []ebm.Kernel{
		samplers.Langevin{StepSize: ebm.Fixed(0.5)},
		samplers.MALA{StepSize: ebm.Fixed(0.5)},
	} {
		sampler := must.M1(ebm.NewSampler(b, nil, ebm.Gaussian{}, kernel))
		out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 20_000, Dim: 5, Steps: 50, Seed: 1}))
		fmt.Printf("%T: mean square %.2f\n", kernel, meanSquare(out.X))
	}
	// Output:
	// samplers.Langevin: mean square 1.32
	// samplers.MALA: mean square 0.99
}

// Far out on a steep energy MALA's step overshoots, and is refused for ever; Barker's comes down.
func ExampleBarker() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	quartic := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return ReduceSum(Square(Square(x)), 1) })
	start := tensors.FromValue([][]float32{{20}, {20}, {20}, {20}})
	for _, kernel := range []ebm.Kernel{
		samplers.MALA{StepSize: ebm.Fixed(0.1)},
		samplers.Barker{StepSize: ebm.Fixed(0.5)},
	} {
		sampler := must.M1(ebm.NewSampler(b, nil, quartic, kernel))
		out := must.M1(sampler.Sample(context.Background(), ebm.Options{Start: start, Steps: 200, Seed: 1}))
		fmt.Printf("%T: all within 2: %t\n", kernel, meanSquare(out.X) < 4)
	}
	// Output:
	// samplers.MALA: all within 2: false
	// samplers.Barker: all within 2: true
}

// On a Gaussian positions have no bias, at steps nearly as long as are stable.
func ExampleUnderdampedLangevin() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	kernel := samplers.UnderdampedLangevin{StepSize: ebm.Fixed(1.5), Friction: ebm.Fixed(1)}
	sampler := must.M1(ebm.NewSampler(b, nil, ebm.Gaussian{}, kernel))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 20_000, Dim: 5, Steps: 50, Seed: 1}))
	fmt.Printf("mean square of positions %.2f\n", meanSquare(out.X))
	fmt.Printf("of momenta %.2f, in theory %.2f\n", meanSquare(out.Checkpoint.State[1]), 1-1.5*1.5/4)
	// Output:
	// mean square of positions 1.00
	// of momenta 0.44, in theory 0.44
}

// The Fisher information of Neal's funnel, with which steps are as long as the funnel is wide. Chains from its middle find the
// spread of x₁, of which the standard deviation is 3; HMC, at any one step size, takes much longer.
func ExampleRiemannianHMC() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	fisher := func(x *Node, _ ...*Node) *Node { // diag(1/9 + ½, exp(−x₁))
		n := x.Shape().Dimensions[0]
		first := ReduceSum(Mul(x, ConstAs(x, [][]float64{{1, 0}})), 1)
		zero := ZerosLike(first)
		return Reshape(Stack([]*Node{AddScalar(zero, 1./9+0.5), zero, zero, Exp(Neg(first))}, 1), n, 2, 2)
	}
	for _, kernel := range []ebm.Kernel{
		samplers.HMC{StepSize: ebm.Fixed(0.3), Leapfrog: 8},
		samplers.RiemannianHMC{Metric: fisher, StepSize: ebm.Fixed(0.3)},
	} {
		sampler := must.M1(ebm.NewSampler(b, nil, ebm.Funnel{}, kernel))
		out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 4000, Dim: 2, Steps: 40, Seed: 1, Summaries: true, Thin: 40}))
		fmt.Printf("%T: standard deviation of x₁ %.1f\n", kernel, math.Sqrt(out.Summary.Var[0][0]))
	}
	// Output:
	// samplers.HMC: standard deviation of x₁ 2.5
	// samplers.RiemannianHMC: standard deviation of x₁ 3.0
}

// A prior N(0, I) and one observation: the sum of the numbers is 1.2 ± 0.5. No
// gradient is taken and there is no step size.
func ExampleEllipticalSlice() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	posterior := ebm.Sum{ebm.Gaussian{}, ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node {
		return MulScalar(Square(AddScalar(ReduceSum(x, 1), -1.2)), 0.5/0.25)
	})}
	sampler := must.M1(ebm.NewSampler(b, nil, posterior, samplers.EllipticalSlice{}))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 20_000, Dim: 4, Steps: 30, Seed: 1, Summaries: true, Thin: 30}))
	mean := out.Summary.Mean[0]
	fmt.Printf("mean of the sum %.2f, in theory %.2f\n", mean[0]+mean[1]+mean[2]+mean[3], 1.2*4/(4+0.25))
	// Output: mean of the sum 1.12, in theory 1.13
}

// The mean of a thousand numbers, with ten of them a step.
func ExampleMinibatch() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	data, sum := make([]float32, 1000), 0.0
	for i := range data {
		data[i] = float32(math.Sin(float64(i)) + 2)
		sum += float64(data[i])
	}
	posterior := ebm.Posterior{Rows: len(data), Term: func(x, rows *Node, _ ...*Node) *Node { // y ~ N(x, 1)
		y := Gather(ConstAs(x, data), InsertAxes(rows, -1)) // [m]
		return MulScalar(Square(Sub(x, ExpandAxes(y, 0))), 0.5)
	}}
	kernel := samplers.Minibatch{Size: 10, Kernel: samplers.Langevin{StepSize: ebm.PolynomialDecay{Start: 3e-4, Steps: 20, Power: 1}}}
	sampler := must.M1(ebm.NewSampler(b, nil, posterior, kernel))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 1000, Dim: 1, Steps: 2000, Seed: 1, Summaries: true, Thin: 2000}))
	fmt.Printf("mean %.1f, of the data %.1f\n", out.Summary.Mean[0][0], sum/float64(len(data)))
	// Output: mean 2.0, of the data 2.0
}
