package metrics

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// MMD is the maximum mean discrepancy √(E k(X, X′) + E k(Y, Y′) − 2·E k(X, Y)) of the mixed Gaussian kernel
// k(x, y) = mean_σ exp(−‖x − y‖²/2σ²), with the expectations over all pairs (the V-statistic, never negative).
// The default bandwidths are ¼, ½, 1, 2 and 4 times the median distance within the pooled samples (of at most 500 points of
// each, evenly taken), so that the result does not depend on the units. Time n².
//
// A. Gretton et al. (2012), A kernel two-sample test, JMLR 13, 723–773.
type MMD struct {
	Bandwidths []float64 // σ, default from the median distance
}

var _ Distance = MMD{}

// Between is the MMD of x [n, dim] and y [m, dim]. Samples that are all one point need Bandwidths.
func (k MMD) Between(x, y []float32, dim int) (float64, error) {
	if err := checkPair("MMD", x, y, dim); err != nil {
		return 0, err
	}
	sigmas := k.Bandwidths
	if sigmas == nil {
		median := medianDistance(append(thin(x, dim, 500), thin(y, dim, 500)...), dim)
		if median == 0 {
			return 0, errors.New("MMD: the median distance in x and y is 0: set Bandwidths")
		}
		sigmas = []float64{median / 4, median / 2, median, 2 * median, 4 * median}
	}
	if len(sigmas) == 0 {
		return 0, errors.New("MMD: Bandwidths is empty")
	}
	rates := make([]float64, len(sigmas)) // 1/2σ²
	for i, s := range sigmas {
		if !(s > 0) || math.IsInf(s, 1) {
			return 0, errors.Errorf("MMD: Bandwidths[%d] = %g, want a positive number", i, s)
		}
		rates[i] = 1 / (2 * s * s)
	}
	kernel := func(d2 float64) (sum float64) {
		for _, r := range rates {
			sum += math.Exp(-d2 * r)
		}
		return sum / float64(len(rates))
	}
	cross := meanPairs(x, y, dim, kernel)
	return math.Sqrt(max(0, meanPairs(x, x, dim, kernel)+meanPairs(y, y, dim, kernel)-2*cross)), nil
}

// thin copies at most most points, evenly taken.
func thin(x []float32, dim, most int) []float32 {
	n := len(x) / dim
	keep := min(n, most)
	out := make([]float32, 0, keep*dim)
	for i := range keep {
		at := i * n / keep
		out = append(out, x[at*dim:(at+1)*dim]...)
	}
	return out
}

func medianDistance(x []float32, dim int) float64 {
	n := len(x) / dim
	d := make([]float64, 0, n*(n-1)/2)
	for i := range n {
		for j := range i {
			d = append(d, squared(x, x, i, j, dim))
		}
	}
	slices.Sort(d)
	return math.Sqrt(d[len(d)/2])
}
