package ebm

import (
	"math"
	"slices"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
)

const (
	groupSteps = 32                    // at most in a call: its own cost is then little to each
	groupTime  = 50 * time.Millisecond // that a call may last, for progress and cancelling
	groupBytes = 64 << 20              // of a call's batches
)

// group is how steps on batches of the same shapes are taken, some in one call.
type group struct {
	shapes []shapes.Shape // of a batch
	exec   runner
	size   int   // steps that a call may take; 0 where the graph is that of one step and not a loop
	pace   int   // steps in the next call
	noise  *feed // what the host draws for the one step
}

// runner runs a graph of training steps: a model.Exec, or a sharded on several devices.
type runner interface {
	Call(args ...any) ([]*tensors.Tensor, error)
	Finalize()
}

// groupOf finds or makes the group of a batch.
func (t *training) groupOf(inputs []*tensors.Tensor) (*group, error) {
	for _, g := range t.groups {
		if g.takes(inputs) {
			return g, nil
		}
	}
	var in []shapes.Shape
	for _, x := range inputs {
		in = append(in, x.Shape())
	}
	steps := t.trace(in)
	g := &group{shapes: in, pace: 1, noise: t.feed(steps.draws, nil)}
	build := func(in []*Node) []*Node {
		var source *noise
		if batch := len(in) - len(steps.draws); len(steps.draws) > 0 {
			source, in = &noise{draws: steps.draws, nodes: in[batch:]}, in[:batch]
		}
		return []*Node{Identity(t.stepGraph(in, source))}
	}
	if steps.loops {
		bytes := 1
		for _, shape := range in {
			bytes += int(shape.ByteSize())
		}
		g.size = max(1, min(groupSteps, groupBytes/bytes))
		build = func(in []*Node) []*Node { return []*Node{t.loopGraph(steps.vars, in)} }
	}
	var err error
	if g.exec, err = t.runner(steps, in, build); err != nil {
		return nil, err
	}
	t.groups = append(t.groups, g)
	return g, nil
}

// runner makes what runs the graph of a group.
func (t *training) runner(steps *traced, batch []shapes.Shape, build func(in []*Node) []*Node) (runner, error) {
	if t.devices != nil {
		return t.devices.runner(steps, batch, build)
	}
	build = throwing(build)
	return model.NewExec(t.backend, t.store, func(_ *model.Scope, in []*Node) []*Node { return build(in) })
}

// takes tells whether a batch has the group's shapes.
func (g *group) takes(inputs []*tensors.Tensor) bool {
	return slices.EqualFunc(g.shapes, inputs, func(shape shapes.Shape, x *tensors.Tensor) bool { return shape.Equal(x.Shape()) })
}

// feed draws the noise of a step after another, from the one to be taken on.
func (t *training) feed(draws []hostDraw, spare [][]*tensors.Tensor) *feed {
	return &feed{backend: t.backend, key: t.key(), draws: draws, step: t.step, end: math.MaxInt, batch: 1, spare: spare}
}

// traced is what is known of a training step before it is compiled.
type traced struct {
	vars    []*model.Variable        // that it reads or writes, in the store's order
	changed []*model.Variable        // those that it writes
	rows    map[*model.Variable]bool // those marked by ShardRows
	draws   []hostDraw               // what the host draws for it
	loops   bool                     // whether it can be the body of a loop
}

// trace builds a step into a graph that is thrown away.
func (t *training) trace(in []shapes.Shape) *traced {
	g := NewGraph(t.backend, "trace")
	defer g.Finalize()
	model.SetStore(g, t.store)
	batch := make([]*Node, len(in))
	for i, shape := range in {
		batch[i] = Parameter(g, "", shape)
	}
	source := tracing(t.backend, nil)
	t.stepGraph(batch, source)
	steps := &traced{rows: shardedRows(g), draws: source.found()}
	for v := range t.store.IterVariables() {
		if v.InUseByGraph(g) {
			steps.vars = append(steps.vars, v)
		}
		if v.ChangedInGraph(g) {
			steps.changed = append(steps.changed, v)
		}
	}
	nests := slices.ContainsFunc(g.Nodes(), func(node *Node) bool { // closures do not nest in GoMLX
		return slices.Contains([]NodeType{NodeTypeWhile, NodeTypeIf, NodeTypeSort, NodeTypeCall}, node.Type())
	})
	steps.loops = t.backend.Name() == "xla" && !nests && t.chains == nil
	return steps
}

