package flow

import (
	"iter"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/host"
)

// Paired is data with noise joined to each batch by a coupling, for losses.FlowMatching with Paired set:
//
//	data := &flow.Paired{Data: &datasets.Batches{Data: moons, Size: 256}, Seed: 1}
//	ebm.Train(ctx, backend, store, losses.FlowMatching{Field: field, Paired: true}, data, ebm.TrainOptions{…})
//
// A batch's inputs are the data x₁, [n, event...], the noise x₀ like it, the pairs' weights, [n], and the conditioning. Where
// a coupling moves data, all that came with them moves too: conditioning and labels stay with their data under any.
//
// The noise, and the pairs, of a step depend on Seed and the step alone: training that is resumed has the batches it would have had. Pairs
// of coming batches are made on other cores while one is trained on, the next epoch's first ones too. Whoever breaks off an Iter waits for those
// under way.
type Paired struct {
	Data     SeekingDataset
	Coupling Coupling                                    // default ConditionAware: exact OT, among data of equal conditioning if there is some
	Source   func(x0 []float64, dim int, rng *rand.Rand) // fills a batch with noise, points of dim numbers. Default N(0, I)
	Seed     uint64                                      // of the noise, and of couplings that draw
	Ahead    int                                         // batches that are paired in advance, at once. Default 2

	// Step is the batch to come next, counted over all epochs. Iter starts there and moves it; Data follows.
	Step int

	queue []*upcoming
}

// SeekingDataset is what Paired pairs, such as datasets.Batches.
type SeekingDataset interface {
	train.Dataset
	ebm.Seeker
}

var _ SeekingDataset = (*Paired)(nil)

// upcoming is a batch being paired, or the end of an epoch.
type upcoming struct {
	step  int
	ends  bool
	done  chan struct{} // closed when batch and err are there
	batch train.Batch
	err   error
}

// Name is the name of the data.
func (p *Paired) Name() string {
	if p.Data == nil {
		return "paired"
	}
	return p.Data.Name()
}

// PerEpoch is the number of batches in an epoch.
func (p *Paired) PerEpoch() int {
	if p.Data == nil {
		return 0
	}
	return p.Data.PerEpoch()
}

// Seek goes to the batch of a training step, counted from 0 over all epochs.
func (p *Paired) Seek(step int) error {
	if p.Data == nil {
		return errors.New("Paired: Data is nil")
	}
	if err := p.Data.Seek(step); err != nil {
		return err
	}
	p.settle()
	p.Step, p.queue = step, nil
	return nil
}

// settle waits for the pairs that are being made.
func (p *Paired) settle() {
	for _, u := range p.queue {
		<-u.done
	}
}

// Iter gives the batches from Step to where Data's Iter ends, the end of the epoch. The receiver of a batch owns its tensors. One
// Iter at a time.
func (p *Paired) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		if p.Data == nil || p.Ahead < 0 {
			yield(train.Batch{}, errors.Errorf("Paired: want Data, and Ahead not negative, got %T and %d", p.Data, p.Ahead))
			return
		}
		for len(p.queue) > 0 && (p.queue[0].ends || p.queue[0].step != p.Step) {
			<-p.queue[0].done
			p.queue = p.queue[1:]
		}
		var r reader
		defer func() { r.close() }()
		for {
			p.topUp(&r)
			next := p.queue[0]
			p.queue = p.queue[1:]
			if next.ends {
				return
			}
			p.Step++
			p.topUp(&r)
			<-next.done
			if !yield(next.batch, next.err) || next.err != nil {
				p.settle() // nothing may use a backend that the caller is about to close
				return
			}
		}
	}
}

// reader is an Iter of the data under way.
type reader struct {
	next func() (train.Batch, error, bool)
	stop func()
	read int // batches
}

func (r *reader) close() {
	if r.stop != nil {
		r.stop()
	}
	*r = reader{}
}

// topUp reads batches until enough are being paired. It goes on into the next epoch, so that its first batches are ready in time.
func (p *Paired) topUp(r *reader) {
	ahead := p.Ahead
	if ahead == 0 {
		ahead = 2
	}
	batches := 0
	for _, u := range p.queue {
		if !u.ends {
			batches++
		}
		if u.done == closed && u.err != nil {
			return // nothing comes after
		}
	}
	for batches < ahead {
		step := p.Step + batches
		if r.next == nil {
			if err := p.Data.Seek(step); err != nil && p.Data.PerEpoch() > 0 { // else Iter knows better what is wrong
				p.queue = append(p.queue, &upcoming{step: step, err: err, done: closed})
				return
			}
			r.next, r.stop = iter.Pull2(p.Data.Iter())
		}
		batch, err, ok := r.next()
		if !ok && r.read == 0 {
			err = errors.Errorf("Paired: the data %q gave no batch", p.Data.Name())
		}
		if err != nil {
			p.queue = append(p.queue, &upcoming{step: step, err: err, done: closed})
			return
		}
		if !ok {
			r.close()
			p.queue = append(p.queue, &upcoming{step: step, ends: true, done: closed})
			continue
		}
		r.read++
		u := &upcoming{step: step, batch: batch, done: make(chan struct{})}
		p.queue = append(p.queue, u)
		go u.pair(p.Coupling, p.Source, p.Seed)
		batches++
	}
}

