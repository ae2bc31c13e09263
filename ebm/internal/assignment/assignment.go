// Package assignment solves the linear assignment problem exactly, for the distances of package metrics and the couplings of
// package flow.
package assignment

import (
	"math"
	"slices"
)

// Solve finds the permutation that makes Σ cost[i, perm[i]] least (cost [n, n], row-major, finite), by shortest augmenting paths with
// dual prices: every row keeps cost[i, j] − u[i] − v[j] ≥ 0 with equality on its pair, and a free row is matched along the
// cheapest alternating path (Dijkstra on the reduced costs).
//
// R. Jonker and A. Volgenant (1987), A shortest augmenting path algorithm for dense and sparse linear assignment problems,
// Computing 38, doi:10.1007/BF02278710; D. F. Crouse (2016), On implementing 2D rectangular assignment algorithms, IEEE TAES 52,
// doi:10.1109/TAES.2016.140952.
func Solve(cost []float64, n int) []int {
	rowOf, colOf := make([]int, n), make([]int, n) // partners; −1 is free
	u, v := make([]float64, n), make([]float64, n)
	for i := range n {
		rowOf[i], colOf[i] = -1, -1
	}
	scalePrices(cost, n, v)
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

// scalePrices finds prices near the best ones by an auction: every free row bids for its best column, whose price falls to ε below
// what makes the second best as good, and the row that held the column is free again. A large ε settles fast, and its prices
// spare the next phase, with a smaller one, most of the bidding. Without it, rows that all want the same few columns, as when
// one sample has collapsed, cost n³.
//
// D. P. Bertsekas (1988), The auction algorithm: a distributed relaxation method for the assignment problem, Annals of Operations
// Research 14, doi:10.1007/BF02186476.
func scalePrices(cost []float64, n int, v []float64) {
	spread := slices.Max(cost) - slices.Min(cost)
	rowOf, free := make([]int, n), make([]int, 0, n)
	for eps := spread / 2; eps > 1e-4*spread; eps /= 5 { // of the factors tried, the quickest on clustered and collapsed samples
		free = free[:0]
		for i := range n {
			rowOf[i] = -1
			free = append(free, n-1-i)
		}
		for len(free) > 0 {
			i := free[len(free)-1]
			free = free[:len(free)-1]
			best, second, at := math.Inf(1), math.Inf(1), -1
			row := cost[i*n : (i+1)*n]
			for j, p := range v {
				if h := row[j] - p; h < second {
					if h < best {
						best, second, at = h, best, j
					} else {
						second = h
					}
				}
			}
			if n == 1 {
				return
			}
			v[at] -= second - best + eps
			if old := rowOf[at]; old >= 0 {
				free = append(free, old)
			}
			rowOf[at] = i
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
