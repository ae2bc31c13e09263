package flow

import (
	"math/rand/v2"

	"github.com/goebm/goebm/ebm/internal/assignment"
)

// ExactOT is optimal transport between the noise and the data of a batch: the one-to-one pairing π of
//
//	min over permutations π of Σᵢ ‖x₀ᵢ − x₁_π(i)‖²,
//
// exact up to rounding. No two of a batch's straight paths are in one place at one time, and as batches grow the learnt flow
// approaches that of optimal transport, whose paths are straight, so that few steps follow it. A small batch leaves a bias, for its
// pairs are those of the batch and not of the distributions; it does not spoil what is sampled.
//
// It takes n³ time at worst, most often far less: on one core about 8 ms for 512 points in the plane and 20 ms in 32 dimensions. Up to
// four dimensions memory grows as n, above them as n². Choose it for low dimensions, up to some tens, and batches up to about 2000;
// [Greedy] or [Sinkhorn] for larger ones. With conditioning, put it in [ConditionAware].
//
// A. Tong et al., 2023, arXiv:2302.00482; A.-A. Pooladian et al., 2023, arXiv:2304.14772.
type ExactOT struct{}

var _ Coupling = ExactOT{}

// Pair pairs the batch; rng is not used.
func (ExactOT) Pair(b Batch, _ *rand.Rand) (Pairs, error) {
	if err := b.Validate(); err != nil {
		return Pairs{}, err
	}
	p := Pairs{I0: make([]int, b.Len()), I1: upTo(b.Len())}
	for i, j := range assignment.Points(b.X0, b.X1, b.Dim) {
		p.I0[j] = i
	}
	return p, nil
}
