package assignment

import "math"

// cloud is the costs of pairs of sorted points, with the boxes of cells of y, by which near passes over most of them.
type cloud struct {
	dim, n, cells int
	x, y          []float64
	box           []float64 // [cells, dim, 2]: least and most
	top           []float64 // of cells: no price is higher
}

func newCloud(x, y []float64, dim int) *cloud {
	c := &cloud{dim: dim, n: len(y) / dim, cells: 1, x: x, y: y}
	for 16*c.cells <= c.n {
		c.cells *= 2
	}
	c.top = make([]float64, c.cells)
	for a := range c.cells {
		c.top[a] = math.Inf(1)
		lo, hi := cell(a, c.cells, c.n)
		for k := range dim {
			least, most := math.Inf(1), math.Inf(-1)
			for j := lo; j < hi; j++ {
				least, most = min(least, y[j*dim+k]), max(most, y[j*dim+k])
			}
			c.box = append(c.box, least, most)
		}
	}
	return c
}

func (c *cloud) at(i, j int) float64 {
	p, q := c.x[i*c.dim:(i+1)*c.dim], c.y[j*c.dim:(j+1)*c.dim]
	var sum float64
	for k, a := range p {
		d := a - q[k]
		sum += d * d
	}
	return sum
}

func (c *cloud) near(i int, price []float64, limit float64, out []arc) []arc {
	p := c.x[i*c.dim : (i+1)*c.dim]
	for a := range c.cells {
		var d float64 // squared distance to the box
		for k, v := range p {
			least, most := c.box[2*(a*c.dim+k)], c.box[2*(a*c.dim+k)+1]
			if v < least {
				d += (least - v) * (least - v)
			} else if v > most {
				d += (v - most) * (v - most)
			}
		}
		if d-c.top[a] > limit {
			continue
		}
		lo, hi := cell(a, c.cells, c.n)
		top := math.Inf(-1)
		if c.dim == 2 {
			v, w, y := p[0], p[1], c.y[2*lo:2*hi]
			for j, p := range price[lo:hi] {
				e, f := v-y[2*j], w-y[2*j+1]
				d := e*e + f*f
				if d-p <= limit {
					out = append(out, arc{d, int32(lo + j)})
				}
				if p > top {
					top = p
				}
			}
		} else {
			for j := lo; j < hi; j++ {
				if d := c.at(i, j); d-price[j] <= limit {
					out = append(out, arc{d, int32(j)})
				}
				top = max(top, price[j])
			}
		}
		c.top[a] = top
	}
	return out
}
