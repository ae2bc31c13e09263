package metrics

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// SlicedWasserstein is the 2-sliced Wasserstein distance: the root mean square, over random directions θ of the unit sphere,
// of the one-dimensional W₂ between the projected samples,
//
//	SW₂² = mean_θ W₂²(θ·x, θ·y),   W₂²(a, b) = ∫₀¹ (F_a⁻¹(u) − F_b⁻¹(u))² du,
//
// where the integral is exact: sorted samples are paired, by their quantile functions when the sizes differ. It has the units
// of the data, is 0 for equal samples and a metric for each fixed set of directions. In the plane it is at most W₂/√2.
//
// N. Bonneel et al. (2015), Sliced and Radon Wasserstein barycenters of measures, J. Math. Imaging Vis. 51, doi:10.1007/s10851-014-0506-3.
type SlicedWasserstein struct {
	Projections int    // directions, default 512
	Seed        uint64 // of the directions; leave it, so that results can be compared
}

var _ Distance = SlicedWasserstein{}

// Between is SW₂ of x [n, dim] and y [m, dim].
func (s SlicedWasserstein) Between(x, y []float32, dim int) (float64, error) {
	count := s.Projections
	if count == 0 {
		count = 512
	}
	if count < 1 {
		return 0, errors.Errorf("SlicedWasserstein: Projections = %d, want at least 1", s.Projections)
	}
	if err := checkPair("SlicedWasserstein", x, y, dim); err != nil {
		return 0, err
	}
	if dim == 1 {
		count = 1 // both directions give the same
	}
	directions := make([]float64, count*dim)
	rng := newRand(s.Seed)
	for p := range count {
		direction := directions[p*dim : (p+1)*dim]
		var norm float64
		for norm == 0 {
			for k := range direction {
				direction[k] = rng.NormFloat64()
				norm = math.Hypot(norm, direction[k])
			}
		}
		for k := range direction {
			direction[k] /= norm
		}
	}
	squares := make([]float64, count)
	parallel(count, func(p int) {
		direction := directions[p*dim : (p+1)*dim]
		squares[p] = wasserstein1D(project(x, direction), project(y, direction))
	})
	var sum float64
	for _, v := range squares {
		sum += v
	}
	return math.Sqrt(sum / float64(count)), nil
}

// project gives the sorted projections.
func project(x []float32, direction []float64) []float64 {
	dim := len(direction)
	out := make([]float64, len(x)/dim)
	for i := range out {
		for k, w := range direction {
			out[i] += w * float64(x[i*dim+k])
		}
	}
	slices.Sort(out)
	return out
}

// wasserstein1D is W₂² of two sorted samples: both quantile functions are steps, followed side by side. Steps are counted in
// units of 1/(n·m), so that no rounding moves a border.
func wasserstein1D(a, b []float64) float64 {
	n, m := len(a), len(b)
	var sum float64
	for i, j, at := 0, 0, 0; i < n && j < m; {
		endA, endB := (i+1)*m, (j+1)*n
		end := min(endA, endB)
		d := a[i] - b[j]
		sum += d * d * float64(end-at)
		if at = end; end == endA {
			i++
		}
		if end == endB {
			j++
		}
	}
	return sum / (float64(n) * float64(m))
}
