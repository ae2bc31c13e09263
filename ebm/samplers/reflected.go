package samplers

import (
	"math"

	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Reflected keeps the positions of any kernel in a box by folding them back at its walls, as often as it takes. The
// kernel itself moves in unfolded space, on the energy
//
//	Ẽ(x) = E(F(x)),   F(x) = x in the box, mirrored at each wall passed
//
// so that inside a step its path bounces off the walls, and afterwards the position becomes F(x). Entries of the state that have the
// shape of x are taken for vectors, gradients or momenta, and turn with it: they change sign in a number that was mirrored an
// odd number of times. E is asked for points of the box only.
//
// What is invariant. Mirrorings map Ẽ onto itself. Let a kernel leave exp(−Ẽ) invariant and be symmetric, that is move
// from a mirrored point to mirrored places. Then F of its chain is a Markov chain and leaves exp(−E) on the box
// invariant: all that folds onto a set is its mirror images, each reached as the set is from mirrored starts.
//
//   - [HMC] is exact, with a scalar or diagonal mass: leapfrog steps of any gradient field keep volume and can be reversed, and
//     Ẽ is in the Metropolis test. At walls where E rises or falls Ẽ has a kink, which costs acceptance only.
//   - Not with a dense mass: the law of the momenta is then not symmetric. Building panics.
//   - [Langevin] has its bias of order η and no other: this is the symmetrised Euler scheme of the reflected diffusion.
//   - Optimisers find the minima in the box.
//
// Around it: [DualAveraging]. Inside it must be no kernel that carries positions elsewhere than in State[0], or an entry of x's
// shape that is no vector. Building panics where Kernel is nil, no bound is given, or bounds are out of order or of another number.
//
// Bossy, Gobet and Talay, A symmetrized Euler scheme for an efficient approximation of reflected diffusions, J. Appl. Probab. 41
// (2004), doi:10.1239/jap/1091543431; for HMC: Neal 2011, arXiv:1206.1901, §5.1.
type Reflected struct {
	Kernel ebm.Kernel
	Lo     []float64 // one wall for all numbers of an event, or one each; default −∞
	Hi     []float64 // likewise; default +∞
}

var _ Tunable = Reflected{}

// WithStepSize is the wrapper around its kernel with another step size.
func (k Reflected) WithStepSize(s ebm.Schedule) ebm.Kernel {
	k.Kernel = tunable("Reflected", k.Kernel).WithStepSize(s)
	return k
}

// Init starts at x, [n, event...], folded.
func (k Reflected) Init(env ebm.Env, x *Node) ebm.State {
	if k.Kernel == nil {
		exceptions.Panicf("Reflected: Kernel is nil")
	}
	if hmc, ok := k.Kernel.(HMC); ok {
		if _, dense := hmc.Mass.(DenseMass); dense {
			exceptions.Panicf("Reflected: HMC's Mass must be scalar or diagonal, got a dense one, which walls are not symmetric for")
		}
	}
	x, _ = k.fold(x)
	return k.Kernel.Init(k.unfolded(env), x)
}

// Step moves every chain once.
func (k Reflected) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	s, info := k.Kernel.Step(k.unfolded(env), s)
	x, sign := k.fold(s[0])
	next := ebm.State{x}
	for _, entry := range s[1:] {
		if entry.Shape().Equal(x.Shape()) {
			entry = Mul(entry, sign)
		}
		next = append(next, entry)
	}
	return next, info
}

// unfolded is the environment with the energy Ẽ.
func (k Reflected) unfolded(env ebm.Env) ebm.Env {
	inside := env.Energy
	env.Energy = ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
		x, _ = k.fold(x)
		return inside.Energy(x, cond...)
	})
	return env
}

// fold is F(x) and, of x's shape, its derivative: 1, or −1 where a number is mirrored. F = s·x + t with s and t constant
// on each cell, in which form it has the right gradient; in the box s is 1 and t is 0, and nothing is rounded.
func (k Reflected) fold(x *Node) (folded, sign *Node) {
	lo, hi := box{"Reflected", k.Lo, k.Hi}.bounds(x)
	wall, width, side := make([]float64, len(lo)), make([]float64, len(lo)), make([]float64, len(lo))
	both, allBoth := make([]bool, len(lo)), true
	for i := range lo {
		wall[i], width[i], both[i] = lo[i], hi[i]-lo[i], true
		if math.IsInf(width[i], 1) { // at most one wall: it is passed where side·(x − wall) < 0
			width[i], both[i], allBoth = 1, false, false
			switch {
			case !math.IsInf(lo[i], -1):
				side[i] = 1
			case !math.IsInf(hi[i], 1):
				wall[i], side[i] = hi[i], -1
			default:
				wall[i] = 0
			}
		}
	}
	// Cells [Lo + c·width, Lo + (c+1)·width): those of odd c are mirrored, at the wall 2m = 2Lo + (c+1)·width.
	from := Sub(x, perEvent(x, wall))
	cell := Floor(Div(from, perEvent(x, width)))
	mirrored := GreaterThan(Sub(cell, MulScalar(Floor(MulScalar(cell, 0.5)), 2)), ScalarZero(x.Graph(), x.DType()))
	shift := Neg(Mul(cell, perEvent(x, width)))
	twice := MulScalar(perEvent(x, wall), 2)
	mirror := Add(Mul(AddScalar(cell, 1), perEvent(x, width)), twice)
	if !allBoth {
		two := perEventBool(x, both)
		mirrored = Where(two, mirrored, LessThan(Mul(from, perEvent(x, side)), ScalarZero(x.Graph(), x.DType())))
		shift = Where(two, shift, ZerosLike(shift))
		mirror = Where(two, mirror, BroadcastToShape(twice, x.Shape()))
	}
	sign = StopGradient(Where(mirrored, Neg(OnesLike(x)), OnesLike(x)))
	folded = Add(Mul(x, sign), StopGradient(Where(mirrored, mirror, shift)))
	rounding := Sub(Clamped{Lo: lo, Hi: hi}.hold(folded), folded) // far out, F may miss the box by one
	return Add(folded, StopGradient(rounding)), sign
}
