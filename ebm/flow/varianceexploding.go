package flow

import (
	"cmp"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// VarianceExploding leaves the data as they are and adds noise, whose logarithm falls in a straight line,
//
//	α = 1,    σ = σ_max·(σ_min/σ_max)^t.
//
// It does not begin at noise alone: x₀·σ_max + x₁ at t = 0 is near N(0, σ_max²I) where σ_max is large beside the data, and
// sampling begins there. Nor does it end at the data: noise of σ_min is left at t = 1. Nothing is singular anywhere.
//
// Choose it for models of scores and of noise at many levels, trained with that path; networks need inputs scaled by
// 1/√(1 + σ²) or so.
//
// Building panics on σ that are not 0 < σ_min < σ_max.
//
// Y. Song et al., "Score-based generative modeling through stochastic differential equations", 2020, arXiv:2011.13456.
type VarianceExploding struct {
	SigmaMin float64 // σ at the data, default 0.01
	SigmaMax float64 // σ at the start, default 50
}

// EDM leaves the data as they are and adds noise, of which a power falls in a straight line,
//
//	α = 1,    σ = (σ_max^(1/ρ) + t·(σ_min^(1/ρ) − σ_max^(1/ρ)))^ρ.
//
// Equal steps of t are the steps in σ that Karras et al. sample with: most of them near the data. What is said of the ends of
// [VarianceExploding] is true here too.
//
// Choose it for models of that family; networks need inputs and outputs scaled with σ, as ebm.Preconditioned does for energies.
//
// Building panics on σ that are not 0 < σ_min < σ_max, and on a ρ below 1.
//
// T. Karras, M. Aittala, T. Aila, S. Laine, "Elucidating the design space of diffusion-based generative models", 2022, arXiv:2206.00364.
type EDM struct {
	SigmaMin float64 // σ at the data, default 0.002
	SigmaMax float64 // σ at the start, default 80
	Rho      float64 // ρ, default 7
}

var (
	_ Interpolant = VarianceExploding{}
	_ Interpolant = EDM{}
)

// At gives the coefficients at times t.
func (p VarianceExploding) At(t *Node) Coeffs {
	low, high := levels("VarianceExploding", cmp.Or(p.SigmaMin, 0.01), cmp.Or(p.SigmaMax, 50))
	slope := math.Log(low / high)
	sigma := MulScalar(Exp(MulScalar(t, slope)), high)
	return Coeffs{Alpha: OnesLike(t), DAlpha: ZerosLike(t), Sigma: sigma, DSigma: MulScalar(sigma, slope)}
}

// At gives the coefficients at times t.
func (p EDM) At(t *Node) Coeffs {
	low, high := levels("EDM", cmp.Or(p.SigmaMin, 0.002), cmp.Or(p.SigmaMax, 80))
	rho := cmp.Or(p.Rho, 7)
	if !(rho >= 1) || math.IsInf(rho, 1) {
		exceptions.Panicf("EDM: Rho must be 1 or more, and finite, got %g", rho)
	}
	start, end := math.Pow(high, 1/rho), math.Pow(low, 1/rho)
	root := Add(MulScalar(OneMinus(t), start), MulScalar(t, end)) // exact at both ends
	logRoot := Log(root)
	return Coeffs{Alpha: OnesLike(t), DAlpha: ZerosLike(t), Sigma: Exp(MulScalar(logRoot, rho)),
		DSigma: MulScalar(Exp(MulScalar(logRoot, rho-1)), rho*(end-start))}
}

// levels are σ_min and σ_max, checked.
func levels(kind string, low, high float64) (float64, float64) {
	if !(low > 0 && low < high) || math.IsInf(high, 1) {
		exceptions.Panicf("%s: want 0 < SigmaMin < SigmaMax, got %g and %g", kind, low, high)
	}
	return low, high
}
