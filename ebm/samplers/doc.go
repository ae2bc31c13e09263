// Package samplers has the Markov chain moves and the optimisers that run on an energy. Each is an [ebm.Kernel]: a
// struct literal whose zero value works, run by [ebm.Sampler], or unrolled inside a loss.
//
//   - [Langevin]: the unadjusted Langevin algorithm; quick, with a bias of the order of its step size
//   - [AnnealedLangevin]: the same down a ladder of noise levels, for noise-conditional energies
//   - [HMC]: Hamiltonian Monte Carlo; exact, with a mass matrix that is a scalar, diagonal or dense
//   - [MALA], [Barker]: exact at one gradient a step; the second where gradients are steep
//   - [UnderdampedLangevin]: with inertia; a bias of order 2 in its step size, none for the positions of a Gaussian
//   - [RiemannianHMC]: a mass matrix that changes with the position, for few numbers
//   - [EllipticalSlice]: exact, without gradient or step size, on what is a normal distribution times something
//   - [Minibatch]: a kernel on some rows of the data at a time; around Langevin, SGLD
//   - [GradientDescent], [Nesterov]: look for modes
//
// Wrappers change any of them:
//
//   - [StopAt]: each chain until it is where the energy is flat
//   - [Clamped], [Reflected]: within a box, by force or by an exact move
//   - [ReplicaExchange]: copies at higher temperatures, to cross between modes
//   - [DualAveraging], [WarmUp], [ChEES]: step size, mass and path length, fitted before sampling
package samplers
