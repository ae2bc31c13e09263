// Quickstart trains an energy on a ring of five Gaussians, draws samples from it, says how good they are, and draws the landscape:
//
//	go run ./examples/quickstart                                   # on XLA where it is installed
//	CGO_ENABLED=0 go run -tags noxla ./examples/quickstart         # anywhere: one static binary
//
// It is as small as it can be and still show something; tutorials/03_train_two_moons.ipynb trains in earnest.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/metrics"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/plots"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

func main() {
	steps := flag.Int("steps", 700, "training steps")
	picture := flag.String("o", "quickstart.png", "the picture to write")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b, err := backend.New()
	if err == nil {
		_, err = run(ctx, b, os.Stdout, *steps, *picture)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run does it all and returns the samples' sliced W₂ to the data.
func run(ctx context.Context, b compute.Backend, w io.Writer, steps int, picture string) (float64, error) {
	data, err := datasets.GaussianMixture{N: 1000, Components: 5, Std: 0.25, Radius: 1.5, Seed: 1}.Generate()
	if err != nil {
		return 0, err
	}

	// The energy: a small network, its weights in the store.
	store := model.NewStore()
	energy := nn.MLPEnergy(store.Scope("energy"), 64, 64)

	// Train it: lower the energy at the data, raise it where persistent Langevin chains go.
	langevin := samplers.Langevin{StepSize: ebm.Fixed(0.015)}
	cd := losses.ContrastiveDivergence{Energy: energy, Kernel: langevin, Steps: 10, Persistent: true, Buffer: 512, EnergyL2: 0.01}
	report, err := ebm.Train(ctx, b, store, cd, &datasets.Batches{Data: data, Size: 128, Seed: 1}, ebm.TrainOptions{
		Steps: steps, Schedule: ebm.Cosine{Start: 5e-3, End: 1e-4, Steps: steps}, ClipNorm: 1})
	if err != nil {
		return 0, err
	}
	last := report.History[len(report.History)-1]
	fmt.Fprintf(w, "%d steps on %s: energy of the data %.2f, of the samples %.2f\n", report.Steps, b.Name(), last.Data, last.Negatives)

	// Sample from it: 1000 chains from N(0, I).
	sampler, err := ebm.NewSampler(b, store, energy, langevin)
	if err != nil {
		return 0, err
	}
	out, err := sampler.Sample(ctx, ebm.Options{Chains: 1000, Dim: 2, Steps: 300, Seed: 2})
	if err != nil {
		return 0, err
	}

	// How good is it? The distance means something only beside that of two true sets.
	samples, err := tensors.CopyFlatData[float32](out.X)
	if err != nil {
		return 0, err
	}
	sw := metrics.SlicedWasserstein{Projections: 128}
	distance, err := sw.Between(samples, data.X, 2)
	if err != nil {
		return 0, err
	}
	floor, err := metrics.Floor(sw, 2, 5, func(seed uint64) ([]float32, error) {
		d, err := datasets.GaussianMixture{N: 1000, Components: 5, Std: 0.25, Radius: 1.5, Seed: 10 + seed, IID: true}.Generate()
		if err != nil {
			return nil, err
		}
		return d.X, nil
	})
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(w, "sliced W₂ of samples to data %.3f, noise floor %.3f\n", distance, floor.Mean)

	x, err := data.Tensor(dtypes.Float32)
	if err != nil {
		return 0, err
	}
	err = plots.Contour(ebm.OnHost(b, store, energy, 2), plots.Box(-3, 3),
		plots.ContourStyle{ColorScale: plots.ColorScale{FromMin: true, Depth: 8}}).
		Scatter(x, plots.ScatterStyle{Color: plots.White, Label: "data"}).
		Scatter(out.X, plots.ScatterStyle{Color: plots.Red, Label: "samples"}).
		Title("Energy landscape of five Gaussians").Save(picture)
	if err != nil {
		return 0, err
	}
	fmt.Fprintln(w, "picture:", picture)
	return distance, nil
}
