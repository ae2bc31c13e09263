package ebm

import (
	"slices"
	"sort"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Stopper is a kernel whose chains stop by themselves, each when its time has come: further steps leave all of its state as it
// is, bit by bit. Where all have stopped, a [Sampler] ends the run, with the samples that all the steps would have given.
type Stopper interface {
	Kernel
	// Stopped tells which chains have stopped, [n] Bool, and how many steps each has taken, [n] Int32.
	Stopped(s State) (stopped, steps *Node)
}

// plan is what the driver must know of a kernel before it can build its loop: found by tracing one step.
type plan struct {
	weights []*model.Variable // what the energy reads, in a fixed order
	state   []shapes.Shape
	accepts bool       // whether the kernel reports an acceptance probability
	stopper Stopper    // the kernel, if its chains may stop, else nil
	draws   []hostDraw // of a step, where the host makes them
	part    *part      // nil where the chains are all there are
}

// trace builds Init and one Step into a graph that is thrown away. A kernel that fails does so here, with its
// own message, and not inside a loop's body.
func trace(b compute.Backend, store *model.Store, e Energy, k Kernel, x shapes.Shape, cond []shapes.Shape, of *part) *plan {
	g := NewGraph(b, "trace")
	defer g.Finalize()
	model.SetStore(g, store)
	env := Env{Energy: e, Step: Parameter(g, "step", shapes.Make(dtypes.Int32))}
	env.Rand = NewRand(Parameter(g, "key", shapes.Make(dtypes.Uint32, 2)), env.Step).of(of)
	for _, shape := range cond {
		env.Cond = append(env.Cond, Parameter(g, "", shape))
	}
	position := Parameter(g, "x", x)
	env.ValueGrad(position) // also where Init and Step leave the energy alone: its shape is checked, its weights found
	before := k.Init(env, position)
	source := tracing(b, env.Step)
	env.Rand = source.rand(Parameter(g, "stepkey", shapes.Make(dtypes.Uint32, 2)), env.Step).of(of)
	after, info := k.Step(env, before)

	p := &plan{accepts: info.Accept != nil, draws: source.found(), part: of}
	if len(before) != len(after) || len(before) == 0 {
		exceptions.Panicf("Kernel %T: Init gives %d state values and Step %d; want the same number, at least 1", k, len(before), len(after))
	}
	for i := range before {
		if !before[i].Shape().Equal(after[i].Shape()) {
			exceptions.Panicf("Kernel %T: Step turned state[%d] from %s into %s", k, i, before[i].Shape(), after[i].Shape())
		}
		p.state = append(p.state, before[i].Shape())
	}
	if !p.state[0].Equal(x) {
		exceptions.Panicf("Kernel %T: state[0] must be the position %s, got %s", k, x, p.state[0])
	}
	if a := info.Accept; a != nil && (a.Rank() != 1 || a.Shape().Dimensions[0] != x.Dimensions[0] || a.DType() != x.DType) {
		exceptions.Panicf("Kernel %T: Info.Accept must be one %s a chain, [%d], got %s", k, x.DType, x.Dimensions[0], a.Shape())
	}
	if p.stopper, _ = k.(Stopper); p.stopper != nil {
		stopped, steps := p.stopper.Stopped(after)
		for i, got := range []shapes.Shape{stopped.Shape(), steps.Shape()} {
			if want := shapes.Make([]dtypes.DType{dtypes.Bool, dtypes.Int32}[i], x.Dimensions[0]); !got.Equal(want) {
				exceptions.Panicf("Kernel %T: result %d of Stopped must be %s, got %s", k, i, want, got)
			}
		}
	}
	for v := range store.IterVariables() {
		if v.InUseByGraph(g) {
			p.weights = append(p.weights, v)
		}
	}
	sort.Slice(p.weights, func(i, j int) bool { return p.weights[i].Path() < p.weights[j].Path() })
	return p
}

// A carry is what runs through the loop, in this order: key, accept, the state, the conditioning.
// accept is each chain's sum of acceptance probabilities, [n].
type carry struct {
	key, accept *Node
	state       State
	cond        []*Node
	noise       *noise // nil where the graph draws
}

func (p *plan) unpack(nodes []*Node) carry {
	return carry{nodes[0], nodes[1], nodes[2 : 2+len(p.state)], nodes[2+len(p.state):], nil}
}

func (c carry) pack() []*Node {
	return append(append([]*Node{c.key, c.accept}, c.state...), c.cond...)
}

// step advances the carry by one step of the kernel.
func (p *plan) step(e Energy, k Kernel, c carry, step *Node) carry {
	env := Env{Energy: e, Cond: c.cond, Step: step, Rand: c.noise.rand(c.key, step).of(p.part)}
	var info Info
	c.state, info = k.Step(env, c.state)
	if info.Accept != nil {
		c.accept = Add(c.accept, info.Accept)
	}
	return c
}

// ended is whether all chains have stopped: a scalar Bool.
func (p *plan) ended(s State) *Node {
	stopped, _ := p.stopper.Stopped(s)
	return ReduceLogicalAnd(stopped)
}

// loopGraph builds steps first, …, last−1 as one While, alone in its graph.
// inputs: first, last, then the carry. Outputs: the step after the last one taken, accept and the state.
//
// With a buffer for positions, [n, rows, event...], two more inputs come after last: the step with which the buffer's first row begins,
// and how many steps a row is worth; the buffer, filled, is the second of the outputs.
func (p *plan) loopGraph(e Energy, k Kernel, buffer *Node, inputs []*Node) []*Node {
	head := 2 // what stands before the carry
	if buffer != nil {
		head = 5
		inputs = slices.Insert(slices.Clone(inputs), 4, buffer)
	}
	results := loop(p.weights, inputs, func(ps []*Node) []*Node {
		next := p.step(e, k, p.unpack(ps[head:]), ps[0])
		step, last := AddScalar(ps[0], 1), ps[1]
		if p.stopper != nil { // the condition may hold no reducer and no constant, so the body tells it that the end has come
			last = Where(p.ended(next.state), step, last)
		}
		out := []*Node{step, last}
		if buffer != nil {
			out = append(out, ps[2], ps[3], writeRow(ps[4], next.state[0], ps[0], ps[2], ps[3]))
		}
		return append(out, next.pack()...)
	})
	out := []*Node{results[0]}
	if buffer != nil {
		out = append(out, results[4])
	}
	return append(out, results[head+1:head+2+len(p.state)]...)
}

// lapGraph builds n steps as one While, alone in its graph, of whose length XLA knows: a GPU's plugin then need not ask after every step,
// by a copy to the host, whether to go on.
// inputs: first, then the carry. Outputs: the step after the last one taken, accept and the state.
func (p *plan) lapGraph(e Energy, k Kernel, n int, inputs []*Node) []*Node {
	first, g := inputs[0], inputs[0].Graph()
	results := loop(p.weights, append([]*Node{Const(g, int32(0)), Const(g, int32(n))}, inputs...), func(ps []*Node) []*Node {
		next := p.step(e, k, p.unpack(ps[3:]), Add(ps[2], ps[0]))
		return append([]*Node{AddScalar(ps[0], 1), ps[1], ps[2]}, next.pack()...)
	})
	return append([]*Node{Add(first, results[0])}, results[4:5+len(p.state)]...)
}

// loop builds a While, alone in its graph, that takes values to the next as long as the first is below the second. On XLA a body
// captures nothing, so variables go through the loop behind the values. While the body is built they are bound to the loop's state,
// and what it makes of them is what they are after the loop.
func loop(vars []*model.Variable, values []*Node, body func(values []*Node) []*Node) []*Node {
	g, n := values[0].Graph(), len(values)
	all := slices.Clone(values)
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
	again := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters(g)
		return []*Node{LessThan(ps[0], ps[1])}
	})
	changed := make([]bool, len(vars))
	once := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters(g)
		for i, v := range vars {
			outer := v.NodeValue(g)
			v.SetNodeValue(ps[n+i])
			defer v.SetNodeValue(outer)
		}
		out := body(ps[:n:n])
		for i, v := range vars {
			next := v.NodeValue(g)
			changed[i] = next != ps[n+i]
			out = append(out, next)
		}
		return out
	})
	results := While(again, once, all...)
	for i, v := range vars {
		if changed[i] {
			v.SetNodeValue(results[n+i])
		}
	}
	return results[:n]
}

// chunkGraph builds n steps in line, for backends whose While can't hold a gradient.
// inputs: first, then the carry, then what the host drew. Outputs: the step after the last one taken, accept and the state.
func (p *plan) chunkGraph(e Energy, k Kernel, n int, inputs []*Node) []*Node {
	noise, inputs := fed(p.draws, n, inputs)
	c, after := p.unpack(inputs[1:]), AddScalar(inputs[0], int32(n))
	c.noise = noise
	for i := range n {
		step := AddScalar(inputs[0], int32(i))
		next := p.step(e, k, c, step)
		if p.stopper != nil { // a step after the end leaves the state as it is; nor does it count
			ended := p.ended(c.state)
			next.accept = Where(ended, c.accept, next.accept)
			after = Where(ended, Min(after, step), after)
		}
		c = next
	}
	out := append([]*Node{after, c.accept}, c.state...)
	for i, node := range out {
		out[i] = Identity(node) // the Go backend fails where the last node needed precedes an unused parameter
	}
	return out
}
