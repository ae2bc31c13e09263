package ebm

import (
	"cmp"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// Interaction is an energy of points that repel, or attract, each other: over all n points that are evaluated together,
//
//	E_i = E₀(x_i) − (s/2w²)·Σ_j ‖x_i − x_j‖²,
//
// so that Σ_i E_i is that of E₀ with −(s/w²)·‖x_i − x_j‖² for each pair. It takes O(n·d), for Σ_j ‖x_i − x_j‖² = n‖x_i − x̄‖² + Σ_j ‖x_j − x̄‖²,
// and pushes a point from the centre of all, by (2sn/w²)·(x_i − x̄).
//
// Choose it for samples that differ from each other, with Langevin on an energy that holds them: E₀ must rise faster than (sn/w²)·‖x‖² far out,
// or they fly apart. The push grows with n; divide s by it for one that does not. x is [n, event...], and a chain no longer has an energy of
// its own: kernels that accept or reject one by one are wrong on it.
//
// M. Balcerak et al., "Energy Matching", 2025, arXiv:2504.10612.
type Interaction struct {
	Of       Energy  // E₀
	Strength float64 // s; negative: attraction. Default 1
	Width    float64 // w, default 1
}

var (
	_ Energy    = Interaction{}
	_ Validator = Interaction{}
)

// Coupled says that the points push each other.
func (e Interaction) Coupled() string { return "the points push each other" }

// Energy builds E, [n].
func (e Interaction) Energy(x *Node, cond ...*Node) *Node {
	check(e.Validate())
	if x.Rank() == 0 {
		exceptions.Panicf("Interaction: x must be [n, event...], got %s", x.Shape())
	}
	n := x.Shape().Dimensions[0]
	square := eventSum(Square(Sub(x, ReduceAndKeep(x, ReduceMean, 0)))) // ‖x_i − x̄‖², [n]
	sums := Add(MulScalar(square, float64(n)), ReduceAllSum(square))
	w := cmp.Or(e.Width, 1)
	return Sub(e.Of.Energy(x, cond...), MulScalar(sums, cmp.Or(e.Strength, 1)/(2*w*w)))
}

// Validate tells whether the energy is valid, the strength finite and the width positive.
func (e Interaction) Validate() error {
	switch {
	case math.IsNaN(e.Strength) || math.IsInf(e.Strength, 0):
		return errors.Errorf("Interaction: Strength must be finite, got %g", e.Strength)
	case !(e.Width >= 0) || math.IsInf(e.Width, 1):
		return errors.Errorf("Interaction: Width must be positive and finite, got %g", e.Width)
	}
	return errors.WithMessage(Validate(e.Of), "Interaction: Of")
}
