package ebm

import (
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// Gaussian is the normal distribution with mean μ and covariance Σ,
//
//	E(x) = ½ (x−μ)ᵀ Σ⁻¹ (x−μ).
//
// x is [n, event...] with d = len(Mean) numbers an event; where both fields are left nil it is N(0, I) of any
// event shape. Minimum: 0 at μ. log Z = ½ (d log 2π + log det Σ).
//
// The covariance must be symmetric and positive definite: Validate says what is wrong with it, and building the
// energy panics with the same error. Σ⁻¹ is computed in float64 on the host, by Cholesky's method, when the
// energy is built. Energy and gradient together cost one matrix product, as the gradient is Σ⁻¹(x−μ) itself.
type Gaussian struct {
	Mean []float64   // μ, default 0
	Cov  [][]float64 // Σ, [d][d], default the identity
}

var (
	_ Energy       = Gaussian{}
	_ Minimizer    = Gaussian{}
	_ Normalizer   = Gaussian{}
	_ Momenter     = Gaussian{}
	_ ExactSampler = Gaussian{}
	_ Validator    = Gaussian{}
)

// Energy builds E(x), [n].
func (e Gaussian) Energy(x *Node, _ ...*Node) *Node {
	d := events("Gaussian", x)
	chol, err := e.factor()
	check(err)
	check(e.fits(d))
	delta := x
	if e.Mean != nil {
		delta = flat("Gaussian", x)
		delta = Sub(delta, ConstAs(delta, [][]float64{e.Mean}))
	}
	if chol == nil {
		return MulScalar(eventSum(Square(delta)), 0.5)
	}
	delta = flat("Gaussian", delta)
	force := MatMul(delta, ConstAs(delta, precision(chol))) // [n, d], Σ⁻¹(x−μ)
	return withGradient(MulScalar(ReduceSum(Mul(delta, force), 1), 0.5), delta, force)
}

// Validate tells whether the fields are finite, of matching sizes, and the covariance symmetric and positive definite.
func (e Gaussian) Validate() error {
	_, err := e.factor()
	return err
}

// factor is Cholesky's factorisation of the covariance, nil where that is the identity.
func (e Gaussian) factor() (*mat.Cholesky, error) {
	for i, m := range e.Mean {
		if math.IsNaN(m) || math.IsInf(m, 0) {
			return nil, errors.Errorf("Gaussian: Mean[%d] must be finite, got %g", i, m)
		}
	}
	if e.Cov == nil {
		return nil, nil
	}
	if e.Mean != nil && len(e.Cov) != len(e.Mean) {
		return nil, errors.Errorf("Gaussian: Cov must be %d×%d as Mean has %d numbers, got %d rows",
			len(e.Mean), len(e.Mean), len(e.Mean), len(e.Cov))
	}
	return cholesky("Gaussian: Cov", e.Cov)
}

// fits refuses events of another size than the parameters'.
func (e Gaussian) fits(dim int) error {
	if d := max(len(e.Mean), len(e.Cov)); d > 0 && d != dim {
		return errors.Errorf("Gaussian: events must have %d numbers as Mean and Cov do, got %d", d, dim)
	}
	return checkDim("Gaussian", dim)
}

// known is the mean and the factor of the covariance for events of dim numbers.
func (e Gaussian) known(dim int) (mean []float64, chol *mat.Cholesky, err error) {
	if chol, err = e.factor(); err != nil {
		return nil, nil, err
	}
	if err = e.fits(dim); err != nil {
		return nil, nil, err
	}
	mean = make([]float64, dim)
	copy(mean, e.Mean)
	return mean, chol, nil
}

// Minima is μ.
func (e Gaussian) Minima(dim int) ([][]float64, error) {
	mean, _, err := e.known(dim)
	return [][]float64{mean}, err
}

// LogZ is ½ (d log 2π + log det Σ).
func (e Gaussian) LogZ(dim int) (float64, error) {
	_, chol, err := e.known(dim)
	if err != nil {
		return 0, err
	}
	logZ := float64(dim) / 2 * math.Log(2*math.Pi)
	if chol != nil {
		logZ += chol.LogDet() / 2
	}
	return logZ, nil
}

// Moments are μ and Σ.
func (e Gaussian) Moments(dim int) (mean []float64, cov [][]float64, err error) {
	mean, _, err = e.known(dim)
	if err != nil {
		return nil, nil, err
	}
	cov = diagonal(1, dim)
	for i := range e.Cov {
		copy(cov[i], e.Cov[i])
	}
	return mean, cov, nil
}

// SampleExact draws μ + Lz, with LLᵀ = Σ and z ~ N(0, I).
func (e Gaussian) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	if err := checkDraw("Gaussian", rng, n, dim); err != nil {
		return nil, err
	}
	mean, chol, err := e.known(dim)
	if err != nil {
		return nil, err
	}
	x := draws(n, dim, rng.NormFloat64)
	for _, row := range x {
		affine(row, mean, chol)
	}
	return x, nil
}

// withGradient is the energy e, [n], of x, [n, d], with the gradient given in closed form. The gradient must be
// built of x, so that it can be differentiated in turn.
func withGradient(e, x, gradient *Node) *Node {
	carrier := IdentityWithCustomGradient(x, func(_, v *Node) *Node { return Mul(v, gradient) })
	return Add(StopGradient(e), eventSum(Sub(carrier, StopGradient(x)))) // adds 0
}
