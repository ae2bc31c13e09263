package nn

import (
	"math"

	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Guided makes the labels of a conditional field count more, or less (classifier-free guidance):
//
//	f(x, t) = u + w·(c − u),    c = Of(x, t, label),    u = Of(x, t, Null),
//
// both by one pass through twice the rows. With a Scale of 1 it is the field itself, and with a Scale below 0 it moves away from the label;
// NoLabel gives u alone. Of must have been trained with the null label too: losses.DropLabels does that.
//
// The label is the first conditioning of whole numbers. A large w makes samples that a classifier is sure of, and of less variety. Within From and To,
// where either is set, f is guided, and outside it is c: guidance at an interval of times spoils less variety.
//
// J. Ho, T. Salimans, "Classifier-free diffusion guidance", 2022, arXiv:2207.12598; T. Kynkäänniemi et al., "Applying guidance in a limited
// interval improves sample and distribution quality in diffusion models", 2024, arXiv:2404.07724.
type Guided struct {
	Of       ebm.Field
	Null     int     // the label that is none: Classes of a [LabelEmbedding]
	Scale    float64 // w, default 1
	NoLabel  bool    // w = 0
	Channels int     // guide only the first channels, the last axis; the others are u's. Default all
	From, To float64 // times that are guided. Default all
}

var _ ebm.Field = Guided{}

// Field builds f(x, t).
func (e Guided) Field(x, t *Node, cond ...*Node) *Node {
	if e.Of == nil {
		exceptions.Panicf("Guided: Of is nil")
	}
	if math.IsNaN(e.Scale) || math.IsInf(e.Scale, 0) || e.NoLabel && e.Scale != 0 || e.From > e.To || e.Channels < 0 {
		exceptions.Panicf("Guided: want a finite Scale, which NoLabel leaves out, From ≤ To and Channels not negative, got %g, %v, %g to %g and %d", e.Scale, e.NoLabel, e.From, e.To, e.Channels)
	}
	label := -1
	for i, c := range cond {
		if c.DType().IsInt() {
			label = i
			break
		}
	}
	if label < 0 {
		exceptions.Panicf("Guided: the conditioning has no labels, whole numbers, got %d of conditioning", len(cond))
	}
	nulls := append([]*Node{}, cond...)
	nulls[label] = OnesLike(cond[label])
	nulls[label] = MulScalar(nulls[label], e.Null)
	switch {
	case e.NoLabel:
		return e.Of.Field(x, t, nulls...)
	case e.Scale == 0 || e.Scale == 1:
		return e.Of.Field(x, t, cond...)
	}
	n := x.Shape().Dimensions[0]
	both := make([]*Node, len(cond))
	for i := range cond {
		both[i] = Concatenate([]*Node{cond[i], nulls[i]}, 0)
	}
	f := e.Of.Field(Concatenate([]*Node{x, x}, 0), Concatenate([]*Node{t, t}, 0), both...)
	c, u := Slice(f, AxisRange(0, n)), Slice(f, AxisRange(n, 2*n))
	away := Sub(c, u)
	w := BroadcastToDims(Scalar(x.Graph(), x.DType(), e.Scale), n)
	if e.From != 0 || e.To != 0 {
		inside := LogicalAnd(GreaterOrEqual(t, ConstAs(t, e.From)), LessOrEqual(t, ConstAs(t, e.To)))
		w = Where(inside, w, OnesLike(w))
	}
	dims := make([]int, f.Rank())
	for i := range dims {
		dims[i] = 1
	}
	dims[0] = n
	step := Mul(away, Reshape(w, dims...))
	if last := f.Rank() - 1; e.Channels > 0 && e.Channels < f.Shape().Dimensions[last] {
		channel := Iota(x.Graph(), f.Shape(), last)
		step = Where(LessThan(Slice(channel, AxisRange(0, n)), ConstAs(f, float64(e.Channels))), step, ZerosLike(step))
	}
	return Add(u, step)
}
