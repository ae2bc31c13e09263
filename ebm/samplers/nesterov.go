package samplers

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
)

// Nesterov looks for a mode by gradient descent with momentum, the gradient taken where the momentum leads:
//
//	v' = μv − η∇E(x + μv),   x' = x + v',   v = 0 at the start
//
// Choose it over [GradientDescent] where the energy is a narrow valley: with condition number κ it needs of the
// order of √κ steps and not κ. It carries x and v, [n, event...] each, and draws nothing.
//
// Building panics on a Fixed step size that is not positive and on a negative Fixed momentum.
//
// Nesterov, A method for solving the convex programming problem with convergence rate O(1/k²), Dokl. Akad. Nauk
// SSSR 269 (1983); in this form: Sutskever, Martens, Dahl and Hinton, On the importance of initialization and
// momentum in deep learning, ICML 2013.
type Nesterov struct {
	StepSize ebm.Schedule // η > 0, default 0.001
	Momentum ebm.Schedule // μ in [0, 1), default 0.9
}

var _ ebm.Kernel = Nesterov{}

// Init starts at x, [n, event...], at rest.
func (k Nesterov) Init(_ ebm.Env, x *Node) ebm.State {
	checkSchedule("Nesterov", "StepSize", k.StepSize, true)
	checkSchedule("Nesterov", "Momentum", k.Momentum, false)
	return ebm.State{x, ZerosLike(x)}
}

// Step moves every chain once.
func (k Nesterov) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, v := s[0], s[1]
	eta := ebm.OrFixed(k.StepSize, 1e-3).At(env.Step, x.DType())
	v = Mul(v, ebm.OrFixed(k.Momentum, 0.9).At(env.Step, x.DType()))
	_, grad := env.ValueGrad(Add(x, v))
	v = Sub(v, Mul(grad, eta))
	return ebm.State{Add(x, v), v}, ebm.Info{}
}
