package ebm

import (
	"cmp"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"
)

// StudentT is a product of Student's t-distributions, one for each number, with ν degrees of freedom and scale s,
//
//	E(x) = ½(ν+1) Σᵢ log(1 + xᵢ²/(νs²)).
//
// x is [n, event...], of any event shape. Minimum: 0 at 0. Coordinates are independent; for each the normaliser is
// Z = s √(νπ) Γ(ν/2)/Γ((ν+1)/2), the mean 0 where ν > 1, the variance s²ν/(ν−2) where ν > 2.
//
// It shows what a sampler does in heavy tails, where the gradient vanishes: chains of one step size wander there as a random
// walk, and come back late. At ν = 1 it is Cauchy's distribution; as ν grows, N(0, s²).
//
// Student (W. S. Gosset), "The Probable Error of a Mean", Biometrika 6(1), 1908, doi:10.1093/biomet/6.1.1.
type StudentT struct {
	DF    float64 // ν, degrees of freedom, default 5
	Scale float64 // s, default 1
}

var (
	_ Energy       = StudentT{}
	_ Minimizer    = StudentT{}
	_ Normalizer   = StudentT{}
	_ Momenter     = StudentT{}
	_ ExactSampler = StudentT{}
	_ Validator    = StudentT{}
)

// Energy builds E(x), [n].
func (e StudentT) Energy(x *Node, _ ...*Node) *Node {
	check(e.Validate())
	events("StudentT", x)
	nu, s := e.parameters()
	return MulScalar(eventSum(Log1P(MulScalar(Square(x), 1/(nu*s*s)))), (nu+1)/2)
}

func (e StudentT) parameters() (nu, s float64) { return cmp.Or(e.DF, 5), cmp.Or(e.Scale, 1) }

// Validate tells whether both parameters are positive.
func (e StudentT) Validate() error {
	nu, s := e.parameters()
	if !(nu > 0) || math.IsInf(nu, 1) {
		return errors.Errorf("StudentT: DF must be positive, got %g", e.DF)
	}
	if !(s > 0) || math.IsInf(s, 1) {
		return errors.Errorf("StudentT: Scale must be positive, got %g", e.Scale)
	}
	return nil
}

func (e StudentT) known(dim int) error {
	if err := e.Validate(); err != nil {
		return err
	}
	return checkDim("StudentT", dim)
}

// Minima is 0.
func (e StudentT) Minima(dim int) ([][]float64, error) {
	if err := e.known(dim); err != nil {
		return nil, err
	}
	return [][]float64{make([]float64, dim)}, nil
}

// LogZ is d·log(s √(νπ) Γ(ν/2)/Γ((ν+1)/2)).
func (e StudentT) LogZ(dim int) (float64, error) {
	if err := e.known(dim); err != nil {
		return 0, err
	}
	nu, s := e.parameters()
	below, _ := math.Lgamma(nu / 2)
	above, _ := math.Lgamma((nu + 1) / 2)
	return float64(dim) * (math.Log(s) + math.Log(nu*math.Pi)/2 + below - above), nil
}

// Moments are mean 0 and s²ν/(ν−2) times the identity, for ν > 2.
func (e StudentT) Moments(dim int) (mean []float64, cov [][]float64, err error) {
	if err := e.known(dim); err != nil {
		return nil, nil, err
	}
	nu, s := e.parameters()
	if nu <= 2 {
		return nil, nil, errors.Errorf("StudentT: the variance is finite for DF > 2 only, got %g", nu)
	}
	return make([]float64, dim), diagonal(s*s*nu/(nu-2), dim), nil
}

// SampleExact draws each number by Bailey's polar method: for (u, v) uniform in the unit disc and w = u² + v²,
// s·u·√(ν(w^(−2/ν) − 1)/w).
//
// R. W. Bailey, "Polar generation of random variates with the t-distribution", Mathematics of Computation 62, 1994,
// doi:10.1090/S0025-5718-1994-1219702-8.
func (e StudentT) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	if err := checkDraw("StudentT", rng, n, dim); err != nil {
		return nil, err
	}
	if err := e.known(dim); err != nil {
		return nil, err
	}
	nu, s := e.parameters()
	return draws(n, dim, func() float64 {
		for {
			u, v := 2*rng.Float64()-1, 2*rng.Float64()-1
			if w := u*u + v*v; w > 0 && w < 1 {
				return s * u * math.Sqrt(nu*math.Expm1(-2/nu*math.Log(w))/w)
			}
		}
	}), nil
}
