package ebm

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// feed draws the noise of coming steps on all cores, while the graph of earlier ones runs.
type feed struct {
	backend   compute.Backend
	key       [2]uint32
	draws     []hostDraw // of a step
	step, end int        // the steps from here on are still to be drawn
	batch     int        // steps drawn at once

	coming             *filling            // nil where none is under way
	ready, used, spare [][]*tensors.Tensor // steps' noise, a tensor a draw: to be taken, taken last, and to be filled anew
}

// take gives the noise of the next n steps, valid until the next call.
func (f *feed) take(n int) (noise []*tensors.Tensor, err error) {
	if len(f.draws) == 0 {
		return nil, nil
	}
	f.spare = append(f.spare, f.used...)
	for len(f.ready) < n {
		if err := f.collect(); err != nil {
			return nil, err
		}
	}
	f.used, f.ready = f.ready[:n:n], f.ready[n:]
	for _, step := range f.used {
		noise = append(noise, step...)
	}
	return noise, f.begin()
}

// next is the step whose noise is to be taken next.
func (f *feed) next() int {
	n := f.step - len(f.ready)
	if f.coming != nil {
		n -= len(f.coming.steps)
	}
	return n
}

// begin starts drawing the next batch, unless one is under way or there is no more to draw.
func (f *feed) begin() error {
	n := min(f.batch, f.end-f.step)
	if f.coming != nil || n <= 0 {
		return nil
	}
	f.coming = &filling{feed: f, first: f.step}
	for range n {
		if len(f.spare) == 0 {
			step := make([]*tensors.Tensor, len(f.draws))
			for i, d := range f.draws {
				var err error
				if step[i], err = tensors.FromShapeForBackend(f.backend, 0, d.shape); err != nil {
					return err
				}
			}
			f.spare = append(f.spare, step)
		}
		last := len(f.spare) - 1
		f.coming.steps, f.spare = append(f.coming.steps, f.spare[last]), f.spare[:last]
	}
	f.step += n
	f.coming.start()
	return nil
}

// collect finishes the batch under way, or a new one.
func (f *feed) collect() error {
	if err := f.begin(); err != nil {
		return err
	}
	f.coming.work()
	f.coming.workers.Wait()
	f.ready = append(f.ready, f.coming.steps...)
	err := f.coming.err.Load()
	f.coming = nil
	if err != nil {
		return *err
	}
	return nil
}

// close waits until nothing is being drawn, and gives the tensors back for the next feed.
func (f *feed) close() (spare [][]*tensors.Tensor) {
	if f.coming != nil {
		f.coming.next.Store(int64(len(f.coming.steps) * len(f.draws))) // what is not begun need not be
		f.coming.workers.Wait()
		f.spare = append(f.spare, f.coming.steps...)
	}
	return append(append(f.spare, f.used...), f.ready...)
}

// filling is a batch being drawn.
type filling struct {
	*feed
	first   int // step
	steps   [][]*tensors.Tensor
	next    atomic.Int64 // the tensor that nobody draws yet
	workers sync.WaitGroup
	err     atomic.Pointer[error]
}

// start sets the other cores to work.
func (b *filling) start() {
	for range runtime.GOMAXPROCS(0) - 1 {
		b.workers.Go(b.work)
	}
}

// work draws tensors until none is left.
func (b *filling) work() {
	for {
		i := int(b.next.Add(1)) - 1
		step, draw := i/len(b.draws), i%len(b.draws)
		if step >= len(b.steps) {
			return
		}
		d := &b.draws[draw]
		err := b.steps[step][draw].MutableFlatData(func(flat any) { d.fill(d.key(b.key, int32(b.first+step)), flat) })
		if err != nil {
			b.err.Store(&err)
		}
	}
}
