package losses

import (
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
)

// DropLabels is a loss whose labels are now and then replaced by the null label, so that one conditional network learns the unconditional
// field or energy too; nn.Guided weighs one against the other. Labels are the first conditioning of whole numbers, [n] or [n, 1]; each row's is
// dropped with the chance Rate, by the loss's own noise, so that training resumes bit by bit.
//
// Building panics where Of is nil, on a Rate outside 0 to 1, and where there are no labels.
//
// J. Ho, T. Salimans, "Classifier-free diffusion guidance", 2022, arXiv:2207.12598.
type DropLabels struct {
	Of   ebm.Loss
	Null int     // the label that is none: Classes of nn.LabelEmbedding
	Rate float64 // default 0.1
}

var _ ebm.Loss = DropLabels{}

// Loss builds the loss of a batch, x [n, event...].
func (l DropLabels) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	rate := l.Rate
	if rate == 0 {
		rate = 0.1
	}
	if l.Of == nil || !(rate >= 0 && rate <= 1) || math.IsNaN(rate) {
		exceptions.Panicf("DropLabels: want a loss Of, and a Rate from 0 to 1, got %T and %g", l.Of, l.Rate)
	}
	for i, c := range cond {
		if !c.DType().IsInt() {
			continue
		}
		n := x.Shape().Dimensions[0]
		if c.Shape().Size() != n {
			exceptions.Panicf("DropLabels: labels must be one whole number for each of %d rows, got %s", n, c.Shape())
		}
		drop := LessThan(rng.Uniform(shapes.Make(x.DType(), n)), ConstAs(x, rate))
		cond = append([]*Node{}, cond...)
		cond[i] = Where(Reshape(drop, c.Shape().Dimensions...), MulScalar(OnesLike(c), l.Null), c)
		return l.Of.Loss(x, rng, cond...)
	}
	exceptions.Panicf("DropLabels: the conditioning has no labels, whole numbers, got %d of conditioning", len(cond))
	panic("unreachable")
}
