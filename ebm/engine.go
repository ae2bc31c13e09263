package ebm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goebm/goebm/ebm/internal/host"

	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// engine holds the compiled graphs of a sampler for one shape of chains and one number of devices.
type engine struct {
	s    *Sampler
	plan *plan
	x    shapes.Shape
	part *part                   // nil where the chains are all there are
	mesh *distributed.DeviceMesh // nil on one device

	start, initial, loop, lap, recording, chunked, single, summed, stops *model.Exec
	sharded, shardedRecording                                            *Exec               // the loops on several devices
	weights                                                              []*tensors.Tensor   // the devices' copies while such a loop runs
	spare                                                                [][]*tensors.Tensor // for the noise that the host draws
}

// engine finds or makes the engine for a request.
func (s *Sampler) engine(r *request) (*engine, error) {
	id := fmt.Sprint(r.x, r.cond, r.Devices, r.FirstChain, r.TotalChains > 0)
	if e, ok := s.engines[id]; ok {
		return e, nil
	}
	if have := s.backend.NumDevices(); r.Devices > have {
		return nil, errors.Errorf("ebm: Options.Devices must be at most the backend's %d, got %d", have, r.Devices)
	}
	e := &engine{s: s, x: r.x, part: r.part()}
	e.plan = trace(s.backend, s.store, s.energy, s.kernel, r.x, r.cond, e.part)
	if e.part != nil {
		if err := e.splits(); err != nil {
			return nil, err
		}
	}
	devices := r.Devices
	if devices == 0 {
		devices = e.goodDevices()
	}
	if devices > 1 {
		if s.chunk != 0 {
			return nil, errors.Errorf("ebm: Options.Devices: the %s backend has one device only, got %d", s.backend.Name(), devices)
		}
		mesh, err := distributed.NewDeviceMesh([]int{devices}, []string{"chains"})
		if err != nil {
			return nil, err
		}
		e.mesh = mesh
	}
	s.engines[id] = e
	return e, nil
}

// goodDevices is the number of devices where none is asked for. XLA's CPU code runs small products and reductions on one thread, and waits
// after each operation for the slowest; a device a core keeps all cores busy. On two cores and the plugin's four devices a network's
// chains ran 1.3 to 2 times as fast, those of analytic energies 1 to 2 times from 250 chains a device on (64 to 10 000 chains, Langevin
// and HMC); with fewer, handing the parts out costs more than it saves. Where chains stop by themselves, all devices have to agree at every step
// whether to go on, and that is only worth it for a network (adaptive steps of 1000 numbers: 28 ms on one device, 58 on four). On GPUs it is the
// user's choice.
func (e *engine) goodDevices() int {
	if e.s.chunk != 0 || !strings.Contains(e.s.backend.Description(), "_cpu_") { // the plugin's file name
		return 1
	}
	few := 16 // chains that are worth a device
	if len(e.plan.weights) == 0 {
		if e.plan.stopper != nil {
			return 1
		}
		few = 250
	}
	devices, n := e.s.backend.NumDevices(), e.x.Dimensions[0]
	for devices > 1 && (n%devices != 0 || n < few*devices) {
		devices--
	}
	return devices
}

func (e *engine) finalize() {
	for _, exec := range []*model.Exec{e.start, e.initial, e.loop, e.lap, e.recording, e.chunked, e.single, e.summed, e.stops} {
		if exec != nil {
			exec.Finalize()
		}
	}
	for _, exec := range []*Exec{e.sharded, e.shardedRecording} {
		if exec != nil {
			exec.Finalize()
		}
	}
}

// exec makes, once, the executor in *slot.
func (e *engine) exec(slot **model.Exec, fn func(in []*Node) []*Node) (*model.Exec, error) {
	if *slot == nil {
		build := throwing(fn)
		exec, err := model.NewExec(e.s.backend, e.s.store, func(_ *model.Scope, in []*Node) []*Node { return build(in) })
		if err != nil {
			return nil, err
		}
		*slot = exec
	}
	return *slot, nil
}

