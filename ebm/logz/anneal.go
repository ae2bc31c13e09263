package logz

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/goebm/goebm/ebm"
)

// anneal is the walk of [AIS] from β = 0 to 1, or back, as a kernel on the target: T steps of it, driven by [ebm.Sampler], are one
// XLA loop. Its state is x, [n, event...], and the log weights, [n]; the inner kernel's caches are made anew at each temperature.
type anneal struct {
	base    ebm.Energy
	inner   ebm.Kernel
	betas   []float64 // β₀, …, β_T
	moves   int       // of the inner kernel at each temperature
	reverse bool
}

var _ ebm.Kernel = anneal{}

// Init starts at x with weights of 1.
func (k anneal) Init(_ ebm.Env, x *Node) ebm.State {
	return ebm.State{x, Zeros(x.Graph(), shapes.Make(x.DType(), x.Shape().Dimensions[0]))}
}

// Step weights by exp(E_{βₜ}(x) − E_{βₜ₊₁}(x)) = exp((βₜ₊₁−βₜ)(E₀(x) − E₁(x))) and moves at βₜ₊₁. The way back does the same in
// reverse order: it moves at βₜ₊₁, then weights, for t = T−1, …, 0.
func (k anneal) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, logW := s[0], s[1]
	t := env.Step
	if k.reverse {
		t = AddScalar(Neg(t), int32(len(k.betas)-2))
	}
	if !k.reverse {
		logW = Add(logW, k.logWeight(env, x, t))
	}
	x, accept := k.move(env, x, t)
	if k.reverse {
		logW = Add(logW, k.logWeight(env, x, t))
	}
	return ebm.State{x, logW}, ebm.Info{Accept: accept}
}

// logWeight is (βₜ₊₁−βₜ)(E₀(x) − E₁(x)), [n].
func (k anneal) logWeight(env ebm.Env, x, t *Node) *Node {
	rise := k.at(x, t, func(t int) float64 { return k.betas[t+1] - k.betas[t] })
	return Mul(Sub(k.base.Energy(x), env.Energy.Energy(x, env.Cond...)), rise)
}

// move takes the inner kernel's moves at βₜ₊₁, on E_β = (1−β)E₀ + βE₁.
func (k anneal) move(env ebm.Env, x, t *Node) (moved, accept *Node) {
	beta := k.at(x, t, func(t int) float64 { return k.betas[t+1] })
	rest := k.at(x, t, func(t int) float64 { return 1 - k.betas[t+1] })
	target := env.Energy
	env.Energy = ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
		return Add(Mul(k.base.Energy(x), rest), Mul(target.Energy(x, cond...), beta))
	})
	s := ebm.State(OptimizationBarriers(k.inner.Init(env, x)...)) // else XLA fuses move into move: see ebm.Unroll
	for range k.moves {
		var info ebm.Info
		s, info = k.inner.Step(env, s)
		s = OptimizationBarriers(s...)
		switch {
		case info.Accept == nil:
		case accept == nil:
			accept = info.Accept
		default:
			accept = Add(accept, info.Accept)
		}
	}
	if accept != nil && k.moves > 1 {
		accept = MulScalar(accept, 1/float64(k.moves))
	}
	return s[0], accept
}

// at is f(t), a scalar of x's type; f was computed in float64.
func (k anneal) at(x, t *Node, f func(t int) float64) *Node {
	values := make([]float64, len(k.betas)-1)
	for i := range values {
		values[i] = f(i)
	}
	return Gather(ConstAs(x, values), Reshape(t, 1))
}
