// Package ebmtest has the checks that a sampler or an energy must stand, for this module's own tests and for those
// of kernels and energies written elsewhere:
//
//   - [Backends] runs a test on the pure Go backend and on XLA
//   - [InvarianceCheck], and [Invariance] in a test: does a kernel leave its target invariant? A statistical test with
//     a stated probability of a false alarm, and a stated power
//   - [Kernels]: the contract between a kernel and the driver
//   - [GradCheck]: is an energy's gradient its derivative?
package ebmtest
