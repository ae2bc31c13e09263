package flow

import (
	"context"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
)

// begin gives the options starts and conditioning that the way's kernel can take.
func (s *Sampler) begin(ctx context.Context, o ebm.Options) (ebm.Options, error) {
	given := o.Start != nil || o.Data != nil
	if s.how.LogDensity || !given && s.sigma != 1 || o.Start == nil && s.how.Adaptive != nil {
		first := s.first
		if given {
			first = s.firstGiven
		}
		draw := o
		draw.Cond, draw.Steps, draw.Thin, draw.Trajectory, draw.Summaries, draw.Progress = nil, 1, 0, false, false, nil
		began, err := first.Sample(context.WithoutCancel(ctx), draw)
		if err != nil {
			return o, err
		}
		o.Data, o.Start, o.Chains, o.Dim, o.Event = nil, began.X, 0, 0, nil
		if s.how.LogDensity {
			if o.Start, err = join(began.X, began.Checkpoint.State[1]); err != nil {
				return o, err
			}
			o.Cond = append([]*tensors.Tensor{began.Checkpoint.State[2]}, o.Cond...)
		}
	}
	if s.how.Adaptive != nil {
		if o.Start.Rank() < 2 {
			return o, errors.Errorf("flow: Options.Start must be points [n, event...], got %s", o.Start.Shape())
		}
		times, err := s.times(o)
		if err != nil {
			return o, err
		}
		o.Cond = append([]*tensors.Tensor{times}, o.Cond...)
	}
	return o, nil
}

// times are those of an adaptive way, with equally spaced ones in between where a trajectory is asked for.
func (s *Sampler) times(o ebm.Options) (*tensors.Tensor, error) {
	pieces := 1
	if o.Trajectory {
		steps, thin := o.Steps, max(o.Thin, 1)
		if steps == 0 {
			steps = s.how.Steps
		}
		if pieces = steps / thin; pieces < 1 {
			return nil, errors.Errorf("flow: Options.Thin must be at most Options.Steps = %d, got %d", steps, thin)
		}
	}
	from, to := s.how.way()
	times := make([]float64, pieces+1)
	for i := range times {
		times[i] = from + (to-from)*float64(i)/float64(pieces)
	}
	return Problem{Start: o.Start, Times: times}.times()
}

// gaussian is −log p of N(0, σ²I).
func gaussian(sigma float64) ebm.Energy {
	return ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node {
		n := x.Shape().Dimensions[0]
		d := x.Shape().Size() / n
		square := ReduceSum(Square(Reshape(x, n, d)), 1)
		return AddScalar(MulScalar(square, 0.5/(sigma*sigma)), float64(d)*(0.5*math.Log(2*math.Pi)+math.Log(sigma)))
	})
}

// beginning is the kernel that draws what a way begins with, and stays there. After x the state is the log density, [n], and the probes,
// [n, k, event...].
type beginning struct {
	scale  float64
	prior  ebm.Energy // nil: the log density begins with 0
	probes int
}

// Init scales the noise.
func (k beginning) Init(env ebm.Env, x *Node) ebm.State {
	if k.scale != 1 {
		x = MulScalar(x, k.scale)
	}
	logp := ebm.ZeroTime(x)
	if k.prior != nil {
		logp = Neg(k.prior.Energy(x))
	}
	dims := x.Shape().Dimensions
	probes := shapes.Make(x.DType(), append([]int{dims[0], max(k.probes, 1)}, dims[1:]...)...)
	return ebm.State{x, logp, env.Rand.Sign(probes)}
}

// Step does nothing.
func (beginning) Step(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) { return s, ebm.Info{} }
