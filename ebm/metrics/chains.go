package metrics

import (
	"cmp"
	"math"
	"slices"

	"github.com/pkg/errors"
)

// checkChains looks at what the figures of chains are given and returns the number of draws a chain, at least least.
func checkChains(kind string, x []float32, chains, dim, least int) (draws int, err error) {
	if err := checkPoints(kind, "x", x, dim); err != nil {
		return 0, err
	}
	return checkDraws(kind, x, chains, dim, least)
}

// checkDraws is checkChains without a look at the values. The divisions keep chains·dim from overflowing.
func checkDraws(kind string, x []float32, chains, dim, least int) (draws int, err error) {
	points := len(x) / dim
	switch {
	case chains < 1:
		return 0, errors.Errorf("%s: chains = %d, want at least 1", kind, chains)
	case points%chains != 0:
		return 0, errors.Errorf("%s: x has %d values, which is no multiple of chains·dim = %d·%d", kind, len(x), chains, dim)
	case points/chains < least:
		return 0, errors.Errorf("%s: x has %d draws a chain, want at least %d", kind, points/chains, least)
	}
	return points / chains, nil
}

// perCoordinate is what f makes of the chains of each coordinate. All draws equal is an error: there is nothing to judge.
func perCoordinate(kind string, x []float32, chains, dim int, f func(parts [][]float64) float64) ([]float64, error) {
	draws, err := checkChains(kind, x, chains, dim, 4)
	if err != nil {
		return nil, err
	}
	out, still := make([]float64, dim), make([]bool, dim)
	parallel(dim, func(j int) {
		parts := column(x, chains, draws, dim, j)
		if still[j] = constant(parts); !still[j] {
			out[j] = f(parts)
		}
	})
	if j := slices.Index(still, true); j >= 0 {
		return nil, errors.Errorf("%s: x is constant in coordinate %d", kind, j)
	}
	return out, nil
}

// column takes one coordinate of x [chains, draws, dim] as [chains][draws].
func column(x []float32, chains, draws, dim, coordinate int) [][]float64 {
	out := make([][]float64, chains)
	for c := range out {
		out[c] = make([]float64, draws)
		for t := range out[c] {
			out[c][t] = float64(x[(c*draws+t)*dim+coordinate])
		}
	}
	return out
}

// halves cuts every chain in two, so that a trend shows as chains that disagree. Of an odd number of draws the middle one is
// left out.
func halves(parts [][]float64) [][]float64 {
	out := make([][]float64, 0, 2*len(parts))
	for _, part := range parts {
		half := len(part) / 2
		out = append(out, part[:half], part[len(part)-half:])
	}
	return out
}

// mapped is f of every draw.
func mapped(parts [][]float64, f func(v float64) float64) [][]float64 {
	out := make([][]float64, len(parts))
	for c, part := range parts {
		out[c] = make([]float64, len(part))
		for t, v := range part {
			out[c][t] = f(v)
		}
	}
	return out
}

// fold replaces every draw by its distance from the median of all.
func fold(parts [][]float64) [][]float64 {
	median := quantile(sorted(parts), 0.5)
	return mapped(parts, func(v float64) float64 { return math.Abs(v - median) })
}

// sorted is all draws in order.
func sorted(parts [][]float64) []float64 {
	all := slices.Concat(parts...)
	slices.Sort(all)
	return all
}

// quantile is the linear interpolation of the sorted draws at position (S − 1)·q, R's type 7.
func quantile(sorted []float64, q float64) float64 {
	at := float64(len(sorted)-1) * q
	if whole := math.Round(at); math.Abs(at-whole) < 1e-9*at {
		return sorted[int(whole)] // no rounding puts the quantile beside the draw that it is
	}
	lo := int(at)
	return sorted[lo] + (at-float64(lo))*(sorted[min(lo+1, len(sorted)-1)]-sorted[lo])
}

// rankNormal replaces every draw by the normal quantile of its rank among all draws, Φ⁻¹((r − 3/8)/(S + 1/4)), ties sharing
// their mean rank. What is computed from it exists for any distribution and no single outlier decides it.
func rankNormal(parts [][]float64) [][]float64 {
	all := slices.Concat(parts...)
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(all[i], all[j]) })
	z := make([]float64, len(all))
	for lo := 0; lo < len(all); {
		hi := lo + 1
		for hi < len(all) && all[order[hi]] == all[order[lo]] {
			hi++
		}
		rank := float64(lo+hi+1) / 2 // the mean of ranks lo+1 … hi
		v := math.Sqrt2 * math.Erfinv(2*(rank-0.375)/(float64(len(all))+0.25)-1)
		for _, i := range order[lo:hi] {
			z[i] = v
		}
		lo = hi
	}
	out := make([][]float64, len(parts))
	for c, part := range parts {
		out[c], z = z[:len(part)], z[len(part):]
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

// meanVar with n−1 in the variance, which is 0 for one value.
func meanVar(x []float64) (mean, variance float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / max(1, n-1)
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
