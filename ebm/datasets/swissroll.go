package datasets

import "math"

// SwissRoll is the spiral (t·cos t, t·sin t) with t = Arclength·π·(1 + 2u), u uniform on [0, 1], plus Noise·N(0, I); then
// centred and divided by twice the standard deviation of each axis, so that it has mean 0 and standard deviation ½.
// Noise is therefore in the units of t. No labels.
type SwissRoll struct {
	N         int     // points, at least 2, default 2000
	Noise     float64 // before scaling, default 0.05; None: the curve itself
	Arclength float64 // the roll makes this many turns, default 3
	Seed      uint64
}

var _ Generator = SwissRoll{}

// Generate draws the points.
func (g SwissRoll) Generate() (*Data, error) {
	p := params{kind: "SwissRoll"}
	n := p.count("N", g.N, 2000, 2, maxPoints)
	noise := p.noise("Noise", g.Noise, 0.05)
	length := p.positive("Arclength", g.Arclength, 3, 1e6)
	if p.err != nil {
		return nil, p.err
	}
	c := newCloud("Swiss roll", n, noise, g.Seed)
	for range n {
		t := length * math.Pi * (1 + 2*c.rng.Float64())
		sin, cos := math.Sincos(t)
		c.add(t*cos, t*sin, 0)
	}
	d, err := c.done(false)
	if err != nil {
		return nil, err
	}
	_, s, err := d.Standardize()
	if err != nil {
		return nil, err
	}
	for j := range s.Std {
		s.Std[j] *= 2
	}
	return s.Apply(d)
}
