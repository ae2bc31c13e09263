package metrics

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// RHat is the rank-normalised split R̂ of every coordinate of the chains x [chains, draws, dim]:
//
//	R̂ = √(V̂/W),   V̂ = W·(N − 1)/N + B,
//
// with W the mean variance of the half chains of N draws and B the variance of their means. It is taken once of the ranks (do the
// chains agree in location?) and once of the ranks of |x − median| (in spread?), and the larger counts. Near 1 when the chains
// have forgotten where they started; above 1.01 they have not. +Inf when every half chain stands still, but not at one place.
// At least 4 draws a chain; all draws equal is an error.
//
// A. Vehtari et al. (2021), Rank-normalization, folding, and localization: an improved R̂, Bayesian Analysis 16, arXiv:1903.08008.
func RHat(x []float32, chains, dim int) ([]float64, error) {
	draws, err := checkChains("RHat", x, chains, dim)
	if err != nil {
		return nil, err
	}
	out := make([]float64, dim)
	for j := range out {
		parts := splitChains(x, chains, draws, dim, j)
		if constant(parts) {
			return nil, errors.Errorf("RHat: x is constant in coordinate %d", j)
		}
		out[j] = max(rHat(rankNormal(parts)), rHat(rankNormal(fold(parts, median(x, dim, j)))))
	}
	return out, nil
}

func rHat(parts [][]float64) float64 {
	if constant(parts) {
		return 1 // folding can leave no spread, as for draws of two values
	}
	n := float64(len(parts[0]))
	within, between := variances(parts)
	return math.Sqrt((n-1)/n + between/within)
}

// fold replaces every draw by its distance from the median.
func fold(parts [][]float64, median float64) [][]float64 {
	out := make([][]float64, len(parts))
	for c, part := range parts {
		out[c] = make([]float64, len(part))
		for t, v := range part {
			out[c][t] = math.Abs(v - median)
		}
	}
	return out
}

// median of one coordinate over all draws.
func median(x []float32, dim, coordinate int) float64 {
	all := make([]float64, 0, len(x)/dim)
	for i := coordinate; i < len(x); i += dim {
		all = append(all, float64(x[i]))
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}
