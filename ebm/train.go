package ebm

import (
	"context"
	"math"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/metric"
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

	Progress func(TrainProgress)                      // called a few times a second; see TrainBar
	OnEpoch  func(epoch int, row TrainProgress) error // after each epoch, counted from 1; an error ends training

	Checkpoint string // directory of checkpoints; where it holds one, training goes on from there
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
	Steps     int             // training steps done in all, those before a resume included
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

// Train minimises a loss over a dataset, with GoMLX's trainer and optimizers. The batches' first input is the data x,
// [n, event...], the others its conditioning. The weights, the optimizer's state, the averages and the loss's own state
// (replay buffers) all live in the store, and in the checkpoints: a resumed training is, bit by bit, one that never stopped.
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
	if e := store.DeleteVariablesInScope("/" + metric.Scope); err == nil { // the trainer's running means: new ones each time
		err = e
	}
	if t == nil {
		return nil, err
	}
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

// training is one call of Train under way.
type training struct {
	TrainOptions
	backend compute.Backend
	store   *model.Store
	loss    Loss
	data    train.Dataset
	seeker  Seeker // nil where the data can't seek
	trainer *train.Trainer
	guard   *guarded
	terms   Terms // of the graph being built
	batch   *Node
	step    int // training steps done
	last    int // to be done; 0 where only Epochs are known
	report  *TrainReport
	began   time.Time
	row     window // since the last row of history
	bar     window // since the last progress call
	barTime time.Time
	doctor  *watch
	saved   int // the step of the last checkpoint
	beganAt int
}

// newTraining loads what was saved and sets up GoMLX's trainer.
func newTraining(b compute.Backend, store *model.Store, loss Loss, data train.Dataset, o TrainOptions) (*training, error) {
	t := &training{TrainOptions: o, backend: b, store: store, loss: loss, data: data, report: &TrainReport{}, began: time.Now(), barTime: time.Now()}
	t.seeker, _ = data.(Seeker)
	if t.LearningRate == 0 {
		t.LearningRate = 1e-3
	}
	if t.Keep == 0 {
		t.Keep = 1
	}
	t.last = t.Steps
	if t.seeker != nil {
		per := t.seeker.PerEpoch()
		if per < 1 {
			for _, err := range data.Iter() { // it knows best what is wrong
				if err != nil {
					return nil, errors.WithMessage(err, "ebm: Train")
				}
				break
			}
			return nil, errors.Errorf("ebm: Train: the data %q has %d batches an epoch", data.Name(), per)
		}
		if t.Epochs > 0 {
			t.last = t.Epochs * per
		}
		if t.Every == 0 {
			t.Every = per
		}
	}
	inner, ok := o.Optimizer.(gradientOptimizer)
	if !ok {
		inner = optimizer.Adam().WeightDecay(o.WeightDecay).Done().(gradientOptimizer)
	}
	t.guard = &guarded{gradientOptimizer: inner, rate: t.LearningRate, schedule: o.Schedule, clip: o.ClipNorm}
	t.doctor = newWatch(o.Doctor, store)
	if err := t.resume(); err != nil {
		return nil, err
	}
	t.trainer = train.NewTrainer(b, store, t.model, nil, t.guard, []metric.Interface{figures{t}}, nil)
	return t, nil
}

// model is what GoMLX's trainer builds: the loss, and after the optimizer's update that of the averages.
func (t *training) model(scope *model.Scope, _ any, inputs []*Node) []*Node {
	g := inputs[0].Graph()
	step := trainStep(g)
	t.batch = inputs[0]
	t.terms = t.loss.Loss(inputs[0], NewRand(t.keyVar().NodeValue(g), step), inputs[1:]...)
	train.AddMainLoss(t.terms.Loss)
	if t.EMA > 0 {
		train.AddPerStepUpdateGraphFn(scope, g, func(scope *model.Scope, g *Graph) { updateEMA(scope.Store(), g, t.EMA, step) })
	}
	return nil
}

// keyVar holds the key of all of training's noise, so that checkpoints have it.
func (t *training) keyVar() *model.Variable {
	return t.store.VariableWithValue("/train/key", []uint32{uint32(t.Seed), uint32(t.Seed >> 32)}).SetTrainable(false)
}

// run goes through the epochs.
func (t *training) run(ctx context.Context) error {
	t.beganAt = t.step
	if t.seeker != nil {
		if err := t.seeker.Seek(t.step); err != nil {
			return err
		}
	}
	err := t.epochs(ctx)
	t.report.Steps = t.step
	if t.Checkpoint != "" && t.saved != t.step && t.report.Diagnosis == nil && (err == nil || ctx.Err() != nil) {
		if e := t.save(); err == nil {
			err = e
		}
	}
	return err
}

func (t *training) epochs(ctx context.Context) error {
	for epoch := 0; (t.last == 0 && epoch < t.Epochs) || t.step < t.last; epoch++ {
		before := t.step
		for batch, err := range t.data.Iter() {
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.one(ctx, batch); err != nil {
				return err
			}
			if t.last > 0 && t.step >= t.last {
				break
			}
		}
		if t.step == before {
			return errors.Errorf("ebm: Train: the data %q gave no batch", t.data.Name())
		}
		row := t.figuresOf(&t.row)
		t.report.History = append(t.report.History, row)
		if t.OnEpoch != nil {
			if err := t.OnEpoch(max(row.Epoch, epoch+1), row); err != nil {
				return err
			}
		}
	}
	return nil
}

// one takes a training step and lets the doctor look at it.
func (t *training) one(ctx context.Context, batch train.Batch) error {
	if t.step == 0 {
		if p, ok := t.loss.(Preparer); ok {
			if err := p.Prepare(ctx, t.backend, t.store, batch, t.Seed); err != nil {
				return err
			}
		}
	}
	out, err := t.trainer.TrainStep(batch)
	if err != nil {
		return err
	}
	v, err := tensors.CopyFlatData[float32](out[2])
	release(out)
	if err != nil {
		return err
	}
	t.step++
	t.row.add(v)
	t.bar.add(v)
	if d := t.doctor.look(t.step, v); d != nil {
		t.report.Diagnosis = d
		return d
	}
	if t.Progress != nil && (time.Since(t.barTime) > 200*time.Millisecond || t.step == t.last) {
		t.Progress(t.figuresOf(&t.bar))
		t.barTime = time.Now()
	}
	if t.Checkpoint != "" && t.Every > 0 && t.step%t.Every == 0 {
		return t.save()
	}
	return nil
}
