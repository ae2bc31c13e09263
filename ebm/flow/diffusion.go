package flow

import (
	"cmp"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Diffusion is how much noise sampling adds on the way from noise to data, D(t) ≥ 0 in
//
//	dx = (v + D·s) dt + √(2D) dW,
//
// with the velocity v and the score s of the path. Whatever D is, x has the path's density at every time; D = 0 is the flow
// dx = v dt. At gives it at times t, [n], of a path with these coefficients there.
//
// A large D forgets errors made before, and needs small steps: they must resolve D·s, and s grows as 1/σ² towards the data where
// those are sharp. So D should go to 0 there, as σ or faster.
//
// N. Ma et al., "SiT: exploring flow and diffusion-based generative models with scalable interpolant transformers", 2024,
// arXiv:2401.08740, compares forms of D.
type Diffusion interface {
	At(t *Node, path Coeffs) *Node
}

// PathDiffusion is D = Scale·V(t), with V of [Coeffs.Diffusivity]: with Scale 1 sampling is the noising diffusion of the path, reversed in
// time. V is infinite at t = 0 of [Linear] and [Cosine], so that sampling has to begin later.
type PathDiffusion struct {
	Scale float64 // default 1
}

// SigmaDiffusion is D = Scale·σ(t): finite everywhere, and 0 at the data.
type SigmaDiffusion struct {
	Scale float64 // default 1
}

// RatioDiffusion is D = Scale·V(t)/σ(t). On [Linear] this is 1/t, which is not 0 at the data: choose it for comparison.
type RatioDiffusion struct {
	Scale float64 // default 1
}

// FadingDiffusion is D = Scale·(1−t)^Power.
type FadingDiffusion struct {
	Scale float64 // default 1
	Power float64 // default 1
}

// BumpDiffusion is D = 4·Scale·t(1−t), 0 at both ends and Scale in the middle.
type BumpDiffusion struct {
	Scale float64 // default 1
}

// ConstantDiffusion is D = Scale at all times, also at the data.
type ConstantDiffusion struct {
	Scale float64 // default 1
}

// DiffusionFunc makes a diffusion of a function.
type DiffusionFunc func(t *Node, path Coeffs) *Node

var (
	_ Diffusion = PathDiffusion{}
	_ Diffusion = SigmaDiffusion{}
	_ Diffusion = RatioDiffusion{}
	_ Diffusion = FadingDiffusion{}
	_ Diffusion = BumpDiffusion{}
	_ Diffusion = ConstantDiffusion{}
	_ Diffusion = DiffusionFunc(nil)
)

// At gives D(t).
func (d PathDiffusion) At(_ *Node, path Coeffs) *Node {
	return MulScalar(path.Diffusivity(), strength("PathDiffusion", d.Scale))
}

// At gives D(t).
func (d SigmaDiffusion) At(_ *Node, path Coeffs) *Node {
	return MulScalar(path.Sigma, strength("SigmaDiffusion", d.Scale))
}

// At gives D(t).
func (d RatioDiffusion) At(_ *Node, path Coeffs) *Node {
	return MulScalar(Neg(Div(path.determinant(), path.Alpha)), strength("RatioDiffusion", d.Scale)) // V/σ without its 0/0
}

// At gives D(t).
func (d FadingDiffusion) At(t *Node, _ Coeffs) *Node {
	power := cmp.Or(d.Power, 1)
	if !(power > 0) || math.IsInf(power, 1) {
		exceptions.Panicf("FadingDiffusion: Power must be positive and finite, got %g", power)
	}
	rest := OneMinus(t)
	switch power {
	case 1:
	case 2:
		rest = Square(rest)
	default:
		rest = Pow(rest, Scalar(t.Graph(), t.DType(), power))
	}
	return MulScalar(rest, strength("FadingDiffusion", d.Scale))
}

// At gives D(t).
func (d BumpDiffusion) At(t *Node, _ Coeffs) *Node {
	return MulScalar(Mul(t, OneMinus(t)), 4*strength("BumpDiffusion", d.Scale))
}

// At gives D(t).
func (d ConstantDiffusion) At(t *Node, _ Coeffs) *Node {
	return MulScalar(OnesLike(t), strength("ConstantDiffusion", d.Scale))
}

// At calls d.
func (d DiffusionFunc) At(t *Node, path Coeffs) *Node { return d(t, path) }

// strength is a scale of a diffusion, checked.
func strength(kind string, v float64) float64 {
	v = cmp.Or(v, 1)
	if !(v > 0) || math.IsInf(v, 1) {
		exceptions.Panicf("%s: Scale must be positive and finite, got %g", kind, v)
	}
	return v
}