// closed is the done of what is not paired: ends, and errors of reading.
var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// pair adds noise and weights to the batch.
func (u *upcoming) pair(c Coupling, source func([]float64, int, *rand.Rand), seed uint64) {
	defer close(u.done)
	defer func() {
		if r := recover(); r != nil { // a panic here would end the program, and could be caught nowhere
			u.err = errors.Errorf("Paired: %T, step %d: %v", c, u.step, r)
		}
	}()
	if c == nil {
		c = ConditionAware{}
	}
	if source == nil {
		source = func(x0 []float64, _ int, rng *rand.Rand) {
			for i := range x0 {
				x0[i] = rng.NormFloat64()
			}
		}
	}
	rng := rand.New(rand.NewPCG(splitMix(seed), splitMix(^uint64(u.step))))
	u.err = errors.WithMessagef(u.add(c, source, rng), "Paired: %T, step %d", c, u.step)
}

func (u *upcoming) add(c Coupling, source func([]float64, int, *rand.Rand), rng *rand.Rand) error {
	if len(u.batch.Inputs) == 0 {
		return errors.New("the batch has no inputs")
	}
	data := u.batch.Inputs[0]
	shape := data.Shape()
	if shape.DType != dtypes.Float32 && shape.DType != dtypes.Float64 || shape.Rank() == 0 || shape.Size() == 0 {
		return errors.Errorf("the data must be [n, event...] of Float32 or Float64, got %s", shape)
	}
	n := shape.Dimensions[0]
	b := Batch{Dim: shape.Size() / n}
	var err error
	if b.X1, err = numbers[float32](data); err != nil {
		return err
	}
	if err := b.condition(n, u.batch.Inputs[1:]); err != nil {
		return err
	}
	x0 := make([]float64, len(b.X1))
	source(x0, b.Dim, rng)
	b.X0 = make([]float32, len(x0))
	for i, v := range x0 {
		b.X0[i] = float32(v)
	}
	pairs, err := c.Pair(b, rng)
	if err != nil {
		return err
	}
	if err := pairs.Validate(b); err != nil {
		return err
	}
	if pairs.X1 != nil {
		wide := make([]float64, len(pairs.X1))
		for i, v := range pairs.X1 {
			wide[i] = float64(v)
		}
		u.batch.Inputs[0] = host.Tensor(shape.DType, wide, shape.Dimensions...)
	}
	if err := moveRows(u.batch.Inputs, pairs.I1); err != nil {
		return err
	}
	if err := moveRows(u.batch.Labels, pairs.I1); err != nil {
		return err
	}
	moved := make([]float64, 0, len(x0))
	for _, i := range pairs.I0 {
		moved = append(moved, x0[i*b.Dim:(i+1)*b.Dim]...)
	}
	weights := pairs.Weights
	if weights == nil {
		weights = make([]float64, n)
		for i := range weights {
			weights[i] = 1
		}
	}
	inputs := []*tensors.Tensor{u.batch.Inputs[0], host.Tensor(shape.DType, moved, shape.Dimensions...), host.Tensor(shape.DType, weights, n)}
	u.batch.Inputs = append(inputs, u.batch.Inputs[1:]...)
	return nil
}

// condition takes the conditioning's numbers, all of a row together.
func (b *Batch) condition(n int, cond []*tensors.Tensor) error {
	parts := make([][]float64, len(cond))
	for k, t := range cond {
		if t.Rank() == 0 || t.Shape().Dimensions[0] != n {
			return errors.Errorf("the conditioning must have %d rows like the data, got %s", n, t.Shape())
		}
		var err error
		if parts[k], err = numbers[float64](t); err != nil {
			return err
		}
		b.CondDim += len(parts[k]) / n
	}
	b.Cond = make([]float64, 0, n*b.CondDim)
	for i := range n {
		for _, part := range parts {
			width := len(part) / n
			b.Cond = append(b.Cond, part[i*width:(i+1)*width]...)
		}
	}
	return nil
}

// moveRows puts row rows[k] of each tensor in the place of its row k.
func moveRows(ts []*tensors.Tensor, rows []int) error {
	same := true
	for k, i := range rows {
		same = same && k == i
	}
	if same {
		return nil
	}
	for k, t := range ts {
		out := tensors.FromShape(t.Shape())
		var failed error
		err := out.MutableBytes(func(to []byte) {
			failed = t.ConstBytes(func(from []byte) {
				width := len(from) / len(rows)
				for k, i := range rows {
					copy(to[k*width:(k+1)*width], from[i*width:(i+1)*width])
				}
			})
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
		ts[k] = out
	}
	return nil
}

// numbers copies a tensor's numbers.
func numbers[T float32 | float64](t *tensors.Tensor) ([]T, error) {
	out := make([]T, t.Size())
	var failed error
	err := t.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float32:
			convert(out, flat)
		case []float64:
			convert(out, flat)
		case []int32:
			convert(out, flat)
		case []int64:
			convert(out, flat)
		case []uint8:
			convert(out, flat)
		case []bool:
			for i, v := range flat {
				if v {
					out[i] = 1
				}
			}
		default:
			failed = errors.Errorf("want numbers of Float32, Float64, Int32, Int64, Uint8 or Bool, got %s", t.Shape())
		}
	})
	if err == nil {
		err = failed
	}
	return out, err
}

func convert[T, F float32 | float64 | int32 | int64 | uint8](out []T, in []F) {
	for i, v := range in {
		out[i] = T(v)
	}
}

// splitMix is SplitMix64's finalizer: PCG takes its seeds as raw state, and neighbouring states give related draws.
func splitMix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