// normalStart draws the chains' starts from N(0, I).
func (e *engine) normalStart(key []uint32) (*tensors.Tensor, error) {
	exec, err := e.exec(&e.start, func(in []*Node) []*Node {
		step := Const(in[0].Graph(), int32(-1)) // startStep, as the graph sees it
		return []*Node{NewRand(in[0], step).of(e.part).Normal(e.x)}
	})
	if err != nil {
		return nil, err
	}
	return exec.Call1(key)
}

// init builds the kernel's state at x.
func (e *engine) init(key []uint32, x *tensors.Tensor, cond []*tensors.Tensor) ([]*tensors.Tensor, error) {
	exec, err := e.exec(&e.initial, func(in []*Node) []*Node {
		step := Const(in[0].Graph(), int32(-1))
		env := Env{Energy: e.s.energy, Cond: in[2:], Step: step, Rand: NewRand(in[0], step).of(e.part)}
		env.Rand.Fold() // use 0 of this step drew the starts
		state := e.s.kernel.Init(env, in[1])
		for i := range state {
			state[i] = Identity(state[i])
		}
		return state
	})
	if err != nil {
		return nil, err
	}
	return exec.Call(arguments([]any{key, x}, cond)...)
}

func arguments(head []any, tail ...[]*tensors.Tensor) []any {
	for _, ts := range tail {
		for _, t := range ts {
			head = append(head, t)
		}
	}
	return head
}

// steps takes n steps from the state, of which the first has number `first`; fewer where all chains stop before. It tells the
// number of the step that comes next.
func (e *engine) steps(key []uint32, state, cond []*tensors.Tensor, first, n int) ([]*tensors.Tensor, int, error) {
	if e.s.chunk == 0 {
		return e.loopSteps(key, state, cond, first, n)
	}
	noise := &feed{backend: e.s.backend, key: [2]uint32(key), draws: e.plan.draws, step: first, end: first + n, batch: e.chunk(), spare: e.spare}
	defer func() { e.spare = noise.close() }()
	step := first
	for step < first+n {
		slot, size := &e.chunked, e.chunk()
		if first+n-step < size {
			slot, size = &e.single, 1
		}
		exec, err := e.exec(slot, func(in []*Node) []*Node { return e.plan.chunkGraph(e.s.energy, e.s.kernel, size, in) })
		if err != nil {
			return nil, 0, err
		}
		drawn, err := noise.take(size)
		if err != nil {
			return nil, 0, err
		}
		out, err := exec.Call(arguments([]any{int32(step), key}, state, cond, drawn)...)
		if err != nil {
			return nil, 0, err
		}
		if step > first { // these are ours; those we were given are the caller's
			release(state)
		}
		due := step + size
		step, state = takeStep(out), out[1:]
		if step < due {
			break
		}
	}
	return state, step, nil
}

// chunk is the number of steps in one graph: the sampler's, or fewer, down to 2, where their noise would fill more than 64 MiB,
// for there are two chunks' noise in memory.
func (e *engine) chunk() int {
	step := 1
	for _, d := range e.plan.draws {
		step += int(d.shape.ByteSize())
	}
	return min(e.s.chunk, max(2, 64<<20/step))
}

// loopSteps takes the steps as one While, on one device or several; where the sampler has laps, as many of those as fit go before.
func (e *engine) loopSteps(key []uint32, state, cond []*tensors.Tensor, first, n int) ([]*tensors.Tensor, int, error) {
	step, end := first, first+n
	if lap := e.s.lap; lap > 0 && e.mesh == nil && e.plan.stopper == nil {
		for ; end-step >= lap; step += lap {
			exec, err := e.exec(&e.lap, func(in []*Node) []*Node { return e.plan.lapGraph(e.s.energy, e.s.kernel, lap, in) })
			if err != nil {
				return nil, 0, err
			}
			out, err := exec.Call(arguments([]any{int32(step), key}, state, cond)...)
			if err != nil {
				return nil, 0, err
			}
			if step > first { // these are ours; those we were given are the caller's
				release(state)
			}
			release(out[:1])
			state = out[1:]
		}
	}
	if step > first && step == end {
		return state, step, nil
	}
	out, err := e.loopCall(&e.loop, &e.sharded, []any{int32(step), int32(end), key}, state, cond)
	if err != nil {
		return nil, 0, err
	}
	if step > first {
		release(state)
	}
	return out[1:], takeStep(out), nil
}

