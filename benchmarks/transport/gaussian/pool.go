package gaussian

import (
	"iter"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm/flow"
)

// parted cuts each batch of its data into several, so that many points are paired at once and few trained on. All inputs must be Float32.
type parted struct {
	of   flow.SeekingDataset
	into int // batches of each

	at int // the batch to come next, counted over all epochs
}

var _ flow.SeekingDataset = (*parted)(nil)

// Name is the data's.
func (p *parted) Name() string { return p.of.Name() }

// PerEpoch is the number of batches in an epoch.
func (p *parted) PerEpoch() int { return p.into * p.of.PerEpoch() }

// Seek goes to the batch of a training step.
func (p *parted) Seek(step int) error {
	p.at = step
	return p.of.Seek(step / p.into)
}

// Iter gives the batches to the end of the epoch.
func (p *parted) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		for batch, err := range p.of.Iter() {
			if err != nil {
				yield(batch, err)
				return
			}
			for ok := true; ok; ok = p.at%p.into != 0 {
				part := train.Batch{}
				for _, t := range batch.Inputs {
					cut, err := rows(t, p.at%p.into, p.into)
					if err != nil {
						yield(part, err)
						return
					}
					part.Inputs = append(part.Inputs, cut)
				}
				p.at++
				if !yield(part, nil) {
					return
				}
			}
		}
	}
}

// rows is part number k of n equal ones of a tensor's rows.
func rows(t *tensors.Tensor, k, n int) (*tensors.Tensor, error) {
	flat, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	dims := append([]int{}, t.Shape().Dimensions...)
	if dims[0]%n != 0 {
		return nil, errors.Errorf("%d rows do not make %d equal batches", dims[0], n)
	}
	dims[0] /= n
	size := len(flat) / n
	return tensors.FromFlatDataAndDimensions(flat[k*size:(k+1)*size], dims...), nil
}
