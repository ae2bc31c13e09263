package samplers

import (
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

func TestKernels(t *testing.T) {
	ebmtest.Kernels(t, map[string]ebm.Kernel{
		"Langevin":        Langevin{StepSize: ebm.Fixed(0.1)},
		"LangevinClamped": Langevin{StepSize: ebm.Linear{Start: 0.2, End: 0.01, Steps: 12}, Noise: ebm.Fixed(0.5), Clamp: &[2]float64{-1, 0.5}},
		"HMC":             HMC{StepSize: ebm.Fixed(1.2), Leapfrog: 2, Mass: ScalarMass(2), Jitter: 0.3},
		"GradientDescent": GradientDescent{StepSize: ebm.Fixed(0.1)},
		"Nesterov":        Nesterov{StepSize: ebm.Fixed(0.1)},
		"MALA":            MALA{StepSize: ebm.Fixed(0.3), Mass: ScalarMass(2)},
		"Barker":          Barker{StepSize: ebm.Fixed(0.5)},
		"Underdamped":     UnderdampedLangevin{StepSize: ebm.Fixed(0.3), Friction: ebm.Linear{Start: 2, End: 1, Steps: 12}, Mass: ScalarMass(2)},
		"EllipticalSlice": EllipticalSlice{Tries: 4},
		"Minibatch":       overData{Minibatch{Kernel: Langevin{StepSize: ebm.PolynomialDecay{Start: 0.1, Steps: 5}}, Size: 3}},
	})
	ebmtest.Kernels(t, map[string]ebm.Kernel{"RiemannianHMC": RiemannianHMC{Metric: bent, StepSize: ebm.Fixed(0.4), Leapfrog: 1, Iterations: 4}}, []int{2}, []int{3, 1, 1})
}

// bent is I + ½xxᵀ for events of any shape.
func bent(x *Node, _ ...*Node) *Node { return curved(flatten(x)) }

// A proposal of L leapfrog steps takes L gradients, and the start one more.
func TestHMCEvaluations(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, leapfrog := range []int{1, 10} {
			count := 0
			energy := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { count++; return ReduceSum(Square(x), -1) })
			g := NewGraph(b, "count")
			kernel := HMC{Leapfrog: leapfrog}
			env := envAt(g, energy, 0)
			state := kernel.Init(env, Const(g, [][]float32{{1, 2}, {3, 4}}))
			if count != 1 {
				t.Errorf("Init evaluates the energy %d times, want 1", count)
			}
			for proposal := 1; proposal <= 3; proposal++ {
				state, _ = kernel.Step(env, state)
				if want := 1 + proposal*leapfrog; count != want {
					t.Errorf("%d proposals of %d steps evaluate the energy %d times, want %d", proposal, leapfrog, count, want)
				}
			}
			g.Finalize()
		}
	})
}
