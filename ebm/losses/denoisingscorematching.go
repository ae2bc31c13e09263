package losses

import (
	"cmp"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
)

// DenoisingScoreMatching adds noise to the data and fits the slope of the energy to the way back: with x̃ = x + σz, z ~ N(0, I),
// and the score s = −∇E,
//
//	L = ½ mean ‖s(x̃) + z/σ‖² = ½ mean ‖∇E(x̃) − z/σ‖².
//
// Up to a constant it is the score-matching loss for the density of x̃, the data's blurred with noise of standard deviation σ; the
// energy learns that one. It takes one gradient of the energy and no second derivative in x, so that any activation will do.
//
// Choose it before [ScoreMatching] and [SlicedScoreMatching] wherever a little blur is no harm: it is the quickest, and has a minimum
// on any data. A σ too small for the gaps between data leaves the energy there to chance, for no x̃ falls there; where that
// matters, take many at once with [MultiscaleDenoising]. The loss does not go to 0: at its minimum it is ½ the mean variance of
// z/σ given x̃, of the order of d/2σ². (TorchEBM's default σ is 0.01.)
//
// x is [n, event...]; conditioning, if any, [n, ...]. It panics where Energy is nil or Sigma not a positive number. Numbers that are
// not finite, in the data or by the energy, make the loss NaN.
//
// P. Vincent, "A Connection Between Score Matching and Denoising Autoencoders", Neural Computation 23(7), 2011,
// doi:10.1162/NECO_a_00142.
type DenoisingScoreMatching struct {
	Energy ebm.Energy
	Sigma  float64 // σ, in the units of the data. Default 0.1, for standardised data
}

var _ ebm.Loss = DenoisingScoreMatching{}

// Loss builds the loss of a batch; see the type.
func (l DenoisingScoreMatching) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	checkBatch("DenoisingScoreMatching", l.Energy, x)
	l.Sigma = cmp.Or(l.Sigma, 0.1)
	if !(l.Sigma > 0) || math.IsInf(l.Sigma, 1) {
		exceptions.Panicf("DenoisingScoreMatching: Sigma must be positive and finite, got %g", l.Sigma)
	}
	return ebm.Terms{Loss: l.given(x, rng.Normal(x.Shape()), cond)}
}

// given is the loss for given normals z, of x's shape.
func (l DenoisingScoreMatching) given(x, z *Node, cond []*Node) *Node {
	energy, grad := ebm.ValueGrad(l.Energy, Add(x, MulScalar(z, l.Sigma)), cond...)
	miss := Sub(grad, DivScalar(z, l.Sigma))
	return whole(meanHalfSquare(Reshape(miss, x.Shape().Dimensions[0], -1)), energy)
}
