package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/metrics"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// size is how much work is done.
type size struct {
	widths        []int
	first, second int // training steps of the phases
	chain         int // steps of the chains in training
	points        int // of a W2
	end           float64
}

var (
	full  = size{widths: []int{256, 256, 256, 256}, first: 20000, second: 2000, chain: 200, points: 2048, end: 20}
	small = size{widths: []int{64, 64}, first: 300, second: 20, chain: 50, points: 256, end: 5}
)

const (
	batch = 128
	rate  = 1e-4
	eta   = 0.01 // time of a step
)

// The methods: energy matching as in its authors' program for the plane, which neither trims nor bounds the contrastive term, and with
// losses.EnergyMatching's defaults, which do.
const (
	flowAlone = "first phase alone"
	matching  = "energy matching"
	bounded   = "energy matching, trim and floor"
	otcfm     = "OT-CFM"
)

var methods = []string{flowAlone, matching, otcfm, bounded}

type experiment struct {
	size
	backend compute.Backend
	dir     string
}

// source fills a batch with the 8 Gaussians of torchcfm: centres on a circle of radius 5, of variance √0.1 each.
func source(x0 []float64, _ int, rng *rand.Rand) {
	std := math.Pow(0.1, 0.25)
	for i := 0; i < len(x0); i += 2 {
		sin, cos := math.Sincos(math.Pi / 4 * float64(rng.IntN(8)))
		x0[i], x0[i+1] = 5*cos+std*rng.NormFloat64(), 5*sin+std*rng.NormFloat64()
	}
}

// moons are those of torchcfm, 3·(two moons + u·(1, 1)) − 1 with u ~ U(0, 0.2), but for angles that are drawn and not spread evenly.
func moons(n int, seed uint64) *datasets.Data {
	rng := rand.New(rand.NewPCG(seed, 1))
	d := &datasets.Data{Name: "two moons", Dim: 2}
	for range n {
		sin, cos := math.Sincos(math.Pi * rng.Float64())
		if rng.IntN(2) == 1 {
			cos, sin = 1-cos, 0.5-sin
		}
		u := 0.2 * rng.Float64()
		d.X = append(d.X, float32(3*(cos+u)-1), float32(3*(sin+u)-1))
	}
	return d
}

const heldOut = 1 << 20 // seeds of data that nothing was trained on

func (e *experiment) pairs(seed int) *flow.Paired {
	return &flow.Paired{Data: &datasets.Batches{Data: moons(1<<16, uint64(seed)), Size: batch, Seed: uint64(seed)}, Coupling: flow.ExactOT{}, Source: source, Seed: uint64(seed)}
}

// fill trains and measures what is not there yet.
func (e *experiment) fill(ctx context.Context, r *Results, only []string, seeds int, done func(method string, seed int) error) error {
	r.Points = e.points
	if r.Floor.Pairs == 0 {
		floor, err := metrics.Floor(metrics.Wasserstein{}, 2, 5, func(seed uint64) ([]float32, error) { return moons(e.points, heldOut+1+seed).X, nil })
		if err != nil {
			return err
		}
		r.Floor = floor
	}
	r.Times, r.OneWay = nil, nil
	for _, t := range []float64{0, .2, .4, .6, .8, .9, 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 14, 20} {
		if t <= e.end {
			r.Times = append(r.Times, t)
		}
		if t <= 1 {
			r.OneWay = append(r.OneWay, t)
		}
	}
	for seed := 1; seed <= seeds; seed++ {
		for _, method := range only {
			for len(r.Runs[method]) < seed {
				r.Runs[method] = append(r.Runs[method], nil)
			}
			if r.Runs[method][seed-1] != nil {
				continue
			}
			result, err := e.run(ctx, method, seed, r)
			if err != nil {
				return fmt.Errorf("%s, seed %d: %w", method, seed, err)
			}
			r.Runs[method][seed-1] = result
			if err := done(method, seed); err != nil {
				return err
			}
		}
	}
	return nil
}

