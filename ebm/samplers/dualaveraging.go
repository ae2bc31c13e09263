package samplers

import (
	"cmp"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// DualAveraging finds the step size at which a kernel's mean acceptance is δ. At step t = 1, 2, … the kernel moves with ε_t, and
// from a, its acceptance probability averaged over all chains,
//
//	H̄_t = (1 − w)·H̄_{t−1} + w·(δ − a),   w = 1/(t + 10)
//	log ε_{t+1} = log 10ε₁ − √t/γ·H̄_t
//	log ε̄_t = t^−0.75·log ε_{t+1} + (1 − t^−0.75)·log ε̄_{t−1}
//
// the rule of Stan and BlackJAX. After Steps steps ε̄ is the step size, for good: only from there on is the target invariant, so let Options.BurnIn be at least
// Steps. An acceptance that is not finite counts as 0. With many chains a has little noise and 100 to 200 steps are enough.
//
// The state is the kernel's and, in Float64, five numbers common to all chains, [n] each: log 10ε₁, log ε, log ε̄, H̄ and t; [DualAveraging.StepSize]
// reads the result. a is summed exactly, so that it is the same on one device and on several; another number of chains changes all positions.
//
// Where the acceptance falls steeply, as at the limit of stability of a narrow direction when δ is low, ε_t swings across the fall and ε̄ ends on
// the safe side, with too high an acceptance: 0.72 for δ = 0.65 on an ill-conditioned Gaussian with 400 chains. γ = 0.2 damps the swings, 0.645 there.
// It is for many chains: one alone, which has yet to find the bulk of its target, is led to too large steps.
//
// δ = 0.8 suits [HMC], 0.574 a kernel of one gradient a step (MALA). Building panics on a nil kernel, one that reports no
// acceptance, a target outside (0, 1), a negative number of steps, a start or γ that is not positive.
//
// Hoffman and Gelman, The No-U-Turn Sampler, JMLR 15 (2014), arXiv:1111.4246, §3.2; Roberts and Rosenthal, Optimal scaling of discrete
// approximations to Langevin diffusions, J. R. Stat. Soc. B 60 (1998), doi:10.1111/1467-9868.00123.
type DualAveraging struct {
	Kernel Tunable
	Target float64 // δ in (0, 1), default 0.8
	Steps  int     // how many steps adapt, default 500
	Start  float64 // ε₁ > 0, default 0.1
	Gamma  float64 // γ > 0, default 0.05: the larger, the smaller the changes of log ε
}

var _ ebm.Kernel = DualAveraging{}

func (k DualAveraging) withDefaults() DualAveraging {
	k.Target, k.Start = cmp.Or(k.Target, 0.8), cmp.Or(k.Start, 0.1)
	k.Steps, k.Gamma = cmp.Or(k.Steps, 500), cmp.Or(k.Gamma, gamma)
	switch {
	case k.Kernel == nil:
		exceptions.Panicf("DualAveraging: Kernel is nil")
	case !(k.Target > 0 && k.Target < 1):
		exceptions.Panicf("DualAveraging: Target must be in (0, 1), got %g", k.Target)
	case k.Steps < 0:
		exceptions.Panicf("DualAveraging: Steps must be positive, got %d", k.Steps)
	case !(k.Start > 0) || math.IsInf(k.Start, 1):
		exceptions.Panicf("DualAveraging: Start must be a finite number and positive, got %g", k.Start)
	case !(k.Gamma > 0) || math.IsInf(k.Gamma, 1):
		exceptions.Panicf("DualAveraging: Gamma must be a finite number and positive, got %g", k.Gamma)
	}
	return k
}

// gamma is Hoffman and Gelman's γ.
const gamma = 0.05

// Coupled says that one step size is adapted to the acceptance of all chains.
func (k DualAveraging) Coupled() string {
	return "one step size is adapted to the acceptance of all chains"
}

// Init starts at x, [n, event...].
func (k DualAveraging) Init(env ebm.Env, x *Node) ebm.State {
	k = k.withDefaults()
	state := k.Kernel.WithStepSize(ebm.Fixed(k.Start)).Init(env, x)
	for _, v := range averagingFrom(k.Start) {
		state = append(state, everyRow(Const(x.Graph(), v), x.Shape().Dimensions[0]))
	}
	return state
}

// Step moves every chain once, then sets the step size.
func (k DualAveraging) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	k = k.withDefaults()
	n := s[0].Shape().Dimensions[0]
	inner := s[:len(s)-averagingEntries]
	a := readAveraging(s[len(inner):])
	adapting := LessThan(a.t, Const(s[0].Graph(), float64(k.Steps)))
	step := computed{Exp(Where(adapting, a.log, a.mean))}
	next, info := k.Kernel.WithStepSize(step).Step(env, inner)
	if info.Accept == nil {
		exceptions.Panicf("DualAveraging: Kernel %T reports no acceptance to adapt to", k.Kernel)
	}
	return append(next[:len(next):len(next)], a.update(info.Accept, k.Target, k.Gamma, adapting).entries(n)...), info
}

