package ebm_test

import (
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// What Net says of convolutions: in E = Σ (k ∗ x) without padding, the corner of x has the slope k₀₀.
func TestSlopeOfAConvolution(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		corner := func(size int) float64 {
			kernel := make([]float64, size*size)
			for i := range kernel {
				kernel[i] = float64(i + 1)
			}
			out, err := CallOnce(b, func(x, kernel *Node) *Node {
				_, grad := ebm.ValueGrad(ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return ReduceSum(Convolve(x, kernel).Done(), 1, 2, 3) }), x)
				return grad
			}, tensors.FromFlatDataAndDimensions(make([]float64, 25), 1, 5, 5, 1), tensors.FromFlatDataAndDimensions(kernel, size, size, 1, 1))
			if err != nil {
				t.Fatalf("%+v", err)
			}
			return tensors.MustCopyFlatData[float64](out)[0]
		}
		near(t, "3×3", corner(3), 1, 1e-14)
		if corner(2) == 1 {
			t.Error("GoMLX now has the right gradient for kernels of even size: let Net's and the losses' docs say so")
		}
	})
}

// The gradient of a slice has a gradient in turn, with and without steps: E = Σ x²ₛ² over a slice s, so that Σ (∂E)² has the gradient 2·E”·E'.
func TestSlopeOfASlice(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x := []float64{1, -2, 3, .5, -1, 2, .3}
		for _, c := range []struct {
			cut  SliceAxisSpec
			kept []int
		}{{AxisRange(2, 5), []int{2, 3, 4}}, {AxisRange(1, 6).Stride(2), []int{1, 3, 5}}, {AxisRange().Stride(3), []int{0, 3, 6}}, {AxisRange(3).Stride(2), []int{3, 5}}} {
			out, err := CallOnce(b, func(x *Node) *Node {
				e := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node {
					return ReduceSum(Square(Square(Slice(x, AxisRange(), c.cut))), 1)
				})
				_, grad := ebm.ValueGrad(e, x)
				return Gradient(ReduceAllSum(Square(grad)), x)[0]
			}, [][]float64{x})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			want := make([]float64, len(x))
			for _, i := range c.kept {
				want[i] = 2 * 12 * x[i] * x[i] * 4 * x[i] * x[i] * x[i]
			}
			for i, got := range tensors.MustCopyFlatData[float64](out) {
				near(t, "second gradient", got, want[i], 1e-12)
			}
		}
	})
}
