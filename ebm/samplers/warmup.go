package samplers

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// WarmUp fits a kernel's step size and mass matrix to an energy, in Stan's windows, for many chains at once:
//
//   - a first window (75 steps of 1000) lets the chains find the bulk of the target
//   - slow windows, each twice as long as the one before (25, 50, 100, 200, 500), end with a new mass of the window's draws
//   - a last window (50 steps) settles the step size
//
// In all of them [DualAveraging] sets the step size; a new mass begins it anew from where it was. Short runs have windows in the
// same proportions. Where chains are many, so are a window's draws, and 200 to 300 steps are enough.
//
// Adaptation ends with Run: the kernel it returns has a fixed step and mass, and leaves the target invariant. Chains go on from
// WarmUpReport.Checkpoint without another burn-in where they have converged. The mass is an input of the compiled loop, so that all windows
// run one graph.
//
// Stan Reference Manual, HMC Algorithm Parameters (warmup windows); Hoffman and Gelman 2014, arXiv:1111.4246.
type WarmUp struct {
	Target float64  // acceptance to reach, in (0, 1), default 0.8
	Start  float64  // first step size, default 0.1
	Mass   MassRule // what mass to make, default DiagonalFromDraws
}

// WarmUpReport is what a warm-up found.
type WarmUpReport struct {
	StepSize   float64
	Mass       Mass // a DiagonalMass or a DenseMass
	Windows    []WarmUpWindow
	X          *tensors.Tensor // [Chains, event...]: the last positions
	Checkpoint *ebm.Checkpoint // for Options.Resume with the tuned kernel: it goes on from here
}

// WarmUpWindow is one window of a warm-up.
type WarmUpWindow struct {
	Steps    int
	Accept   float64 // mean acceptance while it adapted
	StepSize float64 // at its end
	Mass     Mass    // made at its end; nil in the first and the last window
}

// Run takes o.Steps steps of warm-up, at least 20, from where o says that chains begin, and returns the kernel with step size and mass set.
// There must be two chains at least. Of o it takes Chains, Dim, Event, DType, Start, Data, Cond, Steps, Seed, Devices and Progress; the others must be left out.
func (w WarmUp) Run(ctx context.Context, b compute.Backend, store *model.Store, e ebm.Energy, kernel Preconditioned, o ebm.Options) (ebm.Kernel, *WarmUpReport, error) {
	w.Target, w.Start = cmp.Or(w.Target, 0.8), cmp.Or(w.Start, 0.1)
	if w.Mass == nil {
		w.Mass = DiagonalFromDraws{}
	}
	if err := w.check(kernel, o); err != nil {
		return nil, nil, err
	}
	adapting := DualAveraging{Kernel: massed{kernel: kernel, dense: w.Mass.dense()}, Target: w.Target, Steps: math.MaxInt32, Start: w.Start}
	sampler, err := ebm.NewSampler(b, store, e, adapting)
	if err != nil {
		return nil, nil, err
	}
	defer sampler.Finalize()

	first, slow, last := windows(o.Steps)
	report := &WarmUpReport{}
	o.Progress = inAll(o.Progress, o.Steps)
	o.Steps, o.Thin, o.Trajectory = first, first, true // all windows keep draws, used or not, so that they run one graph
	out, err := report.window(ctx, sampler, adapting, o)
	if err != nil {
		return nil, nil, err
	}
	next := ebm.Options{Devices: o.Devices, Progress: o.Progress, Trajectory: true}
	for _, steps := range slow {
		next.Resume, next.Steps = out.Checkpoint, steps
		next.Thin = thin(steps, out.X.Size())
		if out, err = report.window(ctx, sampler, adapting, next); err != nil {
			return nil, nil, err
		}
		if report.Mass, err = w.fromDraws(b, store, e, out); err != nil {
			return nil, nil, errors.WithMessagef(err, "WarmUp: the mass after %d steps", out.Checkpoint.Step)
		}
		report.Windows[len(report.Windows)-1].Mass = report.Mass
		if err := begin(out.Checkpoint, report.StepSize, massNumbers(report.Mass)); err != nil {
			return nil, nil, err
		}
	}
	next.Resume, next.Steps, next.Thin = out.Checkpoint, last, last
	if out, err = report.window(ctx, sampler, adapting, next); err != nil {
		return nil, nil, err
	}
	report.X, report.Checkpoint = out.X, out.Checkpoint
	report.Checkpoint.State = report.Checkpoint.State[:len(out.Checkpoint.State)-averagingEntries-1]
	return kernel.WithMass(report.Mass).WithStepSize(ebm.Fixed(report.StepSize)), report, nil
}

