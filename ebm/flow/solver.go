package flow

import (
	"context"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// Solver follows a field from given points, each chain by [Adaptive] steps of its own. What it compiles it keeps: a second
// call with the same shapes compiles nothing, whatever its times or the field's weights. On XLA all steps are one
// loop, which ends when the last chain arrives; on the pure Go backend they are chunks and a host loop.
//
// A Solver is not for concurrent use; make one for each goroutine.
type Solver struct {
	sampler *ebm.Sampler
	steps   int
}

// Status tells how a chain ended.
type Status int32

// What became of a chain.
const (
	onTheWay     Status = iota
	Done                // it has reached the last time
	StepTooShort        // it would need shorter steps than MinStep, or its field is not finite
	OutOfSteps          // it has tried MaxSteps steps, or the context ended
)

func (s Status) String() string {
	return [...]string{"on the way", "done", "step too short", "out of steps"}[s]
}

// Problem says what to solve.
type Problem struct {
	Start *tensors.Tensor   // [n, event...], Float32 or Float64
	Times []float64         // where to start, times to stop by in the order of the way, up or down, and where to end. Default 0 and 1
	Cond  []*tensors.Tensor // the field's conditioning, n rows each
}

// Solution is what a solver found. A chain that did not arrive is in it as far as it came: no error tells of that, its Status does.
type Solution struct {
	X           *tensors.Tensor // [n, event...], where each chain is
	T           []float64       // and when
	Values      *tensors.Tensor // [n, len(Times)−1, event...], x at Times[1:]; NaN where a chain did not come so far
	Status      []Status
	Evaluations []int // of the field on each chain's way
	Steps       []int // tried by each chain
	Rejected    []int // of these
}

// NewSolver makes a solver of a field. The store holds the field's weights; nil where it has none.
func NewSolver(b compute.Backend, store *model.Store, field ebm.Field, a Adaptive) (*Solver, error) {
	if field == nil {
		return nil, errors.New("flow: NewSolver: the field is nil")
	}
	a, err := a.withDefaults()
	if err != nil {
		return nil, err
	}
	sampler, err := ebm.NewSampler(b, store, NoEnergy, solving{a, field})
	return &Solver{sampler, a.MaxSteps}, err
}

// Finalize frees what the solver compiled.
func (s *Solver) Finalize() { s.sampler.Finalize() }

// Solve follows the field. Where ctx ends first, it returns how far the chains came and ctx's error: both are set then.
func (s *Solver) Solve(ctx context.Context, p Problem) (*Solution, error) {
	if p.Start == nil || !p.Start.Ok() || p.Start.Rank() < 2 {
		return nil, errors.New("flow: Solver.Solve: Problem.Start must be points [n, event...]")
	}
	times, err := p.times()
	if err != nil {
		return nil, err
	}
	out, err := s.sampler.Sample(ctx, ebm.Options{Start: p.Start, Cond: append([]*tensors.Tensor{times}, p.Cond...), Steps: s.steps})
	if out == nil {
		return nil, err
	}
	sol, e := solution(out)
	if e != nil {
		return nil, e
	}
	return sol, err
}

// solution is what a run of [solving] says.
func solution(out *ebm.Samples) (*Solution, error) {
	state := out.Checkpoint.State
	sol := &Solution{X: state[0], Values: state[atValues]}
	var counts [4][]int
	for i, at := range []int{atStatus, atEvals, atTried, atTaken} {
		flat, err := tensors.CopyFlatData[int32](state[at])
		if err != nil {
			return nil, err
		}
		for _, v := range flat {
			counts[i] = append(counts[i], int(v))
		}
	}
	sol.Evaluations, sol.Steps = counts[1], counts[2]
	for i, v := range counts[0] {
		status := Status(v)
		if status == onTheWay {
			status = OutOfSteps
		}
		sol.Status = append(sol.Status, status)
		sol.Rejected = append(sol.Rejected, sol.Steps[i]-counts[3][i])
	}
	var err error
	sol.T, err = host.Floats(state[atTime])
	return sol, err
}

// times is the conditioning of [solving].
func (p Problem) times() (*tensors.Tensor, error) {
	times := p.Times
	if times == nil {
		times = []float64{0, 1}
	}
	if len(times) < 2 {
		return nil, errors.Errorf("flow: Problem.Times must be where to start, and at least one time to stop by, got %v", times)
	}
	up := times[len(times)-1] > times[0]
	for i, t := range times {
		if math.IsNaN(t) || math.IsInf(t, 0) || i > 0 && (t == times[i-1] || t > times[i-1] != up) {
			return nil, errors.Errorf("flow: Problem.Times must be finite, and all go up or all down, got %v", times)
		}
	}
	n := p.Start.Shape().Dimensions[0]
	if p.Start.DType() == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(repeat[float64](times, n), n, len(times)), nil
	}
	return tensors.FromFlatDataAndDimensions(repeat[float32](times, n), n, len(times)), nil
}

func repeat[T float32 | float64](v []float64, n int) (out []T) {
	for range n {
		for _, w := range v {
			out = append(out, T(w))
		}
	}
	return out
}
