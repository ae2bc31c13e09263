package flow

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// Cosine goes along a quarter of a circle, at constant angular speed,
//
//	α = sin(πt/2),    σ = cos(πt/2).
//
// α² + σ² = 1: data of variance 1 keeps that variance on the way. Choose it where the network is to see inputs of one size.
//
// A. Nichol, P. Dhariwal, "Improved denoising diffusion probabilistic models", 2021, arXiv:2102.09672; in this form
// M. S. Albergo, E. Vanden-Eijnden, "Building normalizing flows with stochastic interpolants", 2022, arXiv:2209.15571.
type Cosine struct{}

var _ Interpolant = Cosine{}

// At gives the coefficients at times t.
func (Cosine) At(t *Node) Coeffs {
	sin := Sin(MulScalar(t, math.Pi/2))
	cos := Sin(MulScalar(OneMinus(t), math.Pi/2)) // exact at the data, where the cosine of a rounded angle is not, and is negative at t = 1
	return Coeffs{Alpha: sin, DAlpha: MulScalar(cos, math.Pi/2), Sigma: cos, DSigma: MulScalar(sin, -math.Pi/2)}
}
