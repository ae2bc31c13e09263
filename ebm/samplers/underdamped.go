package samplers

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
)

// UnderdampedLangevin is Langevin dynamics with inertia,
//
//	dx = M⁻¹p dt,   dp = −∇E(x) dt − γp dt + √(2γ)·dW,   cov(dW) = M dt,
//
// by the splitting BAOAB: with c = exp(−γh) and z ~ N(0, M) a step is
//
//	p ← p − ½h∇E(x);   x ← x + ½hM⁻¹p;   p ← cp + √(1−c²)·z;   x ← x + ½hM⁻¹p;   p ← p − ½h∇E(x).
//
// There is no Metropolis test: the law it leaves invariant is off by the order of h². On a Gaussian positions are exact all
// the same, at any stable h, below 2/ω at the highest frequency ω² of M⁻¹∇²E: it is the momenta that are off, their
// covariance M − ¼h²∇²E. Elsewhere the bias of the positions shrinks as γ grows.
//
// γ and ω are rates; chains forget fastest with γ at about twice the lowest ω, and γ = 0 is [Leapfrog] without noise. The
// state is x, p and ∇E(x), all [n, event...]: a step takes one gradient. Momenta start from N(0, M). Info has Energy.
// Choose it before [Langevin] where a small bias does no harm, since its steps are longer for the same bias; [HMC] where
// samples must be exact.
//
// Building panics on a Fixed step size that is not positive, a negative Fixed friction and a mass of the wrong length.
//
// Leimkuhler and Matthews, Rational construction of stochastic numerical methods for molecular sampling, Appl. Math. Res.
// Express 2013, doi:10.1093/amrx/abs010, arXiv:1203.5428.
type UnderdampedLangevin struct {
	StepSize ebm.Schedule // h > 0, default 0.1
	Friction ebm.Schedule // γ ≥ 0, default 1
	Mass     Mass         // M, default the identity
}

var _ ebm.Kernel = UnderdampedLangevin{}

// Init starts at x, [n, event...], with momenta drawn afresh.
func (k UnderdampedLangevin) Init(env ebm.Env, x *Node) ebm.State {
	checkSchedule("UnderdampedLangevin", "StepSize", k.StepSize, true)
	checkSchedule("UnderdampedLangevin", "Friction", k.Friction, false)
	_, grad := env.ValueGrad(x)
	return ebm.State{x, k.mass().Momentum(env.Rand.Normal(x.Shape())), grad}
}

// Step moves every chain once.
func (k UnderdampedLangevin) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	return k.move(env, s, env.Rand.Normal(s[0].Shape()))
}

// WithStepSize is the kernel with another h.
func (k UnderdampedLangevin) WithStepSize(s ebm.Schedule) ebm.Kernel { k.StepSize = s; return k }

// move is the step for given standard normals z, of x's shape.
func (k UnderdampedLangevin) move(env ebm.Env, s ebm.State, z *Node) (ebm.State, ebm.Info) {
	x, p, grad := s[0], s[1], s[2]
	mass := k.mass()
	h := ebm.OrFixed(k.StepSize, 0.1).At(env.Step, x.DType())
	decay := Neg(Mul(h, ebm.OrFixed(k.Friction, 1).At(env.Step, x.DType()))) // −γh
	half := MulScalar(h, 0.5)

	p = Sub(p, Mul(grad, half))
	x = Add(x, Mul(mass.Velocity(p), half))
	p = Add(Mul(p, Exp(decay)), Mul(mass.Momentum(z), Sqrt(Neg(Expm1(MulScalar(decay, 2))))))
	x = Add(x, Mul(mass.Velocity(p), half))
	energy, grad := env.ValueGrad(x)
	p = Sub(p, Mul(grad, half))
	return ebm.State{x, p, grad}, ebm.Info{Energy: energy}
}

func (k UnderdampedLangevin) mass() Mass {
	if k.Mass == nil {
		return ScalarMass(1)
	}
	return k.Mass
}
