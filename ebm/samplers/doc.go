// Package samplers has the Markov chain moves and the optimisers that run on an energy. Each is an [ebm.Kernel]: a
// struct literal whose zero value works, run by [ebm.Sampler], or unrolled inside a loss.
//
//   - [Langevin]: the unadjusted Langevin algorithm; quick, with a bias of the order of its step size
//   - [AnnealedLangevin]: the same down a ladder of noise levels, for noise-conditional energies
//   - [HMC]: Hamiltonian Monte Carlo; exact, with a mass matrix that is a scalar, diagonal or dense
//   - [GradientDescent], [Nesterov]: look for modes
package samplers
