package nn_test

import (
	"math"
	"testing"

	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// SiLU and its first two derivatives are those of x/(1+exp(−x)), also where the exponential is out of float64's range.
func TestSiLU(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		xs := []float64{-1000, -40, -3, -0.5, 0, 1e-9, 0.25, 2, 30, 1000}
		out, err := CallOnce(b, func(x *Node) *Node {
			first := Gradient(ReduceAllSum(nn.SiLU(x)), x)[0]
			return Stack([]*Node{nn.SiLU(x), first, Gradient(ReduceAllSum(first), x)[0]}, 0)
		}, xs)
		noError(t, err)
		got := out.Value().([][]float64)
		for i, x := range xs {
			s := 1 / (1 + math.Exp(-x))
			for k, want := range []float64{x * s, s + x*s*(1-s), s * (1 - s) * (2 + x*(1-2*s))} {
				if e := math.Abs(got[k][i] - want); !(e < 1e-12*max(1, math.Abs(x))) {
					t.Errorf("derivative %d of SiLU(%g) is %g, want %g", k, x, got[k][i], want)
				}
			}
		}
	})
}
