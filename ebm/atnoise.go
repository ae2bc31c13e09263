package ebm

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// AtNoise makes an ordinary energy of a noise-conditional one, by holding it at one level σ:
//
//	E(x) = Of(x, cond..., log σ),    log σ of x's type, [n, 1].
//
// A noise-conditional energy is an [Energy] that takes log σ as its last conditioning and stands, at each σ, for the density of
// data with noise of that standard deviation added. AtNoise is how one is drawn, evaluated, or given to any sampler; the
// annealed ones ask for it by name, and put their own levels in place of Sigma.
type AtNoise struct {
	Of    Energy  // takes x, the conditioning if any, and log σ
	Sigma float64 // σ, default 0.01, where a [Ladder] ends
}

var (
	_ Energy    = AtNoise{}
	_ Validator = AtNoise{}
)

// Energy builds E(x), [n].
func (e AtNoise) Energy(x *Node, cond ...*Node) *Node {
	check(e.Validate())
	return e.Of.Energy(x, NoiseCond(x, Scalar(x.Graph(), x.DType(), cmp.Or(e.Sigma, 0.01)), cond...)...)
}

// Validate tells whether the energy is valid and the level positive.
func (e AtNoise) Validate() error {
	if !(e.Sigma >= 0) || math.IsInf(e.Sigma, 1) {
		return errors.Errorf("AtNoise: Sigma must be positive and finite, got %g", e.Sigma)
	}
	return errors.WithMessage(Validate(e.Of), "AtNoise: Of")
}

// NoiseCond is the conditioning of a noise-conditional energy at x, [n, event...]: cond, and after it log σ, [n, 1]. sigma is a
// level for all rows, a scalar, or one for each, [n].
func NoiseCond(x, sigma *Node, cond ...*Node) []*Node {
	n := x.Shape().Dimensions[0]
	if !sigma.IsScalar() && !(sigma.Rank() == 1 && sigma.Shape().Dimensions[0] == n) {
		exceptions.Panicf("NoiseCond: sigma must be a scalar or one level for each of %d rows, got %s", n, sigma.Shape())
	}
	column := Log(ConvertDType(sigma, x.DType()))
	if sigma.IsScalar() {
		column = BroadcastToShape(column, shapes.Make(x.DType(), n, 1))
	}
	return append(append([]*Node{}, cond...), Reshape(column, n, 1))
}
