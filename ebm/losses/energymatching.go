package losses

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/flow"
)

// EnergyMatching trains one energy V(x), not told the time, to do two things: far from the data −∇V carries noise there along straight
// lines, near the data exp(−V/ε_max) is their density. On x̃ = x_t + σ·ε, between noise x₀ and data x₁ at random times t,
//
//	loss = mean w(t)·(−∇V(x̃) − u_t)² + max(λ·(mean V(x₁) − mean' V(x⁻)), −floor),    w(t) = min(1, (1−t)/(1−a)),
//
// the flow term over all numbers of the batch, and a contrastive one. Negatives x⁻ are the ends of Langevin chains at a temperature ε,
// x' = x − η∇V(x) + √(2ηε)·z: FromNoise of them begin at the batch's noise, cold until τ and then heated up to ε_max at their end
// ([ebm.Temperature]), the others at the batch's data, at ε_max throughout. mean' leaves out the Trim of them with the largest energies. No
// gradient flows through the chains.
//
// Train in two phases on one store, whose second goes on where the first ended: the flow alone, which is cheap, then both terms.
//
//	em := losses.EnergyMatching{Energy: v, Paired: true}
//	ebm.Train(ctx, backend, store, em, pairs, ebm.TrainOptions{Steps: 20000, LearningRate: 1e-4})
//	em.Contrast = 2
//	ebm.Train(ctx, backend, store, em, pairs, ebm.TrainOptions{Steps: 22000, LearningRate: 1e-4})
//
// Sample from noise by Langevin's steps of η, whose temperature follows the time t = η·step, N = 1/η steps a unit of time:
//
//	samplers.Langevin{StepSize: ebm.Fixed(0.01), Noise: ebm.Temperature{Steps: 100}}
//
// It descends to the data until t = τ, is heated until t = 1, and from there on samples exp(−V/ε_max), which is [ebm.Scaled] by 1/ε_max, for as
// long as it is run.
//
// Paired is the rule: noise and data from a [flow.Paired], whose default is optimal transport, and with them the pairs' weights. Its
// paths hardly cross, and only then is there one field for all times. Without it noise is N(0, I), independent of the data.
//
// Choose it for one energy that is both a quick way from noise to data and a density there, to be composed with others;
// [FlowMatching] for the way alone, [ContrastiveDivergence] for the density alone. The chains are what it costs: Steps of them in every
// training step of the second phase. [ebm.Train] runs them before the step, in a loop of their own.
//
// The loss sees its chains for the time Steps·StepSize only, and not what leaks out later: after a short second phase samples drift off again.
// Look at a distance to the data well past t = 1. Trim makes the density wider than the data, since what strays farthest is not pushed
// back: of N(4, 0.5²) the samples' standard deviation was 0.68 with it and 0.57 without.
//
// Terms.Data, Negatives and Samples are those of the contrastive term, Weights is 0 for the negatives that are trimmed. A chain that
// became NaN or infinite goes back to its start and is counted in Terms.NonFinite; a loss that is not finite stays so, for the doctor to
// find. Building panics on a nil Energy, on settings out of range, and on inputs that are not those of a [flow.Paired] where Paired.
//
// M. Balcerak et al., "Energy Matching: Unifying Flow Matching and Energy-Based Models for Generative Modeling", 2025, arXiv:2504.10612.
type EnergyMatching struct {
	Energy   ebm.Energy // V
	Contrast float64    // λ. Default 0: the flow term alone, and no chains. The paper's is 2 in the plane

	Paired      bool                                  // whether the conditioning begins with noise and weights, from flow.Paired
	Interpolant flow.Interpolant                      // default flow.Linear
	Times       flow.Times                            // default flow.UniformTimes: all of (0, 1)
	Sigma       float64                               // σ. Default 0.1; negative: none
	Cutoff      float64                               // a, where the flow term begins to fade. Default 0.8; 1: never
	Weight      func(t *Node, path flow.Coeffs) *Node // a further weight of the flow term, of the rows' times, [n] to [n]. Default 1

	Steps     int             // of the chains. Default 200
	StepSize  float64         // η. Default 0.01
	Heat      ebm.Temperature // τ and ε_max, default 0.8 and 0.15; time goes from 0 to 1 in its Steps, default those of the chains
	FromNoise float64         // share of the chains that begin at noise. Default 0.5; negative: none
	Trim      float64         // share of the negatives that is left out. Default 0.1; negative: none
	Floor     float64         // default 0.02; negative: none, the contrastive term may fall to any depth
}

var _ ebm.Chained = EnergyMatching{}

