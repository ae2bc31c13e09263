package ebm

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// On the Go backend every operation is a pass over memory, and a normal takes more than a hundred of them. So there the noise of
// the driver's chunks and of training steps is drawn on the host, number after number, on all cores, and goes into the graph as
// parameters. What is drawn is found by tracing: Rand asks its source for each draw, and the source notes it. Other Rands (those of
// a kernel's Init outside of losses, of nn) have no source, and draw in the graph.

// noise is where the Rands of a graph get their draws from, instead of computing them in the graph.
type noise struct {
	step  *Node      // the step that running clocks count from; of the graph being built
	draws []hostDraw // in the order of the graph
	nodes []*Node    // that hold the draws; nil while tracing
	next  int        // the draw that is due
}

// hostRand is a Rand's place in its source: nil where the graph draws.
type hostRand struct {
	*noise
	path  []turn
	clock clock
}

// tracing is a source that notes what is drawn, counting from step. It is nil on XLA, where the noise is part of the one loop.
func tracing(b compute.Backend, step *Node) *noise {
	if b.Name() == "xla" {
		return nil
	}
	return &noise{step: step}
}

// found are the draws that were noted.
func (s *noise) found() []hostDraw {
	if s == nil {
		return nil
	}
	return s.draws
}

// rand is NewRand with the draws of this source; those of a nil source are made in the graph.
func (s *noise) rand(key, step *Node) *Rand {
	r := NewRand(key, step)
	if s != nil {
		r.host = (&hostRand{noise: s}).at(step)
	}
	return r
}

// at is the same place at another step. Where the host can't tell its number, the graph draws.
func (h *hostRand) at(step *Node) *hostRand {
	if h == nil {
		return nil
	}
	c, known := h.read(step)
	if !known {
		return nil
	}
	return &hostRand{h.noise, h.path, c}
}

// fold is the place of a source folded from this one.
func (h *hostRand) fold(use uint32) *hostRand {
	if h == nil {
		return nil
	}
	return &hostRand{h.noise, h.turn(use), h.clock}
}

func (h *hostRand) turn(use uint32) []turn {
	return append(h.path[:len(h.path):len(h.path)], turn{h.clock, use})
}

// read takes a step's node for what it is: a constant, the run's step, or a sum of such.
func (s *noise) read(step *Node) (c clock, known bool) {
	switch {
	case step == s.step:
		return clock{running: true}, true
	case step.Type() == NodeTypeConstant && step.IsScalar() && step.DType() == dtypes.Int32:
		return clock{offset: tensors.ToScalar[int32](step.ConstantValue())}, true
	case step.Type() == NodeTypeAdd:
		a, knownA := s.read(step.Inputs()[0])
		b, knownB := s.read(step.Inputs()[1])
		return clock{a.running || b.running, a.offset + b.offset}, knownA && knownB && !(a.running && b.running)
	}
	return c, false
}

// drawn is the next draw of a shape, if the host makes it; else nil.
func (r *Rand) drawn(kind drawKind, n int, shape shapes.Shape) *Node {
	if r.host == nil || kind != drawIntn && shape.DType != dtypes.Float32 && shape.DType != dtypes.Float64 {
		return nil
	}
	d := hostDraw{kind, n, shape, r.host.turn(r.use), r.firstRow(shape)}
	r.use++
	return r.host.take(d, r.step.Graph())
}

// take notes a draw while tracing, and finds its node later.
func (s *noise) take(d hostDraw, g *Graph) *Node {
	if s.nodes == nil {
		s.draws = append(s.draws, d)
		return Parameter(g, "", d.shape)
	}
	if s.next == len(s.draws) || !d.equal(&s.draws[s.next]) {
		exceptions.Panicf("Rand: draw %d, of shape %s, is not the one made when the graph was traced: a kernel must draw the same at every building", s.next, d.shape)
	}
	s.next++
	return s.nodes[s.next-1]
}

// later are the draws made i steps on.
func later(draws []hostDraw, i int) []hostDraw {
	out := make([]hostDraw, len(draws))
	for k, d := range draws {
		d.path = append([]turn{}, d.path...)
		for j := range d.path {
			if d.path[j].step.running {
				d.path[j].step.offset += int32(i)
			}
		}
		out[k] = d
	}
	return out
}

// fed is the source of a graph of n steps in line, of which inputs[0] is the first's number. The last inputs hold the noise;
// the others are returned.
func fed(draws []hostDraw, n int, inputs []*Node) (*noise, []*Node) {
	if len(draws) == 0 {
		return nil, inputs
	}
	s := &noise{step: inputs[0]}
	for i := range n {
		s.draws = append(s.draws, later(draws, i)...)
	}
	first := len(inputs) - len(s.draws)
	s.nodes = inputs[first:]
	return s, inputs[:first]
}
