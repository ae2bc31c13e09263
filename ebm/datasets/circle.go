package datasets

import "math"

// Circle is points at a uniform angle on a circle of the given Radius, plus Noise·N(0, I). No labels.
type Circle struct {
	N      int     // points, default 2000
	Noise  float64 // default 0.05; None: the circle itself
	Radius float64 // default 1
	Seed   uint64
}

var _ Generator = Circle{}

// Generate draws the points.
func (g Circle) Generate() (*Data, error) {
	p := params{kind: "Circle"}
	n := p.count("N", g.N, 2000, 1, maxPoints)
	noise := p.noise("Noise", g.Noise, 0.05)
	radius := p.positive("Radius", g.Radius, 1, maxLength)
	if p.err != nil {
		return nil, p.err
	}
	c := newCloud("circle", n, noise, g.Seed)
	for range n {
		sin, cos := math.Sincos(2 * math.Pi * c.rng.Float64())
		c.add(radius*cos, radius*sin, 0)
	}
	return c.done(false)
}
