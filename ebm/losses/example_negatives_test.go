package losses_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// Three temperatures; the swap rates tell that the ladder is fine enough.
func ExampleParallelTemperingCD() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	moons := must.M1(datasets.TwoMoons{N: 512, Seed: 1}.Generate())
	store := model.NewStore()
	energy := nn.MLPEnergy(store.Scope("/energy"), 32, 32)

	cd := losses.ParallelTemperingCD{Energy: energy, Kernel: samplers.Langevin{StepSize: ebm.Fixed(0.01)}, Rungs: 3}
	must.M1(ebm.Train(context.Background(), b, store, cd, &datasets.Batches{Data: moons, Size: 64}, ebm.TrainOptions{Epochs: 5, ClipNorm: 1}))

	rates := must.M1(losses.SwapRates(store))
	fmt.Println("pairs:", len(rates), "each swaps often:", min(rates[0], rates[1]) > 0.3)
	// Output: pairs: 2 each swaps often: true
}

// A network learns the moons in a few steps, without a sampler.
func ExampleEnergyDiscrepancy() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	moons := must.M1(datasets.TwoMoons{N: 512, Seed: 1}.Generate())
	store := model.NewStore()
	ed := losses.EnergyDiscrepancy{Energy: nn.MLPEnergy(store.Scope("/energy"), 32, 32)}
	report := must.M1(ebm.Train(context.Background(), b, store, ed, &datasets.Batches{Data: moons, Size: 64}, ebm.TrainOptions{Epochs: 10}))
	history := report.History
	fmt.Println("the loss falls:", history[len(history)-1].Loss < history[0].Loss-0.1)
	// Output: the loss falls: true
}

// A Gaussian's precision and normalising constant, learned together.
func ExampleNoiseContrastive() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	rng, data := rand.New(rand.NewPCG(1, 1)), &datasets.Data{Name: "normal", Dim: 1}
	for range 8192 {
		data.X = append(data.X, float32(rng.NormFloat64()/2)) // precision 4, log Z = ½ log(2π/4) = 0.23
	}
	store := model.NewStore()
	energy := ebm.Net{Scope: store.Scope("/energy"), Fn: func(scope *model.Scope, x *Node, _ ...*Node) *Node {
		w := scope.VariableWithValue("w", float32(1)).NodeValue(x.Graph())
		return Mul(MulScalar(ReduceSum(Square(x), -1), 0.5), w)
	}}
	nce := losses.NoiseContrastive{Energy: energy}
	must.M1(ebm.Train(context.Background(), b, store, nce, &datasets.Batches{Data: data, Size: 256},
		ebm.TrainOptions{Steps: 400, Schedule: ebm.Linear{Start: 0.1, End: 0.001, Steps: 400}}))
	fmt.Printf("precision %.0f, log Z %.1f\n", store.GetVariable("/energy/w").MustValue().Value(), must.M1(losses.LearnedLogZ(store)))
	// Output: precision 4, log Z 0.2
}

// Energies are kept near 0, and slopes small.
func ExamplePenalised() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	moons := must.M1(datasets.TwoMoons{N: 512, Seed: 1}.Generate())
	for _, penalties := range [][]losses.Penalty{nil, {losses.EnergyL2{Weight: 1}, losses.GradientPenalty{}}} {
		store := model.NewStore()
		must.M(store.SetRNGStateFromSeed(1))
		energy := nn.MLPEnergy(store.Scope("/energy"), 32, 32)
		loss := losses.Penalised{Of: losses.EnergyDiscrepancy{Energy: energy}, Energy: energy, Penalties: penalties}
		report := must.M1(ebm.Train(context.Background(), b, store, loss, &datasets.Batches{Data: moons, Size: 64}, ebm.TrainOptions{Epochs: 20}))
		level := report.History[19].Data
		fmt.Println("penalties:", len(penalties), "energy of the data within 0.5 of 0:", level > -0.5 && level < 0.5)
	}
	// Output:
	// penalties: 0 energy of the data within 0.5 of 0: false
	// penalties: 2 energy of the data within 0.5 of 0: true
}
