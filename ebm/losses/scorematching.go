package losses

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/passes"
)

// ScoreMatching fits the slope of the energy to that of the data's log-density, so that no chain is run and Z is never needed:
// with the score s = −∇E,
//
//	L = mean [½‖s(x)‖² + tr ∇s(x)],
//
// which, up to a constant of the data, is half the mean squared distance of s from the score of the data's density. For E = ½x'Ax on
// data of covariance Σ it is ½ tr A²Σ − tr A, least at A = Σ⁻¹.
//
// The trace is exact by default: d products of the Hessian with a unit vector, whatever the shape of an event and the energy's
// layers; beyond 16 they are taken in one pass through n·d rows. With Probes it is Hutchinson's estimate, the mean of vᵀ(∇s)v over k Rademacher
// vectors v (every number +1 or −1) drawn for each row: unbiased, and k/d of the work.
//
// Choose the exact trace up to some 20 numbers an event, probes beyond. The energy must have a second derivative: SiLU, tanh or
// softplus units. With ReLU the trace is 0 almost everywhere, and training only flattens the energy. On data of no
// breadth (an image's constant pixels, points on a curve) L has no lower bound: add noise, or take [DenoisingScoreMatching].
//
// x is [n, event...]; conditioning, if any, [n, ...]. It panics where Energy is nil or Probes negative. Numbers that are not
// finite, in the data or by the energy, make the loss NaN.
//
// A. Hyvärinen, "Estimation of Non-Normalized Statistical Models by Score Matching", JMLR 6, 2005. M. F. Hutchinson, "A stochastic
// estimator of the trace of the influence matrix for Laplacian smoothing splines", Communications in Statistics 18(3), 1989,
// doi:10.1080/03610918908812806.
type ScoreMatching struct {
	Energy ebm.Energy
	Probes int // k, random vectors for each row; default 0: the exact trace
}

var _ ebm.Loss = ScoreMatching{}

// Loss builds the loss of a batch; see the type.
func (l ScoreMatching) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	checkBatch("ScoreMatching", l.Energy, x)
	if l.Probes < 0 {
		exceptions.Panicf("ScoreMatching: Probes must not be negative, got %d", l.Probes)
	}
	n := x.Shape().Dimensions[0]
	d := x.Shape().Size() / n
	if l.Probes > 0 {
		v := rng.Sign(shapes.Make(x.DType(), l.Probes*n, d))
		data, score, bent := curvature(l.Energy, x, Reshape(v, l.Probes, n, d), cond)
		return ebm.Terms{Loss: whole(Add(meanHalfSquare(score), ReduceAllMean(bent)), data), Data: data}
	}
	data, score, bent := curvature(l.Energy, x, passes.Axes(x.Graph(), x.DType(), d), cond)
	trace := MulScalar(ReduceAllMean(bent), float64(d)) // the mean over rows of the sum over axes
	return ebm.Terms{Loss: whole(Add(meanHalfSquare(score), trace), data), Data: data}
}