// Loss builds the loss of a batch, x [n, event...], with the chains unrolled in its graph.
func (l EnergyMatching) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	l = l.withDefaults()
	d := l.draw(x, rng, cond)
	if l.Contrast == 0 {
		return ebm.Terms{Loss: l.match(d)}
	}
	ends, bad := run(l.Energy, l.kernel(), l.Steps, l.begin(d), rng.Fold(), d.cond)
	return l.both(d, ends, bad)
}

// Chains says that they are run by Langevin's steps on V; none in the first phase.
func (l EnergyMatching) Chains() (e ebm.Energy, k ebm.Kernel, steps int) {
	if l = l.withDefaults(); l.Contrast == 0 {
		return l.Energy, nil, 0
	}
	return l.Energy, l.kernel(), l.Steps
}

// Starts builds where the chains of a batch begin.
func (l EnergyMatching) Starts(x *Node, rng *ebm.Rand, cond ...*Node) (starts *Node, startCond []*Node) {
	l = l.withDefaults()
	d := l.draw(x, rng, cond)
	return l.begin(d), d.cond
}

// After builds the loss of a batch whose chains have ended at ends, like x.
func (l EnergyMatching) After(ends, x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	l = l.withDefaults()
	d := l.draw(x, rng, cond)
	ends, bad := settle(ends, l.begin(d))
	return l.both(d, ends, bad)
}

// drawnPairs are noise x0 and data x1, [n, event...], times t and weights, [n], normals for x̃ and conditioning. Weights and jitter may be nil.
type drawnPairs struct {
	x0, x1, t, weights, jitter *Node
	cond                       []*Node
}

func (l EnergyMatching) draw(x *Node, rng *ebm.Rand, cond []*Node) drawnPairs {
	d := drawnPairs{x1: x, cond: cond}
	d.x0, d.weights, d.cond = sides("EnergyMatching", l.Paired, x, rng, cond)
	d.t = l.Times.Draw(rng, shapes.Make(x.DType(), x.Shape().Dimensions[0]))
	if l.Sigma > 0 {
		d.jitter = rng.Normal(x.Shape())
	}
	return d
}

// match is the flow term.
func (l EnergyMatching) match(d drawnPairs) *Node {
	path := l.Interpolant.At(d.t)
	x := path.Point(d.x0, d.x1)
	if d.jitter != nil {
		x = Add(x, MulScalar(d.jitter, l.Sigma))
	}
	_, grad := ebm.ValueGrad(l.Energy, x, d.cond...)
	squares := Square(Add(grad, path.Velocity(d.x0, d.x1)))
	if l.Cutoff < 1 {
		fade := ClipScalar(DivScalar(OneMinus(d.t), 1-l.Cutoff), 0, 1)
		squares = Mul(squares, flow.AlongRows(fade, x))
	}
	if l.Weight != nil {
		squares = Mul(squares, flow.AlongRows(l.Weight(d.t, path), x))
	}
	if d.weights != nil {
		squares = Mul(squares, flow.AlongRows(d.weights, x))
	}
	return ReduceAllMean(squares)
}

// begin is where the chains begin: the first rows at their noise, the others at their data.
func (l EnergyMatching) begin(d drawnPairs) *Node {
	n := d.x1.Shape().Dimensions[0]
	first := LessThan(Iota(d.x1.Graph(), shapes.Make(dtypes.Int32, n), 0), Const(d.x1.Graph(), int32(coldRows(l.FromNoise, n))))
	return StopGradient(Where(rows(first, d.x1.Shape()), d.x0, d.x1))
}

// coldRows is how many of n chains begin at noise.
func coldRows(share float64, n int) int { return int(math.Round(share * float64(n))) }

// both is the flow term and, of chains that ended at samples, the contrastive one.
func (l EnergyMatching) both(d drawnPairs, samples, bad *Node) ebm.Terms {
	terms := ebm.Terms{Data: l.Energy.Energy(d.x1, d.cond...), Negatives: l.Energy.Energy(samples, d.cond...),
		Samples: samples, SampleCond: d.cond, NonFinite: bad}
	terms.Loss, terms.Weights = l.gap(terms.Data, terms.Negatives)
	terms.Loss = Add(l.match(d), terms.Loss)
	return terms
}

// gap is λ times the gap between the energies of data and negatives, [n] and [m], no lower than the floor, and which negatives count, [m].
func (l EnergyMatching) gap(data, negatives *Node) (loss, kept *Node) {
	m := negatives.Shape().Size()
	count := m - int(l.Trim*float64(m))
	kept = smallest(StopGradient(negatives), count)
	mean := DivScalar(ReduceAllSum(Where(kept, negatives, ZerosLike(negatives))), float64(count))
	loss = MulScalar(Sub(ReduceAllMean(data), mean), l.Contrast)
	if l.Floor > 0 {
		floor := Scalar(loss.Graph(), loss.DType(), -l.Floor)
		loss = Where(LessThan(loss, floor), floor, loss) // which leaves NaN
	}
	return loss, ConvertDType(kept, negatives.DType())
}

