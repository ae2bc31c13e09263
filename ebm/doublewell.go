package ebm

import (
	"cmp"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"
)

// DoubleWell has two wells along every coordinate,
//
//	E(x) = h Σᵢ (xᵢ² − b²)²,
//
// with barriers of height h·b⁴ between them. x is [n, event...], of any event shape.
// Minima: 0 at the 2ᵈ points (±b, …, ±b). Coordinates are independent; each has mean 0 by symmetry, and its
// normalizer and variance are computed by quadrature (at the defaults log Z = 0.3442 and the variance 0.8521 a coordinate).
//
// It is the smallest target on which a chain can fail to mix: a chain crosses a barrier about once in
// exp(h·b⁴) tries.
type DoubleWell struct {
	BarrierHeight float64 // h, default 2
	B             float64 // b, where the wells are, default 1
}

var (
	_ Energy       = DoubleWell{}
	_ Minimizer    = DoubleWell{}
	_ Normalizer   = DoubleWell{}
	_ Momenter     = DoubleWell{}
	_ ExactSampler = DoubleWell{}
)

// Energy builds E(x), [n].
func (e DoubleWell) Energy(x *Node, _ ...*Node) *Node {
	events("DoubleWell", x)
	h, b := e.parameters()
	return MulScalar(eventSum(Square(AddScalar(Square(x), -b*b))), h)
}

func (e DoubleWell) parameters() (h, b float64) {
	return cmp.Or(e.BarrierHeight, 2), math.Abs(cmp.Or(e.B, 1))
}

// Minima are the 2ᵈ points (±b, …, ±b), for events of up to 16 numbers.
func (e DoubleWell) Minima(dim int) ([][]float64, error) {
	if err := e.proper(dim); err != nil {
		return nil, err
	}
	if dim > 16 {
		return nil, errors.Errorf("DoubleWell: dim must be at most 16 for its 2^dim minima to be listed, got %d", dim)
	}
	_, b := e.parameters()
	minima := make([][]float64, 1<<dim)
	for i := range minima {
		minima[i] = repeated(-b, dim)
		for j := range dim {
			if i>>j&1 == 1 {
				minima[i][j] = b
			}
		}
	}
	return minima, nil
}

// LogZ is d times the log normalizer of one coordinate.
func (e DoubleWell) LogZ(dim int) (float64, error) {
	if err := e.proper(dim); err != nil {
		return 0, err
	}
	logZ, _ := e.coordinate()
	return float64(dim) * logZ, nil
}

// Moments are mean 0 and a multiple of the identity.
func (e DoubleWell) Moments(dim int) (mean []float64, cov [][]float64, err error) {
	if err := e.proper(dim); err != nil {
		return nil, nil, err
	}
	_, variance := e.coordinate()
	return make([]float64, dim), diagonal(variance, dim), nil
}

// SampleExact draws by rejection: for x ≥ 0, exp(−h(x²−b²)²) ≤ exp(−hb²(x−b)²), a normal density of mean b and
// variance 1/(2hb²); the sign is a coin toss.
func (e DoubleWell) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	if err := checkDraw("DoubleWell", rng, n, dim); err != nil {
		return nil, err
	}
	if err := e.proper(dim); err != nil {
		return nil, err
	}
	h, b := e.parameters()
	std := 1 / (b * math.Sqrt(2*h))
	return draws(n, dim, func() float64 {
		for {
			z := b + std*rng.NormFloat64()
			d := z - b
			if z < 0 || rng.Float64() >= math.Exp(-h*d*d*((z+b)*(z+b)-b*b)) {
				continue
			}
			if rng.IntN(2) == 0 {
				return -z
			}
			return z
		}
	}), nil
}

// coordinate is log Z and the variance of one coordinate.
func (e DoubleWell) coordinate() (logZ, variance float64) {
	h, b := e.parameters()
	edge := math.Sqrt(b*b + math.Sqrt(40/h)) // E = 40 there
	logZ, _, variance = coordinate(func(x float64) float64 {
		u := x*x - b*b
		return h * u * u
	}, -edge, edge)
	return logZ, variance
}

// proper refuses wells turned over, which have neither minima nor a density.
func (e DoubleWell) proper(dim int) error {
	if h, _ := e.parameters(); !(h > 0) {
		return errors.Errorf("DoubleWell: BarrierHeight must be positive, got %g", e.BarrierHeight)
	}
	return checkDim("DoubleWell", dim)
}
