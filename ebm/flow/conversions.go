package flow

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Quantity is what a field tells of a point x = x_t on a path: given any one of the four and x, the others are known
// (see [Coeffs.Convert]).
type Quantity int

const (
	Velocity Quantity = iota // v = E[u_t | x], along which the path's densities flow
	Score                    // s = ∇ log p_t(x)
	Noise                    // ε = E[x₀ | x], where x₀ ~ N(0, I)
	Data                     // D = E[x₁ | x], the denoised point
)

// String is the quantity's name.
func (q Quantity) String() string {
	if q < Velocity || q > Data {
		return "unknown quantity"
	}
	return [...]string{"velocity", "score", "noise", "data"}[q]
}

// Convert makes of one quantity at points x, [n, event...], another. All follow from two equations, that of the path and that of
// its velocity, and from the score of noise x₀ ~ N(0, I) that is independent of the data:
//
//	x = α·D + σ·ε,    v = α̇·D + σ̇·ε,    s = −ε/σ.
//
// Nothing is clamped: where the result is not determined by what is given, it is not finite.
//
//   - From velocities to noise and data the determinant ασ̇ − α̇σ divides, which is −1 on [Linear], −π/2 on [Cosine], and not 0 on
//     any path here.
//   - From noise and scores to data and velocities α divides: there is no result at t = 0 of [Linear] and [Cosine].
//   - From data to noise and velocities, and to scores from anything but scores, σ divides: there is no result at t = 1 of
//     [Linear], [Cosine] and [VariancePreserving].
//
// Near such an end rounding grows as the divisor falls. The score holds for a coupling in which the noise is independent of the
// data, [Independent]; under another, noise, data and velocities convert as before, and −ε/σ is no score.
func (c Coeffs) Convert(f, x *Node, from, to Quantity) *Node {
	if !f.Shape().Equal(x.Shape()) {
		exceptions.Panicf("Coeffs.Convert: the %s and x must have the same shape, got %s and %s", from, f.Shape(), x.Shape())
	}
	for _, q := range []Quantity{from, to} {
		if q < Velocity || q > Data {
			exceptions.Panicf("Coeffs.Convert: from and to must be Velocity, Score, Noise or Data, got %d", int(q))
		}
	}
	if from == to {
		return f
	}
	wide := func(v *Node) *Node { return AlongRows(v, x) }
	noiseOf := func(score *Node) *Node { return Neg(Mul(wide(c.Sigma), score)) }
	dataOf := func(noise *Node) *Node { return Div(Sub(x, Mul(wide(c.Sigma), noise)), wide(c.Alpha)) }
	if from == Score {
		f, from = noiseOf(f), Noise
	}
	// What is left is velocity, noise or data. The noise first, if it is needed: to is not from.
	noise, data := f, f
	switch from {
	case Velocity:
		det := wide(c.determinant())
		noise = Div(Sub(Mul(wide(c.Alpha), f), Mul(wide(c.DAlpha), x)), det)
		data = Div(Sub(Mul(wide(c.DSigma), x), Mul(wide(c.Sigma), f)), det)
	case Noise:
		data = dataOf(noise)
	case Data:
		noise = Div(Sub(x, Mul(wide(c.Alpha), data)), wide(c.Sigma))
	}
	switch to {
	case Velocity:
		return c.Velocity(noise, data)
	case Score:
		return Neg(Div(noise, wide(c.Sigma)))
	case Noise:
		return noise
	}
	return data
}

// determinant is ασ̇ − α̇σ.
func (c Coeffs) determinant() *Node { return Sub(Mul(c.Alpha, c.DSigma), Mul(c.DAlpha, c.Sigma)) }

// Rate is α̇/α and Diffusivity is V = −σ(ασ̇ − α̇σ)/α, [n]. They are the path as a diffusion: in terms of its score
//
//	v = (α̇/α)·x + V·s,
//
// and noising, from data to noise in s = 1 − t, is dx = −(α̇/α)·x ds + √(2V) dW. Both are infinite where α = 0, at t = 0 of [Linear] and
// [Cosine]; V is 0 where σ is. On [VariancePreserving] V is ½β, which is nowhere 0, but for t = 1 itself, where σ̇ is bounded and V comes out 0.
func (c Coeffs) Rate() *Node { return Div(c.DAlpha, c.Alpha) }

// Diffusivity is V; see Rate.
func (c Coeffs) Diffusivity() *Node { return Neg(Div(Mul(c.Sigma, c.determinant()), c.Alpha)) }
