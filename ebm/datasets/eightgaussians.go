package datasets

import "math"

// EightGaussians is the ring of eight that generative models are tried on: centres Scale·{(±1,0), (0,±1), (±1/√2, ±1/√2)},
// numbered counter-clockwise from (1, 0), equal shares, each with standard deviation Std. The label is the component.
//
// The papers disagree on its size: TorchEBM has Scale 2, Std 0.02 (the defaults here); Tong et al. (AISTATS 2024) Scale 5, Std 1.
type EightGaussians struct {
	N     int     // points, default 2000
	Std   float64 // default 0.02; None: the centres themselves
	Scale float64 // default 2
	Seed  uint64
	IID   bool // every point on its own, not in equal shares
}

var _ Generator = EightGaussians{}

// Generate draws the points.
func (g EightGaussians) Generate() (*Data, error) {
	p := params{kind: "EightGaussians"}
	n := p.count("N", g.N, 2000, 1, maxPoints)
	std := p.noise("Std", g.Std, 0.02)
	scale := p.positive("Scale", g.Scale, 2, maxLength)
	if p.err != nil {
		return nil, p.err
	}
	const h = math.Sqrt2 / 2
	centres := [][2]float64{{1, 0}, {h, h}, {0, 1}, {-h, h}, {-1, 0}, {-h, -h}, {0, -1}, {h, -h}}
	for k := range centres {
		centres[k][0] *= scale
		centres[k][1] *= scale
	}
	return mixture("8 Gaussians", centres, n, std, g.Seed, g.IID)
}
