package datasets

import "math"

// Rings is K concentric circles of radii Radius·(k+1)/K, with equal shares of points at uniform angles, plus Noise·N(0, I).
// The label is the ring, 0 the innermost. No single direction separates them, and none connects them.
//
// Defaults after Will Grathwohl et al. (2019), FFJORD: Free-form continuous dynamics for scalable reversible generative models,
// ICLR, arXiv:1810.01367.
type Rings struct {
	N      int     // points, default 2000
	Rings  int     // K, default 4
	Radius float64 // of the outermost, default 3
	Noise  float64 // default 0.08; None: the circles themselves
	Seed   uint64
	IID    bool // every point on its own, not in equal shares
}

var _ Generator = Rings{}

// Generate draws the points.
func (g Rings) Generate() (*Data, error) {
	p := params{kind: "Rings"}
	n := p.count("N", g.N, 2000, 1, maxPoints)
	rings := p.count("Rings", g.Rings, 4, 1, maxParts)
	radius := p.positive("Radius", g.Radius, 3, maxLength)
	noise := p.noise("Noise", g.Noise, 0.08)
	if p.err != nil {
		return nil, p.err
	}
	c := newCloud("rings", n, noise, g.Seed)
	for _, k := range c.parts(n, rings, g.IID) {
		r := radius * float64(k+1) / float64(rings)
		sin, cos := math.Sincos(2 * math.Pi * c.rng.Float64())
		c.add(r*cos, r*sin, k)
	}
	return c.done(true)
}
