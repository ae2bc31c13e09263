package assignment

import "math"

// paths is what a search for shortest paths from a free row to a free column needs, by columns unless said otherwise.
type paths struct {
	dist    []float64 // infinite where not reached
	from    []int32   // the row before
	done    []bool    // the distance is final
	paid    []float64 // of rows: cost of the pair
	base    []float64 // of rows: distance less the row's own price
	queue   []entry   // a binary heap
	touched []int32   // columns with a distance
	order   []int32   // columns done
}

type entry struct {
	dist float64
	id   int32 // a column, or ^row where the row's arcs beyond its list begin
}

func newPaths(n int) paths {
	p := paths{dist: make([]float64, n), from: make([]int32, n), done: make([]bool, n), paid: make([]float64, n), base: make([]float64, n)}
	for j := range p.dist {
		p.dist[j] = math.Inf(1)
	}
	return p
}

// match assigns all rows at the least cost: each its best column where that is free, the others along shortest paths.
func (s *nearest) match() []int32 {
	for j := range s.n {
		s.rowOf[j], s.colOf[j] = -1, -1
	}
	for i := range s.n {
		if _, _, at := s.best(i); s.rowOf[at.col] < 0 {
			s.rowOf[at.col], s.colOf[i], s.paid[i] = int32(i), at.col, at.cost
		}
	}
	for i := range s.n {
		if s.colOf[i] < 0 {
			s.augment(int32(i))
		}
	}
	return s.colOf
}

// augment is Dijkstra's search on reduced costs from a free row. A row scans its list when it is reached, and all columns only when
// the search comes to the bound of the list.
func (s *nearest) augment(start int32) {
	s.queue, s.touched, s.order = s.queue[:0], s.touched[:0], s.order[:0]
	end, shortest := int32(-1), math.Inf(1)
	at := 0.0 // distance that the search has come to; none is below, but for rounding
	scan := func(i int32, arcs []arc) {
		for _, a := range arcs {
			j := a.col
			d := max(at, s.base[i]+(a.cost-s.price[j]))
			if d >= shortest || d >= s.dist[j] {
				continue
			}
			if math.IsInf(s.dist[j], 1) {
				s.touched = append(s.touched, j)
			}
			if s.dist[j], s.from[j] = d, i; s.rowOf[j] < 0 {
				end, shortest = j, d
			} else {
				s.push(entry{d, j})
			}
		}
	}
	reach := func(i int32, u float64) {
		s.base[i] = at - u
		scan(i, s.list(int(i)))
		s.push(entry{max(at, s.base[i]+s.bound[i]), ^i})
	}
	u, _, _ := s.best(int(start))
	reach(start, u)
	for len(s.queue) > 0 && s.queue[0].dist < shortest {
		e := s.pop()
		at = e.dist
		if j := e.id; j < 0 {
			s.found = s.near(int(^j), s.price, shortest-s.base[^j], s.found[:0])
			scan(^j, s.found)
		} else if !s.done[j] {
			s.done[j] = true
			s.order = append(s.order, j)
			reach(s.rowOf[j], s.paid[s.rowOf[j]]-s.price[j])
		}
	}
	for _, j := range s.order {
		s.price[j] -= shortest - s.dist[j]
		s.done[j] = false
	}
	for j, i := end, int32(-1); i != start; {
		i = s.from[j]
		s.rowOf[j], s.paid[i] = i, s.at(int(i), int(j))
		j, s.colOf[i] = s.colOf[i], j
	}
	for _, j := range s.touched {
		s.dist[j] = math.Inf(1)
	}
}

func (p *paths) push(e entry) {
	p.queue = append(p.queue, e)
	k := len(p.queue) - 1
	for k > 0 && p.queue[(k-1)/2].dist > e.dist {
		p.queue[k] = p.queue[(k-1)/2]
		k = (k - 1) / 2
	}
	p.queue[k] = e
}

func (p *paths) pop() entry {
	q := p.queue
	top, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	p.queue = q
	for k := 0; len(q) > 0; {
		c := 2*k + 1
		if c+1 < len(q) && q[c+1].dist < q[c].dist {
			c++
		}
		if c >= len(q) || last.dist <= q[c].dist {
			q[k] = last
			break
		}
		q[k] = q[c]
		k = c
	}
	return top
}
