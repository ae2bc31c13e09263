package ebm

import (
	"cmp"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"
)

// Rastrigin is a bowl with a regular grid of local minima, about one to a unit cube,
//
//	E(x) = a·d + Σᵢ (xᵢ² − a cos 2πxᵢ).
//
// x is [n, event...], of any event shape with d numbers.
// Minimum: 0 at the origin. Coordinates are independent, of mean 0; normalizer and variance are computed by quadrature.
//
// It asks whether a sampler gets from mode to mode: the barriers are about 2a high.
//
// L. A. Rastrigin, "Systems of Extremal Control", Nauka, Moscow, 1974; in d dimensions: H. Mühlenbein, M. Schomisch,
// J. Born, "The parallel genetic algorithm as function optimizer", Parallel Computing 17, 1991,
// doi:10.1016/S0167-8191(05)80052-3.
type Rastrigin struct {
	A float64 // a, height of the ripples, default 10
}

var (
	_ Energy       = Rastrigin{}
	_ Minimizer    = Rastrigin{}
	_ Normalizer   = Rastrigin{}
	_ Momenter     = Rastrigin{}
	_ ExactSampler = Rastrigin{}
)

// Energy builds E(x), [n].
func (e Rastrigin) Energy(x *Node, _ ...*Node) *Node {
	a, d := cmp.Or(e.A, 10), float64(events("Rastrigin", x))
	ripples := MulScalar(Cos(MulScalar(x, 2*math.Pi)), a)
	return AddScalar(eventSum(Sub(Square(x), ripples)), a*d)
}

// Minima is the origin.
func (e Rastrigin) Minima(dim int) ([][]float64, error) {
	return [][]float64{make([]float64, max(dim, 0))}, e.known(dim)
}

// LogZ is d times the log normalizer of one coordinate.
func (e Rastrigin) LogZ(dim int) (float64, error) {
	if err := e.known(dim); err != nil {
		return 0, err
	}
	logZ, _, _ := e.coordinate()
	return float64(dim) * logZ, nil
}

// Moments are mean 0 and a multiple of the identity.
func (e Rastrigin) Moments(dim int) (mean []float64, cov [][]float64, err error) {
	if err := e.known(dim); err != nil {
		return nil, nil, err
	}
	_, _, variance := e.coordinate()
	return make([]float64, dim), diagonal(variance, dim), nil
}

// SampleExact draws by rejection from N(0, ½), since E(x) ≥ x².
func (e Rastrigin) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	if err := checkDraw("Rastrigin", rng, n, dim); err != nil {
		return nil, err
	}
	if err := e.known(dim); err != nil {
		return nil, err
	}
	a := cmp.Or(e.A, 10)
	return draws(n, dim, func() float64 {
		for {
			x := math.Sqrt(0.5) * rng.NormFloat64()
			if rng.Float64() < math.Exp(-a*(1-math.Cos(2*math.Pi*x))) {
				return x
			}
		}
	}), nil
}

// coordinate is log Z, the mean and the variance of one coordinate.
func (e Rastrigin) coordinate() (logZ, mean, variance float64) {
	a := cmp.Or(e.A, 10)
	return coordinate(func(x float64) float64 { return x*x + a*(1-math.Cos(2*math.Pi*x)) }, -7, 7)
}

// known refuses ripples turned over: the origin is not a minimum then.
func (e Rastrigin) known(dim int) error {
	if !(cmp.Or(e.A, 10) > 0) {
		return errors.Errorf("Rastrigin: A must be positive, got %g", e.A)
	}
	return checkDim("Rastrigin", dim)
}
