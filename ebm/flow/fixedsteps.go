package flow

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// FixedSteps is a kernel that follows x˙ = f(x, t) by steps of one length, so that [ebm.Sampler] runs it, with its trajectories,
// checkpoints and devices: step i goes from From + ih to From + (i+1)h, h = (To − From)/Steps. Ask the sampler for Steps steps to come to
// To. It leaves the energy alone: give the sampler [NoEnergy].
//
// A step takes the slopes of its method; the state is x, [n, event...]. Choose it where the number of evaluations is to be
// known, else [Solver]. Building panics where Field is nil, Steps is negative, or To is From.
type FixedSteps struct {
	Field    ebm.Field
	Method   Integrator // default RK4
	From, To float64    // default 0 to 1; To < From goes back in time
	Steps    int        // default 50
}

// NoisySteps is [FixedSteps] with noise: it follows dx = f(x, t) dt + g(x, t) dW, with the noise of the run's seed. To must be after
// From. It draws one normal a number, or two where the method reads the path's area.
type NoisySteps struct {
	Drift     ebm.Field
	Diffusion func(x, t *Node, cond ...*Node) *Node // of x's shape, or [n]: see SDE
	Method    StochasticIntegrator                  // default EulerMaruyama
	From, To  float64                               // default 0 to 1
	Steps     int                                   // default 250
}

// NoEnergy is 0 everywhere, for the [ebm.Sampler] of a kernel that asks for no energy.
var NoEnergy ebm.Energy = ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return ebm.ZeroTime(x) })

var (
	_ ebm.Kernel = FixedSteps{}
	_ ebm.Kernel = NoisySteps{}
)

// Init starts at x, [n, event...].
func (k FixedSteps) Init(_ ebm.Env, x *Node) ebm.State {
	if k.Field == nil {
		exceptions.Panicf("FixedSteps: Field is nil")
	}
	stepLength("FixedSteps", k.From, k.To, k.Steps, 50)
	return ebm.State{x}
}

// Step makes one step of every chain.
func (k FixedSteps) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	t, dt := stepTimes(env, s[0], k.From, stepLength("FixedSteps", k.From, k.To, k.Steps, 50))
	var method Integrator = RK4
	if k.Method != nil {
		method = k.Method
	}
	next, _ := method.Step(Along(k.Field, env.Cond...), s[0], t, dt)
	return ebm.State{next}, ebm.Info{}
}

// Init starts at x, [n, event...].
func (k NoisySteps) Init(_ ebm.Env, x *Node) ebm.State {
	if k.Drift == nil || k.Diffusion == nil {
		exceptions.Panicf("NoisySteps: Drift or Diffusion is nil")
	}
	if h := stepLength("NoisySteps", k.From, k.To, k.Steps, 250); h < 0 {
		exceptions.Panicf("NoisySteps: To must be after From, got %g and %g", k.To, k.From)
	}
	return ebm.State{x}
}

// Step makes one step of every chain.
func (k NoisySteps) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	t, dt := stepTimes(env, x, k.From, stepLength("NoisySteps", k.From, k.To, k.Steps, 250))
	var method StochasticIntegrator = EulerMaruyama{}
	if k.Method != nil {
		method = k.Method
	}
	sde := SDE{
		Drift:     Along(k.Drift, env.Cond...),
		Diffusion: func(x, t *Node) *Node { return k.Diffusion(x, t, env.Cond...) },
	}
	return ebm.State{method.Step(sde, x, t, dt, Brownian(method, env.Rand, x, dt))}, ebm.Info{}
}

// stepLength is h, with the defaults filled in.
func stepLength(kind string, from, to float64, steps, def int) float64 {
	if from == 0 && to == 0 {
		to = 1
	}
	if steps == 0 {
		steps = def
	}
	if steps < 0 || to == from {
		exceptions.Panicf("%s: want To other than From, and Steps of at least 1, or 0 for the default of %d; got %g, %g and %d", kind, def, to, from, steps)
	}
	return (to - from) / float64(steps)
}

// stepTimes are the time at which env's step begins, and its length, [n] each.
func stepTimes(env ebm.Env, x *Node, from, h float64) (t, dt *Node) {
	zero := ebm.ZeroTime(x)
	begin := AddScalar(MulScalar(ConvertDType(env.Step, x.DType()), h), from)
	return Add(zero, begin), AddScalar(zero, h)
}
