package ebm

import (
	"cmp"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// Funnel is Neal's funnel: x₁ ~ N(0, σ²), and, given x₁, all the other numbers are N(0, exp(x₁)),
//
//	E(x) = x₁²/(2σ²) + ½ Σ_{i≥2} xᵢ² exp(−x₁) + ½(d−1) x₁.
//
// x is [n, event...] with d ≥ 2 numbers an event, in row-major order, of which x₁ is the first.
// log Z = ½ d log 2π + log σ. The mean is 0, coordinates are not correlated, Var x₁ = σ² and Var xᵢ = exp(½σ²).
// Minimum: −⅛(d−1)²σ² at (−½(d−1)σ², 0, …, 0), deep in the neck, where few of the samples are.
//
// It shows what a sampler does where the scale changes from place to place: with σ = 3, three standard deviations down the
// neck is 90 times narrower than the middle, and as far up the mouth is 90 times wider. A sampler of one step size hardly
// enters the neck, and its samples of the rest don't tell.
//
// R. M. Neal, "Slice sampling", The Annals of Statistics 31(3), 2003, doi:10.1214/aos/1056562461, §8.
type Funnel struct {
	Scale float64 // σ, the standard deviation of x₁, default 3
}

var (
	_ Energy       = Funnel{}
	_ Minimizer    = Funnel{}
	_ Normalizer   = Funnel{}
	_ Momenter     = Funnel{}
	_ ExactSampler = Funnel{}
	_ Validator    = Funnel{}
)

// Energy builds E(x), [n].
func (e Funnel) Energy(x *Node, _ ...*Node) *Node {
	check(e.Validate())
	d := events("Funnel", x)
	if d < 2 {
		exceptions.Panicf("Funnel: events must have at least 2 numbers, got x %s", x.Shape())
	}
	head, tail := make([]float64, d), repeated(1, d)
	head[0], tail[0] = 1, 0
	x = flat("Funnel", x)
	first := ReduceSum(Mul(x, ConstAs(x, [][]float64{head})), 1) // masks, for the reason that plane gives
	others := ReduceSum(Mul(Square(x), ConstAs(x, [][]float64{tail})), 1)
	sigma := e.scale()
	own := Add(MulScalar(Square(first), 1/(2*sigma*sigma)), MulScalar(first, float64(d-1)/2))
	return Add(own, MulScalar(Mul(others, Exp(Neg(first))), 0.5))
}

func (e Funnel) scale() float64 { return cmp.Or(e.Scale, 3) }

// Validate tells whether the scale is positive.
func (e Funnel) Validate() error {
	if !(e.scale() > 0) || math.IsInf(e.Scale, 1) {
		return errors.Errorf("Funnel: Scale must be positive, got %g", e.Scale)
	}
	return nil
}

// known refuses events too small and scales that are wrong.
func (e Funnel) known(dim int) error {
	if err := e.Validate(); err != nil {
		return err
	}
	if dim < 2 {
		return errors.Errorf("Funnel: dim must be at least 2, got %d", dim)
	}
	return nil
}

// Minima is (−½(d−1)σ², 0, …, 0).
func (e Funnel) Minima(dim int) ([][]float64, error) {
	if err := e.known(dim); err != nil {
		return nil, err
	}
	point := make([]float64, dim)
	point[0] = -float64(dim-1) / 2 * e.scale() * e.scale()
	return [][]float64{point}, nil
}

// LogZ is ½ d log 2π + log σ.
func (e Funnel) LogZ(dim int) (float64, error) {
	if err := e.known(dim); err != nil {
		return 0, err
	}
	return float64(dim)/2*math.Log(2*math.Pi) + math.Log(e.scale()), nil
}

// Moments are those given above.
func (e Funnel) Moments(dim int) (mean []float64, cov [][]float64, err error) {
	if err := e.known(dim); err != nil {
		return nil, nil, err
	}
	variance := e.scale() * e.scale()
	cov = diagonal(math.Exp(variance/2), dim)
	cov[0][0] = variance
	return make([]float64, dim), cov, nil
}

// SampleExact draws x₁, then the others given x₁.
func (e Funnel) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	if err := checkDraw("Funnel", rng, n, dim); err != nil {
		return nil, err
	}
	if err := e.known(dim); err != nil {
		return nil, err
	}
	x := draws(n, dim, rng.NormFloat64)
	for _, row := range x {
		row[0] *= e.scale()
		width := math.Exp(row[0] / 2)
		for i := 1; i < dim; i++ {
			row[i] *= width
		}
	}
	return x, nil
}
