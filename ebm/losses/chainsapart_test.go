package losses

import (
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// A training whose persistent chains are run apart goes on bit by bit from a checkpoint: the buffer and the chains' noise are in it.
func TestChainsApartResume(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		parts := func(store *model.Store) (ebm.Loss, train.Dataset) {
			return ContrastiveDivergence{Energy: nn.MLPEnergy(store.Scope("/energy"), 8), Kernel: samplers.Langevin{StepSize: ebm.Fixed(.05)}, Steps: 5, Apart: true, Persistent: true, Buffer: 64, Noise: .1},
				&datasets.Batches{Data: gauss(200), Size: 32, Seed: 1}
		}
		whole, halves := trainedTo(t, b, parts, t.TempDir(), 9), trainedTo(t, b, parts, t.TempDir(), 4, 9)
		if len(whole) == 0 || !slices.Equal(whole, halves) {
			t.Errorf("the weights differ: %v and %v", whole, halves)
		}
	})
}