// smallest tells which k of the numbers v, [m], are the smallest, the first of equal ones first. NaN is among them. There is no Sort, which
// would keep training from being a loop.
func smallest(v *Node, k int) *Node {
	m := v.Shape().Size()
	mine, other := BroadcastToDims(ExpandAxes(v, 1), m, m), BroadcastToDims(ExpandAxes(v, 0), m, m)
	at := func(axis int) *Node { return Iota(v.Graph(), shapes.Make(dtypes.Int32, m, m), axis) }
	before := Or(LessThan(other, mine), And(Equal(other, mine), LessThan(at(1), at(0))))
	rank := ReduceSum(ConvertDType(before, dtypes.Int32), 1)
	return LessThan(rank, Const(v.Graph(), int32(k)))
}

func (l EnergyMatching) kernel() ebm.Kernel { return heated{l.StepSize, l.Heat, l.FromNoise} }

// heated is a step of Langevin's where the first rows have the temperature of their time and the others the highest.
type heated struct {
	eta  float64
	heat ebm.Temperature
	cold float64 // share of the rows
}

func (k heated) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }

func (k heated) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	n := x.Shape().Dimensions[0]
	var parts []*Node
	if cold := coldRows(k.cold, n); cold > 0 {
		parts = append(parts, BroadcastToDims(k.heat.At(env.Step, x.DType()), cold))
	}
	if hot := n - coldRows(k.cold, n); hot > 0 {
		parts = append(parts, BroadcastToDims(Scalar(x.Graph(), x.DType(), math.Sqrt(k.heat.Max)), hot))
	}
	noise := flow.AlongRows(MulScalar(Concatenate(parts, 0), math.Sqrt(2*k.eta)), x)
	_, grad := env.ValueGrad(x)
	return ebm.State{Add(Sub(x, MulScalar(grad, k.eta)), Mul(env.Rand.Normal(x.Shape()), noise))}, ebm.Info{}
}

// withDefaults fills the defaults in and panics on what is out of range. What is switched off is 0 then.
func (l EnergyMatching) withDefaults() EnergyMatching {
	if l.Energy == nil {
		exceptions.Panicf("EnergyMatching: Energy is nil")
	}
	if l.Interpolant == nil {
		l.Interpolant = flow.Linear{}
	}
	if l.Times == nil {
		l.Times = flow.UniformTimes{}
	}
	l.Sigma = max(0, cmp.Or(l.Sigma, 0.1))
	l.Cutoff = cmp.Or(l.Cutoff, 0.8)
	l.Steps = cmp.Or(l.Steps, 200)
	l.StepSize = cmp.Or(l.StepSize, 0.01)
	l.Heat.Max = cmp.Or(l.Heat.Max, 0.15)
	l.Heat.Steps = cmp.Or(l.Heat.Steps, l.Steps)
	l.Heat.Epsilon = false
	l.FromNoise = max(0, cmp.Or(l.FromNoise, 0.5))
	l.Trim = max(0, cmp.Or(l.Trim, 0.1))
	l.Floor = max(0, cmp.Or(l.Floor, 0.02))
	finite := func(v float64) bool { return !math.IsInf(v, 0) }
	switch {
	case !(l.Contrast >= 0 && finite(l.Contrast)), !(l.Sigma >= 0 && finite(l.Sigma)), !(l.Floor >= 0):
		exceptions.Panicf("EnergyMatching: Contrast must not be negative, and Contrast and Sigma finite, got Contrast %g, Sigma %g, Floor %g", l.Contrast, l.Sigma, l.Floor)
	case !(l.Cutoff > 0 && l.Cutoff <= 1):
		exceptions.Panicf("EnergyMatching: Cutoff must be in (0, 1], got %g", l.Cutoff)
	case l.Steps < 1, !(l.StepSize > 0 && finite(l.StepSize)):
		exceptions.Panicf("EnergyMatching: Steps and StepSize must be positive, got %d and %g", l.Steps, l.StepSize)
	case !(l.Heat.Max > 0 && finite(l.Heat.Max)):
		exceptions.Panicf("EnergyMatching: Heat.Max must be positive, got %g", l.Heat.Max)
	case !(l.FromNoise <= 1), !(l.Trim < 1):
		exceptions.Panicf("EnergyMatching: FromNoise and Trim are shares, at most 1 and less than 1, got %g and %g", l.FromNoise, l.Trim)
	}
	return l
}
