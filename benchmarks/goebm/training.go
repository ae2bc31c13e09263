package main

import (
	"context"
	"errors"
	"iter"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
)

// Training, as in work.py.
const (
	trainSteps     = 50 // training steps a call
	points         = 3000
	noise          = 0.05
	buffer         = 8192
	fresh          = 0.05
	regularisation = 0.1
	learningRate   = 1e-3
)

// metered is a dataset whose epochs are the calls: it waits for one to begin, and gives its batches.
type metered struct {
	*datasets.Batches
	begin chan int // how many batches a call is worth
}

// Iter implements train.Dataset.
func (m metered) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		left := <-m.begin
		for batch, err := range m.Batches.Iter() {
			if left--; !yield(batch, err) || left == 0 {
				return
			}
		}
	}
}

// newLoss is the loss of a row, nil where it is a sampler's.
func newLoss(store *model.Store, w work) ebm.Loss {
	switch w.sampler {
	case "pcd":
		return losses.ContrastiveDivergence{
			Energy: newEnergy(store, w), Kernel: samplers.Langevin{StepSize: ebm.Fixed(w.stepSize)}, Steps: w.steps,
			Persistent: true, Buffer: buffer, Fresh: fresh, EnergyL2: regularisation,
		}
	case "sm":
		return losses.ScoreMatching{Energy: newEnergy(store, w)}
	case "ssm":
		return losses.SlicedScoreMatching{Energy: newEnergy(store, w), Projections: w.steps}
	case "dsm":
		return losses.DenoisingScoreMatching{Energy: newEnergy(store, w), Sigma: w.stepSize}
	case "eqm":
		return losses.EquilibriumMatching{Field: newField(store, w)}
	case "fm":
		return losses.FlowMatching{Field: newField(store, w)}
	default:
		return nil
	}
}

// prepareTraining starts a training that runs on as long as the process does, with all that ebm.Train does for its users.
func prepareTraining(b compute.Backend, store *model.Store, loss ebm.Loss, w work) (*prepared, error) {
	moons, err := datasets.TwoMoons{N: points, Noise: noise}.Generate()
	if err != nil {
		return nil, err
	}
	data := metered{&datasets.Batches{Data: moons, Size: w.chains, Endless: true}, make(chan int)}
	ended, failed := make(chan struct{}), make(chan error, 1)
	options := ebm.TrainOptions{Steps: math.MaxInt32, LearningRate: learningRate,
		OnEpoch: func(int, ebm.TrainProgress) error { ended <- struct{}{}; return nil }}
	go func() {
		_, err := ebm.Train(context.Background(), b, store, loss, data, options)
		if err == nil {
			err = errors.New("training ended")
		}
		failed <- err
	}()
	return &prepared{units: trainSteps, call: func() error {
		select {
		case data.begin <- trainSteps:
		case err := <-failed:
			return err
		}
		select {
		case <-ended:
			return nil
		case err := <-failed:
			return err
		}
	}}, nil
}
