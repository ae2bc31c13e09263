package table

import (
	"math"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/goebm/goebm/ebm"
)

// validation keeps the weights that had the least loss on held-out points, as the published runner does.
type validation struct {
	store   *model.Store
	exec    *model.Exec
	batches [][]*tensors.Tensor

	checks  int
	best    float64
	at      int // its step
	weights map[*model.Variable]*tensors.Tensor
}

const checkEvery = 10 // epochs

// newValidation reads an epoch of data.
func newValidation(b compute.Backend, store *model.Store, loss ebm.Loss, data train.Dataset, seed uint64) (*validation, error) {
	v := &validation{store: store, best: math.Inf(1)}
	for batch, err := range data.Iter() {
		if err != nil {
			return nil, err
		}
		v.batches = append(v.batches, batch.Inputs)
	}
	var err error
	v.exec, err = model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
		rng := ebm.NewRand(Const(in[0].Graph(), []uint32{uint32(seed), 99}), in[0])
		return []*Node{Identity(loss.Loss(in[1], rng, in[2:]...).Loss)}
	})
	return v, err
}

// check measures the loss after an epoch, with noise and times of its own, and keeps the weights if it is the least so far.
func (v *validation) check(epoch int, row ebm.TrainProgress) error {
	if epoch%checkEvery != 0 {
		return nil
	}
	sum := 0.0
	for _, inputs := range v.batches {
		args := []any{int32(v.checks)}
		for _, t := range inputs {
			args = append(args, t)
		}
		out, err := v.exec.Call(args...)
		if err != nil {
			return err
		}
		sum += float64(tensors.ToScalar[float32](out[0]))
		v.checks++
	}
	if loss := sum / float64(len(v.batches)); loss < v.best {
		v.best, v.at, v.weights = loss, row.Step, map[*model.Variable]*tensors.Tensor{}
		for w := range v.store.IterVariables() {
			if !w.Trainable {
				continue
			}
			value, err := w.Value()
			if err != nil {
				return err
			}
			if v.weights[w], err = value.LocalClone(); err != nil {
				return err
			}
		}
	}
	return nil
}

// restore puts the weights that are kept back into the store; where there was no check, it leaves those of the end.
func (v *validation) restore() error {
	for w, value := range v.weights {
		if err := w.SetValue(value); err != nil {
			return err
		}
	}
	return nil
}
