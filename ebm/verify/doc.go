// Package verify certifies kernels and energies, your own as well as this module's, in a program or a notebook:
//
//		report, err := verify.Invariance{Backend: b, Energy: energy, Kernel: kernel}.Run(ctx)
//		if err != nil {
//			return err
//		}
//		fmt.Println(report) // a sentence, and a table of what was compared, beside its limits
//
//	  - [Invariance]: does a kernel leave exp(−E) invariant? A statistical test with a stated probability of a false
//	    alarm, and a stated power
//	  - [Gradient]: is an energy's gradient its derivative, and differentiable in turn?
//	  - [Equivalence]: does a kernel give the same chains in one loop, in pieces and unrolled inside a loss?
//
// Invariance starts from exact draws of the target, so it needs an energy that can be sampled without a Markov chain, by its
// own SampleExact or a sampler of yours; there is no certificate for a chain on an energy without one, such as a trained
// network. Certify the kernel on analytic energies of the same dimension and difficulty instead, and judge its chains on the
// network by R̂ and effective sample size (package metrics), which can show that a chain is wrong, never that it is right.
//
// Package ebmtest makes these checks in tests.
package verify
