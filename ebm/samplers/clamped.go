package samplers

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Clamped holds the positions of any kernel in a box: a number that a step takes beyond a bound is put on the bound.
//
//	x' = min(max(step(x), Lo), Hi)
//
// No law is left invariant: mass piles up on the walls. Choose it where positions must stay in range and exactness
// does not matter, as for the pixels of images inside contrastive divergence; [Reflected] where the law inside the box
// matters, or the energy [ebm.InBox] with a kernel that accepts or rejects.
//
// The rest of the state of a chain that was moved is what Kernel.Init gives for it: a cache never belongs to another
// position, and a momentum begins anew. So a kernel with caches is asked for one more gradient a step, and one that
// carries numbers common to all chains ([DualAveraging]) must not be inside. Start positions are clamped too; NaN stays NaN.
//
// Building panics where Kernel is nil, neither bound is given, or they are out of order or not as many as an event's numbers.
type Clamped struct {
	Kernel ebm.Kernel
	Lo     []float64 // one bound for all numbers of an event, or one each; default −∞
	Hi     []float64 // likewise; default +∞
}

var _ ebm.Kernel = Clamped{}

// Init starts at x, [n, event...], clamped.
func (k Clamped) Init(env ebm.Env, x *Node) ebm.State {
	if k.Kernel == nil {
		exceptions.Panicf("Clamped: Kernel is nil")
	}
	return k.Kernel.Init(env, k.hold(x))
}

// Step moves every chain once. Info has no Energy: that of a position on the bound is not known.
func (k Clamped) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	s, info := k.Kernel.Step(env, s)
	info.Energy = nil
	x := k.hold(s[0])
	next := ebm.State{x}
	if len(s) > 1 {
		n := x.Shape().Dimensions[0]
		moved := ReduceLogicalOr(Reshape(NotEqual(x, s[0]), n, x.Shape().Size()/n), 1) // [n]
		env.Rand = env.Rand.Fold()
		fresh := k.Kernel.Init(env, x)
		for i := 1; i < len(s); i++ {
			next = append(next, Where(moved, fresh[i], s[i]))
		}
	}
	return next, info
}

// hold puts x into the box.
func (k Clamped) hold(x *Node) *Node {
	lo, hi := box{"Clamped", k.Lo, k.Hi}.bounds(x)
	low, high := BroadcastToShape(perEvent(x, lo), x.Shape()), BroadcastToShape(perEvent(x, hi), x.Shape())
	x = Where(LessThan(x, low), low, x) // keeps NaN, which Max would not on every backend
	return Where(GreaterThan(x, high), high, x)
}
