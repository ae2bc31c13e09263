package metrics

import "math"

// RHat is the rank-normalised split R̂ of every coordinate of the chains x [chains, draws, dim]:
//
//	R̂ = √(V̂/W),   V̂ = W·(N − 1)/N + B,
//
// with W the mean variance of the half chains of N draws and B the variance of their means. It is taken once of the ranks (do the
// chains agree in location?) and once of the ranks of |x − median| (in spread?), and the larger counts. Near 1 when the chains
// have forgotten where they started; above 1.01 they have not. +Inf when every half chain stands still, but not at one place.
// At least 4 draws a chain; all draws equal is an error. One chain is judged by its halves. For thousands of chains of a few
// draws take NestedRHat.
//
// A. Vehtari et al. (2021), Rank-normalization, folding, and localization: an improved R̂, Bayesian Analysis 16, arXiv:1903.08008.
func RHat(x []float32, chains, dim int) ([]float64, error) {
	return perCoordinate("RHat", x, chains, dim, rankRHat)
}

func rankRHat(parts [][]float64) float64 {
	return max(rHat(rankNormal(halves(parts))), rHat(rankNormal(halves(fold(parts)))))
}

func rHat(parts [][]float64) float64 {
	if constant(parts) {
		return 1 // folding can leave no spread, as for draws of two values
	}
	n := float64(len(parts[0]))
	within, between := variances(parts)
	return math.Sqrt((n-1)/n + between/within)
}
