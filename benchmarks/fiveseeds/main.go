// Command fiveseeds trains an energy with persistent contrastive divergence on two moons and on Old Faithful, five seeds each, and
// prints how far samples of the trained energy are from data that training never saw, beside the distance between two true samples.
//
//	go run ./benchmarks/fiveseeds            # prints the table, writes benchmarks/fiveseeds.json
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/metrics"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// task is a data set and the settings for it.
type task struct {
	name          string
	data          func(seed uint64) (train, held *datasets.Data, err error)
	floor         func() (metrics.Noise, error)
	batch, epochs int
	buffer        int
	l2            float64 // penalty of the energies
	stepSize      float64
	steps         int // of sampling, from N(0, I)
	seeds         int
}

// result is a row of fiveseeds.json.
type result struct {
	Task         string    `json:"task"`
	SW2          []float64 `json:"sliced_w2"` // one a seed
	Worst        float64   `json:"worst"`
	Floor        float64   `json:"floor"` // mean distance between two independent true samples
	FloorStd     float64   `json:"floor_std"`
	TrainSeconds []float64 `json:"train_seconds"` // compilation included
}

var tasks = []task{
	{name: "two moons, 3000 points, noise 0.05", data: moons, floor: moonsFloor, batch: 128, epochs: 100, buffer: 512, l2: .003, stepSize: .0025, steps: 300, seeds: 5},
	{name: "Old Faithful, standardised, half held out", data: faithful, floor: faithfulFloor, batch: 68, epochs: 500, buffer: 256, l2: .03, stepSize: .01, steps: 200, seeds: 5},
}

func main() {
	out := flag.String("o", "benchmarks/fiveseeds.json", "where the figures go")
	flag.Parse()
	b := must.M1(backend.New())
	var results []result
	for _, t := range tasks {
		floor := must.M1(t.floor())
		r := result{Task: t.name, Floor: floor.Mean, FloorStd: floor.Std}
		for seed := range t.seeds {
			sw2, took := must.M2(t.run(b, uint64(seed)))
			r.SW2, r.TrainSeconds, r.Worst = append(r.SW2, sw2), append(r.TrainSeconds, took.Seconds()), max(r.Worst, sw2)
		}
		fmt.Printf("%s\n  sliced W2 of %d seeds %.4f, worst %.4f; floor %.4f ± %.4f; training %.1f s\n", t.name, t.seeds, r.SW2, r.Worst, r.Floor, r.FloorStd, r.TrainSeconds)
		results = append(results, r)
	}
	must.M(ebm.WriteFile(*out, append(must.M1(json.MarshalIndent(results, "", "  ")), '\n')))
}

// run trains with one seed and measures.
func (t task) run(b compute.Backend, seed uint64) (float64, time.Duration, error) {
	ctx := context.Background()
	data, held, err := t.data(seed)
	if err != nil {
		return 0, 0, err
	}
	store := model.NewStore()
	energy, kernel := nn.MLPEnergy(store.Scope("/energy"), 64, 64), samplers.Langevin{StepSize: ebm.Fixed(t.stepSize)}
	cd := losses.ContrastiveDivergence{Energy: energy, Kernel: kernel, Steps: 10, Persistent: true, Buffer: t.buffer, EnergyL2: t.l2}
	batches := &datasets.Batches{Data: data, Size: t.batch, Seed: seed}
	began := time.Now()
	if _, err := ebm.Train(ctx, b, store, cd, batches, ebm.TrainOptions{Epochs: t.epochs, ClipNorm: 1, Seed: seed,
		Schedule: ebm.Cosine{Start: 2e-3, End: 2e-5, Steps: t.epochs * batches.PerEpoch()}}); err != nil {
		return 0, 0, err
	}
	took := time.Since(began)
	sampler, err := ebm.NewSampler(b, store, energy, kernel)
	if err != nil {
		return 0, 0, err
	}
	out, err := sampler.Sample(ctx, ebm.Options{Chains: 3000, Dim: 2, Steps: t.steps, Seed: seed})
	if err != nil {
		return 0, 0, err
	}
	x, err := tensors.CopyFlatData[float32](out.X)
	if err != nil {
		return 0, 0, err
	}
	sw2, err := metrics.SlicedWasserstein{}.Between(x, held.X, 2)
	return sw2, took, err
}

func moons(seed uint64) (data, held *datasets.Data, err error) {
	if data, err = (datasets.TwoMoons{N: 3000, Seed: 2 * seed}).Generate(); err != nil {
		return nil, nil, err
	}
	held, err = datasets.TwoMoons{N: 3000, Seed: 2*seed + 1}.Generate()
	return data, held, err
}

// moonsFloor compares independent draws: a model's samples are independent, and the set's own angles evenly spaced.
func moonsFloor() (metrics.Noise, error) {
	return metrics.Floor(metrics.SlicedWasserstein{}, 2, 20, func(seed uint64) ([]float32, error) {
		d, err := datasets.TwoMoons{N: 3000, Seed: 1000 + seed, IID: seed%2 == 0}.Generate()
		if err != nil {
			return nil, err
		}
		return d.X, nil
	})
}

func faithful(seed uint64) (data, held *datasets.Data, err error) {
	all, err := standardised()
	if err != nil {
		return nil, nil, err
	}
	return all.Split(.5, seed)
}

func faithfulFloor() (metrics.Noise, error) {
	all, err := standardised()
	if err != nil {
		return metrics.Noise{}, err
	}
	return metrics.FloorOfHalves(metrics.SlicedWasserstein{}, all.X, 2, 20, 1)
}

func standardised() (*datasets.Data, error) {
	all, err := datasets.OldFaithful()
	if err != nil {
		return nil, err
	}
	all, _, err = all.Standardize()
	return all, err
}
