package ebm

import (
	"context"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// Chained is a loss whose chains are too long to be unrolled in its graph. Before each training step [Train] runs them on the energy as it
// stands, as a [Sampler] does, whose one loop is compiled once for any number of steps and shared by all cores; then it calls After. Loss is for
// everybody else, and unrolls.
type Chained interface {
	Loss

	// Chains says what the chains move on, by what and for how many steps. 0 steps: there are none, and Train calls Loss.
	Chains() (e Energy, k Kernel, steps int)

	// Starts builds where they begin, [m, event...], and their conditioning, m rows each. The noise is that of the training step.
	Starts(x *Node, rng *Rand, cond ...*Node) (starts *Node, startCond []*Node)

	// After builds the loss of a batch whose chains ended at ends, [m, event...]. x, rng and cond are what Starts was given.
	After(ends, x *Node, rng *Rand, cond ...*Node) Terms
}

// chains runs those of a Chained.
type chains struct {
	loss    Chained
	steps   int
	devices int         // on which they run; 0: as many as pay
	starts  *model.Exec // of a batch: starts and conditioning
	sampler *Sampler
}

// newChains is nil where the loss has no chains to run.
func newChains(b compute.Backend, store *model.Store, loss Loss, key [2]uint32, devices int) (*chains, error) {
	chained, ok := loss.(Chained)
	if !ok {
		return nil, nil
	}
	if devices == 1 {
		devices = 0
	}
	var c *chains
	err := catch(func() error {
		e, k, steps := chained.Chains()
		if steps == 0 {
			return nil
		}
		sampler, err := NewSampler(b, store, e, k)
		if err != nil {
			return err
		}
		build := throwing(func(in []*Node) []*Node {
			words := key
			starts, cond := chained.Starts(in[1], NewRand(Const(in[1].Graph(), words[:]), in[0]), in[2:]...)
			out := append([]*Node{starts}, cond...)
			for i := range out {
				out[i] = Identity(out[i])
			}
			return out
		})
		starts, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node { return build(in) })
		c = &chains{chained, steps, devices, starts, sampler}
		return err
	})
	return c, err
}

// ends is where the chains of a training step end.
func (c *chains) ends(key [2]uint32, step int, batch []*tensors.Tensor) (*tensors.Tensor, error) {
	from, err := c.starts.Call(arguments([]any{int32(step)}, batch)...)
	if err != nil {
		return nil, err
	}
	defer release(from)
	if n := from[0].Shape().Dimensions[0]; c.devices > 0 && n%c.devices != 0 {
		return nil, errors.Errorf("ebm: TrainOptions.Devices must divide the number of the loss's chains, got %d devices and %d chains", c.devices, n)
	}
	words := Threefry(key, [2]uint32{uint32(step), chainsUse})
	out, err := c.sampler.Sample(context.Background(), Options{Start: from[0], Cond: from[1:], Steps: c.steps, Seed: uint64(words[0]) | uint64(words[1])<<32, Devices: c.devices})
	if err != nil {
		return nil, err
	}
	return out.X, nil
}

// chainsUse is the use number of the chains' key, which no draw of a loss's own gets to.
const chainsUse = 1 << 31

func (c *chains) finalize() {
	if c != nil {
		c.starts.Finalize()
		c.sampler.Finalize()
	}
}

// termsOf builds the loss of a batch, whose last input are the ends of its chains where there are some.
func (t *training) termsOf(batch []*Node, rng *Rand) Terms {
	if t.chains == nil {
		return t.loss.Loss(batch[0], rng, batch[1:]...)
	}
	last := len(batch) - 1
	return t.chains.loss.After(batch[last], batch[0], rng, batch[1:last]...)
}
