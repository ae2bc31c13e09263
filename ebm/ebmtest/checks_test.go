package ebmtest

import (
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/goebm/goebm/ebm/verify"
)

// failures counts what a check finds wrong.
type failures struct {
	testing.TB
	count int
}

func (f *failures) Errorf(string, ...any) { f.count++ }

// What package verify finds wrong fails the test.
func TestChecksFailTheTest(t *testing.T) {
	x := [][]float64{{0.3, -1.2}, {2, 0.5}}
	wrong := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node {
		return ReduceSum(Square(IdentityWithCustomGradient(x, func(_, v *Node) *Node { return MulScalar(v, 1.001) })), 1)
	})
	Backends(t, func(t *testing.T, b compute.Backend) {
		check := verify.Invariance{Energy: ebm.Gaussian{}, Chains: 20_000}
		for step, fails := range map[ebm.Fixed]bool{0.5: true, 1e-4: false} {
			found := &failures{TB: t}
			check.Kernel, check.MinMove = samplers.Langevin{StepSize: step}, 0.001
			Invariance(found, b, check)
			if (found.count > 0) != fails {
				t.Errorf("Langevin of step %g: %d failures", float64(step), found.count)
			}
		}
		for _, energy := range []ebm.Energy{wrong, ebm.Gaussian{}} {
			found := &failures{TB: t}
			GradCheck(found, b, nil, energy, x)
			if _, right := energy.(ebm.Gaussian); (found.count == 0) != right {
				t.Errorf("%T: %d failures of the gradient check", energy, found.count)
			}
		}
	})
}
