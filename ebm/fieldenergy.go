package ebm

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// A field trained to be the gradient of an energy (losses.EquilibriumMatching) becomes one in three ways; a fourth, SumEnergy, trains it as one. Each takes the
// field at time 0, so that it is the same at all times, and hands the conditioning on.

// DotEnergy is the energy of a field, read off its component along x:
//
//	E(x) = x·f(x, 0)
//
// Its gradient is f + Jᵀx with f's Jacobian J, so that a field that is to have a given gradient must be trained through
// the energy. Building panics where the field's shape is not x's.
//
// R. Wang, Y. Du, "Equilibrium Matching: generative modeling with implicit energy-based models", 2025, arXiv:2510.02300.
type DotEnergy struct{ Of Field }

// L2Energy is the energy of a field, read off its length:
//
//	E(x) = −½‖f(x, 0)‖²
//
// It is never positive, and where the field vanishes it is at its top, with gradient −Jᵀf: low is where the field is long.
// Train through the energy, as for [DotEnergy]. Reference: there.
type L2Energy struct{ Of Field }

// ImplicitEnergy is the energy whose gradient is a field, ∇E(x) = f(x, 0), where there is such an energy (it takes a
// symmetric Jacobian). Its value is not known, and is NaN at every point: a kernel that needs the gradient alone
// (GradientDescent, Nesterov, Langevin) runs on it, one that accepts or refuses by the value (HMC) never moves, with an
// acceptance of 0, and figures of the energy are NaN.
//
// The gradient is that of GoMLX's own differentiation, so that sums and multiples of it ([Sum], [Scaled]) have the right
// one too, and so have derivatives of higher order. Reference: at [DotEnergy].
type ImplicitEnergy struct{ Of Field }

// SumEnergy is the energy of a network that gives numbers of any shape, [n, ...], for each point: their sum,
//
//	E(x) = Σᵢ fᵢ(x, 0)
//
// The network is a field's, and need not give as many numbers as x has: with one number a patch, an nn.ConditionalTransformer2D of
// Channels 1 has a scalar head. Choose it where the energy, and not the field, is what is trained.
type SumEnergy struct{ Of Field }

var (
	_ Energy    = SumEnergy{}
	_ Validator = SumEnergy{}
	_ Energy    = DotEnergy{}
	_ Energy    = L2Energy{}
	_ Energy    = ImplicitEnergy{}
	_ Validator = DotEnergy{}
	_ Validator = L2Energy{}
	_ Validator = ImplicitEnergy{}
)

// Energy builds E(x), [n].
func (e DotEnergy) Energy(x *Node, cond ...*Node) *Node {
	check(e.Validate())
	return eventSum(Mul(x, FieldAt(e.Of, x, nil, cond...)))
}

// Energy builds E(x), [n].
func (e L2Energy) Energy(x *Node, cond ...*Node) *Node {
	check(e.Validate())
	return MulScalar(eventSum(Square(FieldAt(e.Of, x, nil, cond...))), -0.5)
}

// Energy builds E(x), [n].
func (e SumEnergy) Energy(x *Node, cond ...*Node) *Node {
	check(e.Validate())
	f := e.Of.Field(x, ZeroTime(x), cond...)
	if f == nil || f.Rank() == 0 || f.Shape().Dimensions[0] != x.Shape().Dimensions[0] {
		got := "nil"
		if f != nil {
			got = f.Shape().String()
		}
		exceptions.Panicf("SumEnergy: the field of x %s must have a row for each point, got %s", x.Shape(), got)
	}
	return eventSum(f)
}

// Energy builds NaN, [n], whose gradient in x is the field.
func (e ImplicitEnergy) Energy(x *Node, cond ...*Node) *Node {
	check(e.Validate())
	f := FieldAt(e.Of, x, nil, cond...)
	x = IdentityWithCustomGradient(x, func(_, v *Node) *Node { return Mul(v, f) })
	return AddScalar(eventSum(x), math.NaN())
}

// Validate tells whether there is a field.
func (e DotEnergy) Validate() error { return checkField("DotEnergy", e.Of) }

// Validate tells whether there is a field.
func (e L2Energy) Validate() error { return checkField("L2Energy", e.Of) }

// Validate tells whether there is a field.
func (e ImplicitEnergy) Validate() error { return checkField("ImplicitEnergy", e.Of) }

// Validate tells whether there is a field.
func (e SumEnergy) Validate() error { return checkField("SumEnergy", e.Of) }

func checkField(kind string, f Field) error {
	if f == nil {
		return errors.Errorf("%s: Of is nil", kind)
	}
	if v, ok := f.(Validator); ok {
		return errors.WithMessagef(v.Validate(), "%s: Of", kind)
	}
	return nil
}
