package verify

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/host"
)

// Equivalence tests the contract of [ebm.Kernel], that a kernel gives the same chains however it is run:
//
//   - the driver (one loop on XLA, chunks on the Go backend) gives the states that [ebm.Unroll] gives in one graph: bit by bit on
//     the Go backend, else to limit·(1 + |x|), where limit is 10⁻⁶ for Float32 and 10⁻¹² for Float64
//   - a run in two pieces, the second from the first's checkpoint, gives the states of one run, bit by bit
//   - position and caches keep their shapes and types
//   - a second run, longer and with another seed, compiles nothing, and gives other positions
//   - acceptance, where there is one, is in [0, 1]
//
// Five chains begin between −1 and 1 and take nine steps (on XLA, which takes long to compile them, two unrolled) on an energy of
// curvature 0.6 to 1.4, on which the kernel must be stable.
type Equivalence struct {
	Backend compute.Backend
	Kernel  ebm.Kernel

	Event []int        // shape of a chain's position, default [2]
	DType dtypes.DType // Float32 (default) or Float64
}

// EquivalenceReport is what [Equivalence] found. It prints as a sentence and a table.
type EquivalenceReport struct {
	Kernel   string // its type
	Backend  string
	DType    dtypes.DType
	Event    []int
	Unrolled int       // steps of the unrolled graph
	Unroll   []float64 // largest |a − b|/(1 + |b|) of each entry of the state: the driver against [ebm.Unroll]
	Limit    float64   // the largest of Unroll that passes
	Pieces   []float64 // one run against two pieces, likewise; only 0 passes
	Failures []string  // what is wrong
	X        []float64 // the positions after nine steps, row after row
}

const (
	equivalenceChains = 5
	equivalenceSteps  = 9 // a chunk of the Go backend and a step more
)

// Run makes the check.
func (c Equivalence) Run(ctx context.Context) (r EquivalenceReport, err error) {
	c.DType = cmp.Or(c.DType, dtypes.Float32)
	if c.Event == nil {
		c.Event = []int{2}
	}
	switch {
	case c.Backend == nil:
		return r, errors.New("verify: Equivalence.Backend is nil")
	case c.Kernel == nil:
		return r, errors.New("verify: Equivalence.Kernel is nil")
	}
	if err := checkShape("Equivalence", c.Event, c.DType); err != nil {
		return r, err
	}
	r = EquivalenceReport{Kernel: fmt.Sprintf("%T", c.Kernel), Backend: c.Backend.Name(), DType: c.DType, Event: c.Event, Unrolled: equivalenceSteps}
	if r.Backend == "xla" {
		r.Unrolled, r.Limit = 2, limit(c.DType)
	}
	builds := 0
	energy := ebm.EnergyFunc(func(x *graph.Node, _ ...*graph.Node) *graph.Node { builds++; return ripples(x) })
	sampler, err := ebm.NewSampler(c.Backend, nil, energy, c.Kernel)
	if err != nil {
		return r, err
	}
	defer sampler.Finalize()

	const seed = 1<<40 + 7
	start := c.start()
	sample := func(o ebm.Options) (out *ebm.Samples) {
		if err == nil {
			out, err = sampler.Sample(ctx, o)
		}
		return out
	}
	whole := sample(ebm.Options{Start: start, Steps: equivalenceSteps, Seed: seed})
	compiled := builds
	other := sample(ebm.Options{Start: start, Steps: 2*equivalenceSteps + 1, Seed: seed + 1})
	piece := sample(ebm.Options{Start: start, Steps: r.Unrolled, Seed: seed})
	half := sample(ebm.Options{Start: start, Steps: equivalenceSteps / 2, Seed: seed})
	if err != nil {
		return r, err
	}
	rest := sample(ebm.Options{Resume: half.Checkpoint, Steps: equivalenceSteps - equivalenceSteps/2})
	if err != nil {
		return r, err
	}
	if builds != compiled {
		r.fail("later runs built the energy %d times more: they compiled again", builds-compiled)
	}
	unrolled, accept, err := c.unroll(energy, start, seed, r.Unrolled)
	if err != nil {
		return r, err
	}
	for _, a := range append(accept, whole.Accept) {
		if !(a >= 0 && a <= 1) && !(len(accept) == 0 && math.IsNaN(a)) {
			r.fail("acceptance is %g", a)
		}
	}
	if r.X, _, err = matrix(whole.X); err != nil {
		return r, err
	}
	if others, _, err := matrix(other.X); err != nil {
		return r, err
	} else if slices.Equal(others, r.X) {
		r.fail("another seed and another number of steps gave the same positions")
	}
	if r.Unroll, err = r.compare("unrolled", piece.Checkpoint.State, unrolled, r.Limit); err != nil {
		return r, err
	}
	r.Pieces, err = r.compare("in two pieces", whole.Checkpoint.State, rest.Checkpoint.State, 0)
	return r, err
}

