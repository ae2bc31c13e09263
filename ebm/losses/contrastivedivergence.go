package losses

import (
	"context"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/samplers"
)

// ContrastiveDivergence trains an energy by lowering it at the data x⁺ and raising it at negatives x⁻, the ends of short MCMC
// chains on the energy as it stands:
//
//	L = mean E(x⁺) − mean E(x⁻) + α·(mean E(x⁺)² + mean E(x⁻)²) + γ·mean ‖∇E(x⁺)‖²
//
// Its gradient is that of the negative log-likelihood, but for the chains' being short. CD-k begins the chains at the data. With
// Persistent they go on where they ended in earlier training steps (PCD): a buffer holds them, a batch takes as many as it has
// points, each from a slot of its own, and puts them back in the same slots, together with the conditioning they belong to.
// No chain is ever copied, so the buffer does not run down to a few lineages.
//
// A persistent chain lives Steps/Fresh steps on average, 500 by default. What the energy is like after that many steps from noise is
// what training sees: sample for about as long. In T training steps a slot gets T·n/Buffer of them; let that be several times 1/Fresh.
//
// Choose CD-k for a quick look; it never sees what lies far from the data. Choose persistent chains for samples that hold up when
// they start from noise.
//
// x is [n, event...]; conditioning, if any, [n, ...]. It panics on settings out of range. Chains that become NaN or infinite are
// begun anew and counted in Terms.NonFinite.
//
// G. E. Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation 14(8), 2002,
// doi:10.1162/089976602760128018. T. Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood
// gradient", ICML 2008, doi:10.1145/1390156.1390290. The penalty α: Y. Du, I. Mordatch, "Implicit generation and modeling with
// energy based models", 2019, arXiv:1903.08689.
type ContrastiveDivergence struct {
	Energy ebm.Energy
	Kernel ebm.Kernel // default samplers.Langevin with its defaults
	Steps  int        // k, steps of the chains for each training step. Default 10

	Persistent bool
	Buffer     int     // slots. Default 1024, or the batch if that is larger; at most 65536
	Fresh      float64 // share of the chains begun anew from noise at each training step. Default 0.02; negative: none
	Young      int     // training steps that a fresh chain takes part in before it counts among the negatives. Default 0
	WarmUp     int     // steps each slot's chain takes before training begins. Default 0
	Width      float64 // standard deviation of the noise that fresh chains begin from. Default 1, for standardised data

	EnergyL2        float64 // α. Default 0
	GradientPenalty float64 // γ. Default 0
	Clamp           float64 // chains are held in [−Clamp, Clamp] in every coordinate. Default 0: not held
}

var _ ebm.Loss = ContrastiveDivergence{}

// Loss builds the loss of a batch; see the type.
func (l ContrastiveDivergence) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	l = l.withDefaults(x)
	from := draw{starts: x, cond: cond, mean: ReduceAllMean, back: func(*Node) {}}
	if l.Persistent {
		from = l.draw(x, rng.Fold(), cond)
	}
	samples, bad := l.chains(from.starts, rng.Fold(), from.cond)
	from.back(samples)

	data := l.Energy.Energy(x, cond...)
	negatives := l.Energy.Energy(samples, from.cond...)
	loss := Sub(ReduceAllMean(data), from.mean(negatives))
	if l.EnergyL2 > 0 {
		penalty := Add(ReduceAllMean(Square(data)), from.mean(Square(negatives)))
		loss = Add(loss, MulScalar(penalty, l.EnergyL2))
	}
	if l.GradientPenalty > 0 {
		_, grad := ebm.ValueGrad(l.Energy, x, cond...)
		n := x.Shape().Dimensions[0]
		loss = Add(loss, MulScalar(DivScalar(ReduceAllSum(Square(grad)), n), l.GradientPenalty))
	}
	return ebm.Terms{Loss: loss, Data: data, Negatives: negatives, Samples: samples, NonFinite: bad}
}

