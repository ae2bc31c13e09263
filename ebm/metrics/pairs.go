package metrics

// pairs holds f(‖zᵢ − zⱼ‖²) for all j < i, row after row, for sums over the pairs of any split.
type pairs struct {
	values []float64
	rows   []float64 // Σ_{j≠i}
	total  float64   // Σ of rows
}

func newPairs(z []float32, dim int, f func(d2 float64) float64) *pairs {
	n := len(z) / dim
	p := &pairs{values: make([]float64, n*(n-1)/2), rows: make([]float64, n)}
	parallel(n, func(i int) {
		row := p.row(i)
		for j := range row {
			row[j] = f(squared(z, z, i, j, dim))
		}
	})
	for i := range n {
		for j, v := range p.row(i) {
			p.rows[i] += v
			p.rows[j] += v
		}
	}
	for _, r := range p.rows {
		p.total += r
	}
	return p
}

// row i is the values of j < i.
func (p *pairs) row(i int) []float64 { return p.values[i*(i-1)/2 : i*(i+1)/2] }

// at is the value of two different points.
func (p *pairs) at(i, j int) float64 {
	if i < j {
		i, j = j, i
	}
	return p.values[i*(i-1)/2+j]
}

// sums are those over ordered pairs of different points: both marked, both not, and one of each. Only the pairs within the
// smaller side are gone through; the row sums give the rest.
func (p *pairs) sums(inX []bool) (xx, yy, xy float64) {
	side := 0
	for _, in := range inX {
		if in {
			side++
		}
	}
	small := 2*side <= len(inX) // whether x is the smaller side
	var within, touching float64
	points := make([]int32, 0, len(inX)/2)
	for i, in := range inX {
		if in != small {
			continue
		}
		row := p.row(i)
		for _, j := range points {
			within += row[j]
		}
		touching += p.rows[i]
		points = append(points, int32(i))
	}
	within *= 2
	xy = touching - within
	if rest := p.total - within - 2*xy; small {
		return within, rest, xy
	} else {
		return rest, within, xy
	}
}
