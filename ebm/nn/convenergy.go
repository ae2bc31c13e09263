package nn

import (
	"cmp"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// ConvEnergy is an energy of pictures x, [n, height, width, channels], that is a convolutional network: with h₀ = x,
//
//	hₗ = φ(Kₗ ∗ hₗ₋₁ + bₗ),    E(x) = ⟨w, h⟩ + b.
//
// The first convolution keeps the picture's size, each further one moves in steps of 2 and halves it, rounded up. Around the picture are zeros, as
// many as that takes (the SAME of other libraries: of an odd number the one more is below or to the right). The last h is taken as it is, place
// by place and not averaged: E knows where in the picture things are, and belongs to one size of picture.
//
// Weights start as those of [MLP]: uniformly in ±√(6/the inputs of a unit), biases in ±1/√inputs. They are of x's type, and live under
// Scope. Conditioning is that of [MLP] too: numbers and labels enter the first layer, the same at every pixel.
//
// With SpectralNorm each layer is divided by the largest singular value of what it does to a picture, steps and zeros around
// included, so that E has no slope of more than about 1.1^len(Widths) (the slope of SiLU is at most 1.1); far less is usual. Where the data
// asks for a steeper one, put the energy into an [ebm.Scaled]. It is found as in [MLP], by a power iteration a training step, of the
// convolution itself and not, as is common, of its kernel as a matrix [Size·Size·in, out]: of that one only Size times the value is a bound, which
// is often far too large.
//
// Choose it for pictures: it sees strokes and edges wherever they are, with few weights. Convolutions are matrix products of what the kernel
// sees at each place, which XLA's CPU backend runs many times as fast in a sampler's loop as its own convolutions, and of which all
// derivatives exist, for kernels of even size too. In contrastive divergence let its chains run Apart.
//
// Energies like it are trained in E. Nijkamp, M. Hill, S.-C. Zhu, Y. N. Wu, "Learning non-convergent non-persistent short-run MCMC toward
// energy-based model", 2019, arXiv:1904.09770, and Y. Du, I. Mordatch, "Implicit generation and modeling with energy based models",
// 2019, arXiv:1903.08689. The singular value of a convolution: H. Gouk, E. Frank, B. Pfahringer, M. J. Cree, "Regularisation of neural networks by
// enforcing Lipschitz continuity", 2018, arXiv:1804.04368.
type ConvEnergy struct {
	Scope        *model.Scope    // where the weights live
	Widths       []int           // channels of each convolution, default 32, 64, 64
	Size         int             // of kernels, in pixels along each side, default 3
	Activation   activation.Type // φ, default SiLU
	SpectralNorm bool            // divide each layer by its largest singular value
	Classes      int             // of the labels, where the conditioning has some
}

var (
	_ ebm.Energy    = ConvEnergy{}
	_ ebm.Validator = ConvEnergy{}
)

// stack is what the energy has in common with MLP.
func (e ConvEnergy) stack() stack {
	return stack{"ConvEnergy", e.Scope, e.Widths, e.Activation, e.SpectralNorm, e.Classes}
}

// Validate tells whether there is a scope, and the sizes are positive.
func (e ConvEnergy) Validate() error {
	if e.Size < 0 {
		return errors.Errorf("ConvEnergy: Size must be at least 1, got %d", e.Size)
	}
	return e.stack().validate()
}

// Energy builds E(x), [n].
func (e ConvEnergy) Energy(x *Node, cond ...*Node) *Node {
	if err := e.Validate(); err != nil {
		panic(err)
	}
	if x.Rank() != 4 || !x.DType().IsFloat() || x.Shape().Size() == 0 {
		exceptions.Panicf("ConvEnergy: x must be pictures [n, height, width, channels] of floating-point numbers, got %s", x.Shape())
	}
	s, n := e.stack(), x.Shape().Dimensions[0]
	if len(s.widths) == 0 {
		s.widths = []int{32, 64, 64}
	}
	act := cmp.Or(s.activation, activation.TypeSilu)
	h, step := x, 1
	for i, width := range s.widths {
		scope := s.scope.At("hidden_%d", i)
		h = e.convolution(scope, h, width, step)
		if i == 0 && len(cond) > 0 {
			none := Zeros(x.Graph(), shapes.Make(x.DType(), n, width))
			h = Add(h, ExpandAxes(s.condition(scope, none, cond), 1, 2))
		}
		h, step = activate(act, h), 2
	}
	return Reshape(s.dense(s.scope.At("output"), Reshape(h, n, -1), 1), n)
}

// convolution is a layer: h is [n, height, width, in], the result [n, ⌈height/step⌉, ⌈width/step⌉, out].
func (e ConvEnergy) convolution(scope *model.Scope, h *Node, out, step int) *Node {
	g, event, size := h.Graph(), h.Shape().Dimensions[1:], cmp.Or(e.Size, 3)
	fan := size * size * event[2]
	kernel := variable(scope, "weights", 6, fan, h.DType(), fan, out).NodeValue(g) // row by row of the kernel
	biases := variable(scope, "biases", 1, fan, h.DType(), out).NodeValue(g)
	apply := func(kernel, h *Node) *Node { return affine(windows(h, size, step), kernel, nil) }
	if e.SpectralNorm {
		kernel = Div(kernel, largest(scope, kernel, shapes.Make(h.DType(), 1, event[0], event[1], event[2]), apply, func(kernel, v, u *Node) *Node {
			return Gradient(ReduceAllSum(Mul(apply(kernel, u), StopGradient(v))), u)[0]
		}))
	}
	return affine(windows(h, size, step), kernel, biases)
}

// windows are what a kernel sees, at each place that it stops at: x is [n, height, width, c], the result [n, ⌈height/step⌉, ⌈width/step⌉, size·size·c].
func windows(x *Node, size, step int) *Node {
	var cuts [2][]SliceAxisSpec // of x, for each of the kernel's rows and columns
	for i := range cuts {
		length := x.Shape().Dimensions[i+1]
		span := (length - 1) / step * step // from the first stop to the last
		if around := span + size - length; around > 0 {
			x = Concatenate([]*Node{zeros(x, i+1, around/2), x, zeros(x, i+1, around-around/2)}, i+1)
		}
		for k := range size {
			cuts[i] = append(cuts[i], AxisRange(k, k+span+1).Stride(step))
		}
	}
	var parts []*Node
	for _, row := range cuts[0] {
		for _, column := range cuts[1] {
			parts = append(parts, Slice(x, AxisRange(), row, column, AxisRange()))
		}
	}
	return Concatenate(parts, 3)
}

// zeros are n of them along an axis, as wide as x elsewhere.
func zeros(x *Node, axis, n int) *Node {
	shape := x.Shape().Clone()
	shape.Dimensions[axis] = n
	return Zeros(x.Graph(), shape)
}
