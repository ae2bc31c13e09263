package samplers

import (
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// StopAt lets each chain go on until it is where the energy is flat: a chain with
//
//	‖∇E(x)‖ < g
//
// before a step stops there for good, while the others go on. So every chain takes the steps that it needs. The norm is
// Euclidean, over all numbers of an event; of images it grows as the root of their size. A chain that is no longer finite stops too.
//
// Where all chains have stopped, an [ebm.Sampler] ends the run; its samples are, bit by bit, those that all the steps would
// have given, and Samples.Steps tells how many each chain took. Wrappers go inside: around StopAt they would hide it.
//
// Choose it for the optimisers, to sample a field of equilibrium matching, whose gradient vanishes where the data is, or to
// find modes. Chains of an MCMC kernel would stop where the energy is flat, which is no sample of its density.
//
// The state is the kernel's own, then the steps taken, [n] Int32, and who has stopped, [n] Bool. The gradient is that which
// [GradientDescent] and [Langevin] take at the same point, so that with them it costs nothing; with [Nesterov] it doubles
// the work. A stopped chain proposes nothing, so there is no Info.Accept.
//
// Building panics on a threshold that is not a positive number.
//
// R. Wang, Y. Du, "Equilibrium Matching: generative modeling with implicit energy-based models", 2025, arXiv:2510.02300.
type StopAt struct {
	Kernel       ebm.Kernel // default GradientDescent with its defaults
	GradientNorm float64    // g > 0, energy per unit of x. Default 0.01
}

var _ ebm.Stopper = StopAt{}

func (k StopAt) kernel() ebm.Kernel {
	if k.Kernel == nil {
		return GradientDescent{}
	}
	return k.Kernel
}

// Init starts at x, [n, event...], with every chain on its way.
func (k StopAt) Init(env ebm.Env, x *Node) ebm.State {
	if !(k.GradientNorm >= 0) || math.IsInf(k.GradientNorm, 1) {
		exceptions.Panicf("StopAt: GradientNorm must be positive and finite, or 0 for the default of 0.01, got %g", k.GradientNorm)
	}
	g, n := x.Graph(), x.Shape().Dimensions[0]
	return append(k.kernel().Init(env, x), Zeros(g, shapes.Make(dtypes.Int32, n)), BroadcastToDims(Const(g, false), n))
}

// Step moves the chains that have not stopped.
func (k StopAt) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	own := len(s) - 2
	before, steps, stopped := s[:own], s[own], s[own+1]
	x := before[0]
	threshold := k.GradientNorm
	if threshold == 0 {
		threshold = 0.01
	}
	_, grad := env.ValueGrad(x)
	flat := LessThan(Sqrt(sumEvent(Square(grad))), Scalar(x.Graph(), x.DType(), threshold))
	stopped = LogicalOr(stopped, LogicalOr(flat, LogicalNot(IsFinite(sumEvent(x)))))

	after, _ := k.kernel().Step(env, before)
	next := make(ebm.State, own, own+2)
	for i := range next {
		next[i] = Where(stopped, before[i], after[i])
	}
	steps = Add(steps, ConvertDType(LogicalNot(stopped), dtypes.Int32))
	return append(next, steps, stopped), ebm.Info{}
}

// Stopped tells which chains have stopped, and the steps each has taken.
func (k StopAt) Stopped(s ebm.State) (stopped, steps *Node) { return s[len(s)-1], s[len(s)-2] }
