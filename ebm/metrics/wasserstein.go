package metrics

import (
	"math"

	"github.com/goebm/goebm/ebm/internal/assignment"
	"github.com/pkg/errors"
)

// Wasserstein is the exact 2-Wasserstein distance of two samples of equal size: the root mean square distance of the best
// one-to-one pairing,
//
//	W₂² = min over permutations π of mean_i ‖xᵢ − y_π(i)‖².
//
// Exact up to rounding, for at most 4096 points a side (n³ time, 8n² bytes). For more points, unequal sizes or a quick look take
// SlicedWasserstein.
type Wasserstein struct{}

var (
	_ Distance = Wasserstein{}
	_ splitter = Wasserstein{}
)

const maxAssignment = 4096

// Between is W₂ of x and y, both [n, dim].
func (Wasserstein) Between(x, y []float32, dim int) (float64, error) {
	if err := checkPair("Wasserstein", x, y, dim); err != nil {
		return 0, err
	}
	n := len(x) / dim
	switch {
	case len(x) != len(y):
		return 0, errors.Errorf("Wasserstein: x has %d points and y %d, want as many", n, len(y)/dim)
	case n > maxAssignment:
		return 0, errors.Errorf("Wasserstein: x has %d points, want at most %d", n, maxAssignment)
	}
	cost := make([]float64, n*n)
	parallel(n, func(i int) {
		for j := range n {
			cost[i*n+j] = squared(x, y, i, j, dim)
		}
	})
	var sum float64
	for i, j := range assignment.Solve(cost, n) {
		sum += cost[i*n+j]
	}
	return math.Sqrt(sum / float64(n)), nil
}

func (Wasserstein) splits(z []float32, dim, n int) (func(inX []bool) float64, error) {
	squares := newPairs(z, dim, func(d2 float64) float64 { return d2 })
	return func(inX []bool) float64 {
		cost := make([]float64, 0, n*n)
		for i, in := range inX {
			for j, jn := range inX {
				if in && !jn {
					cost = append(cost, squares.at(i, j))
				}
			}
		}
		var sum float64
		for i, j := range assignment.Solve(cost, n) {
			sum += cost[i*n+j]
		}
		return math.Sqrt(sum / float64(n))
	}, nil
}
