package datasets

import "math"

// Pinwheel is K spiral arms: with u uniform on [0, 1] and t = √u, a point of arm k has radius Radial·t and angle
// 2πk/K + Spiral·t + Angular·N(0, 1); then Noise·N(0, I) is added. Equal shares; the label is the arm.
//
// Matthew J. Johnson et al. (2016), Composing graphical models with neural networks for structured representations and fast
// inference, NeurIPS, arXiv:1603.06277 (the shape; the parametrisation is TorchEBM's).
type Pinwheel struct {
	N       int     // points, default 2000
	Arms    int     // K, default 5
	Noise   float64 // default 0.05; None for no jitter
	Radial  float64 // length of an arm, default 2
	Angular float64 // spread of an arm's angle in radians, default 0.1; None: lines
	Spiral  float64 // how far an arm turns from hub to tip, in radians, default 5
	Seed    uint64
	IID     bool // every point on its own, not in equal shares
}

var _ Generator = Pinwheel{}

// Generate draws the points.
func (g Pinwheel) Generate() (*Data, error) {
	p := params{kind: "Pinwheel"}
	n := p.count("N", g.N, 2000, 1, maxPoints)
	arms := p.count("Arms", g.Arms, 5, 1, maxParts)
	noise := p.noise("Noise", g.Noise, 0.05)
	radial := p.positive("Radial", g.Radial, 2, maxLength)
	angular := p.noise("Angular", g.Angular, 0.1)
	spiral := p.positive("Spiral", g.Spiral, 5, 1e6)
	if p.err != nil {
		return nil, p.err
	}
	c := newCloud("pinwheel", n, noise, g.Seed)
	for _, k := range c.parts(n, arms, g.IID) {
		t := math.Sqrt(c.rng.Float64())
		angle := 2*math.Pi*float64(k)/float64(arms) + spiral*t + angular*c.rng.NormFloat64()
		sin, cos := math.Sincos(angle)
		c.add(radial*t*cos, radial*t*sin, k)
	}
	return c.done(true)
}
