package losses_test

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// learnMoons trains a small energy on two moons and tells whether the moons' energy is below that of points around them.
func learnMoons(loss func(e ebm.Energy) ebm.Loss) bool {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	moons := must.M1(datasets.TwoMoons{N: 512, Noise: 0.1, Seed: 1}.Generate())
	store := model.NewStore()
	energy := nn.MLPEnergy(store.Scope("/energy"), 32, 32)
	must.M1(ebm.Train(context.Background(), b, store, loss(energy), &datasets.Batches{Data: moons, Size: 64},
		ebm.TrainOptions{Epochs: 10, LearningRate: 5e-3, ClipNorm: 1}))

	around := [][]float32{{-2, -1.5}, {-2, 2}, {3, -1.5}, {3, 2}}
	data := mean(must.M1(ebm.Evaluate(b, store, energy, must.M1(moons.Tensor(dtypes.Float32)))))
	return data < mean(must.M1(ebm.Evaluate(b, store, energy, tensors.FromValue(around))))
}

func ExampleScoreMatching() {
	fmt.Println("moons below what is around them:", learnMoons(func(e ebm.Energy) ebm.Loss { return losses.ScoreMatching{Energy: e} }))
	// Output: moons below what is around them: true
}

func ExampleSlicedScoreMatching() {
	fmt.Println("moons below what is around them:", learnMoons(func(e ebm.Energy) ebm.Loss {
		return losses.SlicedScoreMatching{Energy: e, VarianceReduced: true}
	}))
	// Output: moons below what is around them: true
}

func ExampleDenoisingScoreMatching() {
	fmt.Println("moons below what is around them:", learnMoons(func(e ebm.Energy) ebm.Loss {
		return losses.DenoisingScoreMatching{Energy: e, Sigma: 0.2}
	}))
	// Output: moons below what is around them: true
}

// One ladder trains a noise-conditional energy and leads the sampler down to the data: two clusters, one far from where chains begin.
func ExampleMultiscaleDenoising() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	clusters := must.M1(datasets.GaussianMixture{N: 1024, Components: 2, Radius: 3, Std: 0.2, Seed: 1}.Generate())
	store := model.NewStore()
	energy := ebm.Preconditioned{Of: nn.MLPEnergy(store.Scope("/energy"), 32, 32), Std: 3}
	ladder := ebm.Ladder{Start: 6, End: 0.1, Levels: 8, Steps: 40}

	loss := losses.MultiscaleDenoising{Energy: energy, Ladder: ladder}
	must.M1(ebm.Train(context.Background(), b, store, loss, &datasets.Batches{Data: clusters, Size: 64},
		ebm.TrainOptions{Epochs: 15, LearningRate: 5e-3}))

	sampler := must.M1(ebm.NewSampler(b, store, ebm.AtNoise{Of: energy, Sigma: 0.1}, samplers.AnnealedLangevin{Ladder: ladder}))
	out := must.M1(sampler.Sample(context.Background(), ebm.Options{Chains: 500, Dim: 2, Steps: 8 * 40, Seed: 1}))
	right := 0
	for _, x := range out.X.Value().([][]float32) {
		if x[0] > 0 {
			right++
		}
	}
	fmt.Printf("%.1f of the chains in the right cluster\n", float64(right)/500)
	// Output: 0.5 of the chains in the right cluster
}
