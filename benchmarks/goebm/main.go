// Command goebm is GoEBM's side of the benchmark: the line protocol and the rows of benchmarks/work.py, which changes
// together with this. GOMLX_BACKEND chooses the backend.
//
// With -first-sample it does what a new process needs to draw its first samples, and ends. -devices N shards the chains
// over N devices; without it the library decides.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

const (
	leapfrogSteps = 10
	momentum      = 0.9
	correlation   = 0.5 // the Gaussian's covariance is correlation^|i−j|
	diffusion     = 0.1 // D of dx = −∇E dt + √(2D) dW
)

// work is one row of the benchmark.
type work struct {
	energy             string
	sampler            string
	chains, dim, steps int
	stepSize           float64
}

var rows = map[string]work{
	"langevin_doublewell_10000x2x1000": {"doublewell", "langevin", 10000, 2, 1000, 1e-2},
	"langevin_doublewell_1000x2x100":   {"doublewell", "langevin", 1000, 2, 100, 1e-2},
	"langevin_mlp_1000x2x1000":         {"mlp", "langevin", 1000, 2, 1000, 1e-2},
	"langevin_mlp_10000x2x100":         {"mlp", "langevin", 10000, 2, 100, 1e-2},
	"langevin_mlp_128x2x100":           {"mlp", "langevin", 128, 2, 100, 1e-2},
	"hmc_gaussian10d_L10_1000x10x100":  {"gaussian", "hmc", 1000, 10, 100, 0.15},
	"pcd10_train_step_128":             {"mlp", "pcd", 128, 2, 10, 1e-2},
	"sm_exact_train_step_128":          {"mlp", "sm", 128, 2, 0, 0},
	"ssm5_train_step_128":              {"mlp", "ssm", 128, 2, 5, 0},
	"dsm_train_step_128":               {"mlp", "dsm", 128, 2, 0, 0.1},
	"eqm_train_step_128":               {"field", "eqm", 128, 2, 0, 0},
	"fm_train_step_256":                {"flow", "fm", 256, 2, 0, 0},
	"flow_sample_heun50_10000":         {"flow", "heun", 10000, 2, 50, 1. / 50},
	"adaptive_dopri5_mixed":            {"mixed", "dopri5", 1000, 1, 0, 1e-3},
	"dit_s2_gradients_32x8x8":          {"dit_s2", "gradients", 32, 8, 0, 0},
	"dit_s2_gradients_16x16x16":        {"dit_s2", "gradients", 16, 16, 0, 0},
	"guided_heun50_64x8x8":             {"dit_128x6", "guided", 64, 8, 50, 1. / 50},
	"dit_s2_bfloat16_32x8x8":           {"dit_s2+bfloat16", "gradients", 32, 8, 0, 0},
	"dit_s2_gradients_64x16x16":        {"dit_s2", "gradients", 64, 16, 0, 0},
	"dit_s2_recompute_64x16x16":        {"dit_s2+recompute", "gradients", 64, 16, 0, 0},
}

func init() {
	for energy, samplers := range map[string][]string{
		"doublewell": {"langevin", "hmc", "gradient_descent", "nesterov"},
		"mlp128":     {"euler_maruyama", "heun", "rk4", "leapfrog"},
	} {
		for _, sampler := range samplers {
			for _, size := range [][3]int{{64, 8, 50}, {256, 32, 100}, {1024, 128, 200}} {
				row := fmt.Sprintf("grid_%s_%dx%dx%d", sampler, size[0], size[1], size[2])
				rows[row] = work{energy, sampler, size[0], size[1], size[2], 1e-3}
			}
		}
	}
	for _, steps := range []int{2, 8, 64, 256} {
		rows[fmt.Sprintf("steps_heun_10000x2x%d", steps)] = work{"flow", "heun", 10000, 2, steps, 1 / float64(steps)}
	}
}

var (
	first   = flag.Bool("first-sample", false, "draw a first sample and end")
	devices = flag.Int("devices", 0, "shard the chains over this many devices; 0 leaves it to the library")
)

func main() {
	flag.Parse()
	run := serve
	if *first {
		run = firstSample
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "goebm:", err)
		os.Exit(1)
	}
}

func firstSample() error {
	b, err := backend.New()
	if err != nil {
		return err
	}
	sampler, err := ebm.NewSampler(b, nil, ebm.DoubleWell{}, samplers.Langevin{StepSize: ebm.Fixed(0.01)})
	if err != nil {
		return err
	}
	_, err = sampler.Sample(context.Background(), ebm.Options{Chains: 1000, Dim: 2, Steps: 100})
	return err
}

// prepared is a row that is ready to be timed.
type prepared struct {
	call  func() error              // does the work, and returns when it is done
	units float64                   // how many of what the row times a call does
	check func() ([]float64, error) // mean energy after the last call and its standard error; nil where there is none

	figures func() (map[string]float64, error) // what else is known of the last call; nil where there is nothing
}

// answer is one line of standard output.
type answer struct {
	Row     string    `json:"row"`
	FirstMS *float64  `json:"first_ms"`
	TimesMS []float64 `json:"times_ms"`
	Check   []float64 `json:"check"`

	Figures map[string]float64 `json:"figures,omitempty"`
}

