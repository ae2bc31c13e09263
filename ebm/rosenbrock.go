package ebm

import (
	"cmp"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// Rosenbrock is the curved valley
//
//	E(x) = Σ_{i<d} [b (xᵢ₊₁ − xᵢ²)² + (a − xᵢ)²].
//
// x is [n, event...] with d ≥ 2 numbers an event, taken in row-major order.
// Minimum for d = 2: 0 at (a, a²); for d > 2, where a is 1: 0 at (1, …, 1).
//
// In two dimensions the density is known: x₁ ~ N(a, ½) and x₂ | x₁ ~ N(x₁², 1/(2b)), so that
// log Z = log(π/√b), the mean is (a, a²+½), Var x₁ = ½, Cov(x₁, x₂) = a and Var x₂ = 2a² + ½ + 1/(2b).
//
// It shows what a sampler does where no single step size suits all directions.
//
// H. H. Rosenbrock, "An automatic method for finding the greatest or least value of a function", The Computer Journal
// 3(3), 1960, doi:10.1093/comjnl/3.3.175. As a target: F. Pagani, M. Wiegand, S. Nadarajah, "An n-dimensional
// Rosenbrock distribution for MCMC testing", 2019, arXiv:1903.09556.
type Rosenbrock struct {
	A float64 // a, default 1
	B float64 // b, default 100
}

var (
	_ Energy       = Rosenbrock{}
	_ Minimizer    = Rosenbrock{}
	_ Normalizer   = Rosenbrock{}
	_ Momenter     = Rosenbrock{}
	_ ExactSampler = Rosenbrock{}
)

func (e Rosenbrock) parameters() (a, b float64) { return cmp.Or(e.A, 1), cmp.Or(e.B, 100) }

// Energy builds E(x), [n].
func (e Rosenbrock) Energy(x *Node, _ ...*Node) *Node {
	if d := events("Rosenbrock", x); d < 2 {
		exceptions.Panicf("Rosenbrock: events must have at least 2 numbers, got x %s", x.Shape())
	}
	a, b := e.parameters()
	x = flat("Rosenbrock", x)
	d := x.Shape().Dimensions[1]
	if d == 2 {
		x1, x2 := plane("Rosenbrock", x)
		return Add(MulScalar(Square(Sub(x2, Square(x1))), b), Square(AddScalar(x1, -a)))
	}
	shift, all := make([][]float64, d), repeated(1, d) // x·shift is (x₂, …, x_d, 0)
	for i := range shift {
		shift[i] = make([]float64, d)
		if i > 0 {
			shift[i][i-1] = 1
		}
	}
	all[d-1] = 0 // x_d has no successor
	valley := Square(Sub(MatMul(x, ConstAs(x, shift)), Square(x)))
	along := Square(AddScalar(x, -a))
	return ReduceSum(Mul(Add(MulScalar(valley, b), along), ConstAs(x, [][]float64{all})), 1)
}

// Minima is (a, a²) for d = 2, and (1, …, 1) for more, where a is 1.
func (e Rosenbrock) Minima(dim int) ([][]float64, error) {
	a, b := e.parameters()
	if !(b > 0) {
		return nil, errors.Errorf("Rosenbrock: B must be positive, got %g", e.B)
	}
	if dim == 2 {
		return [][]float64{{a, a * a}}, nil
	}
	if dim < 2 || a != 1 {
		return nil, errors.Errorf("Rosenbrock: the minimum is known for dim = 2, and for dim > 2 where A is 1, got dim %d and A %g", dim, a)
	}
	return [][]float64{repeated(1, dim)}, nil
}

// LogZ is log(π/√b), for d = 2.
func (e Rosenbrock) LogZ(dim int) (float64, error) {
	_, b := e.parameters()
	return math.Log(math.Pi) - math.Log(b)/2, e.known(dim)
}

// Moments are those given above, for d = 2.
func (e Rosenbrock) Moments(dim int) (mean []float64, cov [][]float64, err error) {
	if err := e.known(dim); err != nil {
		return nil, nil, err
	}
	a, b := e.parameters()
	return []float64{a, a*a + 0.5}, [][]float64{{0.5, a}, {a, 2*a*a + 0.5 + 1/(2*b)}}, nil
}

// SampleExact draws x₁, then x₂ given x₁, for d = 2.
func (e Rosenbrock) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	if err := checkDraw("Rosenbrock", rng, n, dim); err != nil {
		return nil, err
	}
	if err := e.known(dim); err != nil {
		return nil, err
	}
	a, b := e.parameters()
	x := make([][]float64, n)
	for i := range x {
		x1 := a + math.Sqrt(0.5)*rng.NormFloat64()
		x[i] = []float64{x1, x1*x1 + rng.NormFloat64()/math.Sqrt(2*b)}
	}
	return x, nil
}

// known refuses what has no closed form, or no density.
func (e Rosenbrock) known(dim int) error {
	if _, b := e.parameters(); !(b > 0) {
		return errors.Errorf("Rosenbrock: B must be positive, got %g", e.B)
	}
	if dim != 2 {
		return errors.Errorf("Rosenbrock: the density is known for dim = 2 only, got %d", dim)
	}
	return nil
}
