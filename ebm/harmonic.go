package ebm

import (
	"cmp"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"
)

// Harmonic is the potential of an isotropic spring,
//
//	E(x) = ½k Σᵢ xᵢ²,
//
// a Gaussian of mean 0 and variance 1/k in every direction. x is [n, event...], of any event shape.
// Minimum: 0 at the origin. log Z = ½d log(2π/k).
//
// It is the first target to try anything on, since all that a sampler does to it can be worked out by hand.
type Harmonic struct {
	K float64 // stiffness k, default 1
}

var (
	_ Energy       = Harmonic{}
	_ Minimizer    = Harmonic{}
	_ Normalizer   = Harmonic{}
	_ Momenter     = Harmonic{}
	_ ExactSampler = Harmonic{}
)

// Energy builds E(x), [n].
func (e Harmonic) Energy(x *Node, _ ...*Node) *Node {
	events("Harmonic", x)
	return MulScalar(eventSum(Square(x)), cmp.Or(e.K, 1)/2)
}

// Minima is the origin.
func (e Harmonic) Minima(dim int) ([][]float64, error) {
	return [][]float64{make([]float64, max(dim, 0))}, e.proper(dim)
}

// LogZ is ½d log(2π/k).
func (e Harmonic) LogZ(dim int) (float64, error) {
	return float64(dim) / 2 * math.Log(2*math.Pi/cmp.Or(e.K, 1)), e.proper(dim)
}

// Moments are mean 0 and covariance I/k.
func (e Harmonic) Moments(dim int) (mean []float64, cov [][]float64, err error) {
	if err := e.proper(dim); err != nil {
		return nil, nil, err
	}
	return make([]float64, dim), diagonal(1/cmp.Or(e.K, 1), dim), nil
}

// SampleExact draws normals of variance 1/k.
func (e Harmonic) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	if err := checkDraw("Harmonic", rng, n, dim); err != nil {
		return nil, err
	}
	std := 1 / math.Sqrt(cmp.Or(e.K, 1))
	return draws(n, dim, func() float64 { return std * rng.NormFloat64() }), e.proper(dim)
}

// proper refuses a spring that pushes away: it has neither a minimum nor a density.
func (e Harmonic) proper(dim int) error {
	if !(cmp.Or(e.K, 1) > 0) {
		return errors.Errorf("Harmonic: K must be positive, got %g", e.K)
	}
	return checkDim("Harmonic", dim)
}
