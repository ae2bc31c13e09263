package gaussian

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/benchmarks/transport/net"
	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/losses"
)

// Score is what is measured of one training: means over 21 times from 0 to 1, by the weights' moving averages too.
type Score struct {
	Dim      int     `json:"dim"`
	Coupling string  `json:"coupling"`
	Batch    int     `json:"batch"`
	Pool     int     `json:"pool"` // points that are paired at once
	Seed     uint64  `json:"seed"`
	Steps    int     `json:"steps"`
	Seconds  float64 `json:"seconds"` // of training, compilation included

	SDE20         KL `json:"sde_20"` // by Euler and Maruyama in 20 steps
	SDE100        KL `json:"sde_100"`
	ODE20         KL `json:"ode_20"` // by Euler
	AveragedSDE20 KL `json:"averaged_sde_20"`
	Truth         KL `json:"truth"` // of as many points of the bridge itself
}

// String is a line about a score.
func (s *Score) String() string {
	line := func(k KL) string { return fmt.Sprintf("%.2f/%.2f", 1e3*k.Full, 1e3*k.Diagonal) }
	return fmt.Sprintf("d=%d %s of %d seed %d  KL×10³ full/diagonal: SDE %s, 100 steps %s, averaged weights %s, ODE %s, truth %s  %.0f s", s.Dim,
		s.Coupling, s.Pool, s.Seed, line(s.SDE20), line(s.SDE100), line(s.AveragedSDE20), line(s.ODE20), line(s.Truth), s.Seconds)
}

const batch = 128 // to train on

// Run says which trainings to do.
type Run struct {
	Dims      []int                   // default 5 and 20
	Couplings []string                // default independent, exact, sinkhorn
	Pools     []int                   // points that are paired at once, multiples of a batch's 128. Default 128 and 2048
	Seeds     []uint64                // default 1 to 5
	Steps     int                     // default 10 000
	Points    int                     // to train on, and to test with. Default 10 000
	Progress  func(ebm.TrainProgress) // of a training
}

var couplings = map[string]flow.Coupling{
	"independent": flow.Independent{}, // not the Schrödinger bridge, for comparison
	"exact":       flow.ExactOT{},
	"sinkhorn":    flow.Sinkhorn{Epsilon: 2 * sigma * sigma},
}

// Fill does the trainings that the file does not have yet, and writes it after each.
func Fill(ctx context.Context, b compute.Backend, path string, o Run) error {
	all, err := read(path)
	if err != nil {
		return err
	}
	defaults(&o)
	for _, seed := range o.Seeds {
		for _, dim := range o.Dims {
			for _, pool := range o.Pools {
				for _, name := range o.Couplings {
					if pool < batch || pool%batch != 0 || pool > o.Points {
						return errors.Errorf("%d points to pair at once are no multiple of %d, or more than there are", pool, batch)
					}
					if couplings[name] == nil {
						return errors.Errorf("there is no coupling %q; there are independent, exact and sinkhorn", name)
					}
					if name == "independent" && pool != batch { // as it is with any
						continue
					}
					s := &Score{Dim: dim, Coupling: name, Batch: batch, Pool: pool, Seed: seed, Steps: o.Steps}
					if slices.ContainsFunc(all, func(h *Score) bool {
						return h.Dim == dim && h.Coupling == name && h.Pool == pool && h.Seed == seed && h.Steps == o.Steps
					}) {
						continue
					}
					if err := s.measure(ctx, b, o); err != nil {
						return errors.WithMessagef(err, "d = %d, %s, seed %d", dim, name, seed)
					}
					all = append(all, s)
					data, err := json.MarshalIndent(all, "", "  ")
					if err != nil {
						return err
					}
					if err := ebm.WriteFile(path, append(data, '\n')); err != nil {
						return err
					}
					fmt.Println(s)
				}
			}
		}
	}
	return nil
}

// Print prints a line about each training that the file has.
func Print(path string) error {
	all, err := read(path)
	for _, s := range all {
		fmt.Println(s)
	}
	return err
}

func defaults(o *Run) {
	if o.Dims == nil {
		o.Dims = []int{5, 20}
	}
	if o.Couplings == nil {
		o.Couplings = []string{"independent", "exact", "sinkhorn"}
	}
	if o.Pools == nil {
		o.Pools = []int{batch, 2048}
	}
	if o.Seeds == nil {
		o.Seeds = []uint64{1, 2, 3, 4, 5}
	}
	o.Steps, o.Points = cmp.Or(o.Steps, 10_000), cmp.Or(o.Points, 10_000)
}

func read(path string) (all []*Score, err error) {
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return all, errors.Wrap(json.Unmarshal(data, &all), path)
}

// cloud are points of N(mean, variance·I).
func cloud(n, dim int, mean, std float64, rng *rand.Rand) *datasets.Data {
	d := &datasets.Data{Name: "Gaussian", Dim: dim}
	for range n * dim {
		d.X = append(d.X, float32(mean+std*rng.NormFloat64()))
	}
	return d
}

// measure trains and fills in the figures.
func (s *Score) measure(ctx context.Context, b compute.Backend, o Run) error {
	rng := rand.New(rand.NewPCG(s.Seed, uint64(s.Dim)))
	source, target, test := cloud(o.Points, s.Dim, -shift, 1, rng), cloud(o.Points, s.Dim, shift, 1, rng), cloud(o.Points, s.Dim, -shift, 1, rng)
	store := model.NewStore()
	field := func(name string) ebm.Field {
		return net.MLP(store, name, s.Seed, []int{256, 256}, activation.Swish)
	}
	loss := losses.ScoreFlowMatching{Velocity: field("/velocity"), Score: field("/score"), Sigma: sigma, Paired: true}
	pairs := &flow.Paired{Data: &datasets.Batches{Data: target, Size: s.Pool, Seed: s.Seed}, Coupling: couplings[s.Coupling], Seed: s.Seed,
		Source: func(x0 []float64, dim int, rng *rand.Rand) {
			for i := 0; i < len(x0); i += dim {
				for k, v := range source.Row(rng.IntN(source.Len())) {
					x0[i+k] = float64(v)
				}
			}
		}}
	began := time.Now()
	if _, err := ebm.Train(ctx, b, store, loss, &parted{of: pairs, into: s.Pool / s.Batch}, ebm.TrainOptions{Steps: s.Steps, LearningRate: 1e-4, EMA: .999, Seed: s.Seed,
		Progress: o.Progress}); err != nil {
		return err
	}
	s.Seconds = time.Since(began).Seconds()
	judge := func(k ebm.Kernel, steps int) (KL, error) { return judge(ctx, b, store, k, steps, test, s.Seed) }
	var err error
	if s.SDE20, err = judge(loss.Forward(20), 20); err != nil {
		return err
	}
	if s.SDE100, err = judge(loss.Forward(100), 100); err != nil {
		return err
	}
	if s.ODE20, err = judge(flow.FixedSteps{Field: loss.Velocity, Method: flow.Euler, Steps: 20}, 20); err != nil {
		return err
	}
	if s.Truth, err = truth(o.Points, s.Dim, rng); err != nil {
		return err
	}
	return ebm.WithEMA(store, func() (err error) {
		s.AveragedSDE20, err = judge(loss.Forward(20), 20)
		return err
	})
}