// limit is how far two compilations of the same arithmetic may be apart.
func limit(dtype dtypes.DType) float64 {
	if dtype == dtypes.Float64 {
		return 1e-12
	}
	return 1e-6
}

// ripples is ½x² + ⅒·cos(2x), summed, and a little of the sum's square, so that no number moves alone.
func ripples(x *graph.Node) *graph.Node {
	flat := graph.Reshape(x, x.Shape().Dimensions[0], -1)
	own := graph.Add(graph.MulScalar(graph.Square(flat), 0.5), graph.MulScalar(graph.Cos(graph.MulScalar(flat, 2)), 0.1))
	return graph.Add(graph.ReduceSum(own, 1), graph.MulScalar(graph.Square(graph.ReduceMean(flat, 1)), 0.1))
}

// start is numbers between −1 and 1.
func (c Equivalence) start() *tensors.Tensor {
	size := equivalenceChains
	for _, d := range c.Event {
		size *= d
	}
	flat := make([]float64, size)
	for i := range flat {
		flat[i] = math.Sin(float64(3 * i))
	}
	return host.Tensor(c.DType, flat, append([]int{equivalenceChains}, c.Event...)...)
}

// unroll builds Init and the steps in one graph, as a loss does.
func (c Equivalence) unroll(energy ebm.Energy, start *tensors.Tensor, seed uint64, steps int) (state []*tensors.Tensor, accept []float64, err error) {
	has := false
	state, err = call(c.Backend, nil, func(in []*graph.Node) []*graph.Node {
		key, first, x := in[0], in[1], in[2]
		initial := graph.Const(x.Graph(), int32(-1)) // the driver's number for the step before the first; its use 0 draws starts
		env := ebm.Env{Energy: energy, Step: initial, Rand: ebm.NewRand(key, initial)}
		env.Rand.Fold()
		s := c.Kernel.Init(env, x)
		env.Step, env.Rand = first, ebm.NewRand(key, first)
		s, info := ebm.Unroll(env, c.Kernel, s, steps)
		out := slices.Clone(s)
		if has = info.Accept != nil; has {
			out = append(out, info.Accept)
		}
		return out
	}, []uint32{uint32(seed), uint32(seed >> 32)}, int32(0), start)
	if err == nil && has {
		last := len(state) - 1
		accept, _, err = matrix(state[last])
		state = state[:last]
	}
	return state, accept, err
}

// compare gives the largest difference of each entry of two states, and notes those above the limit.
func (r *EquivalenceReport) compare(how string, got, want []*tensors.Tensor, limit float64) ([]float64, error) {
	largest := make([]float64, len(got))
	for i := range got {
		if !got[i].Shape().Equal(want[i].Shape()) || got[i].Rank() == 0 || got[i].Shape().Dimensions[0] != equivalenceChains {
			r.fail("state[%d] is %s from the driver and %s %s, want %d rows", i, got[i].Shape(), want[i].Shape(), how, equivalenceChains)
			continue
		}
		a, _, err := matrix(got[i])
		if err != nil {
			return nil, err
		}
		b, _, err := matrix(want[i])
		if err != nil {
			return nil, err
		}
		for j := range a {
			largest[i] = max(largest[i], math.Abs(a[j]-b[j])/(1+math.Abs(b[j])))
		}
		if !(largest[i] <= limit) {
			r.fail("state[%d] differs by %.1e between one run and %s", i, largest[i], how)
		}
	}
	return largest, nil
}

func (r *EquivalenceReport) fail(format string, args ...any) {
	r.Failures = append(r.Failures, fmt.Sprintf(format, args...))
}

// Passed tells whether the kernel keeps the contract.
func (r EquivalenceReport) Passed() bool { return len(r.Failures) == 0 }

// Verdict is the report in a sentence.
func (r EquivalenceReport) Verdict() string {
	verdict := "the same in one run, in pieces and unrolled"
	if !r.Passed() {
		verdict = "NOT the same in one run, in pieces and unrolled: " + strings.Join(r.Failures, "; ")
	}
	return fmt.Sprintf("%s: %s (%d chains of %s%v, %d steps, %d unrolled, backend %s)",
		r.Kernel, verdict, equivalenceChains, r.DType, r.Event, equivalenceSteps, r.Unrolled, r.Backend)
}

// String is the sentence and a table of the state's entries.
func (r EquivalenceReport) String() string {
	var text strings.Builder
	text.WriteString(r.Verdict())
	fmt.Fprintf(&text, "\n%-10s%14s%14s", "largest", "unrolled", "in pieces")
	for i := range r.Unroll {
		fmt.Fprintf(&text, "\n%-10s%14.1e%14.1e", fmt.Sprintf("state[%d]", i), r.Unroll[i], r.Pieces[i])
	}
	fmt.Fprintf(&text, "\n%-10s%14.1e%14.1e", "limit", r.Limit, 0.0)
	return text.String()
}
