package samplers

import (
	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// MALA is the Metropolis-adjusted Langevin algorithm: a step of [Langevin], preconditioned by a mass matrix M, is a proposal,
//
//	x' ~ q(·|x) = N(x − ηM⁻¹∇E(x), 2ηM⁻¹),
//
// that is accepted with probability min(1, exp(E(x) − E(x'))·q(x|x')/q(x'|x)), which leaves exp(−E) exactly invariant at
// any step size. It is [HMC] with a single leapfrog step of size √(2η), and so computed: q(x|x')/q(x'|x) is what the
// kinetic energy loses. A proposal that is not finite is refused.
//
// The state is x [n, event...], E(x) [n] and ∇E(x): a step takes one gradient. Info has Accept and Energy. Aim at an
// acceptance of 0.57; η then falls as d^(−1/3) with the dimension. Choose it for exact samples where gradients are dear
// and the target is not far from round, or M makes it so; else HMC goes farther for the same work.
//
// Building panics on a Fixed step size that is not positive and a mass of the wrong length.
//
// Roberts and Tweedie, Exponential convergence of Langevin distributions and their discrete approximations,
// Bernoulli 2 (1996), doi:10.2307/3318418; Roberts and Rosenthal, Optimal scaling of discrete approximations to Langevin
// diffusions, J. R. Stat. Soc. B 60 (1998), doi:10.1111/1467-9868.00123.
type MALA struct {
	StepSize ebm.Schedule // η > 0, default 0.1
	Mass     Mass         // M, default the identity; best near the inverse of the target's covariance, as [WarmUp] with a Target of 0.574 makes it
}

var _ Preconditioned = MALA{}

// Init starts at x, [n, event...].
func (k MALA) Init(env ebm.Env, x *Node) ebm.State {
	checkSchedule("MALA", "StepSize", k.StepSize, true)
	return k.leap().Init(env, x)
}

// Step makes one proposal for every chain.
func (k MALA) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	z, u := env.Rand.Normal(x.Shape()), env.Rand.Uniform(shapes.Make(x.DType(), x.Shape().Dimensions[0]))
	eta := ebm.OrFixed(k.StepSize, 0.1).At(env.Step, x.DType())
	return k.leap().transition(env, s, z, u, Sqrt(MulScalar(eta, 2)))
}

// WithStepSize is the kernel with another η.
func (k MALA) WithStepSize(s ebm.Schedule) ebm.Kernel { k.StepSize = s; return k }

// WithMass is the kernel with another M.
func (k MALA) WithMass(m Mass) Tunable { k.Mass = m; return k }

// leap is the HMC that makes the same move.
func (k MALA) leap() HMC { return HMC{Leapfrog: 1, Mass: k.Mass} }