// stepGraph builds one training step: the loss, the optimizer's update of the weights, and that of their averages. It returns
// the step's figures. Its noise comes from a source, or from the graph where that is nil.
func (t *training) stepGraph(batch []*Node, source *noise) *Node {
	g := batch[0].Graph()
	t.store.SetTraining(g, true)
	step := trainStep(g)
	if source != nil {
		source.step = step
	}
	terms := t.termsOf(batch, source.rand(t.keyVar().NodeValue(g), step))
	train.AddMainLoss(terms.Loss)
	t.guard.UpdateGraph(t.store.RootScope(), g, train.TotalLoss(g))
	train.ExecPerStepUpdateGraphFn(g) // of GoMLX's layers
	if t.EMA > 0 {
		updateEMA(t.store, g, t.EMA, step)
	}
	return figures(terms, batch[0], t.guard.norm)
}

// keyVar holds the key of all of training's noise, so that checkpoints have it.
func (t *training) keyVar() *model.Variable {
	key := t.key()
	return t.store.VariableWithValue("/train/key", key[:]).SetTrainable(false)
}

func (t *training) key() [2]uint32 { return [2]uint32{uint32(t.Seed), uint32(t.Seed >> 32)} }

// loopGraph takes one step after another in one loop. inputs: how many steps to take, then a group of batches, [size, n, ...] each.
// The output are the steps' figures, [size, figures].
func (t *training) loopGraph(vars []*model.Variable, inputs []*Node) *Node {
	g := inputs[0].Graph()
	rows := tensors.FromShape(shapes.Make(dtypes.Float32, inputs[1].Shape().Dimensions[0], numFigures))
	values := append([]*Node{Const(g, int32(0)), inputs[0], ConstTensor(g, rows)}, inputs[1:]...)
	return loop(vars, values, func(ps []*Node) []*Node {
		at := func(rank int) []*Node {
			out := []*Node{ps[0]}
			for range rank - 1 {
				out = append(out, Const(ps[0].Graph(), int32(0)))
			}
			return out
		}
		var batch []*Node
		for _, x := range ps[3:] {
			dims := x.Shape().Dimensions
			batch = append(batch, Reshape(DynamicSlice(x, at(len(dims)), append([]int{1}, dims[1:]...)), dims[1:]...))
		}
		row := t.stepGraph(batch, nil)
		return append([]*Node{AddScalar(ps[0], 1), ps[1], DynamicUpdateSlice(ps[2], Reshape(row, 1, numFigures), at(2))}, ps[3:]...)
	})[2]
}

// steps takes a step for each of the batches that wait, and gives each one's figures.
func (t *training) steps(g *group) (rows [][]float32, err error) {
	if g.size == 0 {
		if len(g.noise.draws) > 0 && g.noise.next() != t.step { // there were steps on batches of other shapes
			g.noise = t.feed(g.noise.draws, g.noise.close())
		}
		drawn, err := g.noise.take(1)
		if err != nil {
			return nil, err
		}
		out, err := g.exec.Call(arguments(nil, t.waiting[0].inputs, drawn)...)
		if err != nil {
			return nil, err
		}
		defer release(out)
		v, err := tensors.CopyFlatData[float32](out[0])
		return [][]float32{v}, err
	}
	stacks := make([]*tensors.Tensor, len(t.waiting[0].inputs))
	defer release(stacks)
	for i := range stacks {
		if stacks[i], err = t.stack(i, g.size); err != nil {
			return nil, err
		}
	}
	out, err := g.exec.Call(arguments([]any{int32(len(t.waiting))}, stacks)...)
	if err != nil {
		return nil, err
	}
	defer release(out)
	all, err := tensors.CopyFlatData[float32](out[0])
	for i := range t.waiting {
		rows = append(rows, all[i*numFigures:][:numFigures])
	}
	return rows, err
}

// stack puts the i-th input of the batches that wait into one tensor, [size, n, ...].
func (t *training) stack(i, size int) (*tensors.Tensor, error) {
	shape := t.waiting[0].inputs[i].Shape()
	out := tensors.FromShape(shapes.Make(shape.DType, append([]int{size}, shape.Dimensions...)...))
	var failed error
	err := out.MutableBytes(func(to []byte) {
		for _, w := range t.waiting {
			if err := w.inputs[i].ConstBytes(func(from []byte) { to = to[copy(to, from):] }); err != nil {
				failed = err
			}
		}
	})
	if err == nil {
		err = failed
	}
	return out, err
}

// keepPace chooses how many steps the next call takes, by the time that n took. It changes nothing but when figures are seen.
func (g *group) keepPace(n int, took time.Duration) {
	if n == g.pace && took < groupTime/2 {
		g.pace *= 2
	} else if took > groupTime {
		g.pace /= 2
	}
	g.pace = max(1, min(g.pace, g.size))
}
