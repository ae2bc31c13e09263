package losses

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
)

// EnergyDiscrepancy trains an energy without Markov chains and without derivatives in x: it compares each point of the data with M
// neighbours, found by noise,
//
//	L = mean log( w/M + 1/M · Σⱼ exp(E(x) − E(x + √t·ξ + √t·ξ'ⱼ)) ),   ξ, ξ'ⱼ ~ N(0, I)
//
// ξ is one for all M and takes x to a point y; each ξ'ⱼ draws what else might have been taken to y. With w = 1, L is the cross-entropy
// of telling x from its neighbours when y is known, and least where exp(−E) is the data's density up to a factor, for every M. For
// other w that holds as M → ∞, where L becomes the energy discrepancy: t times score matching for small t, the likelihood for
// large t.
//
// Choose it first in a few dimensions: it is quick and stable, and weighs separate modes right where √t reaches from one to the next. In
// many dimensions neighbours leave the data's surroundings at once and teach little.
//
// x is [n, event...], conditioning [n, ...]; a step evaluates the energy at n·(M+1) points. It panics on settings out of range. An
// energy of +∞ at a neighbour is as good as any; at the data, or a NaN anywhere, it makes the loss non-finite, on which the doctor stops
// training. Neighbours are no samples of the energy: Terms has no Negatives.
//
// T. Schröder, Z. Ou, J. N. Lim, Y. Li, S. J. Vollmer, A. B. Duncan, "Energy discrepancies: a score-independent loss for energy-based
// models", NeurIPS 2023, arXiv:2307.06431. On w = 1: Z. Ma, M. Collins, "Noise contrastive estimation and negative sampling for
// conditional models: consistency and statistical efficiency", EMNLP 2018, arXiv:1809.01812.
type EnergyDiscrepancy struct {
	Energy     ebm.Energy
	Time       float64 // t, the variance of each of the two noises. Default 1, for data of about that scale
	Neighbours int     // M. Default 4
	Stabiliser float64 // w. Default 1; negative: 0, and L is then unbounded below
}

var _ ebm.Loss = EnergyDiscrepancy{}

// Loss builds the loss of a batch.
func (l EnergyDiscrepancy) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	l = l.withDefaults()
	n, m, event := x.Shape().Dimensions[0], l.Neighbours, x.Shape().Dimensions[1:]
	shape := shapes.Make(x.DType(), append([]int{n, m}, event...)...)
	noise := Add(ExpandAxes(rng.Normal(x.Shape()), 1), rng.Normal(shape))
	centre := ExpandAxes(x, 1)
	points := Concatenate([]*Node{centre, Add(centre, MulScalar(noise, math.Sqrt(l.Time)))}, 1) // [n, 1+M, event...]

	energies := l.Energy.Energy(Reshape(points, append([]int{n * (1 + m)}, event...)...), eachRow(cond, 1+m)...)
	energies = Reshape(energies, n, 1+m)
	data := Slice(energies, AxisRange(), AxisRange(0, 1))
	gains := Sub(data, Slice(energies, AxisRange(), AxisRange(1))) // [n, M], E(x) − E(neighbour)
	if l.Stabiliser > 0 {
		gains = Concatenate([]*Node{gains, BroadcastToDims(Scalar(x.Graph(), x.DType(), math.Log(l.Stabiliser)), n, 1)}, 1)
	}
	loss := AddScalar(ReduceAllMean(logSumExp(gains)), -math.Log(float64(m)))
	return ebm.Terms{Loss: loss, Data: Reshape(data, n)}
}

func (l EnergyDiscrepancy) withDefaults() EnergyDiscrepancy {
	if l.Energy == nil {
		exceptions.Panicf("EnergyDiscrepancy: Energy is nil")
	}
	l.Time = cmp.Or(l.Time, 1)
	l.Neighbours = cmp.Or(l.Neighbours, 4)
	l.Stabiliser = cmp.Or(l.Stabiliser, 1)
	switch {
	case !(l.Time > 0) || math.IsInf(l.Time, 1):
		exceptions.Panicf("EnergyDiscrepancy: Time must be a finite number and positive, got %g", l.Time)
	case l.Neighbours < 1:
		exceptions.Panicf("EnergyDiscrepancy: Neighbours must be positive, got %d", l.Neighbours)
	case math.IsNaN(l.Stabiliser) || math.IsInf(l.Stabiliser, 1):
		exceptions.Panicf("EnergyDiscrepancy: Stabiliser must be finite, got %g", l.Stabiliser)
	}
	return l
}

// eachRow repeats each row of each of cond k times: [n, c...] → [n·k, c...].
func eachRow(cond []*Node, k int) []*Node {
	out := make([]*Node, len(cond))
	for i, c := range cond {
		dims := c.Shape().Dimensions
		c = BroadcastToDims(ExpandAxes(c, 1), append([]int{dims[0], k}, dims[1:]...)...)
		out[i] = Reshape(c, append([]int{dims[0] * k}, dims[1:]...)...)
	}
	return out
}

// logSumExp is log Σⱼ exp(xⱼ) along the last axis of x, [n, m] → [n], with the largest taken out, so that nothing overflows.
func logSumExp(x *Node) *Node {
	largest := StopGradient(ReduceAndKeep(x, ReduceMax, 1)) // [n, 1]
	return Add(Log(ReduceSum(Exp(Sub(x, largest)), 1)), Reshape(largest, x.Shape().Dimensions[0]))
}
