package datasets

// Grid is one point at each node of an even PerDim×PerDim grid over [−Range, Range]², plus Noise·N(0, I): PerDim² points. The
// label is i·PerDim + j for column i (x) and row j (y).
type Grid struct {
	PerDim int     // nodes along an axis, 2 to 16384, default 10
	Range  float64 // default 1
	Noise  float64 // default 0.01; None: the nodes themselves
	Seed   uint64
}

var _ Generator = Grid{}

// Generate draws the points.
func (g Grid) Generate() (*Data, error) {
	p := params{kind: "Grid"}
	per := p.count("PerDim", g.PerDim, 10, 2, 1<<14)
	r := p.positive("Range", g.Range, 1, maxLength)
	noise := p.noise("Noise", g.Noise, 0.01)
	if p.err != nil {
		return nil, p.err
	}
	c := newCloud("grid", per*per, noise, g.Seed)
	for i := range per {
		for j := range per {
			c.add(evenly(i, per, -r, r), evenly(j, per, -r, r), i*per+j)
		}
	}
	return c.done(true)
}
