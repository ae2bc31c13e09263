package ebm

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/goebm/goebm/ebm/internal/host"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// Sampler runs a kernel on an energy for many chains at once. What it compiles it keeps: a second call with the
// same shapes compiles nothing, whatever its number of steps, its seed or the energy's weights.
//
// On XLA all steps are one compiled loop; on the pure Go backend they are unrolled chunks and a host loop.
// A Sampler is not for concurrent use; make one for each goroutine.
type Sampler struct {
	backend compute.Backend
	store   *model.Store
	energy  Energy
	kernel  Kernel

	chunk   int // steps unrolled in one graph; 0: one While
	lap     int // steps of a While whose length is known when it is compiled; 0: there is none
	engines map[string]*engine
}

// NewSampler pairs an energy with a kernel on a backend. The store holds the energy's weights; nil where it has none.
func NewSampler(b compute.Backend, store *model.Store, e Energy, k Kernel) (*Sampler, error) {
	switch {
	case b == nil:
		return nil, errors.New("ebm: NewSampler: the backend is nil")
	case e == nil:
		return nil, errors.New("ebm: NewSampler: the energy is nil")
	case k == nil:
		return nil, errors.New("ebm: NewSampler: the kernel is nil")
	}
	if store == nil {
		store = model.NewStore()
	}
	s := &Sampler{backend: b, store: store, energy: e, kernel: k, engines: map[string]*engine{}}
	switch {
	case b.Name() != "xla":
		s.chunk = 8 // a gradient inside a While fails on the Go backend
	case strings.Contains(b.Description(), "cuda"):
		s.lap = 128 // a step of a small network took half as long as where the host is asked after each
	}
	return s, nil
}

// Finalize frees what the sampler compiled.
func (s *Sampler) Finalize() {
	for _, e := range s.engines {
		e.finalize()
	}
	s.engines = map[string]*engine{}
}

// Sample runs the chains. Where ctx ends first, it returns what was done so far and ctx's error: both are set then.
func (s *Sampler) Sample(ctx context.Context, o Options) (*Samples, error) {
	if ctx == nil {
		return nil, errors.New("ebm: Sampler.Sample: the context is nil")
	}
	var out *Samples
	err := catch(func() error {
		r, err := o.check()
		if err != nil {
			return err
		}
		run, err := s.begin(r)
		if err != nil {
			return err
		}
		out, err = run.all(ctx)
		return err
	})
	return out, err
}

// catch returns as an error whatever fn panics with: errors raised while compiling escape Exec.Call, and an energy or
// a callback of the user's may panic with anything.
func catch(fn func() error) (err error) {
	defer func() {
		switch thrown := recover().(type) {
		case nil:
		case error:
			err = thrown
		default:
			err = errors.Errorf("ebm: %v", thrown)
		}
	}()
	return fn()
}

// throwing makes whatever a graph function panics with an error: on anything else GoMLX's Exec leaves its compilation
// pending, and hangs when finalized.
func throwing(fn func(in []*Node) []*Node) func(in []*Node) []*Node {
	return func(in []*Node) (out []*Node) {
		if err := catch(func() error { out = fn(in); return nil }); err != nil {
			panic(err)
		}
		return out
	}
}

// run is one call of Sample under way.
type run struct {
	*request
	engine *engine
	key    []uint32
	state  []*tensors.Tensor // accept, then the kernel's state
	step   int               // steps done, counting those before a resume
	out    *Samples
	began  time.Time
	piece  int  // steps to take in one call, so that it lasts a fraction of a second
	ours   bool // whether state is ours to free
	ended  bool // whether every chain has stopped by itself

	recorder *recorder // nil where the loop records nothing
}

