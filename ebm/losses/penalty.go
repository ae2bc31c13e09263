package losses

import (
	"cmp"
	"context"
	"math"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
)

// Penalised is a loss with regularisers of its energy added to it:
//
//	L + Σᵢ Pᵢ
//
// It works with any loss. Choose [EnergyL2] where only differences of energies are trained and their level drifts or their scale
// explodes, [GradientPenalty] where the energy becomes too steep for the sampler's step size. Two other regularisers are elsewhere: the
// spectral norm of the layers is a field of nn.MLP, the decay of the weights one of ebm.TrainOptions.
//
// It panics where Of or Energy is nil. A penalty that is not finite makes the loss so, which stops training by the doctor.
type Penalised struct {
	Of        ebm.Loss // L
	Energy    ebm.Energy
	Penalties []Penalty // P
}

var (
	_ ebm.Loss     = Penalised{}
	_ ebm.Preparer = Penalised{}
)

// Loss builds the loss of a batch.
func (l Penalised) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	if l.Of == nil || l.Energy == nil {
		exceptions.Panicf("Penalised: Of and Energy must not be nil, got %T and %T", l.Of, l.Energy)
	}
	terms := l.Of.Loss(x, rng, cond...)
	at := Points{Energy: l.Energy, X: x, Cond: cond, Terms: terms}
	for i, p := range l.Penalties {
		if p == nil {
			exceptions.Panicf("Penalised: Penalties[%d] is nil", i)
		}
		terms.Loss = Add(terms.Loss, p.Penalty(at))
	}
	return terms
}

// Prepare does what the loss has to do before the first training step.
func (l Penalised) Prepare(ctx context.Context, b compute.Backend, store *model.Store, first train.Batch, seed uint64) error {
	if p, ok := l.Of.(ebm.Preparer); ok {
		return p.Prepare(ctx, b, store, first, seed)
	}
	return nil
}

// Penalty builds a regulariser of an energy: a scalar, which is added to a loss.
type Penalty interface {
	Penalty(at Points) *Node
}

// Points is what a penalty sees.
type Points struct {
	Energy ebm.Energy
	X      *Node   // the data, [n, event...]
	Cond   []*Node // their conditioning
	Terms  ebm.Terms
}

// data are the energies of the data, [n].
func (at Points) data() *Node {
	if at.Terms.Data != nil {
		return at.Terms.Data
	}
	return at.Energy.Energy(at.X, at.Cond...)
}

// EnergyL2 keeps energies near 0, at the data and, where the loss has negatives, there:
//
//	P = α·(mean E(x⁺)² + mean E(x⁻)²)
//
// It fixes the level, which most losses leave open, and bounds the scale. It pulls the energy away from the best fit by an
// amount of the order of α.
//
// Y. Du, I. Mordatch, "Implicit generation and modeling with energy based models", 2019, arXiv:1903.08689.
type EnergyL2 struct {
	Weight float64 // α > 0, default 0.1
}

// Penalty builds P.
func (p EnergyL2) Penalty(at Points) *Node {
	weight := penaltyWeight("EnergyL2", p.Weight)
	sum := ReduceAllMean(Square(at.data()))
	if at.Terms.Negatives != nil {
		sum = Add(sum, weightedMean(Square(at.Terms.Negatives), at.Terms.Weights))
	}
	return MulScalar(sum, weight)
}

// GradientPenalty keeps slopes small at the data:
//
//	P = γ·mean ‖∇E(x⁺)‖²
//
// with the norm over the whole event. With a score-matching loss it is a bias towards flat energies; it costs a second derivative.
//
// H. Drucker, Y. Le Cun, "Improving generalization performance using double backpropagation", IEEE Transactions on Neural Networks
// 3(6), 1992, doi:10.1109/72.165600.
type GradientPenalty struct {
	Weight float64 // γ > 0, default 0.1
}

// Penalty builds P.
func (p GradientPenalty) Penalty(at Points) *Node {
	weight := penaltyWeight("GradientPenalty", p.Weight)
	_, grad := ebm.ValueGrad(at.Energy, at.X, at.Cond...)
	return MulScalar(DivScalar(ReduceAllSum(Square(grad)), at.X.Shape().Dimensions[0]), weight)
}

// penaltyWeight is w, or the default where it was left zero.
func penaltyWeight(name string, w float64) float64 {
	if !(w >= 0) || math.IsInf(w, 1) {
		exceptions.Panicf("%s: Weight must be a finite number and positive, got %g", name, w)
	}
	return cmp.Or(w, 0.1)
}

// weightedMean is the mean of values, [m], with weights, [m], or without where they are nil.
func weightedMean(values, weights *Node) *Node {
	if weights == nil {
		return ReduceAllMean(values)
	}
	return Div(ReduceAllSum(Mul(weights, values)), ReduceAllSum(weights))
}
