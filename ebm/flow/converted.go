package flow

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Converted is a field that tells another quantity of a path than the field it is made of, by [Coeffs.Convert]: the velocity of a
// model of the noise, the score of a model of the velocity, …
//
//	velocity := flow.Converted{Of: net, Path: flow.VariancePreserving{}, From: flow.Noise} // To is flow.Velocity
//
// x is [n, event...], and t, [n], the path's own time. At ends where the quantity wanted does not follow from the other the result is
// not finite: see there. Building panics where Of is nil.
type Converted struct {
	Of   ebm.Field
	Path Interpolant // default Linear
	From Quantity    // what Of tells
	To   Quantity    // what is wanted
}

var _ ebm.Field = Converted{}

// Field builds the quantity wanted at x and t.
func (c Converted) Field(x, t *Node, cond ...*Node) *Node {
	if c.Of == nil {
		exceptions.Panicf("Converted: Of is nil")
	}
	f := ebm.FieldAt(c.Of, x, t, cond...)
	if c.From == c.To {
		return f
	}
	if c.Path == nil {
		c.Path = Linear{}
	}
	return c.Path.At(t).Convert(f, x, c.From, c.To)
}
