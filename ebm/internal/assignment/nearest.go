package assignment

import (
	"math"
	"slices"
)

// nearest is an assignment problem of which each row knows only its cheapest columns, cost less price. Prices only fall, so that
// what a row has not listed stays at or above its bound, and the row looks at all columns again only when its list has risen above
// that. Every step is thus that of the dense algorithm, at a fraction of its work.
//
// D. P. Bertsekas (1988), doi:10.1007/BF02186476; A. Volgenant (1996), Linear and semi-assignment problems: a core oriented approach,
// Computers & Operations Research 23, doi:10.1016/0305-0548(96)00010-X.
type nearest struct {
	costs
	n, k         int
	price        []float64
	arcs         []arc     // k of every row
	bound        []float64 // of rows: no column outside the list has a lower cost less price
	rowOf, colOf []int32   // partners; −1 is free

	found []arc     // by the last look at all columns
	sorts []float64 // scratch of choose
	paths
}

type arc struct {
	cost float64
	col  int32
}

// costs are those of all arcs.
type costs interface {
	at(i, j int) float64
	// near appends the arcs of row i whose cost less price is at most limit.
	near(i int, price []float64, limit float64, out []arc) []arc
}

const listed = 16 // arcs a row; 8 to 24 are about as quick in the plane

func newNearest(n int, c costs, price []float64) *nearest {
	s := &nearest{costs: c, n: n, k: min(n, listed), price: price, bound: make([]float64, n),
		rowOf: make([]int32, n), colOf: make([]int32, n), paths: newPaths(n)}
	s.arcs, s.sorts = make([]arc, n*s.k), make([]float64, s.k)
	for i := range n {
		limit := math.Inf(1)
		if i > 0 { // the row before is close by
			limit = math.Inf(-1)
			for _, a := range s.list(i - 1) {
				limit = max(limit, s.at(i, int(a.col))-price[a.col])
			}
		}
		s.look(i, limit)
	}
	return s
}

func (s *nearest) list(i int) []arc { return s.arcs[i*s.k : (i+1)*s.k] }

// look lists the cheapest columns of row i anew, all of which come within the limit.
func (s *nearest) look(i int, limit float64) {
	if s.found = s.near(i, s.price, limit, s.found[:0]); len(s.found) < s.k { // limit was rounded otherwise
		s.found = s.near(i, s.price, math.Inf(1), s.found[:0])
	}
	list, reduced := s.list(i), s.sorts
	for m, a := range s.found {
		h := a.cost - s.price[a.col]
		if m >= s.k {
			if m = s.k - 1; h >= reduced[m] {
				continue
			}
		}
		for ; m > 0 && reduced[m-1] > h; m-- {
			reduced[m], list[m] = reduced[m-1], list[m-1]
		}
		reduced[m], list[m] = h, a
	}
	if s.bound[i] = reduced[s.k-1]; s.k == s.n {
		s.bound[i] = math.Inf(1)
	}
}

// best is the cheapest arc of row i, cost less price, and the second cheapest.
func (s *nearest) best(i int) (best, second float64, at arc) {
	for {
		best, second = math.Inf(1), math.Inf(1)
		for _, a := range s.list(i) {
			if h := a.cost - s.price[a.col]; h < best {
				best, second, at = h, best, a
			} else if h < second {
				second = h
			}
		}
		if second <= s.bound[i] {
			return best, second, at
		}
		_, worst := s.width(i)
		s.look(i, worst)
	}
}

// width is the least and the most cost less price in the list of row i.
func (s *nearest) width(i int) (best, worst float64) {
	best, worst = math.Inf(1), math.Inf(-1)
	for _, a := range s.list(i) {
		h := a.cost - s.price[a.col]
		best, worst = min(best, h), max(worst, h)
	}
	return best, worst
}

// scalePrices brings prices near the best ones by auctions with ever smaller steps. The step starts at the median width of the
// lists, which tells how far the prices may be off; one that proves too small for them grows while the auction runs.
func (s *nearest) scalePrices() {
	widths := make([]float64, s.n)
	var sum float64
	for i := range widths {
		best, worst := s.width(i)
		widths[i] = worst - best
		sum += widths[i]
	}
	slices.Sort(widths)
	step := widths[s.n/2]
	if step == 0 { // most columns coincide
		step = sum / float64(s.n)
	}
	least := step / 50
	for phase := 0; phase < 30 && step > least; phase++ { // the paths finish what 30 phases leave
		step = s.auction(step) / 5
	}
}

// auction assigns all rows: a free one bids for its best column, whose price falls to step below what makes the second best as
// good, and the row that held it is free again. It returns the last step.
func (s *nearest) auction(step float64) float64 {
	free := make([]int32, s.n)
	for i := range free {
		s.rowOf[i], free[i] = -1, int32(s.n-1-i)
	}
	for bids := 1; len(free) > 0; bids++ {
		if bids%(16*s.n) == 0 {
			step *= 4
		}
		i := free[len(free)-1]
		free = free[:len(free)-1]
		best, second, at := s.best(int(i))
		s.price[at.col] -= second - best + step
		if old := s.rowOf[at.col]; old >= 0 {
			free = append(free, old)
		}
		s.rowOf[at.col] = i
	}
	return step
}
