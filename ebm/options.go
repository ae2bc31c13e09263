package ebm

import (
	"math"
	"time"

	"github.com/goebm/goebm/ebm/internal/host"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
)

// Options says what to sample. Either Start or Chains with Dim (or Event) says where the chains begin; all the
// rest has a default.
type Options struct {
	Chains int          // number of chains; with Start, its rows
	Dim    int          // short for Event: []int{Dim}
	Event  []int        // shape of one chain's position, e.g. {28, 28, 1}
	DType  dtypes.DType // Float32 (default) or Float64; with Start, Data or Resume, theirs

	Start *tensors.Tensor   // [Chains, event...]: where each chain begins. Default: N(0, I)
	Data  *tensors.Tensor   // [rows, event...]: each chain begins at a row drawn at random
	Cond  []*tensors.Tensor // conditioning, Chains rows each

	Steps  int    // steps to take after BurnIn; at least 1. Fewer are taken where the kernel stops all chains before (Stopper)
	BurnIn int    // steps to take first and leave out of every figure. Default 0
	Thin   int    // keep every Thin-th step's position and summary. Default 1
	Seed   uint64 // of all noise

	// A run can be shared among processes, each with some of its chains: together their samples are those of one run of TotalChains chains, bit by
	// bit on the pure Go backend, and on XLA where it computes a row alike whatever their number, as it does but for matrix products. Start and
	// Cond hold this process's chains, Data all its rows. MergeCheckpoints joins what the processes leave. Where chains feel each other (Coupled) it is refused.
	FirstChain  int // number, among all, of this process's first chain. Default 0
	TotalChains int // number of chains of all processes. Default 0: these are all there are

	Trajectory bool // keep the positions: Samples.Trajectory
	Summaries  bool // keep mean, variance, energy, acceptance and the number of non-finite chains: Samples.Summary

	Devices  int            // shard the chains over this many devices, which must divide Chains. Default: as many of XLA's CPU devices as pay, else 1
	Progress func(Progress) // called a few times a second; see Bar
	Resume   *Checkpoint    // go on where another run stopped; Chains, Start, Seed, DType and Cond come from there
}

// Progress is how far a run has come.
type Progress struct {
	Step, Steps int           // steps done and to do, burn-in included
	Elapsed     time.Duration // since the first step
	Rate        float64       // chain-steps a second
	Left        time.Duration // at this rate
	Accept      float64       // mean acceptance so far; NaN where the kernel accepts everything
}

// Summary holds figures over the chains, one row for each step kept.
type Summary struct {
	Step      []int       // number of steps done; the last row of a run that ended by itself is that of its end
	Mean      [][]float64 // over the chains, for each number of the event
	Var       [][]float64 // population variance over the chains
	Energy    []float64   // mean over the chains
	Accept    []float64   // mean over the chains and the steps since the row before; NaN where the kernel accepts everything
	NonFinite []int       // chains with a NaN or an infinity
}

// Samples is what a run gives.
type Samples struct {
	X          *tensors.Tensor // [Chains, event...]: the last positions
	Trajectory *tensors.Tensor // [Chains, kept, event...], where asked for; the start is not in it
	Summary    *Summary        // where asked for
	Accept     float64         // mean acceptance after burn-in; NaN where the kernel accepts everything
	Steps      []int           // steps that each chain took before it stopped, or so far, since its start; nil where the kernel is no Stopper
	Checkpoint *Checkpoint     // from which another run can go on, bit by bit as if it had never stopped
}

// request is a checked Options: every default filled in.
type request struct {
	Options
	x    shapes.Shape
	cond []shapes.Shape
}

