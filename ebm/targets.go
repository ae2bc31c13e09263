package ebm

import (
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// What is known of an energy in closed form, for tests, for the distance of samples to the truth, and for
// pictures. An energy implements those that hold for it. dim is the size of one event; an energy that knows
// nothing about that dim returns an error.
type (
	// Minimizer knows the global minima of its energy, one point each.
	Minimizer interface {
		Minima(dim int) ([][]float64, error)
	}
	// Normalizer knows log Z = log ∫ exp(−E(x)) dx, so that log p(x) = −E(x) − log Z.
	Normalizer interface {
		LogZ(dim int) (float64, error)
	}
	// Momenter knows the mean, [dim], and the covariance, [dim][dim], of p(x) ∝ exp(−E(x)).
	Momenter interface {
		Moments(dim int) (mean []float64, cov [][]float64, err error)
	}
	// ExactSampler draws n independent samples of p(x) ∝ exp(−E(x)), by no Markov chain.
	ExactSampler interface {
		SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error)
	}
	// Validator is an energy whose parameters can be wrong. Validate names the parameter and its value;
	// building the energy panics with the same error.
	Validator interface {
		Validate() error
	}
)

// Validate returns what is wrong with the parameters of e, if it is an energy that can tell.
func Validate(e Energy) error {
	if e == nil {
		return errors.New("Energy: is nil")
	}
	if v, ok := e.(Validator); ok {
		return v.Validate()
	}
	return nil
}

// check panics with a validation error while a graph is built.
func check(err error) {
	if err != nil {
		exceptions.Panicf("%v", err)
	}
}

// eventSum adds up all but the first axis: [n, event...] to [n].
func eventSum(x *Node) *Node {
	if x.Rank() == 1 {
		return x
	}
	axes := make([]int, x.Rank()-1)
	for i := range axes {
		axes[i] = i + 1
	}
	return ReduceSum(x, axes...)
}

// events checks that x is [n, event...] of floating-point numbers, and returns the size d of an event.
func events(name string, x *Node) (d int) {
	if x.Rank() == 0 || !x.DType().IsFloat() {
		exceptions.Panicf("%s: x must be [n, event...] of floating-point numbers, got %s", name, x.Shape())
	}
	d = 1
	for _, size := range x.Shape().Dimensions[1:] {
		d *= size
	}
	return d
}

// flat is x as [n, d], the event's numbers in row-major order.
func flat(name string, x *Node) *Node {
	d := events(name, x)
	if x.Rank() == 2 {
		return x
	}
	return Reshape(x, x.Shape().Dimensions[0], d)
}

// checkDim refuses events without numbers; checkDraw also a negative number of draws.
func checkDim(name string, dim int) error {
	if dim < 1 {
		return errors.Errorf("%s: dim must be at least 1, got %d", name, dim)
	}
	return nil
}

func checkDraw(name string, rng *rand.Rand, n, dim int) error {
	if rng == nil {
		return errors.Errorf("%s: rng is nil", name)
	}
	if n < 0 {
		return errors.Errorf("%s: n must not be negative, got %d", name, n)
	}
	return checkDim(name, dim)
}

// repeated is a vector of one value.
func repeated(value float64, dim int) []float64 {
	v := make([]float64, dim)
	for i := range v {
		v[i] = value
	}
	return v
}

// diagonal is value·I.
func diagonal(value float64, dim int) [][]float64 {
	m := make([][]float64, dim)
	for i := range m {
		m[i] = make([]float64, dim)
		m[i][i] = value
	}
	return m
}

// draws is n points of independent numbers, each from draw.
func draws(n, dim int, draw func() float64) [][]float64 {
	x := make([][]float64, n)
	for i := range x {
		x[i] = make([]float64, dim)
		for j := range x[i] {
			x[i][j] = draw()
		}
	}
	return x
}

// coordinate is the density ∝ exp(−e(x)) of one coordinate of an energy that is a sum over coordinates: log Z,
// mean and variance, by the trapezoidal rule, which for smooth integrands that vanish at both ends converges
// faster than any power of the spacing. e must be above its minimum by 40 or more outside [lo, hi].
func coordinate(e func(x float64) float64, lo, hi float64) (logZ, mean, variance float64) {
	const cells = 1 << 14
	h := (hi - lo) / cells
	lowest := math.Inf(1)
	for i := range cells + 1 {
		lowest = min(lowest, e(lo+h*float64(i)))
	}
	var z, first, second float64
	for i := range cells + 1 {
		x := lo + h*float64(i)
		w := math.Exp(lowest - e(x))
		z, first = z+w, first+w*x
	}
	mean = first / z
	for i := range cells + 1 {
		x := lo + h*float64(i)
		second += math.Exp(lowest-e(x)) * (x - mean) * (x - mean)
	}
	return math.Log(z*h) - lowest, mean, second / z
}
