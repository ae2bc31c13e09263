package datasets

// TwentyFiveGaussians is a 5×5 grid of equal Gaussians: centres 4·{−1, −½, 0, ½, 1}² and standard deviation 0.2, all divided by
// 1.414, so that each coordinate has a standard deviation near 2. Equal shares; the label is 5i+j for the centre (i, j).
// Its density is known in closed form, which makes it a test of a trained energy's normalised log density.
//
// Tobias Schröder et al. (2023), Energy Discrepancies: A Score-Independent Loss for Energy-Based Models, NeurIPS, arXiv:2307.06431.
type TwentyFiveGaussians struct {
	N    int     // points, default 2000
	Std  float64 // before the division by 1.414, default 0.2; None: the centres themselves
	Seed uint64
	IID  bool // every point on its own, not in equal shares
}

var _ Generator = TwentyFiveGaussians{}

// Generate draws the points.
func (g TwentyFiveGaussians) Generate() (*Data, error) {
	p := params{kind: "TwentyFiveGaussians"}
	n := p.count("N", g.N, 2000, 1, maxPoints)
	std := p.noise("Std", g.Std, 0.2)
	if p.err != nil {
		return nil, p.err
	}
	const shrink = 1 / 1.414
	centres := make([][2]float64, 0, 25)
	for i := -2; i <= 2; i++ {
		for j := -2; j <= 2; j++ {
			centres = append(centres, [2]float64{2 * shrink * float64(i), 2 * shrink * float64(j)})
		}
	}
	return mixture("25 Gaussians", centres, n, std*shrink, g.Seed, g.IID)
}
