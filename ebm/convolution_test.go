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
