package losses

import (
	"cmp"
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
// By default the chains are unrolled in the loss's graph, and many training steps are one compiled loop: the fastest for small networks and
// few steps. The compiler's time grows faster than the steps, though, and for convolutions soon takes longer than training. Apart compiles
// one step of the chains, whatever their number: choose it for networks of pictures, and for more than some ten steps. The noise is another.
//
// Choose CD-k for a quick look; it never sees what lies far from the data. Choose persistent chains for samples that hold up when
// they start from noise, [ParallelTemperingCD] where modes are too far apart for chains to cross.
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
	Apart  bool       // ebm.Train runs the chains as a Sampler's loop and not unrolled in the loss's graph; see above

	Persistent bool
	Buffer     int     // slots. Default 1024, or the batch if that is larger; at most 65536
	Fresh      float64 // share of the chains begun anew from noise at each training step. Default 0.02; negative: none
	Young      int     // training steps that a fresh chain takes part in before it counts among the negatives. Default 0
	WarmUp     int     // steps each slot's chain takes before training begins. Default 0
	Width      float64 // standard deviation of the noise that fresh chains begin from. Default 1, for standardised data

	Noise           float64 // standard deviation of noise on the data, drawn anew at each training step: the density is learnt so blurred. Default 0
	EnergyL2        float64 // α. Default 0
	GradientPenalty float64 // γ. Default 0
	Clamp           float64 // chains are held in [−Clamp, Clamp] in every coordinate. Default 0: not held
}

var _ ebm.Chained = ContrastiveDivergence{}

// Loss builds the loss of a batch; see the type.
func (l ContrastiveDivergence) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	l = l.withDefaults(x)
	x, from := l.draw(x, rng, cond)
	samples, bad := run(l.Energy, l.kernel(), l.Steps, from.starts, rng.Fold(), from.cond)
	return l.terms(x, cond, from, samples, bad)
}

// Chains says what ebm.Train runs before a training step: nothing unless Apart.
func (l ContrastiveDivergence) Chains() (e ebm.Energy, k ebm.Kernel, steps int) {
	if !l.Apart {
		return l.Energy, l.Kernel, 0
	}
	l = l.chainDefaults()
	return l.Energy, l.kernel(), l.Steps
}

// Starts builds where the chains of a batch begin.
func (l ContrastiveDivergence) Starts(x *Node, rng *ebm.Rand, cond ...*Node) (starts *Node, startCond []*Node) {
	_, from := l.withDefaults(x).draw(x, rng, cond)
	return from.starts, from.cond
}

// After builds the loss of a batch whose chains have ended at ends.
func (l ContrastiveDivergence) After(ends, x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	l = l.withDefaults(x)
	x, from := l.draw(x, rng, cond)
	samples, bad := settle(ends, from.starts)
	return l.terms(x, cond, from, samples, bad)
}

// draw gives the data with its noise, and where the chains begin.
func (l ContrastiveDivergence) draw(x *Node, rng *ebm.Rand, cond []*Node) (noisy *Node, from drawn) {
	if l.Noise > 0 {
		x = Add(x, MulScalar(rng.Fold().Normal(x.Shape()), l.Noise))
	}
	if !l.Persistent {
		return x, drawn{starts: x, cond: cond, back: func(*Node) {}}
	}
	return x, l.buffer().draw("ContrastiveDivergence", x.Graph(), x.Shape(), rng.Fold(), cond)
}

// kernel is the kernel within its limits.
func (l ContrastiveDivergence) kernel() ebm.Kernel {
	if l.Clamp > 0 {
		return samplers.Clamped{Kernel: l.Kernel, Lo: []float64{-l.Clamp}, Hi: []float64{l.Clamp}}
	}
	return l.Kernel
}

// terms is the loss of data x and of samples, the chains' ends.
func (l ContrastiveDivergence) terms(x *Node, cond []*Node, from drawn, samples, bad *Node) ebm.Terms {
	from.back(samples)
	terms := ebm.Terms{Data: l.Energy.Energy(x, cond...), Negatives: l.Energy.Energy(samples, from.cond...),
		Samples: samples, SampleCond: from.cond, NonFinite: bad}
	if l.Persistent && l.Young > 0 {
		terms.Weights = grownUp(from.age, l.Young, x.DType())
	}
	terms.Loss = Sub(ReduceAllMean(terms.Data), weightedMean(terms.Negatives, terms.Weights))
	at := Points{Energy: l.Energy, X: x, Cond: cond, Terms: terms}
	if l.EnergyL2 > 0 {
		terms.Loss = Add(terms.Loss, EnergyL2{Weight: l.EnergyL2}.Penalty(at))
	}
	if l.GradientPenalty > 0 {
		terms.Loss = Add(terms.Loss, GradientPenalty{Weight: l.GradientPenalty}.Penalty(at))
	}
	return terms
}