// begin finds or makes the engine and starts the chains.
func (s *Sampler) begin(r *request) (*run, error) {
	engine, err := s.engine(r)
	if err != nil {
		return nil, err
	}
	u := &run{request: r, engine: engine, key: []uint32{uint32(r.Seed), uint32(r.Seed >> 32)}, out: &Samples{Accept: math.NaN()}, piece: 128}
	if r.Resume != nil {
		if err := engine.accepts(r.Resume); err != nil {
			return nil, err
		}
		u.step = r.Resume.Step
		u.state = append([]*tensors.Tensor{zeros(r.x)}, r.Resume.State...)
		return u, u.lookForEnd()
	}
	x := r.Start
	switch {
	case r.Data != nil:
		x, err = pickRows(r.Data, r.FirstChain, r.Chains, u.key)
	case x == nil:
		x, err = engine.normalStart(u.key)
	}
	if err != nil {
		return nil, err
	}
	state, err := engine.init(u.key, x, r.Cond)
	if err != nil {
		return nil, err
	}
	u.state = append([]*tensors.Tensor{zeros(r.x)}, state...)
	return u, u.lookForEnd()
}

// zeros is the acceptance sum of chains that have not moved.
func zeros(x shapes.Shape) *tensors.Tensor {
	return tensors.FromShape(shapes.Make(x.DType, x.Dimensions[0]))
}

// lookForEnd sees whether all chains have stopped, which only those of a Stopper do.
func (u *run) lookForEnd() (err error) {
	if u.engine.plan.stopper != nil {
		u.ended, u.out.Steps, err = u.engine.stopped(u.state[1:])
	}
	return err
}

