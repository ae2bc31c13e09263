package ebm

import (
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"
)

// Booth is a tilted bowl in the plane,
//
//	E(x) = (x₁ + 2x₂ − 7)² + (2x₁ + x₂ − 5)².
//
// x is [n, event...] with 2 numbers an event.
// Minimum: 0 at (1, 3). As E is quadratic, its density is normal, of mean (1, 3) and covariance [[10, −8], [−8, 10]]/36;
// log Z = log(π/3).
//
// For optimisers it is the step after [Harmonic]: the curvature differs ninefold between the diagonals.
type Booth struct{}

var (
	_ Energy       = Booth{}
	_ Minimizer    = Booth{}
	_ Normalizer   = Booth{}
	_ Momenter     = Booth{}
	_ ExactSampler = Booth{}
)

var boothGaussian = Gaussian{Mean: []float64{1, 3}, Cov: [][]float64{{10. / 36, -8. / 36}, {-8. / 36, 10. / 36}}}

// Energy builds E(x), [n].
func (Booth) Energy(x *Node, _ ...*Node) *Node {
	x1, x2 := plane("Booth", x)
	first := Square(AddScalar(Add(x1, MulScalar(x2, 2)), -7))
	second := Square(AddScalar(Add(MulScalar(x1, 2), x2), -5))
	return Add(first, second)
}

// Minima is (1, 3), for d = 2.
func (Booth) Minima(dim int) ([][]float64, error) {
	return [][]float64{{1, 3}}, boothDim(dim)
}

// LogZ is log(π/3), for d = 2.
func (Booth) LogZ(dim int) (float64, error) {
	if err := boothDim(dim); err != nil {
		return 0, err
	}
	return boothGaussian.LogZ(dim)
}

// Moments are those of the normal distribution above, for d = 2.
func (Booth) Moments(dim int) (mean []float64, cov [][]float64, err error) {
	if err := boothDim(dim); err != nil {
		return nil, nil, err
	}
	return boothGaussian.Moments(dim)
}

// SampleExact draws from the normal distribution above, for d = 2.
func (Booth) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	if err := boothDim(dim); err != nil {
		return nil, err
	}
	return boothGaussian.SampleExact(rng, n, dim)
}

func boothDim(dim int) error {
	if dim != 2 {
		return errors.Errorf("Booth: dim must be 2, got %d", dim)
	}
	return nil
}
