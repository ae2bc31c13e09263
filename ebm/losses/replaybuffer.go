package losses

import (
	"strconv"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
)

// replayBuffer keeps chains from one training step to the next. Each of its slots holds a position, the conditioning that it belongs to,
// and its age: the training steps behind it, 0 where the slot has never held a chain. All are variables of the model's store, so
// checkpoints have them.
type replayBuffer struct {
	scope string  // of the variables
	slots int     // at most 65536, and no fewer than a batch takes
	fresh float64 // share of the chains of a batch that begin anew from noise
	width float64 // standard deviation of that noise
}

// defaultBuffer is the number of slots where none is given.
const defaultBuffer = 1024

// drawn is a batch of chains taken from a buffer.
type drawn struct {
	starts *Node            // [n, event...]
	cond   []*Node          // of the chains, n rows each
	age    *Node            // [n] Int32: training steps that each chain has taken part in, this one included
	back   func(ends *Node) // puts the chains back where they came from
}

// draw takes a batch of chains of a shape, [n, event...]. Slot i of the batch comes from the i-th of n equal strata, at one random place
// in it, the strata turned by a random angle: every slot is as likely, none comes twice. cond is the conditioning of a batch of
// data, from which fresh chains take theirs.
func (r replayBuffer) draw(owner string, g *Graph, shape shapes.Shape, rng *ebm.Rand, cond []*Node) drawn {
	n := shape.Dimensions[0]
	store := storeOf(g, owner+": persistent chains need")
	iota := Iota(g, shapes.Make(dtypes.Int32, n), 0)
	stride := r.slots / n
	slots := Add(Add(MulScalar(iota, int32(stride)), rng.Intn(stride, n)), Reshape(BroadcastToDims(Reshape(rng.Intn(r.slots, 1)), n), n))
	slots = ExpandAxes(Mod(slots, Const(g, int32(r.slots))), -1) // [n, 1]

	chains, ages := r.chains(store, shape), r.ages(store)
	ebm.ShardRows(g, chains)
	ebm.ShardRows(g, ages)
	stored := Gather(chains.NodeValue(g), slots)
	age := Gather(ages.NodeValue(g), slots)
	fresh := Equal(age, ZerosLike(age))
	if r.fresh > 0 {
		fresh = Or(fresh, LessThan(rng.Uniform(shapes.Make(dtypes.Float32, n)), Const(g, float32(r.fresh))))
	}
	age = AddScalar(Where(fresh, ZerosLike(age), age), 1)
	d := drawn{starts: Where(rows(fresh, shape), MulScalar(rng.Normal(shape), r.width), stored), age: age}
	labels := make([]*model.Variable, len(cond))
	for i, c := range cond {
		labels[i] = r.labels(store, i, c.Shape())
		ebm.ShardRows(g, labels[i])
		d.cond = append(d.cond, Where(rows(fresh, c.Shape()), c, Gather(labels[i].NodeValue(g), slots)))
	}
	d.back = func(ends *Node) {
		put := func(v *model.Variable, values *Node) {
			v.SetNodeValue(ScatterUpdate(v.NodeValue(g), slots, values, false, true))
		}
		put(chains, ends)
		put(ages, age)
		for i, c := range d.cond {
			put(labels[i], c)
		}
	}
	return d
}

// fill puts a chain of the given age in every slot, with its conditioning.
func (r replayBuffer) fill(store *model.Store, chains *tensors.Tensor, cond []*tensors.Tensor, age int) error {
	if err := r.chains(store, chains.Shape()).SetValue(chains); err != nil {
		return err
	}
	for i, c := range cond {
		if err := r.labels(store, i, c.Shape()).SetValue(c); err != nil {
			return err
		}
	}
	ages := make([]int32, r.slots)
	for i := range ages {
		ages[i] = int32(age)
	}
	return r.ages(store).SetValue(tensors.FromValue(ages))
}

// chains is the variable of the positions, [slots, event...].
func (r replayBuffer) chains(store *model.Store, x shapes.Shape) *model.Variable {
	return r.variable(store, "chains", x.DType, x.Dimensions[1:]...)
}

// ages is the variable of the ages, [slots].
func (r replayBuffer) ages(store *model.Store) *model.Variable {
	return r.variable(store, "ages", dtypes.Int32)
}

// labels is the variable of the i-th conditioning, c of which has a row for each chain.
func (r replayBuffer) labels(store *model.Store, i int, c shapes.Shape) *model.Variable {
	return r.variable(store, "cond_"+strconv.Itoa(i), c.DType, c.Dimensions[1:]...)
}

func (r replayBuffer) variable(store *model.Store, name string, dtype dtypes.DType, row ...int) *model.Variable {
	return kept(store, r.scope+"/"+name, dtype, append([]int{r.slots}, row...)...)
}

// rows spreads one value a row, [n], over a whole shape [n, event...].
func rows(x *Node, shape shapes.Shape) *Node {
	for range shape.Rank() - 1 {
		x = ExpandAxes(x, -1)
	}
	return BroadcastToShape(x, shapes.Make(x.DType(), shape.Dimensions...))
}

// repeatRows goes through the rows of t, again and again, until there are n.
func repeatRows(t *tensors.Tensor, n int) (*tensors.Tensor, error) {
	rows := t.Shape().Dimensions[0]
	out := tensors.FromShape(shapes.Make(t.DType(), append([]int{n}, t.Shape().Dimensions[1:]...)...))
	width := int(t.Shape().ByteSize()) / rows
	err := out.MutableBytes(func(to []byte) {
		if e := t.ConstBytes(func(from []byte) {
			for i := range n {
				copy(to[i*width:][:width], from[i%rows*width:])
			}
		}); e != nil {
			panic(e)
		}
	})
	return out, err
}