// serve answers the runner until standard input closes.
func serve() error {
	b, err := backend.New()
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	about := map[string]any{"engine": "goebm", "go": strings.TrimPrefix(runtime.Version(), "go"), "backend": b.Name(), "devices": b.NumDevices()}
	if err := out.Encode(about); err != nil {
		return err
	}
	ready := map[string]*prepared{}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		a, err := reply(b, ready, strings.Fields(in.Text()))
		if err != nil {
			return err
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
	return in.Err()
}

// failure is the answer where something went wrong: the runner shows it and goes on with the other rows.
type failure struct {
	Row   string `json:"row"`
	Error string `json:"error"`
}

// reply answers a request, "ROW REPETITIONS", "ESS_ROW REPETITIONS SEED FILE" or "judge ESS_ROW FILE"; an error ends the process.
func reply(b compute.Backend, ready map[string]*prepared, words []string) (any, error) {
	var a any
	var row string
	var err error
	switch {
	case len(words) == 3 && words[0] == "judge":
		row = words[1]
		a, err = essRows[row].judge(row, words[2])
	case len(words) == 2 || len(words) == 4:
		row = words[0]
		repetitions, e := strconv.Atoi(words[1])
		if e != nil {
			return nil, e
		}
		if len(words) == 2 {
			times := &answer{Row: row}
			a, err = times, times.fill(b, ready, repetitions)
			break
		}
		seed, e := strconv.ParseUint(words[2], 10, 64)
		if e != nil {
			return nil, e
		}
		w, ok := essRows[row]
		if !ok {
			return failure{row, "no such row"}, nil
		}
		a, err = w.draw(b, row, repetitions, seed, words[3])
	default:
		return nil, fmt.Errorf("%q is no request", words)
	}
	if err != nil {
		return failure{row, err.Error()}, nil
	}
	return a, nil
}

func (a *answer) fill(b compute.Backend, ready map[string]*prepared, repetitions int) error {
	p := ready[a.Row]
	if p == nil {
		w, ok := rows[a.Row]
		if !ok {
			return fmt.Errorf("no row is called %q", a.Row)
		}
		var err error
		if p, err = prepare(b, w); err != nil {
			return err
		}
		ms, err := timed(p)
		if err != nil {
			return err
		}
		a.FirstMS, ready[a.Row] = &ms, p
	}
	for range repetitions {
		ms, err := timed(p)
		if err != nil {
			return err
		}
		a.TimesMS = append(a.TimesMS, ms)
	}
	if p.check == nil {
		return nil
	}
	var err error
	if a.Check, err = p.check(); err != nil || p.figures == nil {
		return err
	}
	a.Figures, err = p.figures()
	return err
}

func timed(p *prepared) (float64, error) {
	start := time.Now()
	err := p.call()
	return milliseconds(start) / p.units, err
}

func prepare(b compute.Backend, w work) (*prepared, error) {
	store := model.NewStore()
	if loss := newLoss(store, w); loss != nil {
		return prepareTraining(b, store, loss, w)
	}
	switch {
	case w.energy == "flow":
		return prepareFlow(b, store, w)
	case w.energy == "mixed":
		return prepareMixed(b, w)
	case transformerSize(w) != nil:
		return prepareTransformer(b, store, w)
	}
	energy := newEnergy(store, w)
	sampler, err := ebm.NewSampler(b, store, energy, kernel(w, energy))
	if err != nil {
		return nil, err
	}
	o := ebm.Options{Chains: w.chains, Dim: w.dim, Steps: w.steps, Devices: *devices}
	var samples *ebm.Samples
	return &prepared{
		units: 1,
		call: func() (err error) {
			o.Seed++
			samples, err = sampler.Sample(context.Background(), o)
			return err
		},
		check: func() ([]float64, error) {
			energies, err := ebm.Evaluate(b, store, energy, samples.X)
			return meanError(energies), err
		},
	}, nil
}

func kernel(w work, energy ebm.Energy) ebm.Kernel {
	step := ebm.Fixed(w.stepSize)
	down := ebm.FieldFunc(func(x, _ *Node, cond ...*Node) *Node {
		_, grad := ebm.ValueGrad(energy, x, cond...)
		return Neg(grad)
	})
	noise := func(_, t *Node, _ ...*Node) *Node { return AddScalar(ZerosLike(t), math.Sqrt(2*diffusion)) }
	to := float64(w.steps) * w.stepSize
	switch w.sampler {
	case "euler_maruyama":
		return flow.NoisySteps{Drift: down, Diffusion: noise, To: to, Steps: w.steps}
	case "heun":
		return flow.NoisySteps{Drift: down, Diffusion: noise, Method: flow.StochasticHeun{}, To: to, Steps: w.steps}
	case "rk4":
		return flow.FixedSteps{Field: down, To: to, Steps: w.steps}
	case "leapfrog":
		return flow.SymplecticSteps{To: to, Steps: w.steps}
	case "hmc":
		return samplers.HMC{StepSize: step, Leapfrog: leapfrogSteps}
	case "gradient_descent":
		return samplers.GradientDescent{StepSize: step}
	case "nesterov":
		return samplers.Nesterov{StepSize: step, Momentum: ebm.Fixed(momentum)}
	default:
		return samplers.Langevin{StepSize: step}
	}
}

// meanError returns the mean and its standard error.
func meanError(x []float64) []float64 {
	var mean, square float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		square += (v - mean) * (v - mean) / float64(len(x))
	}
	return []float64{mean, math.Sqrt(square / float64(len(x)))}
}
