package assignment

import (
	"cmp"
	"math"
	"slices"
)

// Points finds the permutation that makes Σ ‖x[i] − y[perm[i]]‖² least, x and y both [n, dim] and finite. In up to four dimensions,
// and above 4096 points, it keeps lists of near points, with memory in proportion to n; otherwise it is Solve. On a line it sorts.
//
// Prices come from the same problem between the means of cells of points, which is solved first, and so on down: coarse to fine.
// Q. Mérigot (2011), A multiscale approach to optimal transport, Computer Graphics Forum 30, doi:10.1111/j.1467-8659.2011.02032.x.
func Points(x, y []float32, dim int) []int {
	n := len(x) / dim
	if dim == 1 {
		perm := make([]int, n)
		ix, iy := sorted(x), sorted(y)
		for k, i := range ix {
			perm[i] = iy[k]
		}
		return perm
	}
	if dim > 4 && n <= 4096 {
		return Solve(distances(x, y, dim), n)
	}
	return sparse(x, y, dim)
}

// sorted is the order of numbers, in which the best pairing on a line keeps them.
func sorted(x []float32) []int {
	index := make([]int, len(x))
	for i := range index {
		index[i] = i
	}
	slices.SortFunc(index, func(i, j int) int { return cmp.Or(cmp.Compare(x[i], x[j]), i-j) })
	return index
}

func sparse(x, y []float32, dim int) []int {
	xs, ix := inCells(x, dim)
	ys, iy := inCells(y, dim)
	perm := make([]int, len(ix))
	for i, j := range priced(xs, ys, dim).match() {
		perm[ix[i]] = iy[j]
	}
	return perm
}

// distances are the squared ones of all pairs.
func distances(x, y []float32, dim int) []float64 {
	p, q := float64s(x), float64s(y)
	out := make([]float64, 0, len(x)/dim*(len(y)/dim))
	for ; len(p) > 0; p = p[dim:] {
		for q := q; len(q) > 0; q = q[dim:] {
			a, b := p[:dim], q[:dim]
			var s, t float64 // two sums keep two additions under way
			k := 0
			for ; k+1 < len(a) && k+1 < len(b); k += 2 {
				e, f := a[k]-b[k], a[k+1]-b[k+1]
				s += e * e
				t += f * f
			}
			if k < dim {
				s += (a[k] - b[k]) * (a[k] - b[k])
			}
			out = append(out, s+t)
		}
	}
	return out
}

func float64s(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// cell is the range of cell a when n points are in so many cells, a power of two: each cell is two of the next finer ones.
func cell(a, cells, n int) (lo, hi int) { return a * n / cells, (a + 1) * n / cells }

// inCells sorts points by halving them along the widest axis, over and over, and tells where each was. The mean is taken off, which
// changes no pairing and keeps digits.
func inCells(x []float32, dim int) (at []float64, index []int) {
	n := len(x) / dim
	mean := make([]float64, dim)
	for i, v := range x {
		mean[i%dim] += float64(v)
	}
	index = make([]int, n)
	for i := range index {
		index[i] = i
	}
	var halve func(a, cells int)
	halve = func(a, cells int) {
		lo, hi := cell(a, cells, n)
		if hi-lo <= 4 {
			return
		}
		part := index[lo:hi]
		widest, axis := float32(-1), 0
		for k := range dim {
			least, most := x[part[0]*dim+k], x[part[0]*dim+k]
			for _, i := range part {
				least, most = min(least, x[i*dim+k]), max(most, x[i*dim+k])
			}
			if most-least > widest {
				widest, axis = most-least, k
			}
		}
		slices.SortFunc(part, func(i, j int) int { return cmp.Or(cmp.Compare(x[i*dim+axis], x[j*dim+axis]), i-j) })
		halve(2*a, 2*cells)
		halve(2*a+1, 2*cells)
	}
	halve(0, 1)
	at = make([]float64, 0, len(x))
	for _, i := range index {
		for k := range dim {
			at = append(at, float64(x[i*dim+k])-mean[k]/float64(n))
		}
	}
	return at, index
}

// priced is the problem between sorted points with prices near the best ones.
func priced(x, y []float64, dim int) *nearest {
	n := len(x) / dim
	price := make([]float64, n)
	cells := 1
	for 8*cells <= n {
		cells *= 2
	}
	if cells >= 16 {
		coarse := priced(means(x, dim, cells), means(y, dim, cells), dim)
		c := &cloud{dim: dim, x: coarse.costs.(*cloud).x, y: y}
		for j := range price {
			price[j] = math.Inf(1)
		}
		for i := range cells {
			u, _, _ := coarse.best(i)
			for j := range price {
				price[j] = min(price[j], c.at(i, j)-u)
			}
		}
	}
	s := newNearest(n, newCloud(x, y, dim), price)
	s.scalePrices()
	return s
}

func means(x []float64, dim, cells int) []float64 {
	out := make([]float64, cells*dim)
	for a := range cells {
		lo, hi := cell(a, cells, len(x)/dim)
		for i := lo * dim; i < hi*dim; i++ {
			out[a*dim+i%dim] += x[i] / float64(hi-lo)
		}
	}
	return out
}
