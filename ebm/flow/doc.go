// Package flow has the paths that lead from noise to data, for the losses that learn to follow them, and the integrators that
// follow fields, with noise and without.
//
//   - [Interpolant]: the coefficients of x_t = α(t)·x₁ + σ(t)·x₀, noise x₀ at t = 0 and data x₁ at t = 1: [Linear], [Cosine],
//     [VariancePreserving]
//   - [Decay]: a number that goes down along the path, such as c(t) of equilibrium matching: [Truncated], [Ramp], [Constant],
//     [DecayFunc]
//   - [Integrator], one step of x˙ = f(x, t); a [Tableau] is one: [Euler], [Heun], [Midpoint], [RK4], [RK438], [Bosh3], [Dopri5],
//     [Tsit5], [Dopri8]
//   - [StochasticIntegrator], one step of an [SDE], dx = f dt + g dW: [EulerMaruyama], [ImplicitEulerMaruyama], [Milstein],
//     [StochasticHeun], [SRA1]
//   - [Symplectic], one step of Hamilton's equations: the [Splitting] methods [Leapfrog] and [Yoshida4], and [GeneralisedLeapfrog]
//   - [FixedSteps] and [NoisySteps]: such steps as kernels of [ebm.Sampler]
//   - [Solver]: many [Adaptive] steps, each chain's of their own length, with values at the times asked for
//
// All but Solver are plain values; x is [n, event...], t and dt are [n], one number a row. An integrator's Step may also stand in a
// graph of one's own, and gradients go through it.
//
// Which order holds where is measured in the tests: every tableau meets the order conditions of all rooted trees up to its order.
package flow
