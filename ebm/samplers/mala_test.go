package samplers

import (
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// wells is the double well's energy and gradient, by hand.
func wells(x []float64) (energy float64, grad []float64) {
	for _, v := range x {
		energy += 2 * (v*v - 1) * (v*v - 1)
		grad = append(grad, 8*v*(v*v-1))
	}
	return energy, grad
}

// Proposal and acceptance against the formulas of the two densities q, which the kernel does not compute.
func TestMALAByHand(t *testing.T) {
	const eta = 0.04
	mass := [][]float64{{1.5, -0.5}, {-0.5, 0.7}}
	det := mass[0][0]*mass[1][1] - mass[0][1]*mass[1][0]
	inverse := [][]float64{{mass[1][1] / det, -mass[0][1] / det}, {-mass[1][0] / det, mass[0][0] / det}}
	root := [][]float64{{math.Sqrt(1.5), 0}, {-0.5 / math.Sqrt(1.5), math.Sqrt(0.7 - 0.25/1.5)}}
	times := func(a [][]float64, v []float64) []float64 {
		return []float64{a[0][0]*v[0] + a[0][1]*v[1], a[1][0]*v[0] + a[1][1]*v[1]}
	}
	logQ := func(to, from []float64) float64 { // up to a constant
		_, grad := wells(from)
		drift := times(inverse, grad)
		d := []float64{to[0] - from[0] + eta*drift[0], to[1] - from[1] + eta*drift[1]}
		md := times(mass, d)
		return -(d[0]*md[0] + d[1]*md[1]) / (4 * eta)
	}
	z, u := startP, []float64{0.01, 0.999, 0.5}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out, err := CallOnceN(b, func(x, z, u *Node) []*Node {
			env := envAt(x.Graph(), ebm.DoubleWell{}, 0)
			kernel := MALA{Mass: denseMass(mass)}
			state, info := kernel.leap().transition(env, kernel.Init(env, x), z, u, Scalar(x.Graph(), x.DType(), math.Sqrt(2*eta)))
			return append(state, info.Accept)
		}, startX, z, u)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		moved := 0
		for i, x := range startX {
			energy, grad := wells(x)
			drift, noise := times(inverse, grad), times(inverse, times(root, z[i]))
			proposal := make([]float64, 2)
			for j := range proposal {
				proposal[j] = x[j] - eta*drift[j] + math.Sqrt(2*eta)*noise[j]
			}
			newEnergy, newGrad := wells(proposal)
			accept := math.Min(1, math.Exp(energy-newEnergy+logQ(x, proposal)-logQ(proposal, x)))
			if u[i] >= accept {
				proposal, newEnergy, newGrad = x, energy, grad
			} else {
				moved++
			}
			near(t, "x", out[0].Value().([][]float64)[i:i+1], [][]float64{proposal})
			near(t, "E and acceptance", [][]float64{{out[1].Value().([]float64)[i], out[3].Value().([]float64)[i]}}, [][]float64{{newEnergy, accept}})
			near(t, "∇E", out[2].Value().([][]float64)[i:i+1], [][]float64{newGrad})
		}
		if moved == 0 || moved == len(startX) {
			t.Errorf("%d of %d proposals were accepted: the test sees one case only", moved, len(startX))
		}
	})
}

// One gradient a step, and one to begin with.
func TestOneGradientAStep(t *testing.T) {
	for name, kernel := range map[string]ebm.Kernel{"MALA": MALA{}, "Barker": Barker{}, "UnderdampedLangevin": UnderdampedLangevin{}} {
		count := 0
		energy := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { count++; return ReduceSum(Square(x), -1) })
		onGo(t, func(b compute.Backend) {
			g := NewGraph(b, "count")
			defer g.Finalize()
			env := envAt(g, energy, 0)
			state := kernel.Init(env, Const(g, [][]float32{{1, 2}, {3, 4}}))
			for step := 1; step <= 3; step++ {
				state, _ = kernel.Step(env, state)
				if count != 1+step {
					t.Errorf("%s: %d steps evaluate the energy %d times, want %d", name, step, count, 1+step)
				}
			}
		})
	}
}

// onGo runs a test that needs no second backend.
func onGo(t *testing.T, test func(b compute.Backend)) {
	t.Helper()
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	test(b)
}
