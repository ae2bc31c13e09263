package flow

import (
	"math/rand/v2"
)

// Independent joins noise and data as they come: row k with row k. Where the noise is drawn afresh for each batch, the two are
// independent. It costs nothing.
//
// Choose it where the score is wanted too ([Coeffs.Convert]), for large batches, and in high dimensions, where a batch has no pairs
// that lie near. losses.FlowMatching on a plain dataset does the same with noise drawn in the graph.
//
// Y. Lipman et al., "Flow matching for generative modeling", 2022, arXiv:2210.02747.
type Independent struct{}

var _ Coupling = Independent{}

// Pair pairs the batch; rng is not used.
func (Independent) Pair(b Batch, _ *rand.Rand) (Pairs, error) {
	if err := b.Validate(); err != nil {
		return Pairs{}, err
	}
	return Pairs{I0: upTo(b.Len()), I1: upTo(b.Len())}, nil
}
