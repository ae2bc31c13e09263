package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/metrics"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// ess is one row of effective sample sizes, as in work.py.
type ess struct {
	kernel            string
	leapfrog          int
	target, narrowest float64
	mass              bool
	draws             int
}

var essRows = map[string]ess{
	"ess_hmc_gaussian100d_L3":      {"hmc", 3, 0.8, 0.01, true, 1000},
	"ess_mala_gaussian100d":        {"mala", 1, 0.574, 0.01, true, 2000},
	"ess_mala_nomass_gaussian100d": {"mala", 1, 0.574, 0.1, false, 4000},
}

const (
	essChains   = 64
	essDim      = 100
	essWarmUp   = 1000
	essStepSize = 0.1 // what adaptation begins with
)

// deviations are the Gaussian's standard deviations.
func (w ess) deviations() []float64 {
	out := make([]float64, essDim)
	for i := range out {
		out[i] = math.Pow(w.narrowest, 1-float64(i)/(essDim-1))
	}
	return out
}

// energy is that of N(0, diag).
func (w ess) energy() ebm.Energy {
	precision := w.deviations()
	for i, s := range precision {
		precision[i] = 1 / (s * s)
	}
	return ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node {
		return MulScalar(ReduceSum(Mul(Square(x), ConstAs(x, [][]float64{precision})), -1), 0.5)
	})
}

// warmUp adapts the kernel, and tells its step size, HMC's or MALA's, and where the chains are then.
func (w ess) warmUp(b compute.Backend, energy ebm.Energy, seed uint64) (ebm.Kernel, float64, ebm.Options, error) {
	var kernel samplers.Preconditioned = samplers.MALA{}
	if w.kernel == "hmc" {
		kernel = samplers.HMC{Leapfrog: w.leapfrog}
	}
	o := ebm.Options{Chains: essChains, Dim: essDim, Steps: essWarmUp, Seed: seed, Devices: *devices}
	if w.mass {
		tuned, report, err := samplers.WarmUp{Target: w.target, Start: essStepSize}.Run(context.Background(), b, nil, energy, kernel, o)
		if err != nil {
			return nil, 0, o, err
		}
		return tuned, report.StepSize, ebm.Options{Resume: report.Checkpoint}, nil
	}
	adapting := samplers.DualAveraging{Kernel: kernel, Target: w.target, Steps: essWarmUp, Start: essStepSize}
	sampler, err := ebm.NewSampler(b, nil, energy, adapting)
	if err != nil {
		return nil, 0, o, err
	}
	defer sampler.Finalize()
	out, err := sampler.Sample(context.Background(), o)
	if err != nil {
		return nil, 0, o, err
	}
	step, err := adapting.StepSize(out.Checkpoint)
	return kernel.WithStepSize(ebm.Fixed(step)), step, ebm.Options{Start: out.X, Seed: seed + 1<<32}, err
}

// essAnswer is the answer to a request for draws.
type essAnswer struct {
	Row      string    `json:"row"`
	WarmMS   float64   `json:"warm_ms"`
	TimesMS  []float64 `json:"times_ms"`
	Accept   float64   `json:"accept"`
	StepSize float64   `json:"step_size"`
}

// draw warms up, samples, and leaves the draws of the last repetition in a file, float32 [chains, draws, dim].
func (w ess) draw(b compute.Backend, row string, repetitions int, seed uint64, file string) (*essAnswer, error) {
	energy, a := w.energy(), &essAnswer{Row: row}
	start := time.Now()
	kernel, step, o, err := w.warmUp(b, energy, seed)
	if err != nil {
		return nil, err
	}
	a.WarmMS, a.StepSize = milliseconds(start), step
	sampler, err := ebm.NewSampler(b, nil, energy, kernel)
	if err != nil {
		return nil, err
	}
	defer sampler.Finalize()
	o.Steps, o.Trajectory, o.Devices = w.draws, true, *devices
	var out *ebm.Samples
	for i := range 1 + repetitions { // the first compiles
		start := time.Now()
		if out, err = sampler.Sample(context.Background(), o); err != nil {
			return nil, err
		}
		if i > 0 {
			a.TimesMS = append(a.TimesMS, milliseconds(start))
		}
	}
	a.Accept = out.Accept
	var failed error
	err = out.Trajectory.ConstBytes(func(draws []byte) { failed = os.WriteFile(file, draws, 0o600) })
	return a, errors.Join(err, failed)
}

// judgement is what the draws of an engine are worth.
type judgement struct {
	Row string  `json:"row"`
	ESS float64 `json:"ess"` // the smallest bulk ESS of all coordinates
	Off float64 `json:"off"` // the largest deviation of a mean or a mean square from the truth, in standard errors
}

// judge reads the draws from a file, whoever drew them.
func (w ess) judge(row, file string) (*judgement, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if want := 4 * essChains * w.draws * essDim; len(data) != want {
		return nil, fmt.Errorf("%s has %d bytes, want %d", file, len(data), want)
	}
	x, squares := make([]float32, len(data)/4), make([]float32, len(data)/4)
	deviations := w.deviations()
	for i := range x { // in units of the truth, which leaves the ESS as it is
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])) / float32(deviations[i%essDim])
		squares[i] = x[i] * x[i]
	}
	bulk, err := metrics.ESS(x, essChains, essDim)
	if err != nil {
		return nil, err
	}
	j := &judgement{Row: row, ESS: slices.Min(bulk)}
	for want, moment := range [][]float32{x, squares} {
		se, err := metrics.MCSEMean(moment, essChains, essDim)
		if err != nil {
			return nil, err
		}
		mean := make([]float64, essDim)
		for i, v := range moment {
			mean[i%essDim] += float64(v) / float64(len(moment)/essDim)
		}
		for i := range mean {
			j.Off = max(j.Off, math.Abs(mean[i]-float64(want))/se[i])
		}
	}
	return j, nil
}

func milliseconds(since time.Time) float64 { return float64(time.Since(since).Nanoseconds()) / 1e6 }