// check fills in the defaults of o, or says which field is wrong and what it was.
func (o Options) check() (*request, error) {
	if o.Resume != nil {
		if o.Start != nil || o.Data != nil || o.Chains != 0 || o.Dim != 0 || o.Event != nil || o.Seed != 0 || o.Cond != nil || o.BurnIn != 0 {
			return nil, errors.New("ebm: Options.Resume brings its own chains: Start, Data, Chains, Dim, Event, Seed, Cond and BurnIn must be left out")
		}
		if o.FirstChain != 0 || o.TotalChains != 0 {
			return nil, errors.New("ebm: Options.Resume brings its own chains: FirstChain and TotalChains must be left out")
		}
		if err := o.Resume.check(); err != nil {
			return nil, errors.WithMessage(err, "ebm: Options.Resume")
		}
		o.Seed, o.Cond, o.FirstChain, o.TotalChains = o.Resume.Seed, o.Resume.Cond, o.Resume.FirstChain, o.Resume.TotalChains
	}
	if err := o.checkCounts(); err != nil {
		return nil, err
	}
	if o.Steps == 0 {
		return nil, errors.New("ebm: Options.Steps must be positive, got 0")
	}
	r := &request{Options: o}
	if r.Thin == 0 {
		r.Thin = 1
	}
	if r.Thin > r.Steps {
		return nil, errors.Errorf("ebm: Options.Thin must be at most Options.Steps = %d, got %d", r.Steps, r.Thin)
	}
	if err := r.checkStart(); err != nil {
		return nil, err
	}
	if err := r.checkPart(); err != nil {
		return nil, err
	}
	n := r.x.Dimensions[0]
	for i, c := range r.Cond {
		if c == nil || !c.Ok() || c.Rank() == 0 || c.Shape().Dimensions[0] != n {
			return nil, errors.Errorf("ebm: Options.Cond[%d] must have one row for each of %d chains, got %s", i, n, shapeOf(c))
		}
		r.cond = append(r.cond, c.Shape())
	}
	if r.Devices > 0 && n%r.Devices != 0 {
		return nil, errors.Errorf("ebm: Options.Devices must divide the number of chains %d, got %d", n, r.Devices)
	}
	return r, nil
}

func (o Options) checkCounts() error {
	for _, c := range []struct {
		name  string
		value int
	}{{"Chains", o.Chains}, {"Dim", o.Dim}, {"Steps", o.Steps}, {"BurnIn", o.BurnIn}, {"Thin", o.Thin}, {"Devices", o.Devices},
		{"FirstChain", o.FirstChain}, {"TotalChains", o.TotalChains}} {
		if c.value < 0 {
			return errors.Errorf("ebm: Options.%s must not be negative, got %d", c.name, c.value)
		}
	}
	if o.TotalChains > math.MaxInt32 || o.FirstChain > math.MaxInt32 { // chains are numbered by 32 bits
		return errors.Errorf("ebm: Options.TotalChains must be at most 2³¹, got %d, and FirstChain %d", o.TotalChains, o.FirstChain)
	}
	total := int64(o.Steps) + int64(o.BurnIn)
	if o.Resume != nil {
		total += int64(o.Resume.Step)
	}
	if o.Steps > math.MaxInt32 || o.BurnIn > math.MaxInt32 || total > math.MaxInt32 { // steps are numbered by an Int32
		return errors.Errorf("ebm: Options.Steps, BurnIn and the steps of Resume together must stay below 2³¹, got %d", total)
	}
	if o.Dim != 0 && o.Event != nil {
		return errors.Errorf("ebm: Options.Dim and Options.Event say the same thing: give one, got %d and %v", o.Dim, o.Event)
	}
	for _, d := range o.Event {
		if d < 1 {
			return errors.Errorf("ebm: Options.Event must hold positive sizes, got %v", o.Event)
		}
	}
	return nil
}

