package losses

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
)

// SlicedScoreMatching fits the slope of the energy along random directions, so that its work does not grow with the dimension:
// with the score s = −∇E and k directions v drawn for each row from a law with E vvᵀ = I,
//
//	L = mean [½(vᵀs)² + vᵀ∇(vᵀs)].
//
// Its expectation is [ScoreMatching]'s loss. VarianceReduced puts that expectation in place of the first term, ½‖s‖², which comes
// for free: less noise at the same cost, and with [Rademacher] directions the same loss as ScoreMatching with Probes.
//
// Choose it for events of many numbers. Projections is 1 by default, as in the paper: a larger batch buys more than more directions
// (TorchEBM's default is 5, and its sums go over the last axis alone, which is wrong for images; here they go over the whole event).
// What ScoreMatching says of the energy's second derivative and of data without breadth holds here too.
//
// x is [n, event...]; conditioning, if any, [n, ...]. It panics where Energy is nil or Projections negative, and where Directions
// gives another shape than it was asked for. Numbers that are not finite, in the data or by the energy, make the loss NaN.
//
// Y. Song, S. Garg, J. Shi, S. Ermon, "Sliced Score Matching: A Scalable Approach to Density and Score Estimation", UAI 2019,
// arXiv:1905.07088.
type SlicedScoreMatching struct {
	Energy          ebm.Energy
	Projections     int        // k, directions for each row. Default 1
	Directions      Directions // their law. Default Rademacher
	VarianceReduced bool       // ½‖s‖² in place of ½(vᵀs)²
}

var _ ebm.Loss = SlicedScoreMatching{}

// Directions draws a vector for each row of shape, [rows, event...], from a law with mean vvᵀ = I.
type Directions func(rng *ebm.Rand, shape shapes.Shape) *Node

var _ = []Directions{Rademacher, Sphere, Normal}

// Rademacher draws vectors whose every number is +1 or −1: of all laws with independent numbers the one with the least variance of vᵀAv.
func Rademacher(rng *ebm.Rand, shape shapes.Shape) *Node { return rng.Sign(shape) }

// Normal draws vectors of independent standard normals.
func Normal(rng *ebm.Rand, shape shapes.Shape) *Node { return rng.Normal(shape) }

// Sphere draws vectors evenly from the sphere of radius √d, with d the numbers of an event.
func Sphere(rng *ebm.Rand, shape shapes.Shape) *Node {
	n := shape.Dimensions[0]
	z := Reshape(rng.Normal(shape), n, -1)
	d := z.Shape().Dimensions[1]
	length := Sqrt(ReduceAndKeep(Square(z), ReduceSum, -1)) // is not 0: Normal never draws it
	return Reshape(MulScalar(Div(z, length), math.Sqrt(float64(d))), shape.Dimensions...)
}

// Loss builds the loss of a batch; see the type.
func (l SlicedScoreMatching) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	checkBatch("SlicedScoreMatching", l.Energy, x)
	k := cmp.Or(l.Projections, 1)
	if k < 1 {
		exceptions.Panicf("SlicedScoreMatching: Projections must be positive, got %d", l.Projections)
	}
	draw := l.Directions
	if draw == nil {
		draw = Rademacher
	}
	n := x.Shape().Dimensions[0]
	shape := shapes.Make(x.DType(), append([]int{k * n}, x.Shape().Dimensions[1:]...)...)
	v := draw(rng, shape)
	if !v.Shape().Equal(shape) {
		exceptions.Panicf("SlicedScoreMatching: Directions must give %s, got %s", shape, v.Shape())
	}
	v = Reshape(v, k, n, x.Shape().Size()/n)
	data, score, bent := curvature(l.Energy, x, v, cond)
	half := meanHalfSquare(score)
	if !l.VarianceReduced {
		half = MulScalar(ReduceAllMean(Square(ReduceSum(Mul(score, v), -1))), 0.5)
	}
	return ebm.Terms{Loss: whole(Add(half, ReduceAllMean(bent)), data), Data: data}
}
