package flow

import (
	"cmp"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// VariancePreserving is the path of the diffusion dx = −½β x ds + √β dW run backwards, s = 1 − t, with β growing linearly
// from data to noise, β(s) = β_min + s·(β_max − β_min):
//
//	α = exp(−½∫₀ˢβ) = exp(−¼s²(β_max − β_min) − ½s·β_min),    σ = √(1 − α²).
//
// α² + σ² = 1. At t = 0 α is not quite 0, e^−5.03 = 0.0066 with the defaults. σ̇ = −αα̇/σ has no limit at t = 1, where σ
// falls as √(β_min·s): σ is taken as 10⁻⁶ at least in that quotient, which bounds σ̇ there, and α², which is near 1, is not
// subtracted from 1 but taken from its logarithm, so that small σ are exact.
//
// Choose it to compare with, or to take over, models of diffusion. What is learnt of u_t must go to 0 towards t = 1 (as
// [Truncated] and [Ramp] do): the mean square of u_t itself is infinite.
//
// Building panics on β that are not 0 < β_min ≤ β_max.
//
// Y. Song et al., "Score-based generative modeling through stochastic differential equations", 2020, arXiv:2011.13456.
type VariancePreserving struct {
	BetaMin float64 // β at the data, default 0.1
	BetaMax float64 // β at the noise, default 20
}

var _ Interpolant = VariancePreserving{}

// At gives the coefficients at times t.
func (p VariancePreserving) At(t *Node) Coeffs {
	low, high := cmp.Or(p.BetaMin, 0.1), cmp.Or(p.BetaMax, 20)
	if !(low > 0 && low <= high) || math.IsInf(high, 1) {
		exceptions.Panicf("VariancePreserving: want 0 < BetaMin ≤ BetaMax, got %g and %g", low, high)
	}
	s := OneMinus(t)
	logAlpha := Neg(Mul(s, AddScalar(MulScalar(s, (high-low)/4), low/2)))
	alpha := Exp(logAlpha)
	dAlpha := Mul(alpha, MulScalar(AddScalar(MulScalar(s, high-low), low), 0.5)) // ½β α
	// 1 − α² = 2τ/(1+τ) is exact near 0, as is expm1, of which GoMLX has no gradient.
	down := Tanh(Neg(logAlpha))
	sigma := Sqrt(Div(MulScalar(down, 2), OnePlus(down)))
	dSigma := Neg(Div(Mul(alpha, dAlpha), MaxScalar(sigma, 1e-6)))
	return Coeffs{Alpha: alpha, DAlpha: dAlpha, Sigma: sigma, DSigma: dSigma}
}
