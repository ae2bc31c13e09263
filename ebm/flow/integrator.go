package flow

import (
	"math"
	"slices"

	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Integrator makes one step of the ordinary differential equation x˙ = f(x, t), for many chains at once.
//
//   - f takes x, [n, event...], and t, [n], one time a chain, and gives the slopes, of x's shape; [Along] makes one of a field
//   - x is [n, event...]; t and dt are [n], of x's type; a negative dt goes back in time, a dt of 0 leaves its chain where it is
//   - next is x at t + dt, and errEst estimates its error, both of x's shape; errEst is nil without an embedded method
//
// Order is p where the error of many steps to a given time shrinks as dt^p. Step builds a graph: it panics on wrong shapes.
type Integrator interface {
	Step(f func(x, t *Node) *Node, x, t, dt *Node) (next, errEst *Node)
	Order() int
}

// Along makes of a field the function that an [Integrator] follows, with the given conditioning.
func Along(field ebm.Field, cond ...*Node) func(x, t *Node) *Node {
	return func(x, t *Node) *Node { return ebm.FieldAt(field, x, t, cond...) }
}

// Tableau is an explicit Runge–Kutta method, written as its Butcher tableau:
//
//	kᵢ = f(x + h Σⱼ aᵢⱼkⱼ, t + cᵢh),   x' = x + h Σᵢ bᵢkᵢ,   error ≈ h Σᵢ eᵢkᵢ.
//
// e = b − b̂, where b̂ are the weights of an embedded method of lower order on the same slopes. The cost of a step is that of one
// slope for each row of A. In a method whose last row of A is b (Bosh3, Dopri5, Tsit5) the last slope is the next step's first,
// and only the error needs it: a fixed step takes one slope less, and so does an [Adaptive] one.
//
// A method of one's own is a literal; building panics where its numbers do not fit together.
//
// J. C. Butcher, Numerical Methods for Ordinary Differential Equations, 2016, doi:10.1002/9781119121534.
type Tableau struct {
	A    [][]float64 // row i has i numbers: it tells what the i-th slope takes from those before it
	B, C []float64
	E    []float64 // b − b̂; nil without an embedded method
	P    int       // the order
}

var _ Integrator = Tableau{}

// Order is P.
func (m Tableau) Order() int { return m.P }

// Step makes one step for every chain.
func (m Tableau) Step(f func(x, t *Node) *Node, x, t, dt *Node) (next, errEst *Node) {
	next, errEst, _ = m.stages(f, x, t, dt, nil)
	return next, errEst
}

// stages is Step, given the first slope if it is not nil; last is the slope at the step's end where the tableau has it, else nil.
//
// Every slope is computed once, behind a barrier: XLA would else fuse slope into slope, and compile for hours.
func (m Tableau) stages(f func(x, t *Node) *Node, x, t, dt, first *Node) (next, errEst, last *Node) {
	m.check()
	h := AlongRows(dt, x)
	moved := func(weights []float64, k []*Node) *Node { // h Σ wᵢkᵢ
		sum := combine(weights, k)
		if sum == nil {
			return nil
		}
		return Mul(sum, h)
	}
	var k []*Node
	for i, row := range m.A {
		if i == 0 && first != nil {
			k = append(k, first)
			continue
		}
		at, when := x, t
		if move := moved(row, k); move != nil {
			at = Add(x, move)
		}
		if m.C[i] != 0 {
			when = Add(t, MulScalar(dt, m.C[i]))
		}
		k = append(k, OptimizationBarrier(slope("the field", f, at, when)))
	}
	next = OptimizationBarrier(Add(x, moved(m.B, k)))
	if m.E != nil {
		errEst = moved(m.E, k)
	}
	if m.firstSameAsLast() {
		last = k[len(k)-1]
	}
	return next, errEst, last
}

// combine is Σ wᵢkᵢ, with nothing built for weights of 0; nil where all are.
func combine(weights []float64, k []*Node) *Node {
	var sum *Node
	for i, w := range weights {
		if w == 0 {
			continue
		}
		term := k[i]
		if w != 1 {
			term = MulScalar(term, w)
		}
		if sum == nil {
			sum = term
		} else {
			sum = Add(sum, term)
		}
	}
	return sum
}

// firstSameAsLast is whether the last slope is the one at the step's end, with which the next step begins.
func (m Tableau) firstSameAsLast() bool {
	s := len(m.A)
	return s > 1 && m.C[s-1] == 1 && m.B[s-1] == 0 && slices.Equal(m.A[s-1], m.B[:s-1])
}

func (m Tableau) check() {
	s := len(m.A)
	if s == 0 || len(m.B) != s || len(m.C) != s || m.E != nil && len(m.E) != s || m.P < 1 {
		exceptions.Panicf("Tableau: want as many numbers in B, C and E (if any) as rows in A, at least 1, and P ≥ 1; got %d, %d, %d, %d and %d", len(m.B), len(m.C), len(m.E), s, m.P)
	}
	for i, row := range m.A {
		if len(row) != i {
			exceptions.Panicf("Tableau: row %d of A must have %d numbers, one for each slope before it, got %d", i, i, len(row))
		}
		if got := total(row); !(math.Abs(got-m.C[i]) <= 1e-12*(1+spread(row))) {
			exceptions.Panicf("Tableau: row %d of A must add up to C[%d] = %g, got %g", i, i, m.C[i], got)
		}
	}
	if got := total(m.B); !(math.Abs(got-1) <= 1e-12*(1+spread(m.B))) {
		exceptions.Panicf("Tableau: B must add up to 1, got %g", got)
	}
}

func total(v []float64) (sum float64) {
	for _, w := range v {
		sum += w
	}
	return sum
}

// spread is the sum of sizes, of which the rounding error of the sum is a part.
func spread(v []float64) (sum float64) {
	for _, w := range v {
		sum += math.Abs(w)
	}
	return sum
}

// slope is f(x, t), checked; what names f in the message.
func slope(what string, f func(x, t *Node) *Node, x, t *Node) *Node {
	v := f(x, t)
	if v == nil || !v.Shape().Equal(x.Shape()) {
		got := "nil"
		if v != nil {
			got = v.Shape().String()
		}
		exceptions.Panicf("flow: %s at x %s must have x's shape, got %s", what, x.Shape(), got)
	}
	return v
}
