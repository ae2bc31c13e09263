package verify_test

import (
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/verify"
)

func TestGradientFindsAWrongGradient(t *testing.T) {
	quartic := func(x *Node) *Node { return ReduceSum(Square(Square(x)), 1) }
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x := tensors.FromValue([][]float64{{0.3, -1.2}, {2, 0.5}})
		for _, c := range []struct {
			name   string
			energy func(x *Node) *Node
			want   []string
		}{
			{"right", quartic, []string{"ebm.EnergyFunc: the gradient is the derivative, and differentiable in turn (2 points of 2 numbers;"}},
			{"off by a factor", func(x *Node) *Node {
				return quartic(IdentityWithCustomGradient(x, func(_, v *Node) *Node { return MulScalar(v, 1.001) }))
			}, []string{"the gradient is NOT the derivative", "row  coordinate            gradient   finite difference", "\n∇E"}},
			// The right gradient, 4x³, but with x held fixed, so that it cannot be differentiated again.
			{"second derivative lost", func(x *Node) *Node {
				fixed := StopGradient(x)
				linear := ReduceSum(MulScalar(Mul(x, Mul(fixed, Square(fixed))), 4), 1)
				return Add(linear, StopGradient(Sub(quartic(x), linear)))
			}, []string{"NOT the derivative: 4 of 8 numbers differ", "\n∇½‖∇E‖²"}},
			{"not a number", func(x *Node) *Node { return Sqrt(AddScalar(ReduceSum(x, 1), -1)) }, []string{"NOT the derivative", "NaN"}},
		} {
			energy := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return c.energy(x) })
			r, err := verify.Gradient{Backend: b, Energy: energy, X: x}.Run(t.Context())
			if err != nil {
				t.Fatalf("%s: %+v", c.name, err)
			}
			if r.Passed() != (c.name == "right") {
				t.Errorf("%s: passed is %t", c.name, r.Passed())
			}
			for _, want := range c.want {
				if !strings.Contains(r.String(), want) {
					t.Errorf("%s: want %q, got %s", c.name, want, r)
				}
			}
		}
	})
}

func TestGradientBadInput(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		good := verify.Gradient{Backend: b, Energy: ebm.Gaussian{}, X: tensors.FromValue([][]float64{{1, 2}})}
		for want, spoil := range map[string]func(c *verify.Gradient){
			"verify: Gradient.Backend is nil":            func(c *verify.Gradient) { c.Backend = nil },
			"verify: Gradient.Energy is nil":             func(c *verify.Gradient) { c.Energy = nil },
			"verify: Gradient.X is nil or was finalized": func(c *verify.Gradient) { c.X = nil },
			"verify: Gradient.X must be Float64 [n, event...] with at least one row, got (Float32)[1, 2]": func(c *verify.Gradient) {
				c.X = tensors.FromValue([][]float32{{1, 2}})
			},
			"verify: Gradient.Cond[0] must have one row for each of 1 points": func(c *verify.Gradient) {
				c.Cond = []*tensors.Tensor{tensors.FromValue([]float64{1, 2})}
			},
			"events must have 3 numbers as Mean and Cov do, got 2": func(c *verify.Gradient) { c.Energy = ebm.Gaussian{Mean: []float64{1, 2, 3}} },
			"no such place": func(c *verify.Gradient) {
				c.Energy = ebm.EnergyFunc(func(*Node, ...*Node) *Node { panic("no such place") })
			},
		} {
			c := good
			spoil(&c)
			if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}
