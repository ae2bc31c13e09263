package datasets

import "math"

// Checkerboard is uniform on the dark squares of a board: the points of [−R, R]² where ⌊x⌋ + ⌊y⌋ is odd, plus Noise·N(0, I).
// Squares have side 1; the label numbers the dark ones from the lower left, row by row. Its density has sharp edges and holes
// that touch at the corners, which smooth models find hard.
type Checkerboard struct {
	N     int     // points, default 2000
	Range float64 // R, default 4, at most 1000
	Noise float64 // default (and None): no jitter
	Seed  uint64
}

var _ Generator = Checkerboard{}

// Generate draws the points, by rejection.
func (g Checkerboard) Generate() (*Data, error) {
	p := params{kind: "Checkerboard"}
	n := p.count("N", g.N, 2000, 1, maxPoints)
	r := p.positive("Range", g.Range, 4, 1000)
	noise := p.noise("Noise", g.Noise, 0)
	if p.err != nil {
		return nil, p.err
	}
	number := map[[2]int]int{} // of the dark squares
	for j := int(math.Floor(-r)); float64(j) < r; j++ {
		for i := int(math.Floor(-r)); float64(i) < r; i++ {
			if (i+j)&1 != 0 {
				number[[2]int{i, j}] = len(number)
			}
		}
	}
	c := newCloud("checkerboard", n, noise, g.Seed)
	for c.data.Len() < n {
		x, y := r*(2*c.rng.Float64()-1), r*(2*c.rng.Float64()-1)
		if k, dark := number[[2]int{int(math.Floor(x)), int(math.Floor(y))}]; dark {
			c.add(x, y, k)
		}
	}
	return c.done(true)
}
