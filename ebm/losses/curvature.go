package losses

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/passes"
)

// curvature builds, for every row of x, [n, event...] with d numbers each, and k directions v, [k, n, d] or [k, 1, d] where all
// rows have the same: the energy, [n], the score s = −∇E, [1, n, d], and for each row a few numbers, [any, n], with the mean of
// vᵀ(∇s)v over the directions.
//
// Each direction takes a backward pass through the graph of the score. A few are taken one by one on the same score, which is the
// least work (2 + 2k and not 4k passes through the network; measured 1.2 times as fast at k = 2 and 1.8 times at 8). Beyond, where the
// graph would grow too long to compile, x and its conditioning are repeated k times, and one pass through k·n rows does all.
//
// More directions than axes are no more work than the axes: Σₖ vₖᵀ(∇s)vₖ = Σⱼ eⱼᵀ(∇s)mⱼ with mⱼ = Σₖ vₖⱼ vₖ.
func curvature(e ebm.Energy, x, v *Node, cond []*Node) (energy, score, bent *Node) {
	k, n := v.Shape().Dimensions[0], x.Shape().Dimensions[0]
	d := x.Shape().Size() / n
	along := v
	if k > d {
		along = MulScalar(Einsum("kni,knj->inj", v, v), float64(d)/float64(k))
		v = passes.Axes(x.Graph(), x.DType(), d)
		k = d
	}
	if k > passes.OneByOne {
		again := make([]*Node, len(cond))
		for i, c := range cond {
			again[i] = passes.Repeated(c, k)
		}
		flat := func(v *Node) *Node { return Reshape(BroadcastToDims(v, k, n, d), k*n, d) }
		energy, score, bent = bend(e, passes.Repeated(x, k), [][2]*Node{{flat(v), flat(along)}}, again)
		return Slice(energy, AxisRange(0, n)), Slice(Reshape(score, k, n, d), AxisElem(0)), Reshape(bent, k, n)
	}
	pairs := make([][2]*Node, k)
	for i := range pairs {
		for j, v := range []*Node{v, along} {
			pairs[i][j] = Squeeze(Slice(v, AxisElem(i)), 0) // [n, d] or [1, d]
		}
	}
	energy, score, bent = bend(e, x, pairs, cond)
	return energy, ExpandAxes(score, 0), bent
}

// bend builds the energy, [n], the score, [n, d], and uᵀ(∇s)v for each of k pairs u, v, [n, d] or [1, d]: [k, n].
func bend(e ebm.Energy, x *Node, pairs [][2]*Node, cond []*Node) (energy, score, bent *Node) {
	n := x.Shape().Dimensions[0]
	x = Identity(x) // a node of its own, at which GoMLX can take a gradient
	energy, grad := ebm.ValueGrad(e, x, cond...)
	score = Neg(Reshape(grad, n, -1))
	bends := make([]*Node, len(pairs))
	for i, pair := range pairs {
		product := Gradient(ReduceAllSum(Mul(score, pair[0])), x)[0] // ∇s is symmetric
		bends[i] = ReduceSum(Mul(Reshape(product, n, -1), pair[1]), -1)
	}
	return energy, score, Stack(bends, 0)
}

// checkBatch refuses a loss without an energy and x that is no batch of events.
func checkBatch(name string, e ebm.Energy, x *Node) {
	if e == nil {
		exceptions.Panicf("%s: Energy is nil", name)
	}
	if x.Rank() < 2 || !x.DType().IsFloat() {
		exceptions.Panicf("%s: x must be [n, event...] of floating-point numbers, got %s", name, x.Shape())
	}
}

// meanHalfSquare is the mean over all but the last axis of half the squared length along it.
func meanHalfSquare(x *Node) *Node {
	return MulScalar(ReduceAllMean(ReduceSum(Square(x), -1)), 0.5)
}

// whole is the loss, or NaN where one of the energies behind it is not finite, as their gradients alone might not tell: that of
// log u is finite where u is negative, that of a hard wall is 0.
func whole(loss, energies *Node) *Node {
	return Where(LogicalAll(IsFinite(energies)), loss, Scalar(loss.Graph(), loss.DType(), math.NaN()))
}
