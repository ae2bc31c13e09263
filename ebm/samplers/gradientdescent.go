package samplers

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
)

// GradientDescent looks for a mode, from every start at once:
//
//	x' = x − η∇E(x)
//
// It converges to a minimum of a smooth energy for η below 2/L, where L is the largest curvature on the way.
// Choose it to find modes; it does not sample. It carries x, [n, event...], and draws nothing.
//
// Building panics on a Fixed step size that is not positive.
//
// Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées, C. R. Acad. Sci. Paris 25 (1847).
type GradientDescent struct {
	StepSize ebm.Schedule // η > 0, default 0.001
}

var _ ebm.Kernel = GradientDescent{}

// Init starts at x, [n, event...].
func (k GradientDescent) Init(_ ebm.Env, x *Node) ebm.State {
	checkSchedule("GradientDescent", "StepSize", k.StepSize, true)
	return ebm.State{x}
}

// Step moves every chain once.
func (k GradientDescent) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	_, grad := env.ValueGrad(x)
	eta := ebm.OrFixed(k.StepSize, 1e-3).At(env.Step, x.DType())
	return ebm.State{Sub(x, Mul(grad, eta))}, ebm.Info{}
}
