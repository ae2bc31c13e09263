package ebm

import (
	"context"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/pkg/errors"
)

// training is one call of Train under way.
type training struct {
	TrainOptions
	backend compute.Backend
	store   *model.Store
	loss    Loss
	data    train.Dataset
	seeker  Seeker // nil where the data can't seek
	guard   *guarded
	waiting []waiting // batches of the next group
	group   *group    // of their shapes
	groups  []*group
	step    int // training steps done
	last    int // to be done; 0 where only Epochs are known
	report  *TrainReport
	began   time.Time
	row     window // since the last row of history
	bar     window // since the last progress call
	barTime time.Time
	doctor  *watch
	chains  *chains  // nil where the loss has none that are run before a step
	devices *devices // nil on one device
	saved   int      // the step of the last checkpoint
	beganAt int
	epoch   int // passes over the data begun in this call
}

// waiting is a batch whose step is still to be taken.
type waiting struct {
	inputs []*tensors.Tensor
	ends   bool // whether it is the last of an epoch
}

// newTraining loads what was saved.
func newTraining(b compute.Backend, store *model.Store, loss Loss, data train.Dataset, o TrainOptions) (*training, error) {
	devices, err := newDevices(b, store, o.Devices)
	if err != nil {
		return nil, err
	}
	t := &training{TrainOptions: o, backend: b, store: store, loss: loss, data: data, devices: devices,
		report: &TrainReport{}, began: time.Now(), barTime: time.Now()}
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
	if t.chains, err = newChains(b, store, loss, t.key(), t.Devices); err != nil {
		return nil, err
	}
	// An earlier training's rate would count more than these options'.
	return t, store.Scope(optimizer.Scope).DeleteVariable(optimizer.ParamLearningRate)
}

func (t *training) finalize() {
	t.drop()
	t.devices.forget()
	t.chains.finalize()
	for _, g := range t.groups {
		g.noise.close()
		g.exec.Finalize()
	}
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
	if e := t.devices.settle(); err == nil {
		err = e
	}
	t.report.Steps = t.step
	if t.Checkpoint != "" && t.saved != t.step && t.report.Diagnosis == nil && (err == nil || ctx.Err() != nil) {
		if e := t.save(); err == nil {
			err = e
		}
	}
	return err
}

// epochs takes batch after batch; the steps themselves are taken in groups.
func (t *training) epochs(ctx context.Context) error {
	for epoch := 0; (t.last == 0 && epoch < t.Epochs) || t.due() < t.last; epoch++ {
		before := t.due()
		for batch, err := range t.data.Iter() {
			if err != nil {
				if e := t.flush(); e != nil {
					return e
				}
				return err
			}
			if err := ctx.Err(); err != nil {
				release(append(batch.Inputs, batch.Labels...))
				return err
			}
			if err := t.take(ctx, batch); err != nil {
				return err
			}
			if t.last > 0 && t.due() >= t.last {
				break
			}
		}
		if t.due() == before {
			return errors.Errorf("ebm: Train: the data %q gave no batch", t.data.Name())
		}
		if err := t.endEpoch(); err != nil {
			return err
		}
	}
	return t.flush()
}

// due is the number of steps that will be done once those that wait are.
func (t *training) due() int { return t.step + len(t.waiting) }

// take puts a batch, which it owns from here on, with those that wait, and takes their steps when it is time to.
func (t *training) take(ctx context.Context, batch train.Batch) error {
	release(batch.Labels) // of no use here: what a loss conditions on is an input
	if t.due() == 0 {
		if p, ok := t.loss.(Preparer); ok {
			if err := p.Prepare(ctx, t.backend, t.store, batch, t.Seed); err != nil {
				return err
			}
		}
	}
	next := waiting{inputs: batch.Inputs}
	if len(next.inputs) == 0 {
		return errors.Errorf("ebm: Train: a batch of the data %q has no inputs", t.data.Name())
	}
	if t.chains != nil { // no batch waits: steps are taken one by one
		if err := t.devices.settle(); err != nil {
			return err
		}
		ends, err := t.chains.ends(t.key(), t.step, next.inputs)
		if err != nil {
			release(next.inputs)
			return err
		}
		next.inputs = append(next.inputs, ends)
	}
	if t.group == nil || !t.group.takes(next.inputs) {
		if err := t.flush(); err != nil {
			return err
		}
		var err error
		if t.group, err = t.groupOf(next.inputs); err != nil {
			return err
		}
	}
	t.waiting = append(t.waiting, next)
	if len(t.waiting) >= t.group.pace || t.pauses(t.due()) {
		return t.flush()
	}
	return nil
}

// pauses tells whether something happens after a step that must find the store as that step leaves it.
func (t *training) pauses(step int) bool {
	return step == t.last || t.Checkpoint != "" && t.Every > 0 && step%t.Every == 0 || t.Doctor.Rollback && step%snapshotEvery == 0
}

// endEpoch notes that the epoch ends with the batches that came so far.
func (t *training) endEpoch() error {
	if len(t.waiting) == 0 {
		return t.rowOf()
	}
	t.waiting[len(t.waiting)-1].ends = true
	if t.OnEpoch != nil {
		return t.flush()
	}
	return nil
}

// rowOf adds an epoch's row to the history.
func (t *training) rowOf() error {
	row := t.figuresOf(&t.row)
	t.report.History = append(t.report.History, row)
	t.epoch++
	if t.OnEpoch != nil {
		if err := t.devices.settle(); err != nil {
			return err
		}
		return t.OnEpoch(max(row.Epoch, t.epoch), row)
	}
	return nil
}

// flush takes the steps that wait, and lets the doctor look at each.
func (t *training) flush() error {
	if len(t.waiting) == 0 {
		return nil
	}
	began := time.Now()
	rows, err := t.steps(t.group)
	if err != nil {
		return err
	}
	t.group.keepPace(len(rows), time.Since(began))
	done, taken := t.step+len(rows), t.waiting
	t.drop()
	if t.pauses(done) {
		if err := t.devices.settle(); err != nil {
			return err
		}
	}
	for i, v := range rows {
		t.step++
		t.row.add(v)
		t.bar.add(v)
		if d := t.doctor.look(t.step, v); d != nil {
			t.report.Diagnosis = d
			t.step = done // so it is in the store, whatever was found before
			return d
		}
		if taken[i].ends {
			if err := t.rowOf(); err != nil {
				return err
			}
		}
	}
	if t.Progress != nil && (time.Since(t.barTime) > 200*time.Millisecond || t.step == t.last) {
		if err := t.devices.settle(); err != nil {
			return err
		}
		t.Progress(t.figuresOf(&t.bar))
		t.barTime = time.Now()
	}
	if t.Checkpoint != "" && t.Every > 0 && t.step%t.Every == 0 {
		return t.save()
	}
	return nil
}

// drop frees the batches that wait.
func (t *training) drop() {
	for _, w := range t.waiting {
		release(w.inputs)
	}
	t.waiting = nil
}