// all takes the steps: burn-in, then Steps in blocks of Thin where something is kept at each, else in one. Where all chains stop,
// so does it; the row of that block is the last. On XLA a trajectory alone is recorded by the loop itself, where its length is known.
func (u *run) all(ctx context.Context) (*Samples, error) {
	u.began = time.Now()
	first := u.step
	total := first + u.BurnIn + u.Steps
	records := u.Trajectory && !u.Summaries && u.engine.s.chunk == 0 && u.engine.plan.stopper == nil
	if records {
		u.recorder = u.idle() // one loop for all steps, so that one is compiled
	}
	err := u.advance(ctx, first, first+u.BurnIn, total)
	if err == nil && u.BurnIn > 0 {
		u.state[0] = zeros(u.x)
	}
	var kept []*tensors.Tensor
	switch {
	case err != nil:
	case records:
		trajectory := u.record(u.Thin)
		u.recorder = trajectory
		err = u.advance(ctx, first, total-u.Steps%u.Thin, total)
		var e error
		if u.out.Trajectory, e = trajectory.trajectory(); e != nil {
			return nil, e
		}
		u.recorder = u.idle()
	case u.Trajectory || u.Summaries:
		kept, err = u.blocks(ctx, first, total)
	}
	if err == nil {
		err = u.advance(ctx, first, total, total) // what Thin leaves over
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	if e := u.finish(kept, first+u.BurnIn); e != nil {
		return nil, e
	}
	return u.out, err
}

// blocks takes Thin steps at a time and keeps what is asked for after each.
func (u *run) blocks(ctx context.Context, first, total int) (kept []*tensors.Tensor, err error) {
	var sinceRow float64 // acceptance summed before the row under way
	for u.step+u.Thin <= total && !u.ended {
		before := u.step
		if err = u.advance(ctx, first, u.step+u.Thin, total); err != nil {
			return kept, err
		}
		if u.Trajectory {
			x, err := u.state[1].LocalClone()
			if err != nil {
				return kept, err
			}
			kept = append(kept, x)
		}
		if u.Summaries {
			if sinceRow, err = u.summarize(sinceRow, u.step-before); err != nil {
				return kept, err
			}
		}
	}
	return kept, nil
}

// advance takes steps until `to`, or until all chains have stopped, in pieces of a fraction of a second, reporting and listening
// to ctx in between.
func (u *run) advance(ctx context.Context, first, to, total int) error {
	for u.step < to && !u.ended {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(u.piece, to-u.step)
		if u.recorder != nil {
			n = u.recorder.limit(n)
		}
		start := time.Now()
		rows, err := u.take(n)
		if err != nil {
			return err
		}
		if err := u.lookForEnd(); err != nil {
			return err
		}
		if rows != nil {
			if err := u.recorder.take(rows); err != nil {
				return err
			}
		}
		if u.ended {
			total = u.step // as far as it goes
		}
		if took := time.Since(start); took < 100*time.Millisecond && n == u.piece {
			u.piece *= 2
		} else if took > 400*time.Millisecond && u.piece > 1 {
			u.piece /= 2
		}
		if u.Progress != nil {
			if err := u.report(first, total); err != nil {
				return err
			}
		}
	}
	return nil
}

// take takes n steps, with the rows that the loop recorded, where it does.
func (u *run) take(n int) (rows *tensors.Tensor, err error) {
	var state []*tensors.Tensor
	var step int
	if r := u.recorder; r != nil {
		state, rows, step, err = u.engine.recordSteps(u.key, u.state, u.Cond, u.step, n, r.origin(), r.thin)
	} else {
		state, step, err = u.engine.steps(u.key, u.state, u.Cond, u.step, n)
	}
	if err != nil {
		return nil, err
	}
	if u.ours {
		release(u.state)
	}
	u.state, u.step, u.ours = state, step, true
	return rows, nil
}

func (u *run) report(first, total int) error {
	done := u.step - first
	p := Progress{Step: done, Steps: total - first, Elapsed: time.Since(u.began), Accept: math.NaN()}
	p.Rate = float64(done*u.Chains) / p.Elapsed.Seconds()
	p.Left = time.Duration(float64(p.Elapsed) / float64(done) * float64(p.Steps-p.Step))
	if u.engine.plan.accepts {
		sum, err := meanOf(u.state[0])
		if err != nil {
			return err
		}
		since := done
		if done > u.BurnIn {
			since -= u.BurnIn
		}
		p.Accept = sum / float64(since)
	}
	u.Progress(p)
	return nil
}

// summarize adds a row, of the given number of steps; it takes and returns the acceptance summed so far, mean over the chains.
func (u *run) summarize(before float64, steps int) (float64, error) {
	if u.out.Summary == nil {
		u.out.Summary = &Summary{}
	}
	sum := u.out.Summary
	mean, variance, energy, bad, err := u.engine.summary(u.state[1], u.Cond)
	if err != nil {
		return 0, err
	}
	accept, total := math.NaN(), 0.0
	if u.engine.plan.accepts {
		if total, err = meanOf(u.state[0]); err != nil {
			return 0, err
		}
		accept = (total - before) / float64(steps)
	}
	sum.Step = append(sum.Step, u.step)
	sum.Mean = append(sum.Mean, mean)
	sum.Var = append(sum.Var, variance)
	sum.Energy = append(sum.Energy, energy)
	sum.Accept = append(sum.Accept, accept)
	sum.NonFinite = append(sum.NonFinite, bad)
	return total, nil
}

// finish gathers the results; kept steps began at `since`.
func (u *run) finish(kept []*tensors.Tensor, since int) (err error) {
	out := u.out
	state := u.state[1:]
	for i := range state {
		if state[i], err = state[i].LocalClone(); err != nil {
			return err
		}
	}
	out.X = state[0]
	out.Checkpoint = &Checkpoint{Step: u.step, Seed: u.Seed, State: state, Cond: u.Cond, FirstChain: u.FirstChain, TotalChains: u.TotalChains}
	if u.engine.plan.accepts && u.step > since {
		sum, err := meanOf(u.state[0])
		if err != nil {
			return err
		}
		out.Accept = sum / float64(u.step-since)
	}
	if len(kept) > 0 {
		out.Trajectory, err = interleave(kept)
	}
	return err
}

// interleave turns kept positions, each [n, event...], into [n, kept, event...].
func interleave(kept []*tensors.Tensor) (*tensors.Tensor, error) {
	shape := kept[0].Shape()
	n := shape.Dimensions[0]
	dims := append([]int{n, len(kept)}, shape.Dimensions[1:]...)
	out := tensors.FromShape(shapes.Make(shape.DType, dims...))
	row := int(shape.ByteSize()) / n
	var err error
	e := out.MutableBytes(func(to []byte) {
		for k, t := range kept {
			err = t.ConstBytes(func(from []byte) {
				for i := range n {
					copy(to[(i*len(kept)+k)*row:][:row], from[i*row:])
				}
			})
			if err != nil {
				return
			}
		}
	})
	if e != nil {
		err = e
	}
	return out, err
}

// pickRows draws rows of data at random, with replacement, on the host: for n chains, of which the first has a number.
func pickRows(data *tensors.Tensor, first, n int, key []uint32) (*tensors.Tensor, error) {
	dims := append([]int{n}, data.Shape().Dimensions[1:]...)
	out := tensors.FromShape(shapes.Make(data.DType(), dims...))
	rows := uint64(data.Shape().Dimensions[0])
	width := int(data.Shape().ByteSize()) / int(rows)
	var err error
	e := out.MutableBytes(func(to []byte) {
		err = data.ConstBytes(func(from []byte) {
			for i := range n {
				w := Threefry([2]uint32(key), [2]uint32{uint32(first + i), startStep})
				r := int(uint64(w[0]) * rows >> 32)
				copy(to[i*width:][:width], from[r*width:])
			}
		})
	})
	if e != nil {
		err = e
	}
	return out, err
}

// startStep is the step number under which starts are drawn: no chain ever gets there.
const startStep = math.MaxUint32

func meanOf(t *tensors.Tensor) (float64, error) {
	values, err := host.Floats(t)
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values)), err
}

