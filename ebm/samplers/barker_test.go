package samplers

import (
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// Proposal and acceptance against the formulas, as products and quotients of probabilities.
func TestBarkerByHand(t *testing.T) {
	side := [][]float64{{0.2, 0.9}, {0.55, 0.4}, {0.6, 0.05}}
	z, u := [][]float64{{0.3, 0.1}, {-0.9, 1.0}, {0.1, -0.4}}, []float64{0.01, 0.999, 0.3}
	toward := func(w, grad float64) float64 { return 1 / (1 + math.Exp(w*grad)) } // the probability of w and not −w
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out, err := CallOnceN(b, func(x, z, side, u *Node) []*Node {
			env := envAt(x.Graph(), ebm.DoubleWell{}, 0)
			state, info := Barker{}.transition(env, Barker{}.Init(env, x), z, side, u)
			return append(state, info.Accept)
		}, startX, z, side, u)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		moved, turned := 0, 0
		for i, x := range startX {
			energy, grad := wells(x)
			proposal := make([]float64, 2)
			for j := range proposal {
				w := z[i][j]
				if side[i][j] >= toward(w, grad[j]) {
					w, turned = -w, turned+1
				}
				proposal[j] = x[j] + w
			}
			newEnergy, newGrad := wells(proposal)
			ratio := math.Exp(energy - newEnergy)
			for j := range proposal {
				w := proposal[j] - x[j]
				ratio *= toward(-w, newGrad[j]) / toward(w, grad[j])
			}
			accept := math.Min(1, ratio)
			if u[i] >= accept {
				proposal, newEnergy, newGrad = x, energy, grad
			} else {
				moved++
			}
			near(t, "x", out[0].Value().([][]float64)[i:i+1], [][]float64{proposal})
			near(t, "E and acceptance", [][]float64{{out[1].Value().([]float64)[i], out[3].Value().([]float64)[i]}}, [][]float64{{newEnergy, accept}})
			near(t, "∇E", out[2].Value().([][]float64)[i:i+1], [][]float64{newGrad})
		}
		if moved == 0 || moved == len(startX) || turned == 0 || turned == 6 {
			t.Errorf("%d of 3 proposals were accepted and %d of 6 steps turned round: the test sees one case only", moved, turned)
		}
	})
}

// lopsided accepts by the energies alone, as if the proposal were symmetric.
type lopsided struct{ Barker }

func (k lopsided) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, energy := s[0], s[1]
	z := Mul(env.Rand.Normal(x.Shape()), k.StepSize.At(env.Step, x.DType()))
	next, _ := k.transition(env, s, z, env.Rand.Uniform(x.Shape()), ZerosLike(energy))
	accept := Exp(MinScalar(Sub(energy, next[1]), 0))
	take := LessThan(env.Rand.Uniform(energy.Shape()), accept)
	for i := range next {
		next[i] = Where(take, next[i], s[i])
	}
	return next, ebm.Info{Accept: accept}
}

func TestBarkerBalance(t *testing.T) {
	onGo(t, func(b compute.Backend) {
		mustFail(t, b, verify.Invariance{Energy: ebm.DoubleWell{}, Event: []int{2}, Kernel: lopsided{Barker{StepSize: ebm.Fixed(0.5)}}, Steps: 5}, 1)
	})
}

// MALA takes its proposal for symmetric: its kinetic energy is left out.
func TestMALABalance(t *testing.T) {
	onGo(t, func(b compute.Backend) {
		kernel := mistaken{HMC{StepSize: ebm.Fixed(math.Sqrt(2 * 0.06)), Leapfrog: 1}, mistakes["kinetic energy left out"]}
		mustFail(t, b, verify.Invariance{Energy: ebm.DoubleWell{}, Event: []int{2}, Kernel: kernel, Steps: 5}, 1)
	})
}
