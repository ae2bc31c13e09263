package flow

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
)

// Reflow is the coupling that a flow makes: noise x₀ with the sample x₁ = Φ(x₀) to which the flow takes it. The batch's data are not
// used, but for their conditioning, which belongs to the samples. A model trained on these pairs has the same samples by straighter
// paths, so that fewer steps, at last one, follow them. What the flow gets wrong, the new model learns.
//
// Flow is called beside training, from several goroutines at once, and must be a function of the batch alone: [FlowOf] makes one of a
// trained model. It costs what sampling costs.
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

// FlowOf makes the Flow of a [Reflow] of a sampler, such as one of [FixedSteps]: it starts a chain at each point of noise, and takes o.Steps
// steps. Chains have o.Event, if given, else [Dim]; Start and Cond of o are filled in. cond makes the model's conditioning of
// the batch's, and may be nil where there is none. Calls take turns. The sampler's weights must be another store's than
// those in training.
func FlowOf(s *ebm.Sampler, o ebm.Options, cond func(b Batch) []*tensors.Tensor) func(b Batch) ([]float32, error) {
	var turn sync.Mutex
	return func(b Batch) ([]float32, error) {
		turn.Lock()
		defer turn.Unlock()
		o := o
		dims := []int{b.Len(), b.Dim}
		if o.Event != nil {
			dims = append([]int{b.Len()}, o.Event...)
		}
		o.Event, o.Dim, o.Chains = nil, 0, 0 // Start has them
		o.Start = tensors.FromFlatDataAndDimensions(append([]float32{}, b.X0...), dims...)
		if cond != nil {
			o.Cond = cond(b)
		}
		out, err := s.Sample(context.Background(), o)
		if err != nil {
			return nil, err
		}
		return tensors.CopyFlatData[float32](out.X)
	}
}
