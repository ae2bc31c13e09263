package ebm

import (
	"cmp"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// Sum is the sum of energies, whose density is the product of theirs,
//
//	E(x) = Σᵢ Eᵢ(x),    p(x) ∝ Πᵢ pᵢ(x).
//
// Every one gets the same x and the same conditioning. With [Scaled] terms it is a weighted sum.
//
// Y. Du, S. Li, I. Mordatch, "Compositional Visual Generation with Energy Based Models", 2020, arXiv:2004.06030.
type Sum []Energy

var (
	_ Energy    = Sum{}
	_ Validator = Sum{}
)

// Energy builds E(x), [n].
func (e Sum) Energy(x *Node, cond ...*Node) *Node {
	check(e.Validate())
	total := e[0].Energy(x, cond...)
	for _, term := range e[1:] {
		total = Add(total, term.Energy(x, cond...))
	}
	return total
}

// Validate tells whether there are terms, and each is valid.
func (e Sum) Validate() error {
	if len(e) == 0 {
		return errors.New("Sum: must have at least one term, got none")
	}
	for i, term := range e {
		if err := Validate(term); err != nil {
			return errors.WithMessagef(err, "Sum: term %d", i)
		}
	}
	return nil
}

// Scaled is an energy times a number,
//
//	E(x) = β·E₀(x),    p(x) ∝ p₀(x)^β.
//
// β = 1/T is the density at temperature T: flatter where T > 1, more peaked where T < 1. A negative β turns the landscape
// over, as in the difference of two energies.
type Scaled struct {
	Of Energy  // E₀
	By float64 // β, default 1
}

var (
	_ Energy    = Scaled{}
	_ Validator = Scaled{}
)

// Energy builds E(x), [n].
func (e Scaled) Energy(x *Node, cond ...*Node) *Node {
	check(e.Validate())
	return MulScalar(e.Of.Energy(x, cond...), cmp.Or(e.By, 1))
}

// Validate tells whether the energy is valid and the factor finite.
func (e Scaled) Validate() error {
	if math.IsNaN(e.By) || math.IsInf(e.By, 0) {
		return errors.Errorf("Scaled: By must be finite, got %g", e.By)
	}
	return errors.WithMessage(Validate(e.Of), "Scaled: Of")
}

// InBox restricts an energy to a box,
//
//	E(x) = E₀(x) where Lo ≤ x ≤ Hi, else +∞.
//
// Where Wall is positive, the outside is not forbidden but uphill, E(x) = E₀(y) + ½·Wall·‖x − y‖², with y the point of the
// box nearest to x. Either way E₀ is asked for points of the box only, so that it need not be defined outside.
//
// A move outside is refused by samplers that accept or reject (HMC). Those that do not (Langevin, the optimisers) see a
// gradient of 0 outside a hard box, and need a wall, or their own clamp, to come back.
type InBox struct {
	Of   Energy    // E₀
	Lo   []float64 // one bound for all coordinates, or one each, [d]; default −∞
	Hi   []float64 // likewise; default +∞
	Wall float64   // stiffness of the wall, default 0, which is a hard one
}

var (
	_ Energy    = InBox{}
	_ Validator = InBox{}
)

// Energy builds E(x), [n].
func (e InBox) Energy(x *Node, cond ...*Node) *Node {
	check(e.Validate())
	inside := x
	if e.Lo != nil {
		lo := e.bound("Lo", e.Lo, x)
		inside = Where(LessThan(inside, lo), lo, inside)
	}
	if e.Hi != nil {
		hi := e.bound("Hi", e.Hi, x)
		inside = Where(GreaterThan(inside, hi), hi, inside)
	}
	value := e.Of.Energy(inside, cond...)
	beyond := eventSum(Square(Sub(x, inside))) // 0 inside, without rounding
	if e.Wall > 0 {
		return Add(value, MulScalar(beyond, e.Wall/2))
	}
	forbidden := Scalar(x.Graph(), x.DType(), math.Inf(1))
	return Where(GreaterThan(beyond, ScalarZero(x.Graph(), x.DType())), forbidden, value)
}

// bound is a bound as a node of x's shape.
func (e InBox) bound(name string, values []float64, x *Node) *Node {
	d := events("InBox", x)
	if len(values) == 1 {
		return BroadcastToShape(Scalar(x.Graph(), x.DType(), values[0]), x.Shape())
	}
	if len(values) != d {
		exceptions.Panicf("InBox: %s must have 1 or %d numbers, got %d", name, d, len(values))
	}
	event := append([]int{1}, x.Shape().Dimensions[1:]...)
	return BroadcastToShape(Reshape(ConstAs(x, values), event...), x.Shape())
}

// Validate tells whether the energy is valid and the bounds are in order.
func (e InBox) Validate() error {
	if !(e.Wall >= 0) || math.IsInf(e.Wall, 1) {
		return errors.Errorf("InBox: Wall must not be negative, got %g", e.Wall)
	}
	for name, values := range map[string][]float64{"Lo": e.Lo, "Hi": e.Hi} {
		for i, v := range values {
			if math.IsNaN(v) {
				return errors.Errorf("InBox: %s[%d] must be a number, got %g", name, i, v)
			}
		}
		if values != nil && len(values) == 0 {
			return errors.Errorf("InBox: %s must have a bound, got none", name)
		}
	}
	for i := range max(len(e.Lo), len(e.Hi)) {
		if len(e.Lo) == 0 || len(e.Hi) == 0 {
			break
		}
		lo, hi := e.Lo[min(i, len(e.Lo)-1)], e.Hi[min(i, len(e.Hi)-1)]
		if !(lo < hi) {
			return errors.Errorf("InBox: Lo must be less than Hi, got [%g, %g] in coordinate %d", lo, hi, i)
		}
	}
	return errors.WithMessage(Validate(e.Of), "InBox: Of")
}