func (l ContrastiveDivergence) withDefaults(x *Node) ContrastiveDivergence {
	n := x.Shape().Dimensions[0]
	if l.Energy == nil {
		exceptions.Panicf("ContrastiveDivergence: Energy is nil")
	}
	if l.Kernel == nil {
		l.Kernel = samplers.Langevin{}
	}
	l.Steps = orDefault(l.Steps, 10)
	l.Buffer = orDefault(l.Buffer, max(defaultBuffer, n))
	l.Fresh = max(0, orDefault(l.Fresh, 0.02))
	l.Width = orDefault(l.Width, 1)
	switch {
	case l.Steps < 1:
		exceptions.Panicf("ContrastiveDivergence: Steps must be positive, got %d", l.Steps)
	case l.Persistent && (l.Buffer < n || l.Buffer > 1<<16):
		exceptions.Panicf("ContrastiveDivergence: Buffer must be from the batch size %d to 65536, got %d", n, l.Buffer)
	case l.Fresh > 1:
		exceptions.Panicf("ContrastiveDivergence: Fresh is a share and must be at most 1, got %g", l.Fresh)
	case !(l.Width > 0), !(l.EnergyL2 >= 0), !(l.GradientPenalty >= 0), !(l.Clamp >= 0), l.WarmUp < 0, l.Young < 0:
		exceptions.Panicf("ContrastiveDivergence: Width must be positive and EnergyL2, GradientPenalty, Clamp, WarmUp, Young not negative, got %g, %g, %g, %g, %d, %d",
			l.Width, l.EnergyL2, l.GradientPenalty, l.Clamp, l.WarmUp, l.Young)
	}
	return l
}

// orDefault is v, or def where v was left zero.
func orDefault[T int | float64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// chains runs the kernel from starts. No gradient flows back through it. A chain that went wrong goes back to its start.
func (l ContrastiveDivergence) chains(starts *Node, rng *ebm.Rand, cond []*Node) (ends, bad *Node) {
	step := Const(starts.Graph(), int32(0))
	env := ebm.Env{Energy: l.Energy, Cond: cond, Step: step, Rand: rng.At(step)}
	kernel := l.Kernel
	if l.Clamp > 0 {
		kernel = clamped{kernel, l.Clamp}
	}
	state, _ := ebm.Unroll(env, kernel, kernel.Init(env, starts), l.Steps)
	ends = StopGradient(state[0])
	n := ends.Shape().Dimensions[0]
	finite := ReduceLogicalAnd(IsFinite(Reshape(ends, n, ends.Shape().Size()/n)), -1) // [n]
	bad = ReduceAllSum(ConvertDType(Not(finite), dtypes.Int32))
	return Where(rows(finite, ends.Shape()), ends, starts), bad
}

// clamped is a kernel whose position is held in a box.
type clamped struct {
	ebm.Kernel
	limit float64
}

func (k clamped) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	s, info := k.Kernel.Step(env, s)
	s[0] = ClipScalar(s[0], -k.limit, k.limit)
	return s, info
}

// rows spreads one value a row, [n], over a whole shape [n, event...].
func rows(x *Node, shape shapes.Shape) *Node {
	for range shape.Rank() - 1 {
		x = ExpandAxes(x, -1)
	}
	return BroadcastToShape(x, shapes.Make(x.DType(), shape.Dimensions...))
}

// draw is a batch of chains to run.
type draw struct {
	starts *Node
	cond   []*Node
	mean   func(energies *Node) *Node // over the chains that count
	back   func(ends *Node)           // puts the chains back where they came from
}

