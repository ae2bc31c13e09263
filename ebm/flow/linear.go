package flow

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Linear is the straight path at constant speed,
//
//	α = t,    σ = 1 − t,    u_t = x₁ − x₀.
//
// Choose it unless there is a reason not to: of all paths between two given points it is the shortest, and its fields have
// nothing to learn of a schedule. On the way the variance dips: of standard normals on both sides it is t² + (1−t)², ½ in the middle.
//
// X. Liu, C. Gong, Q. Liu, "Flow straight and fast", 2022, arXiv:2209.03003; Y. Lipman et al., "Flow matching for generative
// modeling", 2022, arXiv:2210.02747.
type Linear struct{}

var _ Interpolant = Linear{}

// At gives the coefficients at times t.
func (Linear) At(t *Node) Coeffs {
	one := OnesLike(t)
	return Coeffs{Alpha: t, DAlpha: one, Sigma: OneMinus(t), DSigma: Neg(one)}
}