// recordSteps is loopSteps with the positions of the way, [n, room, event...]: row i is where the chains were after the last step taken
// of those from origin + i·thin on, thin in number.
func (e *engine) recordSteps(key []uint32, state, cond []*tensors.Tensor, first, n, origin, thin int) (next []*tensors.Tensor, rows *tensors.Tensor, step int, err error) {
	head := []any{int32(first), int32(first + n), int32(origin), int32(thin), key}
	out, err := e.loopCall(&e.recording, &e.shardedRecording, head, state, cond)
	if err != nil {
		return nil, nil, 0, err
	}
	return out[2:], out[1], takeStep(out), nil
}

// loopCall runs a loop. head are its inputs that all devices share.
func (e *engine) loopCall(one **model.Exec, many **Exec, head []any, state, cond []*tensors.Tensor) ([]*tensors.Tensor, error) {
	build := func(in []*Node) []*Node {
		var buffer *Node
		if one == &e.recording {
			buffer = e.buffer(in[0].Graph())
		}
		return e.plan.loopGraph(e.s.energy, e.s.kernel, buffer, in)
	}
	args := arguments(slices.Clone(head), state, cond)
	if e.mesh != nil {
		values := len(state)
		if one == &e.recording {
			values++
		}
		return e.shardedSteps(many, build, args, len(head), values)
	}
	exec, err := e.exec(one, build)
	if err != nil {
		return nil, err
	}
	return exec.Call(args...)
}

// takeStep reads and frees the step number, the first of the outputs.
func takeStep(out []*tensors.Tensor) int {
	step := int(tensors.ToScalar[int32](out[0]))
	release(out[:1])
	return step
}

// stopped tells whether all chains have stopped, and how many steps each has taken.
func (e *engine) stopped(state []*tensors.Tensor) (all bool, steps []int, err error) {
	exec, err := e.exec(&e.stops, func(in []*Node) []*Node {
		_, steps := e.plan.stopper.Stopped(in)
		return []*Node{Identity(e.plan.ended(in)), Identity(steps)}
	})
	if err != nil {
		return false, nil, err
	}
	out, err := exec.Call(arguments(nil, state)...)
	if err != nil {
		return false, nil, err
	}
	defer release(out)
	counts, err := tensors.CopyFlatData[int32](out[1])
	for _, n := range counts {
		steps = append(steps, int(n))
	}
	return tensors.ToScalar[bool](out[0]), steps, err
}

// release frees tensors at once: the garbage collector would free their device memory only when it next runs.
func release(ts []*tensors.Tensor) {
	for _, t := range ts {
		_ = t.FinalizeAll()
	}
}

// summary reduces positions to figures over the chains.
func (e *engine) summary(x *tensors.Tensor, cond []*tensors.Tensor) (mean, variance []float64, energy float64, bad int, err error) {
	exec, err := e.exec(&e.summed, func(in []*Node) []*Node {
		x := in[0]
		n := x.Shape().Dimensions[0]
		flat := Reshape(x, n, x.Shape().Size()/n)
		mean := ReduceMean(flat, 0)
		variance := ReduceMean(Square(Sub(flat, ExpandAxes(mean, 0))), 0)
		energy := ReduceAllMean(e.s.energy.Energy(x, in[1:]...))
		finite := ReduceLogicalAnd(IsFinite(flat), -1)
		bad := ReduceAllSum(ConvertDType(Not(finite), dtypes.Int32))
		return []*Node{mean, variance, energy, bad}
	})
	if err != nil {
		return
	}
	out, err := exec.Call(arguments([]any{x}, cond)...)
	if err != nil {
		return
	}
	defer release(out)
	var values [3][]float64
	for i := range values {
		if values[i], err = host.Floats(out[i]); err != nil {
			return
		}
	}
	return values[0], values[1], values[2][0], int(tensors.ToScalar[int32](out[3])), nil
}