// chainDefaults fills in what the chains are run by, whatever the batch.
func (l ContrastiveDivergence) chainDefaults() ContrastiveDivergence {
	if l.Kernel == nil {
		l.Kernel = samplers.Langevin{}
	}
	l.Steps = cmp.Or(l.Steps, 10)
	return l
}

func (l ContrastiveDivergence) withDefaults(x *Node) ContrastiveDivergence {
	n := x.Shape().Dimensions[0]
	if l.Energy == nil {
		exceptions.Panicf("ContrastiveDivergence: Energy is nil")
	}
	l = l.chainDefaults()
	l.Buffer = cmp.Or(l.Buffer, max(defaultBuffer, n))
	l.Fresh = max(0, cmp.Or(l.Fresh, 0.02))
	l.Width = cmp.Or(l.Width, 1)
	switch {
	case l.Steps < 1:
		exceptions.Panicf("ContrastiveDivergence: Steps must be positive, got %d", l.Steps)
	case l.Persistent && (l.Buffer < n || l.Buffer > 1<<16):
		exceptions.Panicf("ContrastiveDivergence: Buffer must be from the batch size %d to 65536, got %d", n, l.Buffer)
	case l.Fresh > 1:
		exceptions.Panicf("ContrastiveDivergence: Fresh is a share and must be at most 1, got %g", l.Fresh)
	case !(l.Width > 0), !(l.EnergyL2 >= 0), !(l.GradientPenalty >= 0), !(l.Clamp >= 0), l.WarmUp < 0, l.Young < 0, !(l.Noise >= 0):
		exceptions.Panicf("ContrastiveDivergence: Width must be positive and EnergyL2, GradientPenalty, Clamp, WarmUp, Young, Noise not negative, got %g, %g, %g, %g, %d, %d, %g",
			l.Width, l.EnergyL2, l.GradientPenalty, l.Clamp, l.WarmUp, l.Young, l.Noise)
	}
	return l
}

// run takes steps of a kernel from starts, [n, event...]. No gradient flows back through it. A chain that went wrong goes back to its
// start, and is counted in bad, a scalar.
func run(e ebm.Energy, k ebm.Kernel, steps int, starts *Node, rng *ebm.Rand, cond []*Node) (ends, bad *Node) {
	step := Const(starts.Graph(), int32(0))
	env := ebm.Env{Energy: e, Cond: cond, Step: step, Rand: rng.At(step)}
	state, _ := ebm.Unroll(env, k, k.Init(env, starts), steps)
	return settle(state[0], starts)
}

// settle puts chains that went wrong back to their starts, and counts them.
func settle(ends, starts *Node) (settled, bad *Node) {
	ends = StopGradient(ends)
	n := ends.Shape().Dimensions[0]
	finite := ReduceLogicalAnd(IsFinite(Reshape(ends, n, ends.Shape().Size()/n)), -1) // [n]
	bad = ReduceAllSum(ConvertDType(Not(finite), dtypes.Int32))
	return Where(rows(finite, ends.Shape()), ends, starts), bad
}

// grownUp is 1 for the chains that count and 0 for those too young, or 1 for all where none counts yet. ages are [n].
func grownUp(ages *Node, young int, dtype dtypes.DType) *Node {
	counts := GreaterThan(ages, Const(ages.Graph(), int32(young)))
	none := Not(LogicalAny(counts))
	return ConvertDType(Or(counts, BroadcastToShape(none, counts.Shape())), dtype)
}

// buffer is where the persistent chains are.
func (l ContrastiveDivergence) buffer() replayBuffer {
	return replayBuffer{scope: "/contrastive_divergence", slots: l.Buffer, fresh: l.Fresh, width: l.Width}
}

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
	l = l.chainDefaults()
	l.Buffer, l.Width = cmp.Or(l.Buffer, max(defaultBuffer, n)), cmp.Or(l.Width, 1)
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
	return l.buffer().fill(store, out.X, cond, l.Young+1)
}