// StepSize is ε̄, the step size that the run which left the checkpoint ends with.
func (k DualAveraging) StepSize(c *ebm.Checkpoint) (float64, error) {
	if c == nil || len(c.State) <= averagingEntries {
		return 0, errors.New("DualAveraging: StepSize wants the checkpoint of a run of this kernel")
	}
	mean := c.State[len(c.State)-averagingEntries+2]
	if !mean.Ok() || mean.DType() != dtypes.Float64 || mean.Rank() != 1 {
		return 0, errors.New("DualAveraging: StepSize wants the checkpoint of a run of this kernel")
	}
	values, err := tensors.CopyFlatData[float64](mean)
	if err != nil {
		return 0, err
	}
	return math.Exp(values[0]), nil
}

// averaging is what dual averaging carries: Float64 scalars.
type averaging struct{ centre, log, mean, bias, t *Node } // log 10ε₁, log ε, log ε̄, H̄, t

const averagingEntries = 5

// averagingFrom are its numbers before the first step.
func averagingFrom(start float64) []float64 {
	return []float64{math.Log(10 * start), math.Log(start), math.Log(start), 0, 0}
}

func readAveraging(s ebm.State) averaging {
	return averaging{common(s[0]), common(s[1]), common(s[2]), common(s[3]), common(s[4])}
}

func (a averaging) entries(n int) ebm.State {
	return ebm.State{everyRow(a.centre, n), everyRow(a.log, n), everyRow(a.mean, n), everyRow(a.bias, n), everyRow(a.t, n)}
}

// update takes the chains' acceptance probabilities, [n], in, where active.
func (a averaging) update(accept *Node, target, gamma float64, active *Node) averaging {
	accept = exactMean(Where(IsFinite(accept), accept, ZerosLike(accept)))
	t := AddScalar(a.t, 1)
	w := Inverse(AddScalar(t, 10))
	bias := Add(Mul(OneMinus(w), a.bias), Mul(w, Neg(AddScalar(accept, -target))))
	log := Sub(a.centre, Mul(MulScalar(Sqrt(t), 1/gamma), bias))
	power := Exp(MulScalar(Log(t), -0.75))
	mean := Add(Mul(power, log), Mul(OneMinus(power), a.mean))
	return averaging{a.centre, Where(active, log, a.log), Where(active, mean, a.mean), Where(active, bias, a.bias), Where(active, t, a.t)}
}

// exactMean is the mean of probabilities, [n], rounded down to multiples of 2⁻³⁰: up to 2²³ chains their sum is exact, and the
// same in whatever order it is taken.
func exactMean(p *Node) *Node {
	whole := Floor(MulScalar(ConvertDType(p, dtypes.Float64), 0x1p30))
	return MulScalar(ReduceAllSum(whole), 0x1p-30/float64(p.Shape().Size()))
}
