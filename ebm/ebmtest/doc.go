// Package ebmtest has what tests of samplers and energies need, for this module's own and for those of kernels and energies
// written elsewhere:
//
//   - [Backends] runs a test on the pure Go backend and on XLA
//   - [Invariance], [Kernels] and [GradCheck] make the checks of package verify in a test
package ebmtest
