package ebm

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Env is all that a kernel may read beside its state.
type Env struct {
	Energy Energy
	Cond   []*Node // conditioning, n rows each; usually empty
	Step   *Node   // Int32 scalar: the number of the step, from 0
	Rand   *Rand   // this step's noise
}

// ValueGrad builds the energy and its gradient at x, with the environment's conditioning.
func (env Env) ValueGrad(x *Node) (value, grad *Node) { return ValueGrad(env.Energy, x, env.Cond...) }

// at is the environment of another step: its noise starts afresh from use 0.
func (env Env) at(step *Node) Env {
	env.Step, env.Rand = step, env.Rand.At(step)
	return env
}

// State is what a kernel carries from step to step: State[0] is the position [n, event...], the rest
// its caches (energy, gradient, momentum, …). Every entry has n rows.
type State []*Node

// Info is what a step tells beside the new state; each is nil where the kernel has no such thing.
type Info struct {
	Accept *Node // [n], the probability with which each chain's proposal was accepted, in [0, 1]
	Energy *Node // [n], the energy of the new position, when it came for free
}

// Kernel is one MCMC move or one step of an optimiser, as a pure graph function: state in, state out.
// The driver runs it as one XLA loop, as unrolled chunks, or inside a loss; the kernel knows nothing of the three.
//
// What Step may use: its arguments and constants. What it may not: nodes built elsewhere, a Scope's random
// numbers, While, If, Sort (a loop's body captures nothing and holds no other function).
type Kernel interface {
	Init(env Env, x *Node) State
	Step(env Env, s State) (State, Info)
}

// Unroll builds n steps of k from s, in line; env.Step is the number of the first. It is for few steps: each adds its nodes to
// the graph, and XLA's CPU compiler takes exponentially long over many steps of an energy of one-dimensional points without a
// matrix product (it fuses step into step, and computes anew what it meets again under another shape).
func Unroll(env Env, k Kernel, s State, n int) (State, Info) {
	var info Info
	for i := range n {
		step := env.Step
		if i > 0 {
			step = AddScalar(step, int32(i))
		}
		s, info = k.Step(env.at(step), s)
	}
	return s, info
}
