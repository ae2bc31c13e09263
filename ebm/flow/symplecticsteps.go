package flow

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
)

// SymplecticSteps is a kernel that follows Hamilton's equations by steps of one length, so that [ebm.Sampler] runs it: those of the
// sampler's energy, H = E(x) + ½|p|² with its conditioning, unless Of says another. Step i goes from From + ih to From + (i+1)h,
// h = (To − From)/Steps. Ask the sampler for Steps steps to come to To.
//
// Momenta begin at N(0, I), drawn from the run's seed. The state is x and p, [n, event...], and, of a [Splitting] that begins and ends with a
// kick, as [Leapfrog] does, the last kick's force, which the next step begins with: that saves one force a step. From chosen momenta
// start with [ebm.Options].Resume, at step 0. Choose it to look at trajectories; to sample, samplers.HMC makes of them moves that
// leave exp(−E) invariant. Building panics where Steps is negative, or To is From.
type SymplecticSteps struct {
	Of       Hamiltonian // default: Separable of the sampler's energy; give the sampler NoEnergy otherwise
	Method   Symplectic  // default Leapfrog
	From, To float64     // default 0 to 1; To < From goes back in time
	Steps    int         // default 50
}

var _ ebm.Kernel = SymplecticSteps{}

// Init starts at x, [n, event...], with momenta drawn afresh.
func (k SymplecticSteps) Init(env ebm.Env, x *Node) ebm.State {
	stepLength("SymplecticSteps", k.From, k.To, k.Steps, 50)
	state := ebm.State{x, env.Rand.Normal(x.Shape())}
	if m, ok := k.method().(Splitting); ok && m.firstSameAsLast() {
		state = append(state, k.hamiltonian(env).force(x, state[1], AddScalar(ebm.ZeroTime(x), k.From)))
	}
	return state
}

// Step makes one step of every chain.
func (k SymplecticSteps) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, p := s[0], s[1]
	t, dt := stepTimes(env, x, k.From, stepLength("SymplecticSteps", k.From, k.To, k.Steps, 50))
	h, method := k.hamiltonian(env), k.method()
	if m, ok := method.(Splitting); ok && m.firstSameAsLast() {
		x, p, force := m.stages(h, x, p, t, dt, s[2])
		return ebm.State{x, p, force}, ebm.Info{}
	}
	x, p = method.Step(h, x, p, t, dt)
	return ebm.State{x, p}, ebm.Info{}
}

func (k SymplecticSteps) method() Symplectic {
	if k.Method == nil {
		return Leapfrog
	}
	return k.Method
}

// hamiltonian is Of, with the sampler's energy in the place of what it leaves out.
func (k SymplecticSteps) hamiltonian(env ebm.Env) Hamiltonian {
	h, own := k.Of, Separable(env.Energy, env.Cond...)
	if h.Velocity == nil {
		h.Velocity = own.Velocity
	}
	if h.Force == nil {
		h.Force = own.Force
	}
	return h
}
