package metrics

import (
	"cmp"
	"math"
	"slices"

	"github.com/pkg/errors"
)

// MMD is the maximum mean discrepancy √(E k(X, X′) + E k(Y, Y′) − 2·E k(X, Y)) of the mixed Gaussian kernel
// k(x, y) = mean_σ exp(−‖x − y‖²/2σ²), with the expectations over all pairs (the V-statistic, never negative).
// The default bandwidths are ¼, ½, 1, 2 and 4 times the median distance within the pooled samples (of 1000 points at most, evenly
// taken in the order of their coordinates), so that the result depends neither on the units nor on which sample a point is in. Time n².
//
// A. Gretton et al. (2012), A kernel two-sample test, JMLR 13, 723–773.
type MMD struct {
	Bandwidths []float64 // σ, default from the median distance
}

var (
	_ Distance = MMD{}
	_ splitter = MMD{}
)

// Between is the MMD of x [n, dim] and y [m, dim]. Samples that are all one point need Bandwidths.
func (k MMD) Between(x, y []float32, dim int) (float64, error) {
	if err := checkPair("MMD", x, y, dim); err != nil {
		return 0, err
	}
	kernel, err := k.kernel(slices.Concat(x, y), dim)
	if err != nil {
		return 0, err
	}
	cross := meanPairs(x, y, dim, kernel)
	return math.Sqrt(max(0, meanPairs(x, x, dim, kernel)+meanPairs(y, y, dim, kernel)-2*cross)), nil
}

func (k MMD) splits(z []float32, dim, n int) (func(inX []bool) float64, error) {
	kernel, err := k.kernel(z, dim)
	if err != nil {
		return nil, err
	}
	p, nx, ny := newPairs(z, dim, kernel), float64(n), float64(len(z)/dim-n)
	return func(inX []bool) float64 {
		xx, yy, xy := p.sums(inX)
		return math.Sqrt(max(0, (xx+nx)/(nx*nx)+(yy+ny)/(ny*ny)-2*xy/(nx*ny))) // k(x, x) = 1
	}, nil
}

// kernel of the squared distance, with the bandwidths that the pooled samples z give.
func (k MMD) kernel(z []float32, dim int) (func(d2 float64) float64, error) {
	sigmas := k.Bandwidths
	if sigmas == nil {
		median := medianDistance(thin(z, dim, 1000), dim)
		if median == 0 {
			return nil, errors.New("MMD: the median distance in x and y is 0: set Bandwidths")
		}
		sigmas = []float64{median / 4, median / 2, median, 2 * median, 4 * median}
	}
	if len(sigmas) == 0 {
		return nil, errors.New("MMD: Bandwidths is empty")
	}
	rates := make([]float64, len(sigmas)) // 1/2σ²
	for i, s := range sigmas {
		if rates[i] = 1 / (2 * s * s); !(s > 0) || math.IsInf(s, 1) || math.IsInf(rates[i], 1) {
			return nil, errors.Errorf("MMD: Bandwidths[%d] = %g, want a positive number whose square is one too", i, s)
		}
	}
	return func(d2 float64) (sum float64) {
		for _, r := range rates {
			sum += math.Exp(-d2 * r)
		}
		return sum / float64(len(rates))
	}, nil
}

// thin copies at most most points, evenly taken in lexicographic order: which ones does not depend on the order they come in.
func thin(z []float32, dim, most int) []float32 {
	n := len(z) / dim
	if n <= most {
		return z
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		return slices.CompareFunc(z[i*dim:(i+1)*dim], z[j*dim:(j+1)*dim], cmp.Compare[float32])
	})
	out := make([]float32, 0, most*dim)
	for i := range most {
		at := order[i*n/most]
		out = append(out, z[at*dim:(at+1)*dim]...)
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
