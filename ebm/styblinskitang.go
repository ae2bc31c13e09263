package ebm

import (
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
)

// StyblinskiTang has two wells of unequal depth along every coordinate,
//
//	E(x) = ½ Σᵢ (xᵢ⁴ − 16xᵢ² + 5xᵢ).
//
// x is [n, event...], of any event shape with d numbers.
// Minimum: −39.16617d at (−2.903534, …, −2.903534). Each coordinate's other well, at 2.746803, is 14.1 higher.
// Coordinates are independent; normalizer, mean and variance are computed by quadrature.
//
// It tells an optimiser that finds the deepest well from one that stays in the nearest.
//
// M. A. Styblinski, T.-S. Tang, "Experiments in nonconvex optimization: stochastic approximation with function smoothing
// and simulated annealing", Neural Networks 3(4), 1990, doi:10.1016/0893-6080(90)90029-K.
type StyblinskiTang struct{}

var (
	_ Energy       = StyblinskiTang{}
	_ Minimizer    = StyblinskiTang{}
	_ Normalizer   = StyblinskiTang{}
	_ Momenter     = StyblinskiTang{}
	_ ExactSampler = StyblinskiTang{}
)

// styblinskiTangMin is the least root of 4x³ − 32x + 5.
const styblinskiTangMin = -2.903534027771177

// Energy builds E(x), [n].
func (StyblinskiTang) Energy(x *Node, _ ...*Node) *Node {
	events("StyblinskiTang", x)
	square := Square(x)
	quartic := Mul(square, AddScalar(square, -16))
	return MulScalar(eventSum(Add(quartic, MulScalar(x, 5))), 0.5)
}

// Minima is (−2.903534, …, −2.903534).
func (StyblinskiTang) Minima(dim int) ([][]float64, error) {
	return [][]float64{repeated(styblinskiTangMin, max(dim, 0))}, checkDim("StyblinskiTang", dim)
}

// LogZ is d times the log normalizer of one coordinate.
func (e StyblinskiTang) LogZ(dim int) (float64, error) {
	logZ, _, _ := e.coordinate()
	return float64(dim) * logZ, checkDim("StyblinskiTang", dim)
}

// Moments are those of independent coordinates.
func (e StyblinskiTang) Moments(dim int) (mean []float64, cov [][]float64, err error) {
	if err := checkDim("StyblinskiTang", dim); err != nil {
		return nil, nil, err
	}
	_, m, variance := e.coordinate()
	return repeated(m, dim), diagonal(variance, dim), nil
}

// SampleExact draws by rejection. With m the minimum, E(x) − E(m) = ½(x−m)²((x+m)² + 2m² − 16) ≥ (x−m)²(m² − 8), so
// a normal density of mean m and variance 1/(2m² − 16) lies above.
func (StyblinskiTang) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	if err := checkDraw("StyblinskiTang", rng, n, dim); err != nil {
		return nil, err
	}
	const m = styblinskiTangMin
	std := 1 / math.Sqrt(2*m*m-16)
	return draws(n, dim, func() float64 {
		for {
			x := m + std*rng.NormFloat64()
			if rng.Float64() < math.Exp(-0.5*(x-m)*(x-m)*(x+m)*(x+m)) {
				return x
			}
		}
	}), nil
}

// coordinate is log Z, the mean and the variance of one coordinate.
func (StyblinskiTang) coordinate() (logZ, mean, variance float64) {
	return coordinate(func(x float64) float64 { return 0.5 * (x*x*(x*x-16) + 5*x) }, -6, 6)
}
