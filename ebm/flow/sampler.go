package flow

import (
	"context"
	"slices"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// Sampler carries points along a field as a [Transport] says: samples from noise, or noise from data, and log densities.
//
//	sampler, err := flow.NewSampler(backend, store, field, flow.Transport{})
//	out, err := sampler.Sample(ctx, ebm.Options{Chains: 1000, Dim: 2, Seed: 1})
//
// It runs on [ebm.Sampler], with its options, progress, trajectories, devices, cancelling and resuming. What it compiles it keeps: a second call with the
// same shapes compiles nothing, whatever the seed or the field's weights. A Sampler is not for concurrent use.
type Sampler struct {
	backend compute.Backend
	store   *model.Store
	how     Transport
	sigma   float64    // of the noise that points begin with
	prior   ebm.Energy // −log p of that noise

	first, firstGiven *ebm.Sampler // draw what the way begins with
	way, last         *ebm.Sampler // last is nil where there is no last step
}

// Samples is what a run gives.
type Samples struct {
	*ebm.Samples // X, and what else Options ask for. A Trajectory ends before the last step; of an Adaptive run it is the points at equally spaced times

	// LogDensity is that of each chain's point: of its X where the way is from noise to data, and of its start where it is Reverse. nil
	// where the Transport does not ask for it, and where a Reverse way was not gone to its end.
	LogDensity []float64

	Status      []Status // of an Adaptive run
	Evaluations []int    // of the field on each chain's way, in an Adaptive run
}

// NewSampler makes a sampler of a field. The store holds the field's weights; nil where it has none.
func NewSampler(b compute.Backend, store *model.Store, field ebm.Field, how Transport) (*Sampler, error) {
	switch {
	case b == nil:
		return nil, errors.New("flow: NewSampler: the backend is nil")
	case field == nil:
		return nil, errors.New("flow: NewSampler: the field is nil")
	}
	how, sigma, err := how.complete(b)
	if err != nil {
		return nil, err
	}
	s := &Sampler{backend: b, store: store, how: how, sigma: sigma, prior: how.Prior}
	if s.prior == nil {
		s.prior = gaussian(s.sigma)
	}
	way, last := how.kernels(field)
	begin := beginning{scale: s.sigma, probes: how.Probes}
	if how.LogDensity && !how.Reverse {
		begin.prior = s.prior
	}
	given := begin
	given.scale = 1
	for _, k := range []struct {
		to     **ebm.Sampler
		kernel ebm.Kernel
	}{{&s.first, begin}, {&s.firstGiven, given}, {&s.way, way}, {&s.last, last}} {
		if k.kernel == nil {
			continue
		}
		if *k.to, err = ebm.NewSampler(b, store, NoEnergy, k.kernel); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Finalize frees what the sampler compiled.
func (s *Sampler) Finalize() {
	for _, inner := range []*ebm.Sampler{s.first, s.firstGiven, s.way, s.last} {
		if inner != nil {
			inner.Finalize()
		}
	}
}

// Sample carries points from one end of the way to the other. Options.Start are the points to begin with; by default they are noise. Options.Steps
// are the steps to take now, by default all that remain. Where ctx ends first, it returns how far the points came and ctx's error: both
// are set then, and Options.Resume goes on from the Checkpoint. Of an Adaptive run Steps divide the time, with Thin, where a Trajectory is asked for.
func (s *Sampler) Sample(ctx context.Context, o ebm.Options) (*Samples, error) {
	if ctx == nil {
		return nil, errors.New("flow: Sampler.Sample: the context is nil")
	}
	if o.BurnIn != 0 {
		return nil, errors.Errorf("flow: Options.BurnIn: a flow has no steps to leave out, got %d", o.BurnIn)
	}
	if o.Summaries && s.how.Adaptive != nil {
		return nil, errors.New("flow: Options.Summaries: chains have steps of their own under Transport.Adaptive, and none in common")
	}
	if o.Resume == nil {
		var err error
		if o, err = s.begin(ctx, o); err != nil {
			return nil, err
		}
	}
	if err := s.count(&o); err != nil {
		return nil, err
	}
	raw, err := s.way.Sample(ctx, o)
	if raw == nil {
		return nil, err
	}
	out := &Samples{Samples: raw}
	if e := s.finish(ctx, out); e != nil {
		return nil, e
	}
	return out, err
}

// count settles the number of steps.
func (s *Sampler) count(o *ebm.Options) error {
	if o.Steps < 0 {
		return errors.Errorf("flow: Options.Steps must be positive, or 0 for all that remain, got %d", o.Steps)
	}
	if a := s.how.Adaptive; a != nil {
		o.Steps, o.Thin, o.Trajectory = a.MaxSteps, 0, false
		return nil
	}
	remain := s.how.Steps
	if o.Resume != nil {
		remain -= o.Resume.Step
	}
	if o.Steps == 0 {
		o.Steps = remain
	}
	if o.Steps > remain || remain < 1 {
		return errors.Errorf("flow: Options.Steps must be at most the %d that remain of Transport.Steps = %d, got %d", max(remain, 0), s.how.Steps, o.Steps)
	}
	return nil
}

// finish takes the last step where the way has been gone, and takes apart what was carried together.
func (s *Sampler) finish(ctx context.Context, out *Samples) error {
	arrived, cond := out.Checkpoint.Step == s.how.Steps, out.Checkpoint.Cond
	if s.how.Adaptive != nil {
		sol, err := solution(out.Samples)
		if err != nil {
			return err
		}
		out.Status, out.Evaluations = sol.Status, sol.Evaluations
		arrived, cond = !slices.ContainsFunc(sol.Status, func(s Status) bool { return s != Done }), cond[1:]
		if sol.Values.Shape().Dimensions[1] > 1 {
			out.Trajectory = sol.Values
		}
	}
	if arrived && s.last != nil {
		end, err := s.last.Sample(context.WithoutCancel(ctx), ebm.Options{Start: out.X, Cond: cond, Steps: 1})
		if err != nil {
			return err
		}
		out.X = end.X
	}
	if s.how.LogDensity {
		return s.takeApart(out, cond[0].Shape().Dimensions[2:], arrived)
	}
	return nil
}

// takeApart separates points from their log densities.
func (s *Sampler) takeApart(out *Samples, event []int, arrived bool) (err error) {
	var carried []float64
	if out.X, carried, err = split(out.X, event); err != nil {
		return err
	}
	if out.Trajectory != nil {
		if out.Trajectory, _, err = split(out.Trajectory, event); err != nil {
			return err
		}
	}
	if sum := out.Summary; sum != nil {
		for i := range sum.Mean {
			d := len(sum.Mean[i]) - 1
			sum.Mean[i], sum.Var[i] = sum.Mean[i][:d], sum.Var[i][:d]
		}
	}
	if !s.how.Reverse {
		out.LogDensity = carried
	} else if arrived {
		// Back to the noise −∇·v adds up to ∫∇·v dt, and log p(data) = log p(noise) − ∫∇·v dt.
		energy, err := ebm.Evaluate(s.backend, s.store, s.prior, out.X)
		if err != nil {
			return err
		}
		for i, e := range energy {
			out.LogDensity = append(out.LogDensity, -e-carried[i])
		}
	}
	return nil
}

// OnHost makes a host function of a sampler that is Reverse and has LogDensity: it takes n points of d numbers, row after row, and gives
// their n values of −log p, the energy of the flow's density. Pictures are drawn from it.
func (s *Sampler) OnHost(d int) func(points []float32) ([]float64, error) {
	return func(points []float32) ([]float64, error) {
		if !s.how.Reverse || !s.how.LogDensity {
			return nil, errors.New("flow: Sampler.OnHost: the Transport must have Reverse and LogDensity set")
		}
		if d < 1 || len(points) == 0 || len(points)%d != 0 {
			return nil, errors.Errorf("flow: Sampler.OnHost: want points of %d numbers each, got %d numbers", d, len(points))
		}
		out, err := s.Sample(context.Background(), ebm.Options{Start: tensors.FromFlatDataAndDimensions(slices.Clone(points), len(points)/d, d)})
		if err != nil {
			return nil, err
		}
		for i := range out.LogDensity {
			out.LogDensity[i] = -out.LogDensity[i]
		}
		return out.LogDensity, nil
	}
}
