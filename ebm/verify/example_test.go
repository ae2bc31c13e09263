package verify_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/goebm/goebm/ebm/verify"
)

// Langevin leaves a Gaussian invariant as its step goes to 0 only; HMC at any step.
func ExampleInvariance() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	for _, kernel := range []ebm.Kernel{
		samplers.Langevin{StepSize: ebm.Fixed(1)},
		samplers.HMC{StepSize: ebm.Fixed(0.5), Leapfrog: 3},
	} {
		check := verify.Invariance{Backend: b, Energy: ebm.Gaussian{}, Kernel: kernel, Chains: 20_000}
		report := must.M1(check.Run(context.Background()))
		sentence, _, _ := strings.Cut(report.String(), " (") // the figures and a table follow
		fmt.Println(sentence)
	}
	// Output:
	// samplers.Langevin on ebm.Gaussian: the target is NOT invariant: 103 of 103 distributions changed; 103 of 103 statistics have another mean or second moment
	// samplers.HMC on ebm.Gaussian: the target is invariant
}

func ExampleGradient() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	check := verify.Gradient{Backend: b, Energy: ebm.DoubleWell{}, X: tensors.FromValue([][]float64{{0.3, -1.2}, {2, 0.5}})}
	report := must.M1(check.Run(context.Background()))
	fmt.Println(report.Passed(), report.Rows, report.Dim)
	// Output: true 2 2
}

func ExampleEquivalence() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	fmt.Println(must.M1(verify.Equivalence{Backend: b, Kernel: samplers.Langevin{}}.Run(context.Background())))
	// Output:
	// samplers.Langevin: the same in one run, in pieces and unrolled (5 chains of Float32[2], 9 steps, 9 unrolled, backend Go Backend)
	// largest         unrolled     in pieces
	// state[0]         0.0e+00       0.0e+00
	// limit            0.0e+00       0.0e+00
}
