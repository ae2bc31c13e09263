package datasets

import "math"

// SCurve is the letter S: Scale·((sin t, sgn(t)·(cos t − 1)) + Noise·N(0, I)), t uniform on [−3π/2, 3π/2]. No labels.
// It is the plane of the three-dimensional S-curve that scikit-learn has; Scale 1.5 and Noise 0.05 are those of
// Alexander Tong et al. (2024), Simulation-free Schrödinger bridges via score and flow matching, AISTATS, arXiv:2307.03672.
type SCurve struct {
	N     int     // points, default 2000
	Noise float64 // before scaling, default 0.05; None: the curve itself
	Scale float64 // default 1.5
	Seed  uint64
}

var _ Generator = SCurve{}

// Generate draws the points.
func (g SCurve) Generate() (*Data, error) {
	p := params{kind: "SCurve"}
	n := p.count("N", g.N, 2000, 1, maxPoints)
	noise := p.noise("Noise", g.Noise, 0.05)
	scale := p.positive("Scale", g.Scale, 1.5, maxLength)
	if p.err != nil {
		return nil, p.err
	}
	c := newCloud("S-curve", n, noise*scale, g.Seed)
	for range n {
		t := 3 * math.Pi * (c.rng.Float64() - 0.5)
		c.add(scale*math.Sin(t), math.Copysign(scale, t)*(math.Cos(t)-1), 0)
	}
	return c.done(false)
}
