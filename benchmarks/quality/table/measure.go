package table

import (
	"context"
	"math"
	"math/rand/v2"
	"sort"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/metrics"
)

// density is exp(−E)/Z in a square, as cells of equal size.
type density struct {
	reach   float64
	cells   int       // along a side
	logProb []float64 // log-density at the cells' centres, row after row from below
	logZ    float64
}

// densityOf evaluates an energy on the square of a set and normalises it there.
func densityOf(b compute.Backend, store *model.Store, e ebm.Energy, s set) (*density, error) {
	const cells, bands = 600, 10 // in bands, to need less memory
	d := &density{reach: s.reach, cells: cells}
	energies := ebm.OnHost(b, store, e, 2)
	for band := range bands {
		var points []float32
		for row := band * cells / bands; row < (band+1)*cells/bands; row++ {
			for column := range cells {
				points = append(points, float32(d.centre(column)), float32(d.centre(row)))
			}
		}
		values, err := energies(points)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			d.logProb = append(d.logProb, -v)
		}
	}
	highest := math.Inf(-1)
	for i, v := range d.logProb {
		if math.IsNaN(v) || math.IsInf(v, 1) {
			return nil, errors.Errorf("the energy is %g at cell %d", -v, i)
		}
		highest = max(highest, v)
	}
	sum := 0.0
	for _, v := range d.logProb {
		sum += math.Exp(v - highest)
	}
	d.logZ = highest + math.Log(sum) + 2*math.Log(d.width())
	for i := range d.logProb {
		d.logProb[i] -= d.logZ
	}
	return d, nil
}

func (d *density) width() float64            { return 2 * d.reach / float64(d.cells) }
func (d *density) centre(cell int) float64   { return -d.reach + (float64(cell)+.5)*d.width() }
func (d *density) probability(i int) float64 { return math.Exp(d.logProb[i]) * d.width() * d.width() }

// sample draws points [n, 2] independently: a cell by its probability, and evenly within it. So what is compared with the data is the
// energy, and not how well some sampler mixes on it.
func (d *density) sample(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	cumulative, total := make([]float64, len(d.logProb)), 0.0
	for i := range d.logProb {
		total += d.probability(i)
		cumulative[i] = total
	}
	points := make([]float32, 0, 2*n)
	for range n {
		i := min(sort.SearchFloat64s(cumulative, total*rng.Float64()), len(cumulative)-1)
		x := d.centre(i%d.cells) + (rng.Float64()-.5)*d.width()
		y := d.centre(i/d.cells) + (rng.Float64()-.5)*d.width()
		points = append(points, float32(x), float32(y))
	}
	return points
}

// run draws samples by a kernel, from N(0, σ²I).
func run(ctx context.Context, b compute.Backend, store *model.Store, e ebm.Energy, k ebm.Kernel, steps int, std float64, seed uint64) ([]float32, error) {
	rng := rand.New(rand.NewPCG(seed, 2))
	start := make([]float32, 2*heldPoints)
	for i := range start {
		start[i] = float32(std * rng.NormFloat64())
	}
	sampler, err := ebm.NewSampler(b, store, e, k)
	if err != nil {
		return nil, err
	}
	defer sampler.Finalize()
	out, err := sampler.Sample(ctx, ebm.Options{Start: tensors.FromFlatDataAndDimensions(start, heldPoints, 2), Steps: steps, Seed: seed})
	if err != nil {
		return nil, err
	}
	return tensors.CopyFlatData[float32](out.X)
}

// Score is what is measured of one trained energy.
type Score struct {
	Diverged   string   `json:"diverged,omitempty"` // what the doctor said; nothing was measured then
	SlicedW2   float64  `json:"sliced_w2"`
	MSE        *float64 `json:"mse_log_density,omitempty"` // nats², at held-out points; none where the energy's density is not what was trained
	Hit        *int     `json:"modes_hit,omitempty"`
	Good       *float64 `json:"share_on_modes,omitempty"`
	WeightsKL  *float64 `json:"kl_of_weights,omitempty"`
	TrainSteps int      `json:"train_steps"`
	Seconds    float64  `json:"seconds"` // of training, compilation included
}

// judge fills in the figures of samples.
func (r *Score) judge(s set, held *datasets.Data, samples []float32) error {
	var err error
	if r.SlicedW2, err = (metrics.SlicedWasserstein{}).Between(samples, held.X, 2); err != nil {
		return err
	}
	if s.modes == nil {
		return nil
	}
	cover, err := s.modes.Cover(samples, 2)
	if err != nil {
		return err
	}
	r.Hit, r.Good = &cover.Hit, &cover.Good
	if !math.IsInf(cover.KL, 0) {
		r.WeightsKL = &cover.KL
	}
	return nil
}

// judgeDensity fills in the error of the log-density at held-out points.
func (r *Score) judgeDensity(b compute.Backend, store *model.Store, e ebm.Energy, s set, held *datasets.Data, d *density) error {
	x, err := held.Tensor(dtypes.Float32)
	if err != nil {
		return err
	}
	energies, err := ebm.Evaluate(b, store, e, x)
	if err != nil {
		return err
	}
	single := make([]float32, len(energies))
	for i, e := range energies {
		single[i] = float32(e)
	}
	mse, err := metrics.DensityMSE(single, s.logDensities(held.X), d.logZ)
	r.MSE = &mse
	return err
}

// floorOf is the sliced W2 of two independent true samples.
func floorOf(s set) (metrics.Noise, error) {
	return metrics.Floor(metrics.SlicedWasserstein{}, 2, 10, func(seed uint64) ([]float32, error) {
		d, err := s.generate(heldPoints, 1000+seed)
		if err != nil {
			return nil, err
		}
		return d.X, nil
	})
}