// Evaluate computes the energies, [n], of points x, [n, event...], with the weights as they are in the store.
func Evaluate(b compute.Backend, store *model.Store, e Energy, x *tensors.Tensor, cond ...*tensors.Tensor) ([]float64, error) {
	if e == nil {
		return nil, errors.New("ebm: Evaluate: the energy is nil")
	}
	value, err := evaluate("Evaluate", b, store, x, cond, func(x *Node, cond []*Node) *Node { return energyOf(e, x, cond) })
	if err != nil {
		return nil, err
	}
	return host.Floats(value)
}

// evaluate computes what fn builds of points x and their conditioning; name is that of the function the user called.
func evaluate(name string, b compute.Backend, store *model.Store, x *tensors.Tensor, cond []*tensors.Tensor, fn func(x *Node, cond []*Node) *Node) (*tensors.Tensor, error) {
	switch {
	case b == nil:
		return nil, errors.Errorf("ebm: %s: the backend is nil", name)
	case x == nil:
		return nil, errors.Errorf("ebm: %s: x is nil", name)
	}
	if store == nil {
		store = model.NewStore()
	}
	args := []any{x}
	var out *tensors.Tensor
	err := catch(func() error {
		if err := checkRows(name+"'s x", x); err != nil {
			return err
		}
		for i, c := range cond {
			if c == nil || !c.Ok() || c.Rank() == 0 || c.Shape().Dimensions[0] != x.Shape().Dimensions[0] {
				return errors.Errorf("ebm: %s's cond[%d] must have one row for each of %d points, got %s", name, i, x.Shape().Dimensions[0], shapeOf(c))
			}
			args = append(args, c)
		}
		build := throwing(func(in []*Node) []*Node { return []*Node{Identity(fn(in[0], in[1:]))} })
		exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node { return build(in) })
		if err != nil {
			return err
		}
		defer exec.Finalize()
		out, err = exec.Call1(args...)
		return err
	})
	return out, err
}

// OnHost makes a host function of an energy of d-dimensional points: it takes n points, row after row, and gives
// their n energies. Pictures are drawn from it.
func OnHost(b compute.Backend, store *model.Store, e Energy, d int) func(points []float32) ([]float64, error) {
	return func(points []float32) ([]float64, error) {
		if d < 1 || len(points) == 0 || len(points)%d != 0 {
			return nil, errors.Errorf("ebm: OnHost: want points of %d numbers each, got %d numbers", d, len(points))
		}
		return Evaluate(b, store, e, tensors.FromFlatDataAndDimensions(points, len(points)/d, d))
	}
}
