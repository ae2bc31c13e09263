package ebm

import (
	"cmp"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// PolynomialDecay falls as a power of the step,
//
//	v(n) = Start·(1 + n/N)^−γ,
//
// which is a(b + n)^−γ with b = N and a = Start·N^γ. With ½ < γ ≤ 1 the values add up to infinity and their squares do not,
// as stochastic approximation and stochastic-gradient Langevin dynamics want of a step size.
//
// H. Robbins, S. Monro, "A Stochastic Approximation Method", Ann. Math. Statist. 22(3), 1951, doi:10.1214/aoms/1177729586;
// M. Welling, Y. W. Teh, "Bayesian Learning via Stochastic Gradient Langevin Dynamics", ICML 2011.
type PolynomialDecay struct {
	Start float64 // default 1
	Steps int     // N, after which the value is 2^−γ times Start, default 100
	Power float64 // γ > 0, default 0.55
}

var _ Schedule = PolynomialDecay{}

// At builds v(step).
func (s PolynomialDecay) At(step *Node, dtype dtypes.DType) *Node {
	steps, power := cmp.Or(float64(s.Steps), 100), cmp.Or(s.Power, 0.55)
	if !(steps > 0) {
		exceptions.Panicf("PolynomialDecay: Steps must be positive, got %d", s.Steps)
	}
	if !(power > 0) {
		exceptions.Panicf("PolynomialDecay: Power must be positive, got %g", s.Power)
	}
	n := MulScalar(ConvertDType(step, dtypes.Float64), 1/steps)
	return ConvertDType(MulScalar(Exp(MulScalar(Log1P(n), -power)), cmp.Or(s.Start, 1)), dtype)
}
