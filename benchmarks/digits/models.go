package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// experiment is what the models share: data, judge and backend.
type experiment struct {
	ctx     context.Context
	backend compute.Backend
	quick   bool

	train, held  *datasets.Data
	look         *model.Exec // the judge's features and logits of pictures
	heldFeatures []float32
}

func newExperiment(ctx context.Context, b compute.Backend, quick bool) (*experiment, error) {
	e := &experiment{ctx: ctx, backend: b, quick: quick}
	all, err := datasets.Digits()
	if err != nil {
		return nil, err
	}
	if e.train, e.held, err = all.Split(.5, 1); err != nil {
		return nil, err
	}
	return e, e.trainJudge()
}

func (e *experiment) size(full, quick int) int {
	if e.quick {
		return quick
	}
	return full
}

// asked are the digits 0 to 9 over and over, as many of each as are judged.
func (e *experiment) asked() []int32 {
	labels := make([]int32, 10*e.size(100, 3))
	for i := range labels {
		labels[i] = int32(i % 10)
	}
	return labels
}

// transformer is the network of both fields.
func (e *experiment) transformer(store *model.Store) nn.ConditionalTransformer2D {
	return nn.ConditionalTransformer2D{Scope: store.Scope("/field"), Patch: 2, Width: 64, Depth: e.size(4, 1), Heads: 4, Classes: 10}
}

