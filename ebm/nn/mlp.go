package nn

import (
	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// MLP is an energy that is a multilayer perceptron: with h₀ = x,
//
//	hₗ = φ(hₗ₋₁ Wₗ + bₗ) for each of the hidden layers,    E(x) = h Wₒ + bₒ.
//
// x is [n, event...], flattened to [n, d]. Weights start uniformly in ±√(6/the layer's inputs), He's range, with which an energy
// learns twice as fast as with PyTorch's default of a sixth of that variance; biases in ±1/√(inputs), for with biases of 0 the
// first layer's units would all bend in the origin. They are of x's type, and live under Scope.
//
// Conditioning enters the first layer, as further inputs would: numbers, [n, c...], by a weight matrix each, and
// labels, whole numbers [n] or [n, 1] from 0 to Classes−1, by one row of weights a class, which starts uniformly in ±1.
// A label outside makes the energy NaN.
//
// With SpectralNorm each of the layers that x goes through is divided by its largest singular value, so that E has no
// slope of more than about 1.1^len(Widths) (the slope of SiLU is at most 1.1). Where the data asks for a steeper one, put the
// energy into an [ebm.Scaled]. The singular value is followed by one power iteration a training step, so that it is
// underestimated during the first few.
//
// K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015, arXiv:1502.01852. Spectral norm: T. Miyato et al., "Spectral
// normalization for generative adversarial networks", ICLR 2018, arXiv:1802.05957.
type MLP struct {
	Scope        *model.Scope    // where the weights live
	Widths       []int           // units of each hidden layer, default 64, 64
	Activation   activation.Type // φ, default SiLU
	SpectralNorm bool            // divide each layer by its largest singular value
	Classes      int             // of the labels, where the conditioning has some
}

var (
	_ ebm.Energy    = MLP{}
	_ ebm.Validator = MLP{}
)

// MLPEnergy is an [MLP] with SiLU units and hidden layers of the given widths (default 64, 64), whose weights live
// under scope.
func MLPEnergy(scope *model.Scope, widths ...int) MLP { return MLP{Scope: scope, Widths: widths} }

func (e MLP) stack() stack {
	return stack{"MLP", e.Scope, e.Widths, e.Activation, e.SpectralNorm, e.Classes}
}

// Validate tells whether there is a scope, and the sizes are positive.
func (e MLP) Validate() error { return e.stack().validate() }

// Energy builds E(x), [n].
func (e MLP) Energy(x *Node, cond ...*Node) *Node {
	value, _ := e.stack().build(x, cond, 1)
	return Reshape(value, x.Shape().Dimensions[0])
}
