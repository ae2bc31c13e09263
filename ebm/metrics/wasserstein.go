package metrics

import (
	"math"

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

var _ Distance = Wasserstein{}

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
	for i, j := range assign(cost, n) {
		sum += cost[i*n+j]
	}
	return math.Sqrt(sum / float64(n)), nil
}

// assign finds the permutation that makes Σ cost[i, perm[i]] least (cost [n, n], row-major), by shortest augmenting paths with
// dual prices: every row keeps cost[i, j] − u[i] − v[j] ≥ 0 with equality on its pair, and a free row is matched along the
// cheapest alternating path (Dijkstra on the reduced costs).
//
// R. Jonker and A. Volgenant (1987), A shortest augmenting path algorithm for dense and sparse linear assignment problems,
// Computing 38, doi:10.1007/BF02278710; D. F. Crouse (2016), On implementing 2D rectangular assignment algorithms, IEEE TAES 52,
// doi:10.1109/TAES.2016.140952.
func assign(cost []float64, n int) []int {
	rowOf, colOf := make([]int, n), make([]int, n) // partners; −1 is free
	u, v := make([]float64, n), make([]float64, n)
	for i := range n {
		rowOf[i], colOf[i] = -1, -1
	}
	reduceColumns(cost, n, v, rowOf, colOf)
	free := reduceRows(cost, n, v, rowOf, colOf)
	for i := range n {
		if j := colOf[i]; j >= 0 {
			u[i] = cost[i*n+j] - v[j]
		}
	}
	dist, from := make([]float64, n), make([]int, n) // of columns: shortest path and the row before
	todo := make([]int, n)                           // columns not reached yet
	var done []int                                   // columns reached, in order
	for _, start := range free {
		for j := range n {
			dist[j], todo[j] = math.Inf(1), j
		}
		rest, end := todo, -1
		done = done[:0]
		var shortest float64
		for i := start; end < 0; {
			best, at := math.Inf(1), -1
			row, ui := cost[i*n:(i+1)*n], u[i]
			for k, j := range rest {
				if d := shortest + row[j] - ui - v[j]; d < dist[j] {
					dist[j], from[j] = d, i
				}
				if d := dist[j]; d < best || d == best && rowOf[j] < 0 {
					best, at = d, k
				}
			}
			j := rest[at]
			rest[at] = rest[len(rest)-1]
			rest = rest[:len(rest)-1]
			shortest = best
			if i = rowOf[j]; i < 0 {
				end = j
			} else {
				done = append(done, j)
			}
		}
		// Prices of the rows and columns on shortest paths move so that the path to end becomes tight.
		u[start] += shortest
		for _, j := range done {
			u[rowOf[j]] += shortest - dist[j]
			v[j] -= shortest - dist[j]
		}
		for j := end; ; {
			i := from[j]
			rowOf[j] = i
			j, colOf[i] = colOf[i], j
			if i == start {
				break
			}
		}
	}
	return colOf
}

// reduceColumns gives every column the price of its cheapest row, and that row to it if still free.
func reduceColumns(cost []float64, n int, v []float64, rowOf, colOf []int) {
	cheapest := make([]int, n)
	copy(v, cost[:n])
	for i := 1; i < n; i++ {
		for j, c := range cost[i*n : (i+1)*n] {
			if c < v[j] {
				v[j], cheapest[j] = c, i
			}
		}
	}
	for j := n - 1; j >= 0; j-- {
		if i := cheapest[j]; colOf[i] < 0 {
			colOf[i], rowOf[j] = j, i
		}
	}
}

// reduceRows lets every free row bid for its best column, twice over: the price falls to what makes the second best as good, and
// the row that is pushed out bids next. It returns the rows that stay free.
func reduceRows(cost []float64, n int, v []float64, rowOf, colOf []int) []int {
	var free []int
	for i := range n {
		if colOf[i] < 0 {
			free = append(free, i)
		}
	}
	for range 2 {
		bidders := free
		free = nil
		for k, bids := 0, 0; k < len(bidders); bids++ {
			i := bidders[k]
			best, second, j1, j2 := math.Inf(1), math.Inf(1), -1, -1
			for j, c := range cost[i*n : (i+1)*n] {
				if h := c - v[j]; h < best {
					best, second, j1, j2 = h, best, j, j1
				} else if h < second {
					second, j2 = h, j
				}
			}
			price := v[j1] - (second - best)
			lowered := price < v[j1] // false for a tie, also one by rounding
			if lowered {
				v[j1] = price
			} else if rowOf[j1] >= 0 {
				j1 = j2
			}
			old := rowOf[j1]
			if rowOf[j1], colOf[i] = i, j1; old >= 0 {
				colOf[old] = -1
			}
			if old >= 0 && lowered && bids < 8*n { // the bound keeps near-ties from haggling for ever
				bidders[k] = old
				continue
			}
			if old >= 0 {
				free = append(free, old)
			}
			k++
		}
	}
	return free
}