// fit trains by a loss and judges what draw gives of the averaged weights: samples, and the labels that they were asked to have.
func (e *experiment) fit(store *model.Store, loss ebm.Loss, data train.Dataset, o ebm.TrainOptions,
	draw func(f *Figures) (*tensors.Tensor, []int32, error)) (*Figures, error) {
	f, began := &Figures{}, time.Now()
	_, err := ebm.Train(e.ctx, e.backend, store, loss, data, o)
	f.Seconds = time.Since(began).Seconds()
	if stopped := (*ebm.Diagnosis)(nil); errors.As(err, &stopped) {
		f.Stopped = stopped.Error()
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	return f, ebm.WithEMA(store, func() error {
		out, labels, err := draw(f)
		if err != nil {
			return err
		}
		x, err := tensors.CopyFlatData[float32](out)
		if err != nil {
			return err
		}
		if labels != nil {
			if f.Right, err = e.right(x, labels); err != nil {
				return err
			}
		}
		return e.distances(f, x[:len(x)/10*9]) // about as many as are held out
	})
}

// schedule rises for 100 steps and then falls.
func schedule(steps int) ebm.Schedule {
	return ebm.Warmup{Steps: 100, Main: ebm.Cosine{Start: 2e-3, End: 2e-5, Steps: steps}}
}

// flow is tutorial 28: ten steps of Heun's method, without guidance.
func (e *experiment) flow(seed uint64) (*Figures, error) {
	store, steps := model.NewStore(), e.size(3000, 10)
	net := e.transformer(store)
	loss := losses.DropLabels{Of: losses.FlowMatching{Field: net, Paired: true}, Null: 10}
	data := &flow.Paired{Data: &datasets.Batches{Data: e.train, Size: 128, Labels: true, Seed: seed}, Seed: seed}
	o := ebm.TrainOptions{Steps: steps, Seed: seed, ClipNorm: 1, EMA: .999, Schedule: schedule(steps)}
	return e.fit(store, loss, data, o, func(*Figures) (*tensors.Tensor, []int32, error) {
		labels := e.asked()
		sampler, err := flow.NewSampler(e.backend, store, net, flow.Transport{Method: flow.Heun, Steps: 10})
		if err != nil {
			return nil, nil, err
		}
		out, err := sampler.Sample(e.ctx, e.options(labels, 0, seed))
		if err != nil {
			return nil, nil, err
		}
		return out.X, labels, nil
	})
}

// options are those of 1000 samples, for the labels.
func (e *experiment) options(labels []int32, steps int, seed uint64) ebm.Options {
	o := ebm.Options{Chains: len(labels), Event: []int{8, 8, 1}, Steps: steps, Seed: 100 + seed}
	o.Cond = []*tensors.Tensor{tensors.FromValue(labels)}
	return o
}

// equilibrium is tutorial 29: descent by steps of 0.01 until the field is shorter than 4, without guidance.
func (e *experiment) equilibrium(seed uint64) (*Figures, error) {
	store, steps := model.NewStore(), e.size(3000, 10)
	net := e.transformer(store)
	loss := losses.DropLabels{Of: losses.EquilibriumMatching{Field: net}, Null: 10}
	data := &datasets.Batches{Data: e.train, Size: 128, Labels: true, Seed: seed}
	o := ebm.TrainOptions{Steps: steps, Seed: seed, ClipNorm: 20, EMA: .999, Schedule: schedule(steps)}
	return e.fit(store, loss, data, o, func(f *Figures) (*tensors.Tensor, []int32, error) {
		labels := e.asked()
		down := samplers.StopAt{Kernel: samplers.GradientDescent{StepSize: ebm.Fixed(.01)}, GradientNorm: 4}
		sampler, err := ebm.NewSampler(e.backend, store, ebm.ImplicitEnergy{Of: net}, down)
		if err != nil {
			return nil, nil, err
		}
		out, err := sampler.Sample(e.ctx, e.options(labels, e.size(150, 5), seed))
		if err != nil {
			return nil, nil, err
		}
		for _, k := range out.Steps {
			f.Steps += float64(k) / float64(len(out.Steps))
		}
		return out.X, labels, nil
	})
}

// energy is tutorial 30: the density of digits with noise of 0.2 on them; 1000 Langevin steps from noise, and one that takes the noise off.
func (e *experiment) energy(seed uint64) (*Figures, error) {
	store, steps := model.NewStore(), e.size(1500, 6)
	net := nn.ConvEnergy{Scope: store.Scope("/energy")}
	walk := samplers.Langevin{StepSize: ebm.Fixed(.01), Clamp: &[2]float64{-1.5, 1.5}}
	loss := losses.ContrastiveDivergence{Energy: net, Kernel: walk, Steps: e.size(20, 2), Apart: true, Persistent: true, Noise: .2, EnergyL2: .01}
	data := &datasets.Batches{Data: e.train, Size: 128, Seed: seed}
	o := ebm.TrainOptions{Steps: steps, Schedule: ebm.Cosine{Start: 1e-3, End: 2e-5, Steps: steps}, Seed: seed, ClipNorm: 1, EMA: .995, Doctor: ebm.Doctor{MaxGap: 40}}
	return e.fit(store, loss, data, o, func(f *Figures) (*tensors.Tensor, []int32, error) {
		if err := e.anomalies(f, store, net); err != nil {
			return nil, nil, err
		}
		out, err := e.run(store, net, walk, ebm.Options{Chains: 10 * e.size(100, 3), Event: []int{8, 8, 1}, Steps: e.size(1000, 5), Seed: 100 + seed})
		if err != nil {
			return nil, nil, err
		}
		out, err = e.run(store, net, samplers.GradientDescent{StepSize: ebm.Fixed(.2 * .2)}, ebm.Options{Start: out, Steps: 1})
		if err != nil {
			return nil, nil, err
		}
		cut, err := CallOnce(e.backend, func(x *Node) *Node { return ClipScalar(x, -1, 1) }, out)
		return cut, nil, err
	})
}

// run samples an energy.
func (e *experiment) run(store *model.Store, energy ebm.Energy, k ebm.Kernel, o ebm.Options) (*tensors.Tensor, error) {
	sampler, err := ebm.NewSampler(e.backend, store, energy, k)
	if err != nil {
		return nil, err
	}
	defer sampler.Finalize()
	out, err := sampler.Sample(e.ctx, o)
	if err != nil {
		return nil, err
	}
	return out.X, nil
}

// anomalies writes the probabilities that pictures which are no digits have higher energies than held-out digits.
func (e *experiment) anomalies(f *Figures, store *model.Store, energy ebm.Energy) error {
	normal, err := ebm.Evaluate(e.backend, store, energy, pictures(e.held.X))
	if err != nil {
		return err
	}
	f.AUROC = map[string]float64{}
	for name, x := range e.odd() {
		scores, err := ebm.Evaluate(e.backend, store, energy, pictures(x))
		if err != nil {
			return err
		}
		f.AUROC[name] = auroc(normal, scores)
	}
	return nil
}

// odd are pictures that are no digits, made of the held-out ones.
func (e *experiment) odd() map[string][]float32 {
	rng, n := rand.New(rand.NewPCG(1, 0)), e.held.Len()
	made := map[string][]float32{}
	for _, name := range []string{"uniform", "shuffled", "turned", "halves"} {
		made[name] = append([]float32(nil), e.held.X...)
	}
	for i := range n {
		own, other := made["shuffled"][64*i:64*i+64], e.held.Row(rng.IntN(n))
		rng.Shuffle(64, func(a, b int) { own[a], own[b] = own[b], own[a] })
		for p := range 64 {
			made["uniform"][64*i+p] = float32(2*rng.Float64() - 1)
			made["turned"][64*i+p%8*8+7-p/8] = e.held.X[64*i+p]
			if p%8 >= 4 {
				made["halves"][64*i+p] = other[p]
			}
		}
	}
	return made
}
