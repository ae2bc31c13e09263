package metrics

import (
	"cmp"
	"math"
	"slices"

	"github.com/pkg/errors"
)

// checkChains looks at what ESS and RHat are given and returns the number of draws a chain.
func checkChains(kind string, x []float32, chains, dim int) (draws int, err error) {
	if err := checkPoints(kind, "x", x, dim); err != nil {
		return 0, err
	}
	if chains < 1 {
		return 0, errors.Errorf("%s: chains = %d, want at least 1", kind, chains)
	}
	if len(x)%(chains*dim) != 0 {
		return 0, errors.Errorf("%s: x has %d values, which is no multiple of chains·dim = %d·%d", kind, len(x), chains, dim)
	}
	if draws = len(x) / (chains * dim); draws < 4 {
		return 0, errors.Errorf("%s: x has %d draws a chain, want at least 4", kind, draws)
	}
	return draws, nil
}

// splitChains takes one coordinate of x [chains, draws, dim] and cuts every chain in two halves, so that a trend shows as
// chains that disagree. Of an odd number of draws the middle one is left out.
func splitChains(x []float32, chains, draws, dim, coordinate int) [][]float64 {
	half := draws / 2
	out := make([][]float64, 0, 2*chains)
	for c := range chains {
		for _, first := range [2]int{0, draws - half} {
			part := make([]float64, half)
			for t := range part {
				part[t] = float64(x[(c*draws+first+t)*dim+coordinate])
			}
			out = append(out, part)
		}
	}
	return out
}

// rankNormal replaces every draw by the normal quantile of its rank among all draws, Φ⁻¹((r − 3/8)/(S + 1/4)), ties sharing
// their mean rank. What is computed from it exists for any distribution and no single outlier decides it.
func rankNormal(parts [][]float64) [][]float64 {
	half := len(parts[0])
	size := len(parts) * half
	order := make([]int, size)
	for i := range order {
		order[i] = i
	}
	at := func(i int) float64 { return parts[i/half][i%half] }
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(at(i), at(j)) })
	out := make([][]float64, len(parts))
	for c := range out {
		out[c] = make([]float64, half)
	}
	for lo := 0; lo < size; {
		hi := lo + 1
		for hi < size && at(order[hi]) == at(order[lo]) {
			hi++
		}
		rank := float64(lo+hi+1) / 2 // the mean of ranks lo+1 … hi
		z := math.Sqrt2 * math.Erfinv(2*(rank-0.375)/(float64(size)+0.25)-1)
		for _, i := range order[lo:hi] {
			out[i/half][i%half] = z
		}
		lo = hi
	}
	return out
}

// variances gives the mean variance of the chains and the variance of their means.
func variances(parts [][]float64) (within, between float64) {
	m := float64(len(parts))
	means := make([]float64, len(parts))
	for c, part := range parts {
		mean, v := meanVar(part)
		means[c] = mean
		within += v / m
	}
	_, between = meanVar(means)
	return within, between
}

// meanVar with n−1 in the variance.
func meanVar(x []float64) (mean, variance float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / (n - 1)
	}
	return mean, variance
}

// constant reports whether all draws are the same.
func constant(parts [][]float64) bool {
	for _, part := range parts {
		for _, v := range part {
			if v != parts[0][0] {
				return false
			}
		}
	}
	return true
}
