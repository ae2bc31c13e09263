package ebm

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// ShardRows tells training on several devices (TrainOptions.Devices) that a variable holds independent rows, such as the chains of a
// replay buffer, and is to be split among the devices along its first axis. A loss calls it where it builds a graph with v; on one
// device it changes nothing. Variables that no one marks are whole on every device.
func ShardRows(g *Graph, v *model.Variable) {
	marked := shardedRows(g)
	if marked == nil {
		marked = map[*model.Variable]bool{}
		g.AttachState(rowsState{}, marked)
	}
	marked[v] = true
}

type rowsState struct{}

// shardedRows are the variables marked in a graph.
func shardedRows(g *Graph) map[*model.Variable]bool {
	marked, _ := g.State(rowsState{}).(map[*model.Variable]bool)
	return marked
}

// devices is a training spread over several by XLA's partitioner. The values of its variables stay there from call to call; the store has
// those of the last settle. It runs plain Execs: model.Exec would tie the store to this one mesh for good.
type devices struct {
	backend              compute.Backend
	store                *model.Store
	mesh                 *distributed.DeviceMesh
	whole, split, stacks *distributed.ShardingSpec // on every device; split along the first axis; along the second
	held                 map[*model.Variable]*held
}

// held is a variable on the devices.
type held struct {
	spec  *distributed.ShardingSpec
	value *tensors.Tensor // the store's value that the parts belong to: where it has another, that one counts
	parts []*tensors.Tensor
	ahead bool // whether steps were taken since
}

// newDevices is nil for one device.
func newDevices(b compute.Backend, store *model.Store, n int) (*devices, error) {
	if n <= 1 {
		return nil, nil
	}
	if have := b.NumDevices(); b.Name() != "xla" || n > int(have) {
		return nil, errors.Errorf("ebm: TrainOptions.Devices must be at most the backend's %d, got %d; the backend is %q", have, n, b.Name())
	}
	d := &devices{backend: b, store: store, held: map[*model.Variable]*held{}}
	var err error
	if d.mesh, err = distributed.NewDeviceMesh([]int{n}, []string{"rows"}); err != nil {
		return nil, err
	}
	d.whole = distributed.NewReplicatedShardingSpec(d.mesh)
	if d.split, err = distributed.BuildSpec(d.mesh).S("rows").Done(); err != nil {
		return nil, err
	}
	d.stacks, err = distributed.BuildSpec(d.mesh).R().S("rows").Done()
	return d, err
}

// fits says what can't be split: a batch, or a variable that holds rows.
func (d *devices) fits(batch []shapes.Shape, rows map[*model.Variable]bool) error {
	n := d.mesh.NumDevices()
	divides := func(shape shapes.Shape) bool { return shape.Rank() > 0 && shape.Dimensions[0]%n == 0 }
	for i, shape := range batch {
		if !divides(shape) {
			return errors.Errorf("ebm: TrainOptions.Devices must divide the rows of every batch, got %d devices and a batch whose input %d is %s; "+
				"datasets.Batches leaves a short last batch out unless KeepPartial", n, i, shape)
		}
	}
	for v := range rows {
		if !divides(v.Shape()) {
			return errors.Errorf("ebm: TrainOptions.Devices must divide the slots of the loss's buffer, got %d devices and %s of shape %s", n, v.Path(), v.Shape())
		}
	}
	return nil
}

// sharded runs a graph of training steps on the devices.
type sharded struct {
	*devices
	*traced
	exec   *Exec
	inputs []*distributed.ShardingSpec
	at     []int  // the places of vars among the graph's parameters
	writes []bool // which of vars are changed
}

