package ebmtest

import (
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// failures counts what a check finds wrong.
type failures struct {
	testing.TB
	count int
}

func (f *failures) Errorf(string, ...any) { f.count++ }

func TestGradCheckFindsAWrongGradient(t *testing.T) {
	x := [][]float64{{0.3, -1.2}, {2, 0.5}}
	quartic := func(x *Node) *Node { return ReduceSum(Square(Square(x)), 1) }
	Backends(t, func(t *testing.T, b compute.Backend) {
		GradCheck(t, b, nil, ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return quartic(x) }), x)

		for name, broken := range map[string]func(x *Node) *Node{
			"gradient off by a factor": func(x *Node) *Node {
				return quartic(IdentityWithCustomGradient(x, func(_, v *Node) *Node { return MulScalar(v, 1.001) }))
			},
			// The right gradient, 4x³, but with x held fixed, so that it cannot be differentiated again.
			"second derivative lost": func(x *Node) *Node {
				fixed := StopGradient(x)
				linear := ReduceSum(MulScalar(Mul(x, Mul(fixed, Square(fixed))), 4), 1)
				return Add(linear, StopGradient(Sub(quartic(x), linear)))
			},
		} {
			found := &failures{TB: t}
			GradCheck(found, b, nil, ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return broken(x) }), x)
			if found.count == 0 {
				t.Errorf("%s: passed the check", name)
			}
		}
	})
}
