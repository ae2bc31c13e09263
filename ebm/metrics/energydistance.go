package metrics

import "math"

// EnergyDistance is the square root of 2·E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖, with the expectations over all pairs of the samples
// (the V-statistic, which is never negative). It is 0 only for equal distributions, and has no parameter to choose.
// Time n²: 9 million distances for 3000 points.
//
// G. J. Székely and M. L. Rizzo (2013), Energy statistics: a class of statistics based on distances, J. Stat. Plan. Inference 143,
// doi:10.1016/j.jspi.2013.03.018.
type EnergyDistance struct{}

var (
	_ Distance = EnergyDistance{}
	_ splitter = EnergyDistance{}
)

// Between is the energy distance of x [n, dim] and y [m, dim].
func (EnergyDistance) Between(x, y []float32, dim int) (float64, error) {
	if err := checkPair("EnergyDistance", x, y, dim); err != nil {
		return 0, err
	}
	cross := meanPairs(x, y, dim, math.Sqrt)
	return math.Sqrt(max(0, 2*cross-meanPairs(x, x, dim, math.Sqrt)-meanPairs(y, y, dim, math.Sqrt))), nil
}

func (EnergyDistance) splits(z []float32, dim, n int) (func(inX []bool) float64, error) {
	p, nx, ny := newPairs(z, dim, math.Sqrt), float64(n), float64(len(z)/dim-n)
	return func(inX []bool) float64 {
		xx, yy, xy := p.sums(inX)
		return math.Sqrt(max(0, 2*xy/(nx*ny)-xx/(nx*nx)-yy/(ny*ny)))
	}, nil
}