// checkStart settles the shape of the chains.
func (r *request) checkStart() error {
	if r.Resume != nil {
		return r.resumeShape()
	}
	wanted := r.DType
	if r.DType == dtypes.InvalidDType {
		r.DType = dtypes.Float32
	}
	if r.Start != nil && r.Data != nil {
		return errors.New("ebm: Options.Start and Options.Data both say where chains begin: give one")
	}
	event, given := r.Event, r.Event != nil || r.Dim != 0
	if r.Dim != 0 {
		event = []int{r.Dim}
	}
	for name, t := range map[string]*tensors.Tensor{"Start": r.Start, "Data": r.Data} {
		if t == nil {
			continue
		}
		if err := checkRows("Options."+name, t); err != nil {
			return err
		}
		dims := t.Shape().Dimensions
		if given && !shapes.Make(r.DType, event...).EqualDimensions(shapes.Make(r.DType, dims[1:]...)) {
			return errors.Errorf("ebm: Options.%s has rows of shape %v, but Dim or Event says %v", name, dims[1:], event)
		}
		if wanted != dtypes.InvalidDType && wanted != t.DType() {
			return errors.Errorf("ebm: Options.%s is %s, but DType says %s", name, t.DType(), wanted)
		}
		event, r.DType = dims[1:], t.DType()
		if name == "Start" {
			if r.Chains != 0 && r.Chains != dims[0] {
				return errors.Errorf("ebm: Options.Start has %d rows, but Chains is %d", dims[0], r.Chains)
			}
			r.Chains = dims[0]
		}
	}
	if r.Chains == 0 {
		return errors.New("ebm: Options.Chains must be positive, got 0")
	}
	if len(event) == 0 {
		return errors.New("ebm: Options.Dim or Options.Event must say the shape of a chain's position, or Start give it; got none")
	}
	if r.DType != dtypes.Float32 && r.DType != dtypes.Float64 {
		return errors.Errorf("ebm: Options.DType must be Float32 or Float64, got %s", r.DType)
	}
	size := r.Chains
	for _, d := range event {
		if size > math.MaxInt32/d { // elements are numbered by 32 bits
			return errors.Errorf("ebm: Options.Chains %d of shape %v are too many numbers: at most 2³¹", r.Chains, event)
		}
		size *= d
	}
	r.x = shapes.Make(r.DType, append([]int{r.Chains}, event...)...)
	return nil
}

// resumeShape takes the shape of the chains from a checkpoint. Its numbers may be anything: a run that was never
// stopped would have gone on with them too.
func (r *request) resumeShape() error {
	x := r.Resume.State[0]
	if x.DType() != dtypes.Float32 && x.DType() != dtypes.Float64 || x.Rank() < 2 || x.Size() == 0 {
		return errors.Errorf("ebm: Options.Resume: state[0] must be Float32 or Float64 positions [chains, event...], got %s", x.Shape())
	}
	if r.DType != dtypes.InvalidDType && r.DType != x.DType() {
		return errors.Errorf("ebm: Options.Resume is %s, but DType says %s", x.DType(), r.DType)
	}
	r.x, r.DType, r.Chains = x.Shape(), x.DType(), x.Shape().Dimensions[0]
	return nil
}

// checkRows wants at least one row of finite floating-point numbers.
func checkRows(name string, t *tensors.Tensor) error {
	if !t.Ok() {
		return errors.Errorf("ebm: %s is a tensor that was finalized", name)
	}
	if t.DType() != dtypes.Float32 && t.DType() != dtypes.Float64 {
		return errors.Errorf("ebm: %s must be Float32 or Float64, got %s", name, t.DType())
	}
	if t.Rank() < 2 || t.Size() == 0 {
		return errors.Errorf("ebm: %s must be [rows, event...] with at least one row, got %s", name, t.Shape())
	}
	values, err := host.Floats(t)
	if err != nil {
		return errors.WithMessagef(err, "ebm: reading %s", name)
	}
	width := t.Size() / t.Shape().Dimensions[0]
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errors.Errorf("ebm: %s must be finite, got %g in row %d", name, v, i/width)
		}
	}
	return nil
}

func shapeOf(t *tensors.Tensor) string {
	if t == nil {
		return "nil"
	}
	if !t.Ok() {
		return "a tensor that was finalized"
	}
	return t.Shape().String()
}
