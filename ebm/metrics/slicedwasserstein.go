package metrics

import (
	"cmp"
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

var (
	_ Distance = SlicedWasserstein{}
	_ splitter = SlicedWasserstein{}
)

// Between is SW₂ of x [n, dim] and y [m, dim].
func (s SlicedWasserstein) Between(x, y []float32, dim int) (float64, error) {
	if s.Projections < 0 {
		return 0, errors.Errorf("SlicedWasserstein: Projections = %d, want at least 1", s.Projections)
	}
	if err := checkPair("SlicedWasserstein", x, y, dim); err != nil {
		return 0, err
	}
	directions := s.directions(dim)
	squares := make([]float64, len(directions))
	parallel(len(directions), func(p int) {
		a, b := project(x, directions[p]), project(y, directions[p])
		slices.Sort(a)
		slices.Sort(b)
		squares[p] = wasserstein1D(a, b)
	})
	return rootMean(squares), nil
}

// splits sorts the pooled projections once; a walk through them then gives those of each side in order.
func (s SlicedWasserstein) splits(z []float32, dim, n int) (func(inX []bool) float64, error) {
	directions, total := s.directions(dim), len(z)/dim
	values, orders := make([][]float64, len(directions)), make([][]int32, len(directions))
	parallel(len(directions), func(p int) {
		v, order := project(z, directions[p]), make([]int32, total)
		for i := range order {
			order[i] = int32(i)
		}
		slices.SortFunc(order, func(i, j int32) int { return cmp.Compare(v[i], v[j]) })
		slices.Sort(v)
		values[p], orders[p] = v, order
	})
	return func(inX []bool) float64 {
		squares := make([]float64, len(directions))
		marks := make([]int, total) // 1 for x
		for i, in := range inX {
			if in {
				marks[i] = 1
			}
		}
		a, b := make([]float64, n+1), make([]float64, total-n+1)
		for p, order := range orders {
			ka, kb := 0, 0
			for k, i := range order { // written to both and kept in one: no branch to mispredict
				a[ka], b[kb] = values[p][k], values[p][k]
				ka += marks[i]
				kb += 1 - marks[i]
			}
			squares[p] = wasserstein1D(a[:n], b[:total-n])
		}
		return rootMean(squares)
	}, nil
}

// directions of the unit sphere; one on a line, where both give the same.
func (s SlicedWasserstein) directions(dim int) [][]float64 {
	count := s.Projections
	if count == 0 {
		count = 512
	}
	if dim == 1 {
		count = 1
	}
	directions := make([][]float64, count)
	rng := newRand(s.Seed)
	for p := range directions {
		direction := make([]float64, dim)
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
		directions[p] = direction
	}
	return directions
}

func rootMean(squares []float64) float64 {
	var sum float64
	for _, v := range squares {
		sum += v
	}
	return math.Sqrt(sum / float64(len(squares)))
}

// project gives the projections.
func project(x []float32, direction []float64) []float64 {
	dim := len(direction)
	out := make([]float64, len(x)/dim)
	for i := range out {
		for k, w := range direction {
			out[i] += w * float64(x[i*dim+k])
		}
	}
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
