package ebm

import (
	"fmt"
	"math"
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

// grouped is how steps on batches of one shape are taken.
type grouped struct {
	exec  *model.Exec
	size  int   // steps that a call may take; 0 where the graph is that of one step and not a loop
	noise *feed // what the host draws for that step
}

// grouping finds or makes what takes the steps on batches of these shapes.
func (t *training) grouping(inputs []*tensors.Tensor) (*grouped, error) {
	var in []shapes.Shape
	for _, x := range inputs {
		in = append(in, x.Shape())
	}
	id := fmt.Sprint(in)
	if g, ok := t.groupings[id]; ok {
		return g, nil
	}
	vars, draws, loops := t.trace(in)
	g := &grouped{noise: &feed{backend: t.backend, key: t.key(), draws: draws, step: t.step, end: math.MaxInt, batch: 1}}
	build := func(in []*Node) []*Node {
		var source *noise
		if batch := len(in) - len(draws); len(draws) > 0 {
			source, in = &noise{draws: draws, nodes: in[batch:]}, in[:batch]
		}
		return []*Node{Identity(t.stepGraph(in, source))}
	}
	if loops {
		bytes := 1
		for _, shape := range in {
			bytes += int(shape.ByteSize())
		}
		g.size = max(1, min(groupSteps, groupBytes/bytes))
		build = func(in []*Node) []*Node { return []*Node{t.loopGraph(vars, in)} }
	}
	build = throwing(build)
	var err error
	if g.exec, err = model.NewExec(t.backend, t.store, func(_ *model.Scope, in []*Node) []*Node { return build(in) }); err != nil {
		return nil, err
	}
	t.groupings[id] = g
	return g, nil
}

// trace builds a step into a graph that is thrown away. It finds the variables that the step reads or writes, what it draws where the
// host does that, and whether it can be the body of a loop.
func (t *training) trace(in []shapes.Shape) (vars []*model.Variable, draws []hostDraw, loops bool) {
	g := NewGraph(t.backend, "trace")
	defer g.Finalize()
	model.SetStore(g, t.store)
	batch := make([]*Node, len(in))
	for i, shape := range in {
		batch[i] = Parameter(g, "", shape)
	}
	source := tracing(t.backend, nil)
	t.stepGraph(batch, source)
	for v := range t.store.IterVariables() {
		if v.InUseByGraph(g) {
			vars = append(vars, v)
		}
	}
	if t.backend.Name() != "xla" {
		return vars, source.found(), false
	}
	for _, node := range g.Nodes() {
		switch node.Type() {
		case NodeTypeWhile, NodeTypeIf, NodeTypeSort, NodeTypeCall: // closures do not nest in GoMLX
			return vars, source.found(), false
		}
	}
	return vars, nil, true
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
	terms := t.loss.Loss(batch[0], source.rand(t.keyVar().NodeValue(g), step), batch[1:]...)
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

// loopGraph takes one step after another in a While, alone in its graph; as in plan.loopGraph a body captures nothing, so that
// batches and variables go through it. inputs: how many steps to take, then a group of batches, [size, n, ...] each.
// The output are the steps' figures, [size, figures].
func (t *training) loopGraph(vars []*model.Variable, inputs []*Node) *Node {
	g := inputs[0].Graph()
	size := inputs[1].Shape().Dimensions[0]
	rows := tensors.FromShape(shapes.Make(dtypes.Float32, size, numFigures))
	all := append([]*Node{Const(g, int32(0)), inputs[0], ConstTensor(g, rows)}, inputs[1:]...)
	first := len(all) // of the variables
	for _, v := range vars {
		all = append(all, v.NodeValue(g))
	}
	parameters := func(g *Graph) []*Node {
		ps := make([]*Node, len(all))
		for i, node := range all {
			ps[i] = Parameter(g, "", node.Shape())
		}
		return ps
	}
	cond := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters(g)
		return []*Node{LessThan(ps[0], ps[1])}
	})
	changed := make([]bool, len(vars))
	body := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters(g)
		for i, v := range vars {
			outer := v.NodeValue(g)
			v.SetNodeValue(ps[first+i])
			defer v.SetNodeValue(outer)
		}
		at := func(rank int) []*Node {
			out := []*Node{ps[0]}
			for range rank - 1 {
				out = append(out, Const(g, int32(0)))
			}
			return out
		}
		var batch []*Node
		for _, x := range ps[3:first] {
			dims := x.Shape().Dimensions
			batch = append(batch, Reshape(DynamicSlice(x, at(len(dims)), append([]int{1}, dims[1:]...)), dims[1:]...))
		}
		row := t.stepGraph(batch, nil)
		out := append([]*Node{AddScalar(ps[0], 1), ps[1], DynamicUpdateSlice(ps[2], Reshape(row, 1, numFigures), at(2))}, ps[3:first]...)
		for i, v := range vars {
			next := v.NodeValue(g)
			changed[i] = next != ps[first+i]
			out = append(out, next)
		}
		return out
	})
	results := While(cond, body, all...)
	for i, v := range vars {
		if changed[i] {
			v.SetNodeValue(results[first+i])
		}
	}
	return results[2]
}

// steps takes a step for each of the batches that wait, and gives each one's figures.
func (t *training) steps(group *grouped) (rows [][]float32, err error) {
	if group.size == 0 { // the group is of one
		if len(group.noise.draws) > 0 && group.noise.next() != t.step { // there were steps on batches of other shapes
			group.noise = &feed{backend: t.backend, key: t.key(), draws: group.noise.draws, step: t.step, end: math.MaxInt, batch: 1, spare: group.noise.close()}
		}
		drawn, err := group.noise.take(1)
		if err != nil {
			return nil, err
		}
		out, err := group.exec.Call(arguments(nil, t.waiting[0].inputs, drawn)...)
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
		if stacks[i], err = t.stack(i, group.size); err != nil {
			return nil, err
		}
	}
	out, err := group.exec.Call(arguments([]any{int32(len(t.waiting))}, stacks)...)
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

// pace chooses the size of the next group by the time that one of n steps took. It changes nothing but when figures are seen.
func (t *training) pace(group *grouped, n int, took time.Duration) {
	if n == t.group && took < groupTime/2 {
		t.group *= 2
	} else if took > groupTime {
		t.group /= 2
	}
	t.group = max(1, min(t.group, group.size))
}

func sameShapes(a, b []*tensors.Tensor) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Shape().Equal(b[i].Shape()) {
			return false
		}
	}
	return true
}
