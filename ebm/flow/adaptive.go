package flow

import (
	"cmp"
	"math"

	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"
)

// Adaptive follows x˙ = f(x, t) by steps as long as a tolerance allows, each chain by its own. With e the estimated error of a
// step, a chain's figure is the root mean square over its event,
//
//	ε = √mean((e / (ATol + RTol·max(|x|, |x'|)))²),
//
// a step is taken if ε ≤ 1, and with p the method's order and ε₀ the figure of the step taken before, the next length is
//
//	h·0.9·ε^(−0.7/p)·ε₀^(0.4/p) after a step taken (proportional–integral control),   h·0.9·ε^(−1/p) after one refused,
//
// at least 0.2 and at most 10 times the last. A step with a number that is not finite is refused. The first length is chosen from two slopes.
// Steps end exactly at the times asked for, so that the values there have the solver's own accuracy, at the price of a step
// each at least.
//
// Choose it where some chains need short steps, or where a tolerance is to be kept; fixed steps of [RK4] where the
// number of evaluations must be. In Float32 RTol below about 10⁻⁵ is lost in rounding.
//
// E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, 1993, doi:10.1007/978-3-540-78862-1, §II.4;
// K. Gustafsson, Control theoretic techniques for stepsize selection in explicit Runge–Kutta methods, ACM Trans. Math. Softw. 17
// (1991), doi:10.1145/210232.210242.
type Adaptive struct {
	Method     Tableau // with an embedded method, default Tsit5
	RTol, ATol float64 // default 1e-4 and 1e-6

	FirstStep float64 // default: chosen from the slopes at the start
	MinStep   float64 // a chain that would need shorter ones stops there; steps that end at a time asked for may be shorter. Default: 8 roundings of the time
	MaxStep   float64 // default: none
	MaxSteps  int     // steps, taken or refused, after which a chain is left where it is. Default 10 000
}

// withDefaults fills in the defaults, or says which field is wrong.
func (a Adaptive) withDefaults() (Adaptive, error) {
	if len(a.Method.A) == 0 {
		a.Method = Tsit5
	}
	if a.Method.E == nil {
		return a, errors.New("flow: Adaptive.Method must have an embedded method, as Heun, Bosh3, Dopri5, Tsit5 and Dopri8 have")
	}
	a.RTol, a.ATol = cmp.Or(a.RTol, 1e-4), cmp.Or(a.ATol, 1e-6)
	a.MaxStep = cmp.Or(a.MaxStep, math.Inf(1))
	for _, c := range []struct {
		name string
		v    float64
	}{{"RTol", a.RTol}, {"ATol", a.ATol}, {"FirstStep", a.FirstStep}, {"MinStep", a.MinStep}, {"MaxStep", a.MaxStep}} {
		if !(c.v >= 0) || math.IsInf(c.v, 1) && c.name != "MaxStep" {
			return a, errors.Errorf("flow: Adaptive.%s must be positive and finite, or 0 for the default, got %g", c.name, c.v)
		}
	}
	if a.MinStep > a.MaxStep {
		return a, errors.Errorf("flow: Adaptive.MinStep must be at most MaxStep = %g, got %g", a.MaxStep, a.MinStep)
	}
	if a.MaxSteps < 0 {
		return a, errors.Errorf("flow: Adaptive.MaxSteps must be positive, or 0 for the default of 10000, got %d", a.MaxSteps)
	}
	if a.MaxSteps == 0 {
		a.MaxSteps = 10_000
	}
	return a, nil
}

// solving is an Adaptive as a kernel, so that ebm's driver runs it: one While on XLA, chunks and a host loop elsewhere. The first
// conditioning are the times, [n, m+1], where to start and where to stop by, m ≥ 1 times on; the rest is the field's.
type solving struct {
	Adaptive
	field ebm.Field
}

var _ ebm.Stopper = solving{}

// The state after x, [n, event...].
const (
	atTime    = 1 + iota // t, [n]
	atSize               // the length to try next, [n]
	atBefore             // ε of the last step taken, [n]
	atStatus             // [n] Int32
	atEvals              // slopes taken, [n] Int32
	atTried              // steps, [n] Int32
	atTaken              // of these, [n] Int32
	atReached            // times reached, [n] Int32
	atValues             // x there, NaN where it is still to come, [n, m, event...]
	atSlope              // f(x, t), [n, event...], where the method can go on from it
)

func (k solving) follow(env ebm.Env) func(x, t *Node) *Node { return Along(k.field, env.Cond[1:]...) }

// Init starts at x, [n, event...].
func (k solving) Init(env ebm.Env, x *Node) ebm.State {
	g, dtype, n := x.Graph(), x.DType(), x.Shape().Dimensions[0]
	times := env.Cond[0]
	m := times.Shape().Dimensions[1] - 1
	t := column(times, 0)
	f := k.follow(env)
	first, evals := slope("the field", f, x, t), 1
	size := BroadcastToDims(Scalar(g, dtype, k.FirstStep), n)
	if k.FirstStep == 0 {
		size, evals = k.firstStep(f, x, t, Sub(column(times, m), t), first), 2
	} else if !k.Method.firstSameAsLast() {
		evals = 0 // the step takes its first slope itself
	}
	counts := func(v int) *Node { return BroadcastToDims(Const(g, int32(v)), n) }
	state := ebm.State{x, t, size, OnesLike(t), counts(0), counts(evals), counts(0), counts(0), counts(0),
		BroadcastToDims(Scalar(g, dtype, math.NaN()), append([]int{n, m}, x.Shape().Dimensions[1:]...)...)}
	if k.Method.firstSameAsLast() {
		state = append(state, first)
	}
	return state
}

// firstStep is the starting length of Hairer, Nørsett and Wanner: that of an Euler step of a hundredth of the tolerated error, with the
// second derivative from a difference.
func (k solving) firstStep(f func(x, t *Node) *Node, x, t, span, first *Node) *Node {
	scale := AddScalar(MulScalar(Abs(x), k.RTol), k.ATol)
	d0, d1 := rms(Div(x, scale)), rms(Div(first, scale))
	tiny := LogicalOr(LessThan(d0, ConstAs(d0, 1e-5)), LessThan(d1, ConstAs(d1, 1e-5)))
	h0 := Min(Where(tiny, ConstAs(d0, 1e-6), MulScalar(Div(d0, d1), 0.01)), Abs(span))
	dt := Mul(h0, Sign(span))
	second := f(Add(x, Mul(first, AlongRows(dt, x))), Add(t, dt))
	d2 := Div(rms(Div(Sub(second, first), scale)), MaxScalar(h0, 1e-30))
	steep := Max(d1, d2)
	h1 := Pow(Div(ConstAs(steep, 0.01), MaxScalar(steep, 1e-15)), ConstAs(steep, 1/float64(k.Method.P)))
	size := Min(MulScalar(h0, 100), Where(LessOrEqual(steep, ConstAs(steep, 1e-15)), Max(MulScalar(h0, 1e-3), ConstAs(h0, 1e-6)), h1))
	return Where(IsFinite(size), size, h0)
}

// rms is the root mean square over each event, [n].
func rms(x *Node) *Node {
	n := x.Shape().Dimensions[0]
	return Sqrt(ReduceMean(Square(Reshape(x, n, x.Shape().Size()/n)), 1))
}

// column is the j-th of a matrix's columns, [n].
func column(v *Node, j int) *Node {
	return Reshape(Slice(v, AxisRange(), AxisRange(j, j+1)), v.Shape().Dimensions[0])
}
