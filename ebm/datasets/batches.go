package datasets

import (
	"iter"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/pkg/errors"
)

// Batches feeds Data to GoMLX's trainer, reshuffled every epoch. The order of an epoch depends on (Seed, epoch) alone and
// the place in it on Step, so that training resumes at any step with exactly the batches it would have had: store Epoch and
// Step in a checkpoint and set them again. Where the last batch of an epoch would be short it is left out, because a second
// shape means compiling a second program; the points left out differ from epoch to epoch.
//
// A batch's Inputs are the points [Size, event...] and, with Labels, the labels [Size] as Int32.
type Batches struct {
	Data        *Data
	Size        int          // points in a batch, default 128; with fewer points than that, one batch of them all
	Seed        uint64       // of the order
	Labels      bool         // also give the labels, for conditioning
	KeepPartial bool         // also give the short last batch
	Endless     bool         // one Iter runs on through the epochs (for Loop.RunSteps) and not through one of them
	DType       dtypes.DType // Float32 (default) or Float64

	// Epoch and Step are the position: the batch to come next. Iter starts there and moves them, so one Iter after another
	// goes through the epochs. They count a batch as soon as it is handed out.
	Epoch, Step int
}

var _ train.Dataset = (*Batches)(nil)

// Order is the order in which an epoch visits n points: a permutation of 0 … n−1 that depends on seed and epoch only.
func Order(seed uint64, epoch, n int) []int32 {
	return permutation(newRand(seed, useOrder+uint64(epoch)), max(n, 0))
}

// Name is the name of the data.
func (b *Batches) Name() string {
	if b.Data == nil || b.Data.Name == "" {
		return "batches"
	}
	return b.Data.Name
}

// PerEpoch is the number of batches in an epoch; 0 if the fields are not valid.
func (b *Batches) PerEpoch() int {
	n, size := b.Data.Len(), b.size()
	if n == 0 || size < 1 {
		return 0
	}
	if n%size != 0 && (b.KeepPartial || n < size) {
		return n/size + 1
	}
	return n / size
}

// Seek goes to the batch of a training step, counted from 0 over all epochs, so that a stopped training goes on where it was.
func (b *Batches) Seek(step int) error {
	per := b.PerEpoch()
	if per == 0 || step < 0 {
		return errors.Errorf("Batches.Seek: step = %d of %d batches an epoch, want at least 0 and some data", step, per)
	}
	b.Epoch, b.Step = step/per, step%per
	return nil
}

func (b *Batches) size() int {
	if b.Size == 0 {
		return 128
	}
	return b.Size
}

func (b *Batches) check() error {
	if err := b.Data.Validate(); err != nil {
		return err
	}
	switch {
	case b.size() < 1:
		return errors.Errorf("Batches: Size = %d, want at least 1", b.Size)
	case b.Labels && b.Data.Labels == nil:
		return errors.Errorf("Batches: Labels = true, but Data %q has no labels", b.Data.Name)
	case b.DType != dtypes.InvalidDType && b.DType != dtypes.Float32 && b.DType != dtypes.Float64:
		return errors.Errorf("Batches: DType = %s, want Float32 or Float64", b.DType)
	case b.Epoch < 0:
		return errors.Errorf("Batches: Epoch = %d, want at least 0", b.Epoch)
	case b.Step < 0 || b.Step >= b.PerEpoch():
		return errors.Errorf("Batches: Step = %d, want 0 to %d", b.Step, b.PerEpoch()-1)
	}
	return nil
}

// Iter gives the batches from (Epoch, Step) to the end of that epoch, or without end if Endless. The receiver of a batch owns
// its tensors. One Iter at a time.
func (b *Batches) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		if err := b.check(); err != nil {
			yield(train.Batch{}, err)
			return
		}
		for {
			order := Order(b.Seed, b.Epoch, b.Data.Len())
			for epoch := b.Epoch; b.Epoch == epoch; {
				batch, err := b.gather(order, b.Step)
				if b.Step++; b.Step == b.PerEpoch() {
					b.Epoch, b.Step = b.Epoch+1, 0
				}
				if !yield(batch, err) || err != nil {
					return
				}
			}
			if !b.Endless {
				return
			}
		}
	}
}

// gather copies the points of batch number step.
func (b *Batches) gather(order []int32, step int) (train.Batch, error) {
	lo := step * b.size()
	rows := order[lo:min(lo+b.size(), len(order))]
	dim := b.Data.Dim
	x := make([]float32, 0, len(rows)*dim)
	for _, i := range rows {
		x = append(x, b.Data.Row(int(i))...)
	}
	dtype := b.DType
	if dtype == dtypes.InvalidDType {
		dtype = dtypes.Float32
	}
	t, err := toTensor(x, b.Data.dims(len(rows)), dtype)
	if err != nil {
		return train.Batch{}, err
	}
	batch := train.Batch{Inputs: []*tensors.Tensor{t}}
	if b.Labels {
		labels := make([]int32, len(rows))
		for k, i := range rows {
			labels[k] = b.Data.Labels[i]
		}
		batch.Inputs = append(batch.Inputs, tensors.FromFlatDataAndDimensions(labels, len(rows)))
	}
	return batch, nil
}
