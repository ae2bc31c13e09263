package datasets

import "math"

// GaussianMixture is a ring of equal round Gaussians: component k of K has its centre at
// Radius·(cos 2πk/K, sin 2πk/K) and standard deviation Std. Every component gets n/K points, the first ones the remainder;
// the label is k.
type GaussianMixture struct {
	N          int     // points, default 2000
	Components int     // K, default 8
	Std        float64 // default 0.05; None: the centres themselves
	Radius     float64 // default 1
	Seed       uint64
	IID        bool // every point on its own, not in equal shares
}

var _ Generator = GaussianMixture{}

// Generate draws the points.
func (g GaussianMixture) Generate() (*Data, error) {
	p := params{kind: "GaussianMixture"}
	n := p.count("N", g.N, 2000, 1, maxPoints)
	parts := p.count("Components", g.Components, 8, 1, maxParts)
	std := p.noise("Std", g.Std, 0.05)
	radius := p.positive("Radius", g.Radius, 1, maxLength)
	if p.err != nil {
		return nil, p.err
	}
	centres := make([][2]float64, parts)
	for k := range centres {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / float64(parts))
		centres[k] = [2]float64{radius * cos, radius * sin}
	}
	return mixture("Gaussian mixture", centres, n, std, g.Seed, g.IID)
}