// runner makes what runs a graph of training steps on batches of given shapes, stacked where they are taken in a loop.
func (d *devices) runner(steps *traced, batch []shapes.Shape, build func(in []*Node) []*Node) (*sharded, error) {
	if err := d.fits(batch, steps.rows); err != nil {
		return nil, err
	}
	s := &sharded{devices: d, traced: steps}
	for _, v := range steps.vars {
		s.writes = append(s.writes, slices.Contains(steps.changed, v))
	}
	if steps.loops {
		s.inputs = append([]*distributed.ShardingSpec{d.whole}, slices.Repeat([]*distributed.ShardingSpec{d.stacks}, len(batch))...)
	} else {
		s.inputs = slices.Repeat([]*distributed.ShardingSpec{d.split}, len(batch))
	}
	outputs := []*distributed.ShardingSpec{d.whole} // the figures
	for _, v := range steps.changed {
		outputs = append(outputs, s.spec(v))
	}
	exec, err := NewExec(d.backend, throwing(func(in []*Node) []*Node {
		g := in[0].Graph()
		model.SetStore(g, d.store)
		s.at = nil
		for _, v := range steps.vars {
			before := v.ShardingSpec()
			if err := v.SetShardingSpec(s.spec(v)); err != nil {
				panic(err)
			}
			s.at = append(s.at, int(v.NodeValue(g).GetParameterHandle()))
			if err := v.SetShardingSpec(before); err != nil {
				panic(err)
			}
		}
		out := build(in)
		for _, v := range steps.changed {
			out = append(out, v.NodeValue(g))
		}
		return out
	}))
	if err != nil {
		return nil, err
	}
	s.exec = exec.AutoSharding(d.mesh).WithInputShardingSpecs(s.inputs...).WithOutputShardingSpecs(outputs...).SetSideParamsHook(s.feed)
	return s, nil
}

func (s *sharded) spec(v *model.Variable) *distributed.ShardingSpec {
	if s.rows[v] {
		return s.split
	}
	return s.whole
}

// Call runs the graph, and keeps what it made of the variables.
func (s *sharded) Call(args ...any) ([]*tensors.Tensor, error) {
	if err := s.store.InitializeVariables(s.backend, nil); err != nil {
		return nil, err
	}
	parts, free, err := shardAll(s.inputs, args)
	defer free()
	if err != nil {
		return nil, err
	}
	out, err := s.exec.Call(parts...)
	if err != nil {
		s.forget() // what was donated is gone; the store has the state of the last settle
		return nil, err
	}
	n, each := s.mesh.NumDevices(), 1+len(s.changed)
	for i, v := range s.changed {
		h := s.held[v]
		h.ahead, h.parts = true, make([]*tensors.Tensor, n)
		for d := range n {
			h.parts[d] = out[d*each+1+i]
		}
	}
	for d := 1; d < n; d++ {
		release(out[d*each:][:1])
	}
	return out[:1], nil
}

func (s *sharded) Finalize() { s.exec.Finalize() }

// feed gives the variables to the graph, each device its part or copy.
func (s *sharded) feed(g *Graph, inputs []compute.Buffer, donate []bool) error {
	for i, v := range s.vars {
		h, err := s.hold(v, s.spec(v))
		if err != nil {
			return err
		}
		for d, part := range h.parts {
			at, device := d*g.NumParameters()+s.at[i], compute.DeviceNum(d)
			if donate[at] = s.writes[i]; s.writes[i] {
				inputs[at], err = part.DonateBuffer(s.backend, device)
				release([]*tensors.Tensor{part})
			} else {
				inputs[at], err = part.Buffer(s.backend, device)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// hold is a variable on the devices, brought there from the store unless it is there.
func (d *devices) hold(v *model.Variable, spec *distributed.ShardingSpec) (*held, error) {
	value, err := v.Value()
	if err != nil {
		return nil, err
	}
	if h := d.held[v]; h != nil && h.value == value {
		return h, nil
	} else if h != nil {
		release(h.parts)
	}
	parts, err := dtensor.ShardTensor(spec, value)
	if err != nil {
		return nil, err
	}
	d.held[v] = &held{spec: spec, value: value, parts: parts.Shards()}
	return d.held[v], nil
}

// settle brings the store up to date, for whoever reads it.
func (d *devices) settle() error {
	if d == nil {
		return nil
	}
	for v, h := range d.held {
		value, err := v.Value()
		if err != nil {
			return err
		}
		if !h.ahead || h.value != value { // another value was set meanwhile
			continue
		}
		if value, err = merge(h.spec, h.parts); err != nil {
			return err
		}
		if err := v.SetValue(value); err != nil {
			return err
		}
		h.value, h.ahead = value, false
	}
	return nil
}

// forget frees what is on the devices.
func (d *devices) forget() {
	if d == nil {
		return
	}
	for _, h := range d.held {
		release(h.parts)
	}
	d.held = map[*model.Variable]*held{}
}