// run trains a method with a seed and measures it.
func (e *experiment) run(ctx context.Context, method string, seed int, r *Results) (*Result, error) {
	store := model.NewStore()
	defer store.Finalize()
	began := time.Now()
	steps, total := 0, e.first+e.second
	train := func(loss ebm.Loss, name string, until int) error {
		report, err := ebm.Train(ctx, e.backend, store, loss, e.pairs(seed), ebm.TrainOptions{Steps: until, LearningRate: rate, Seed: uint64(seed),
			Checkpoint: e.checkpoints(name, seed)})
		if report != nil {
			steps = report.Steps
		}
		return err
	}
	start := tensors.FromFlatDataAndDimensions(sources(e.points, heldOut+uint64(seed)), e.points, 2)
	var w2 []float64
	var err error
	if method == otcfm {
		field := nn.MLPField{Scope: store.Scope("/field"), Widths: e.widths, Timed: true}
		if err = train(losses.FlowMatching{Field: field, Paired: true}, otcfm, total); err == nil {
			began := time.Since(began)
			w2, err = e.along(ctx, store, flow.NoEnergy, flow.FixedSteps{Field: field, Steps: 100}, start, r.OneWay)
			return &Result{W2: w2, Steps: steps, Seconds: began.Seconds()}, err
		}
		return failed(err, steps)
	}
	v := nn.MLPEnergy(store.Scope("/energy"), e.widths...)
	first := losses.EnergyMatching{Energy: v, Paired: true, Cutoff: 1}
	if method == flowAlone {
		err = train(first, flowAlone, e.first)
	} else if err = e.fork(seed, method); err == nil {
		second := losses.EnergyMatching{Energy: v, Paired: true, Contrast: 2, Steps: e.chain}
		if method == matching {
			second.Floor, second.Trim = -1, -1
		}
		err = train(second, method, total)
	}
	if err != nil {
		return failed(err, steps)
	}
	took := time.Since(began)
	kernel := samplers.Langevin{StepSize: ebm.Fixed(eta), Noise: ebm.Temperature{Steps: int(math.Round(1 / eta))}}
	w2, err = e.along(ctx, store, v, kernel, start, r.Times)
	return &Result{W2: w2, Steps: steps, Seconds: took.Seconds()}, err
}

// failed is the result of a training that the doctor stopped; other errors are errors.
func failed(err error, steps int) (*Result, error) {
	var d *ebm.Diagnosis
	if errors.As(err, &d) {
		return &Result{Diverged: d.Error(), Steps: steps}, nil
	}
	return nil, err
}

func (e *experiment) checkpoints(name string, seed int) string {
	return filepath.Join(e.dir, fmt.Sprintf("%s, seed %d", name, seed))
}

// fork lets a second phase begin with the checkpoint of the first.
func (e *experiment) fork(seed int, to string) error {
	if _, err := os.Stat(e.checkpoints(to, seed)); err == nil {
		return nil // it began before
	}
	if _, err := os.Stat(e.checkpoints(flowAlone, seed)); err != nil {
		return fmt.Errorf("%s has no checkpoint to go on from: take the line of that seed out of the file, or -fresh: %w", flowAlone, err)
	}
	return os.CopyFS(e.checkpoints(to, seed), os.DirFS(e.checkpoints(flowAlone, seed)))
}

func sources(n int, seed uint64) []float32 {
	x := make([]float64, 2*n)
	source(x, 2, rand.New(rand.NewPCG(seed, 2)))
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

// along measures W2 to held-out data at times that are whole numbers of steps.
func (e *experiment) along(ctx context.Context, store *model.Store, energy ebm.Energy, k ebm.Kernel, start *tensors.Tensor, times []float64) ([]float64, error) {
	sampler, err := ebm.NewSampler(e.backend, store, energy, k)
	if err != nil {
		return nil, err
	}
	defer sampler.Finalize()
	data := moons(e.points, heldOut).X
	o := ebm.Options{Start: start, Seed: 1}
	x, at := start, 0
	var w2 []float64
	for _, t := range times {
		if to := int(math.Round(t / eta)); to > at {
			o.Steps = to - at
			out, err := sampler.Sample(ctx, o)
			if err != nil {
				return nil, err
			}
			x, at, o = out.X, to, ebm.Options{Resume: out.Checkpoint}
		}
		points, err := tensors.CopyFlatData[float32](x)
		if err != nil {
			return nil, err
		}
		d, err := metrics.Wasserstein{}.Between(points, data, 2)
		if err != nil {
			return nil, err
		}
		w2 = append(w2, d)
	}
	return w2, nil
}
