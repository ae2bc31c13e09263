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

// Each chain takes the steps that it needs to get to its minimum, and the run ends with the last of them.
func ExampleStopAt() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	kernel := samplers.StopAt{Kernel: samplers.GradientDescent{StepSize: ebm.Fixed(0.01)}, GradientNorm: 0.001}
	sampler := must.M1(ebm.NewSampler(b, nil, ebm.Himmelblau{}, kernel))
	start := tensors.FromValue([][]float32{{2, 2}, {-2, 2}, {-2, -2}, {3, 2}})
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Start: start, Steps: 10_000}))
	for i, x := range out.X.Value().([][]float32) {
		fmt.Printf("%.3f after %d steps\n", x, out.Steps[i])
	}
	fmt.Println("steps of the run:", out.Checkpoint.Step)
	// Output:
	// [3.000 2.000] after 32 steps
	// [-2.805 3.131] after 12 steps
	// [-3.779 -3.283] after 13 steps
	// [3.000 2.000] after 0 steps
	// steps of the run: 33
}
