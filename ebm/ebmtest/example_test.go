package ebmtest_test

import (
	"context"
	"fmt"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/janpfeifer/must"
)

// Langevin leaves a Gaussian invariant as its step goes to 0 only; HMC at any step.
func ExampleInvarianceCheck() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	check := ebmtest.InvarianceCheck{Energy: ebm.Gaussian{}, Event: []int{2}, Steps: 5, Chains: 20_000}
	for _, kernel := range []ebm.Kernel{
		samplers.Langevin{StepSize: ebm.Fixed(0.5)},
		samplers.HMC{StepSize: ebm.Fixed(0.5), Leapfrog: 3},
	} {
		check.Kernel = kernel
		for _, report := range must.M1(check.Run(context.Background(), b)) {
			fmt.Printf("%T: invariant %t\n", kernel, report.Passed())
		}
	}
	// Output:
	// samplers.Langevin: invariant false
	// samplers.HMC: invariant true
}
