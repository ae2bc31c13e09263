package losses

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
)

// MultiscaleDenoising is [DenoisingScoreMatching] at every level of a ladder at once, for a noise-conditional energy E(x, σ), which
// takes log σ as its last conditioning (see [ebm.AtNoise]): with x̃ = x + σz, z ~ N(0, I), and σ a level drawn for each row,
//
//	L = ½ mean λ(σ)‖∇E(x̃, σ) − z/σ‖²,    λ(σ) = σ²,
//
// where this λ makes every level count about the same. The batch's levels are drawn together, evenly over the ladder: each row's
// is any of them with the same probability, and each level comes n/L times, rounded up or down.
//
// Choose it for data in separate clusters and for images: at a large σ the energy is right everywhere, between the clusters too,
// and samplers.AnnealedLangevin follows it down to the data. A network learns a ladder of many octaves better inside
// [ebm.Preconditioned], which gives it inputs and asks of it outputs of order 1 at every level.
//
// x is [n, event...]; conditioning, if any, [n, ...]; log σ follows it as [n, 1] of x's type. It panics where Energy is nil or the
// ladder has no proper levels. Numbers that are not finite, in the data or by the energy, make the loss NaN.
//
// Y. Song, S. Ermon, "Generative Modeling by Estimating Gradients of the Data Distribution", 2019, arXiv:1907.05600; for energies:
// Z. Li, Y. Chen, F. T. Sommer, "Learning Energy-Based Models in High-Dimensional Spaces with Multi-scale Denoising Score Matching",
// 2019, arXiv:1910.07762.
type MultiscaleDenoising struct {
	Energy ebm.Energy
	Ladder ebm.Ladder              // of σ. Default: ten levels from 1 to 0.01
	Weight func(sigma *Node) *Node // λ of the rows' levels, [n] to [n]. Default σ²
}

var _ ebm.Loss = MultiscaleDenoising{}

// Loss builds the loss of a batch; see the type.
func (l MultiscaleDenoising) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	checkBatch("MultiscaleDenoising", l.Energy, x)
	rungs, err := l.Ladder.Rungs()
	if err != nil {
		exceptions.Panicf("MultiscaleDenoising: %v", err)
	}
	level := evenly(rng, x.Shape().Dimensions[0], len(rungs))
	return ebm.Terms{Loss: l.given(x, rng.Normal(x.Shape()), level, cond)}
}

// given is the loss for given normals z, of x's shape, and numbers of levels, [n].
func (l MultiscaleDenoising) given(x, z, level *Node, cond []*Node) *Node {
	n := x.Shape().Dimensions[0]
	sigma := l.Ladder.Level(level, x.DType()) // [n]
	wide := rows(sigma, x.Shape())
	noisy := Add(x, Mul(z, wide))
	energy, grad := ebm.ValueGrad(l.Energy, noisy, ebm.NoiseCond(x, sigma, cond...)...)
	miss := Reshape(Sub(Mul(grad, wide), z), n, -1) // σ(∇E − z/σ), of order 1 at every level
	squares := ReduceSum(Square(miss), -1)
	if l.Weight != nil {
		squares = Mul(squares, Div(l.Weight(sigma), Square(sigma)))
	}
	return whole(MulScalar(ReduceAllMean(squares), 0.5), energy)
}

// evenly draws n numbers from 0 to count−1, [n] Int32: row i's is where the i-th of n points, evenly spaced on a circle and turned
// by one random angle, falls among count equal arcs.
func evenly(rng *ebm.Rand, n, count int) *Node {
	turn := rng.Uniform(shapes.Make(dtypes.Float64, 1))
	i := Iota(turn.Graph(), shapes.Make(dtypes.Float64, n), 0)
	at := Add(DivScalar(i, float64(n)), BroadcastToDims(turn, n)) // in (0, 2)
	at = Sub(at, Floor(at))
	return MinScalar(ConvertDType(MulScalar(at, float64(count)), dtypes.Int32), count-1)
}
