package table

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/benchmarks/transport/net"
	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/metrics"
)

// Score is what is measured of one training: of the weights with the least loss on held-out points, as the published runner does, and
// of others.
type Score struct {
	Seed       uint64  `json:"seed"`
	Diverged   string  `json:"diverged,omitempty"` // what the doctor said; nothing was measured then
	W2         float64 `json:"w2"`                 // exact, between what the process leads to and the test points
	Last       float64 `json:"w2_of_last_weights"`
	Averaged   float64 `json:"w2_of_averaged_weights"`
	PathEnergy float64 `json:"path_energy"` // ∫ E‖v‖² dt along the flow
	NPE        float64 `json:"npe"`         // |path energy − W2²|/W2², with the W2 between source and target
	Steps      int     `json:"steps"`
	Best       int     `json:"best_step"` // where the loss on held-out points was least
	Seconds    float64 `json:"seconds"`   // of training, compilation and validation included
}

// String is a line about a score.
func (s *Score) String() string {
	if s.Diverged != "" {
		return s.Diverged
	}
	return fmt.Sprintf("W2 %.3f (last %.3f, averaged %.3f)  NPE %.3f  %.1f s", s.W2, s.Last, s.Averaged, s.NPE, s.Seconds)
}

// run trains with one seed and measures. optimal is the W2² between the test points of source and target.
func (m method) run(ctx context.Context, b compute.Backend, s set, seed uint64, optimal float64, o Run) (*Score, error) {
	train, held, test, err := s.parts(o.Points, seed)
	if err != nil {
		return nil, err
	}
	store := model.NewStore()
	t := m.build(func(name string) ebm.Field {
		return net.MLP(store, "/"+name, seed, []int{64, 64, 64}, net.SELU)
	}, m.paired(train))
	r := &Score{Seed: seed, Steps: o.Steps}
	began := time.Now()
	v, err := newValidation(b, store, t.loss, m.batches(held, seed+1000, o.Batch), seed)
	if err != nil {
		return nil, err
	}
	defer v.exec.Finalize()
	_, err = ebm.Train(ctx, b, store, t.loss, m.batches(train, seed, o.Batch), ebm.TrainOptions{Steps: o.Steps, LearningRate: 1e-3, WeightDecay: 1e-5,
		EMA: .999, Seed: seed, Progress: o.Progress, OnEpoch: v.check})
	r.Seconds, r.Best = time.Since(began).Seconds(), v.at
	if diagnosis := (*ebm.Diagnosis)(nil); errors.As(err, &diagnosis) {
		r.Diverged = diagnosis.Error()
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	ends := make([][]float32, 3) // by the last, the averaged and the best weights
	end := func(k int) (err error) {
		ends[k], err = test.end(ctx, b, store, t.process, seed)
		return err
	}
	if err = end(0); err != nil {
		return nil, err
	}
	if err = ebm.WithEMA(store, func() error { return end(1) }); err != nil {
		return nil, err
	}
	if err = v.restore(); err != nil {
		return nil, err
	}
	if err = end(2); err != nil {
		return nil, err
	}
	w2, err := test.distances(ends)
	if err != nil {
		return nil, err
	}
	r.Last, r.Averaged, r.W2 = w2[0], w2[1], w2[2]
	r.PathEnergy, err = test.pathEnergy(ctx, b, store, t.velocity)
	r.NPE = math.Abs(r.PathEnergy-optimal) / optimal
	return r, err
}

// paired is whether training on a part needs pairs of the host's making.
func (m method) paired(p part) bool { return m.coupling != nil || p.source != nil }

// batches are those of a part, paired if need be.
func (m method) batches(p part, seed uint64, size int) flow.SeekingDataset {
	data := &datasets.Batches{Data: p.target, Size: size, Seed: seed}
	if !m.paired(p) {
		return data
	}
	pairs := &flow.Paired{Data: data, Coupling: m.coupling, Seed: seed}
	if m.coupling == nil {
		pairs.Coupling = flow.Independent{}
	}
	if p.source != nil {
		pairs.Source = draw(p.source)
	}
	return pairs
}

// follow runs a kernel for the flow's time from the points of the source.
func (p part) follow(ctx context.Context, b compute.Backend, store *model.Store, k ebm.Kernel, seed uint64, path bool) (*ebm.Samples, error) {
	start, err := p.source.Tensor(dtypes.Float32)
	if err != nil {
		return nil, err
	}
	sampler, err := ebm.NewSampler(b, store, flow.NoEnergy, k)
	if err != nil {
		return nil, err
	}
	defer sampler.Finalize()
	return sampler.Sample(ctx, ebm.Options{Start: start, Steps: steps, Seed: seed, Trajectory: path})
}

// end is where a kernel leads.
func (p part) end(ctx context.Context, b compute.Backend, store *model.Store, k ebm.Kernel, seed uint64) ([]float32, error) {
	out, err := p.follow(ctx, b, store, k, seed, false)
	if err != nil {
		return nil, err
	}
	return tensors.CopyFlatData[float32](out.X)
}

// distances are the W2 between each of these and the target, found on several cores.
func (p part) distances(ends [][]float32) ([]float64, error) {
	w2, errs := make([]float64, len(ends)), make([]error, len(ends))
	var all sync.WaitGroup
	for i, x := range ends {
		all.Go(func() { w2[i], errs[i] = metrics.Wasserstein{}.Between(x, p.target.X, 2) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return w2, nil
}

// pathEnergy is Σ E‖v‖²h over the flow's steps of length h, each of which moves a point by vh.
func (p part) pathEnergy(ctx context.Context, b compute.Backend, store *model.Store, velocity ebm.Field) (float64, error) {
	out, err := p.follow(ctx, b, store, follow(velocity), 0, true)
	if err != nil {
		return 0, err
	}
	path, err := tensors.CopyFlatData[float32](out.Trajectory) // [n, steps, 2]
	if err != nil {
		return 0, err
	}
	sum, n := 0.0, p.source.Len()
	for i := range n {
		at := p.source.Row(i)
		for k := range steps {
			next := path[2*(i*steps+k) : 2*(i*steps+k+1)]
			for j := range next {
				move := float64(next[j]) - float64(at[j])
				sum += move * move
			}
			at = next
		}
	}
	return sum * steps / float64(n), nil
}
