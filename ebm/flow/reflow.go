package flow

import (
	"math/rand/v2"

	"github.com/pkg/errors"
)

// Reflow is the coupling that a flow makes: noise x₀ with the sample x₁ = Φ(x₀) to which the flow takes it. The batch's data are not used, but for
// their conditioning, which belongs to the samples. A model trained on these pairs has the same samples by straighter paths, so
// that fewer steps, at last one, follow them. What the flow gets wrong, the new model learns.
//
// Flow is called beside training, from several goroutines at once: let it run a trained model from a store of its own. It costs
// what sampling costs.
//
// X. Liu, C. Gong, Q. Liu, "Flow straight and fast: learning to generate and transfer data with rectified flow", 2022, arXiv:2209.03003.
type Reflow struct {
	Flow func(b Batch) ([]float32, error) // Φ of all of b.X0, [n, Dim], given b.Cond
}

var _ Coupling = Reflow{}

// Pair pairs the batch's noise with the flow's samples; rng is not used.
func (r Reflow) Pair(b Batch, _ *rand.Rand) (Pairs, error) {
	if r.Flow == nil {
		return Pairs{}, errors.New("Reflow: Flow is nil")
	}
	if err := b.Validate(); err != nil {
		return Pairs{}, err
	}
	x1, err := r.Flow(b)
	if err != nil {
		return Pairs{}, errors.WithMessage(err, "Reflow")
	}
	if len(x1) != len(b.X0) {
		return Pairs{}, errors.Errorf("Reflow: Flow gave %d numbers for noise of %d", len(x1), len(b.X0))
	}
	return Pairs{I0: upTo(b.Len()), I1: upTo(b.Len()), X1: x1}, nil
}
