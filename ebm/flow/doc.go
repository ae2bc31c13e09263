// Package flow has the paths that lead from noise to data, for the losses that learn to follow them, the pairs of noise and data
// whose paths are learnt, and the integrators that follow fields, with noise and without.
//
//   - [Interpolant]: the coefficients of x_t = α(t)·x₁ + σ(t)·x₀, noise x₀ at t = 0 and data x₁ at t = 1: [Linear], [Cosine],
//     [VariancePreserving], [VarianceExploding], [EDM], [InterpolantFunc]
//   - [Quantity]: what a field tells of a point on a path, velocity, score, noise or data; [Coeffs.Convert] makes one of another
//   - [Diffusion]: how much noise sampling adds on the way: [PathDiffusion], [SigmaDiffusion], [FadingDiffusion], …
//   - [Times]: where on the path a batch is trained: [UniformTimes], [LogNormalTimes], [TimesFunc]
//   - [Decay]: a number that goes down along the path, such as c(t) of equilibrium matching: [Truncated], [Ramp], [Constant],
//     [DecayFunc]
//   - [Coupling]: which noise goes with which data, on the host: [Independent], [ExactOT], [Sinkhorn], [UnbalancedSinkhorn],
//     [Greedy], [ConditionAware], [Reflow]. [Paired] is a dataset that pairs each batch beside training
//   - [Integrator], one step of x˙ = f(x, t); a [Tableau] is one: [Euler], [Heun], [Midpoint], [RK4], [RK438], [Bosh3], [Dopri5],
//     [Tsit5], [Dopri8]
//   - [StochasticIntegrator], one step of an [SDE], dx = f dt + g dW: [EulerMaruyama], [ImplicitEulerMaruyama], [Milstein],
//     [StochasticHeun], [SRA1]
//   - [Symplectic], one step of Hamilton's equations: the [Splitting] methods [Leapfrog] and [Yoshida4], and [GeneralisedLeapfrog]
//   - [FixedSteps] and [NoisySteps]: such steps as kernels of [ebm.Sampler]
//   - [Sampler]: from noise to data and back along a trained field, as a [Transport] says: by the flow or by its diffusion, with log densities.
//     [Converted] makes a field of one quantity into one of another
//   - [Solver]: many [Adaptive] steps, each chain's of their own length, with values at the times asked for
//
// All but Paired, Sampler and Solver are plain values; x is [n, event...], t and dt are [n], one number a row. An integrator's Step may also stand
// in a graph of one's own, and gradients go through it.
//
// Which order holds where is measured in the tests: every tableau meets the order conditions of all rooted trees up to its order.
//
// At the ends, as computed, with the defaults:
//
//	                     α(0)    σ(0)     α(1)  σ(1)   u_t at the ends
//	Linear               0       1        1     0      finite
//	Cosine               0       1        1     0      finite
//	VariancePreserving   0.0066  0.99998  1     0      σ̇ has no limit at t = 1, and is bounded there
//	VarianceExploding    1       50       1     0.01   finite
//	EDM                  1       80       1     0.002  finite
package flow
