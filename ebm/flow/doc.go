// Package flow has the paths that lead from noise to data, for the losses that learn to follow them.
//
//   - [Interpolant]: the coefficients of x_t = α(t)·x₁ + σ(t)·x₀, noise x₀ at t = 0 and data x₁ at t = 1: [Linear], [Cosine],
//     [VariancePreserving]
//   - [Decay]: a number that goes down along the path, such as c(t) of equilibrium matching: [Truncated], [Ramp], [Constant],
//     [DecayFunc]
//
// All are plain values whose zero value works, and pure functions of a time t, [n], one number a row.
package flow