// draw takes a batch of chains from the buffer. Slot i of the batch comes from the i-th of n equal strata, at one random place
// in it, the strata turned by a random angle: every slot is as likely, none comes twice.
func (l ContrastiveDivergence) draw(x *Node, rng *ebm.Rand, cond []*Node) draw {
	g, n := x.Graph(), x.Shape().Dimensions[0]
	store := model.GetStore(g)
	if store == nil {
		exceptions.Panicf("ContrastiveDivergence: persistent chains need a model.Store: build the loss in a model.Exec or with ebm.Train")
	}
	iota := Iota(g, shapes.Make(dtypes.Int32, n), 0)
	stride := l.Buffer / n
	slots := Add(Add(MulScalar(iota, int32(stride)), rng.Intn(stride, n)), Reshape(BroadcastToDims(Reshape(rng.Intn(l.Buffer, 1)), n), n))
	slots = ExpandAxes(Mod(slots, Const(g, int32(l.Buffer))), -1) // [n, 1]

	chains, ages := l.buffer(store, x.Shape()), l.ages(store)
	stored := Gather(chains.NodeValue(g), slots)
	age := Gather(ages.NodeValue(g), slots) // [n]: the training steps behind a chain; 0 where a slot has never held one
	fresh := Equal(age, ZerosLike(age))
	if l.Fresh > 0 {
		fresh = Or(fresh, LessThan(rng.Uniform(shapes.Make(dtypes.Float32, n)), Const(g, float32(l.Fresh))))
	}
	age = AddScalar(Where(fresh, ZerosLike(age), age), 1)
	d := draw{starts: Where(rows(fresh, x.Shape()), MulScalar(rng.Normal(x.Shape()), l.Width), stored), mean: ReduceAllMean}
	if l.Young > 0 {
		d.mean = grownUp(GreaterThan(age, Const(g, int32(l.Young))))
	}
	labels := make([]*model.Variable, len(cond))
	for i, c := range cond { // a fresh chain takes the conditioning of the batch's row
		labels[i] = l.labels(store, i, c.Shape())
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

// grownUp is the mean over the chains that count, or over all where none does yet.
func grownUp(counts *Node) func(*Node) *Node {
	none := Not(LogicalAny(counts))
	counts = Or(counts, BroadcastToShape(none, counts.Shape()))
	return func(energies *Node) *Node {
		w := ConvertDType(counts, energies.DType())
		return Div(ReduceAllSum(Mul(w, energies)), ReduceAllSum(w))
	}
}

// bufferScope is where the store holds the persistent chains.
const bufferScope = "/contrastive_divergence"

var _ ebm.Preparer = ContrastiveDivergence{}

// Prepare fills the buffer before the first training step, where WarmUp asks for it: each slot gets a chain that has taken WarmUp
// steps from noise. A slot's conditioning is that of a row of the first batch.
func (l ContrastiveDivergence) Prepare(ctx context.Context, b compute.Backend, store *model.Store, first train.Batch, seed uint64) error {
	if !l.Persistent || l.WarmUp == 0 {
		return nil
	}
	if l.WarmUp < 0 {
		return errors.Errorf("ContrastiveDivergence: WarmUp must not be negative, got %d", l.WarmUp)
	}
	x := first.Inputs[0]
	n := x.Shape().Dimensions[0]
	l.Buffer, l.Width = orDefault(l.Buffer, max(defaultBuffer, n)), orDefault(l.Width, 1)
	if l.Kernel == nil {
		l.Kernel = samplers.Langevin{}
	}
	cond := make([]*tensors.Tensor, len(first.Inputs)-1)
	for i := range cond {
		var err error
		if cond[i], err = repeatRows(first.Inputs[i+1], l.Buffer); err != nil {
			return err
		}
	}
	start, err := model.CallOnce(b, model.NewStore(), func(_ *model.Scope, key *Node) *Node {
		shape := shapes.Make(x.DType(), append([]int{l.Buffer}, x.Shape().Dimensions[1:]...)...)
		return MulScalar(ebm.NewRand(key, Const(key.Graph(), int32(-1))).Normal(shape), l.Width)
	}, []uint32{uint32(seed), uint32(seed >> 32)})
	if err != nil {
		return err
	}
	sampler, err := ebm.NewSampler(b, store, l.Energy, l.Kernel)
	if err != nil {
		return err
	}
	defer sampler.Finalize()
	out, err := sampler.Sample(ctx, ebm.Options{Start: start, Cond: cond, Steps: l.WarmUp, Seed: seed})
	if err != nil {
		return errors.WithMessage(err, "ContrastiveDivergence: warming up the chains")
	}
	if err := l.buffer(store, x.Shape()).SetValue(out.X); err != nil {
		return err
	}
	for i, c := range cond {
		if err := l.labels(store, i, first.Inputs[i+1].Shape()).SetValue(c); err != nil {
			return err
		}
	}
	grown := make([]int32, l.Buffer)
	for i := range grown {
		grown[i] = int32(l.Young) + 1
	}
	return l.ages(store).SetValue(tensors.FromValue(grown))
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

// defaultBuffer is the number of slots where none is given.
const defaultBuffer = 1024

// buffer is the variable of the chains, [Buffer, event...].
func (l ContrastiveDivergence) buffer(store *model.Store, x shapes.Shape) *model.Variable {
	return l.variable(store, "chains", shapes.Make(x.DType, append([]int{l.Buffer}, x.Dimensions[1:]...)...))
}

// ages is the number of training steps behind each chain; 0 where a slot holds none.
func (l ContrastiveDivergence) ages(store *model.Store) *model.Variable {
	return l.variable(store, "ages", shapes.Make(dtypes.Int32, l.Buffer))
}

// labels is the i-th conditioning of the chains.
func (l ContrastiveDivergence) labels(store *model.Store, i int, c shapes.Shape) *model.Variable {
	return l.variable(store, "cond_"+string(rune('0'+i)), shapes.Make(c.DType, append([]int{l.Buffer}, c.Dimensions[1:]...)...))
}

func (l ContrastiveDivergence) variable(store *model.Store, name string, shape shapes.Shape) *model.Variable {
	zero := func(g *Graph, shape shapes.Shape) *Node { return Zeros(g, shape) }
	return store.VariableWithShape(bufferScope+"/"+name, shape, zero).SetTrainable(false)
}
