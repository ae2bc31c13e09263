package datasets

import "math"

// Spirals is K Archimedean spirals turned against each other: with u uniform on [0, 1] and t = √u, a point of arm k has radius
// Radius·t and angle 2πk/K + 2π·Turns·t, which is near uniform along the arm; then Noise·N(0, I) is added. Equal shares; the
// label is the arm.
//
// Defaults after Will Grathwohl et al. (2019), FFJORD: Free-form continuous dynamics for scalable reversible generative models,
// ICLR, arXiv:1810.01367 (two arms of one and a half turns).
type Spirals struct {
	N      int     // points, default 2000
	Arms   int     // K, default 2
	Turns  float64 // default 1.5
	Radius float64 // where an arm ends, default 3
	Noise  float64 // default 0.1; None: the curves themselves
	Seed   uint64
	IID    bool // every point on its own, not in equal shares
}

var _ Generator = Spirals{}

// Generate draws the points.
func (g Spirals) Generate() (*Data, error) {
	p := params{kind: "Spirals"}
	n := p.count("N", g.N, 2000, 1, maxPoints)
	arms := p.count("Arms", g.Arms, 2, 1, maxParts)
	turns := p.positive("Turns", g.Turns, 1.5, 1e6)
	radius := p.positive("Radius", g.Radius, 3, maxLength)
	noise := p.noise("Noise", g.Noise, 0.1)
	if p.err != nil {
		return nil, p.err
	}
	c := newCloud("spirals", n, noise, g.Seed)
	for _, k := range c.parts(n, arms, g.IID) {
		t := math.Sqrt(c.rng.Float64())
		sin, cos := math.Sincos(2 * math.Pi * (float64(k)/float64(arms) + turns*t))
		c.add(radius*t*cos, radius*t*sin, k)
	}
	return c.done(true)
}