func (w WarmUp) check(kernel Preconditioned, o ebm.Options) error {
	chains := o.Chains
	if o.Start != nil && o.Start.Ok() && o.Start.Rank() > 0 {
		chains = o.Start.Shape().Dimensions[0]
	}
	switch {
	case kernel == nil:
		return errors.New("WarmUp: kernel is nil")
	case !(w.Target > 0 && w.Target < 1):
		return errors.Errorf("WarmUp: Target must be in (0, 1), got %g", w.Target)
	case !(w.Start > 0) || math.IsInf(w.Start, 1):
		return errors.Errorf("WarmUp: Start must be a finite number and positive, got %g", w.Start)
	case o.Steps < 20:
		return errors.Errorf("WarmUp: Options.Steps must be at least 20, got %d", o.Steps)
	case chains < 2:
		return errors.Errorf("WarmUp: a mass wants at least 2 chains, got %d", chains)
	}
	return noMore("WarmUp", o)
}

// noMore refuses the options that adaptation has no use for.
func noMore(who string, o ebm.Options) error {
	if o.BurnIn != 0 || o.Thin != 0 || o.Trajectory || o.Summaries || o.Resume != nil {
		return errors.Errorf("%s: Options.BurnIn, Thin, Trajectory, Summaries and Resume must be left out", who)
	}
	return nil
}

// windows are the numbers of steps of Stan's windows: the first, the slow ones, each twice the one before but for
// the last, which takes what is left, and the last.
func windows(steps int) (first int, slow []int, last int) {
	first, size, last := 75, 25, 50
	if steps < first+size+last {
		first, last = steps*15/100, steps/10
		size = steps - first - last
	}
	for left := steps - first - last; left > 0; size *= 2 {
		if left < 3*size {
			size = left
		}
		slow = append(slow, size)
		left -= size
	}
	return first, slow, last
}

// maxDraws is how many numbers of draws a window keeps.
const maxDraws = 1 << 22

// thin keeps the draws of a window, of this many numbers each, within maxDraws.
func thin(steps, size int) int {
	kept := min(steps, max(2, maxDraws/size))
	return (steps + kept - 1) / kept
}

// window takes the steps of one window and adds it to the report.
func (r *WarmUpReport) window(ctx context.Context, s *ebm.Sampler, adapting DualAveraging, o ebm.Options) (*ebm.Samples, error) {
	out, err := s.Sample(ctx, o)
	if err != nil {
		return nil, errors.WithMessage(err, "WarmUp")
	}
	if r.StepSize, err = adapting.StepSize(out.Checkpoint); err != nil {
		return nil, err
	}
	r.Windows = append(r.Windows, WarmUpWindow{Steps: o.Steps, Accept: out.Accept, StepSize: r.StepSize})
	return out, nil
}

// fromDraws makes the mass of a window's draws.
func (w WarmUp) fromDraws(b compute.Backend, store *model.Store, e ebm.Energy, out *ebm.Samples) (Mass, error) {
	flat, err := host.Floats(out.Trajectory)
	if err != nil {
		return nil, err
	}
	n, kept := out.Trajectory.Shape().Dimensions[0], out.Trajectory.Shape().Dimensions[1]
	d := len(flat) / (n * kept)
	bad := 0
	for chain := range slices.Chunk(flat, kept*d) {
		if slices.ContainsFunc(chain, func(v float64) bool { return v-v != 0 }) {
			bad++
		}
	}
	if bad > 0 {
		return nil, errors.Errorf("%d of %d chains are not finite", bad, n)
	}
	draws := mat.NewDense(n*kept, d, flat)
	if !w.Mass.needsGradient() {
		return w.Mass.mass(draws, nil)
	}
	gradients, err := gradientsAt(b, store, e, out)
	if err != nil {
		return nil, err
	}
	return w.Mass.mass(draws, mat.NewDense(n*kept, d, gradients))
}

// begin puts a mass into a checkpoint of the adapting kernel, and begins dual averaging anew from a step size.
func begin(c *ebm.Checkpoint, stepSize float64, mass []float64) error {
	x := c.State[0]
	n := x.Shape().Dimensions[0]
	c.State = slices.Clone(c.State)
	at := len(c.State) - averagingEntries - 1
	numbers := spread(mass, n)
	c.State[at] = host.Tensor(x.DType(), numbers, n, len(numbers)/n)
	for i, v := range averagingFrom(stepSize) {
		c.State[at+1+i] = tensors.FromValue(slices.Repeat([]float64{v}, n))
	}
	return nil
}

// inAll counts the steps of several runs as those of one.
func inAll(report func(ebm.Progress), total int) func(ebm.Progress) {
	if report == nil {
		return nil
	}
	began, done := time.Now(), 0
	return func(p ebm.Progress) {
		ends, steps := p.Step == p.Steps, p.Steps
		p.Step, p.Steps, p.Elapsed = done+p.Step, total, time.Since(began)
		p.Left = time.Duration(float64(p.Elapsed) / float64(p.Step) * float64(total-p.Step))
		if ends {
			done += steps
		}
		report(p)
	}
}
