package losses_test

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// An energy learns two moons for a few steps: afterwards the data's energy is below that of noise.
func ExampleContrastiveDivergence() {
	b := must.M1(backend.Open("go"))
	moons := must.M1(datasets.TwoMoons{N: 512, Seed: 1}.Generate())
	store := model.NewStore()
	energy := nn.MLPEnergy(store.Scope("/energy"), 32, 32)

	cd := losses.ContrastiveDivergence{Energy: energy, Kernel: samplers.Langevin{StepSize: ebm.Fixed(0.01)}, Persistent: true}
	report := must.M1(ebm.Train(context.Background(), b, store, cd, &datasets.Batches{Data: moons, Size: 64},
		ebm.TrainOptions{Epochs: 10, ClipNorm: 1}))

	x := must.M1(moons.Tensor(dtypes.Float32))
	noise := must.M1(must.M1(ebm.NewSampler(b, store, energy, samplers.Langevin{StepSize: ebm.Fixed(1e-9)})).
		Sample(context.Background(), ebm.Options{Chains: 512, Dim: 2, Steps: 1})).X
	data, far := mean(must.M1(ebm.Evaluate(b, store, energy, x))), mean(must.M1(ebm.Evaluate(b, store, energy, noise)))
	fmt.Println("steps:", report.Steps, "data below noise:", data < far)
	// Output: steps: 80 data below noise: true
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
