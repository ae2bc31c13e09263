package ebm

import (
	"context"
	"math"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/pkg/errors"
)

// TrainOptions says how to train. Either Epochs or Steps must be given; all the rest has a default.
type TrainOptions struct {
	Epochs int // passes over the data, counted from the very first step, also after a resume
	Steps  int // training steps, counted likewise; in place of Epochs

	LearningRate float64             // default 1e-3
	Schedule     Schedule            // the learning rate as a function of the step; in place of LearningRate
	Optimizer    optimizer.Interface // default Adam(0.9, 0.999) with WeightDecay; one of GoMLX's
	WeightDecay  float64             // decoupled, of the default optimizer. Default 0
	ClipNorm     float64             // gradients are scaled down to this global norm. Default 0: never
	EMA          float64             // decay of the weights' moving average, for WithEMA. Default 0: none
	Seed         uint64              // of all noise and of the initial weights

	// Devices is how many devices of an XLA backend train together: each has a part of every batch and of the replay buffer, and all
	// of the weights, their averages and the optimizer's state. It must divide the rows of every batch, so a short last one
	// must be left out, and the slots of the buffer. The results are those of one device but for rounding, and checkpoints do not know how
	// many devices there were. Default 1.
	Devices int

	Progress func(TrainProgress)                      // called a few times a second; see TrainBar
	OnEpoch  func(epoch int, row TrainProgress) error // after each epoch, counted from 1; an error ends training

	Checkpoint string // directory of checkpoints, of one training at a time; where it holds one, training goes on from there
	Every      int    // steps between checkpoints; default: one epoch. One is also written at the end and on cancelling
	Keep       int    // checkpoints to keep. Default 1

	Doctor Doctor // watches for divergence; on unless switched off
}

// TrainProgress is a row of figures: means over the steps since the row before. What a loss does not know is NaN.
type TrainProgress struct {
	Step, Steps int
	Epoch       int           // epochs completed
	Elapsed     time.Duration // in this call
	Left        time.Duration // at the present speed
	Loss        float64
	Data        float64 // mean energy of the data
	Negatives   float64 // mean energy of the negatives
	GradNorm    float64 // global norm of the gradient, before clipping
	Spread      float64 // standard deviation of the negatives over that of the data
	NonFinite   float64 // chains begun anew because they were NaN or infinite, a step
	SwapRate    float64 // share of swaps accepted between the neighbouring temperatures where it is smallest
}

// Gap is the energy of the data less that of the negatives: near 0 where the chains keep up with the energy.
func (p TrainProgress) Gap() float64 { return p.Data - p.Negatives }

// TrainReport is what Train did.
type TrainReport struct {
	History   []TrainProgress // a row an epoch
	Steps     int             // training steps done in all, those before a resume included; where the doctor stopped it, some beyond Diagnosis.Step perhaps
	Diagnosis *Diagnosis      // what the doctor found; nil where training was well
}

// Seeker is a dataset that can go to the batch of any training step, so that training on it can be resumed.
type Seeker interface {
	Seek(step int) error
	PerEpoch() int // batches in an epoch
}

// Preparer is a loss that has something to do before the first training step, such as warming up its chains.
type Preparer interface {
	// Prepare may read the first batch; it does not own it.
	Prepare(ctx context.Context, b compute.Backend, store *model.Store, first train.Batch, seed uint64) error
}

// Train minimises a loss over a dataset, with GoMLX's optimizers. The batches' first input is the data x,
// [n, event...], the others its conditioning. The weights, the optimizer's state, the averages and the loss's own state
// (replay buffers) all live in the store, and in the checkpoints: a resumed training is, bit by bit, one that never stopped.
//
// On XLA up to 32 steps are one call of one compiled loop, with the same results as one by one; less where a callback, a checkpoint
// or the end comes before, and so many that a call lasts some milliseconds. A loss with a While, If or Sort in it goes step by step,
// as on the pure Go backend, for loops do not nest.
//
// Where ctx ends first or the doctor stops training, the report of what was done comes with the error.
func Train(ctx context.Context, b compute.Backend, store *model.Store, loss Loss, data train.Dataset, o TrainOptions) (*TrainReport, error) {
	if err := o.check(b, store, loss, data); err != nil {
		return nil, err
	}
	var t *training
	err := catch(func() (err error) {
		if t, err = newTraining(b, store, loss, data, o); err != nil {
			return err
		}
		return t.run(ctx)
	})
	if t == nil {
		return nil, err
	}
	t.finalize()
	return t.report, err
}

func (o TrainOptions) check(b compute.Backend, store *model.Store, loss Loss, data train.Dataset) error {
	switch {
	case b == nil:
		return errors.New("ebm: Train: the backend is nil")
	case store == nil:
		return errors.New("ebm: Train: the store is nil")
	case loss == nil:
		return errors.New("ebm: Train: the loss is nil")
	case data == nil:
		return errors.New("ebm: Train: the data is nil")
	case o.Epochs < 0 || o.Steps < 0 || (o.Epochs > 0) == (o.Steps > 0):
		return errors.Errorf("ebm: TrainOptions: give either Epochs or Steps, a positive number, got Epochs %d and Steps %d", o.Epochs, o.Steps)
	case o.Every < 0 || o.Keep < 0:
		return errors.Errorf("ebm: TrainOptions: Every and Keep must not be negative, got %d and %d", o.Every, o.Keep)
	case o.Devices < 0:
		return errors.Errorf("ebm: TrainOptions.Devices must not be negative, got %d", o.Devices)
	case !(o.EMA >= 0 && o.EMA < 1):
		return errors.Errorf("ebm: TrainOptions.EMA must be in [0, 1), got %g", o.EMA)
	}
	for _, f := range []struct {
		name  string
		value float64
	}{{"LearningRate", o.LearningRate}, {"WeightDecay", o.WeightDecay}, {"ClipNorm", o.ClipNorm}} {
		if !(f.value >= 0) || math.IsInf(f.value, 0) {
			return errors.Errorf("ebm: TrainOptions.%s must be finite and not negative, got %g", f.name, f.value)
		}
	}
	if _, ok := o.Optimizer.(gradientOptimizer); o.Optimizer != nil && !ok {
		return errors.Errorf("ebm: TrainOptions.Optimizer %T has no UpdateGraphWithGradients, which clipping needs; use one of GoMLX's", o.Optimizer)
	}
	return nil
}
