package samplers

import (
	"fmt"
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// hamiltonian is H(x, p) as it is defined, with a way back through the factorisation.
func hamiltonian(env ebm.Env, metric func(x *Node, cond ...*Node) *Node, x, p *Node) *Node {
	f := factor(metric(x))
	return Add(env.Energy.Energy(x), MulScalar(Add(sumEvent(Mul(p, f.solve(p))), f.logDet), 0.5))
}

// The force, which has a short cut, is the gradient of H, and G⁻¹p is its gradient in p.
func TestRiemannianForce(t *testing.T) {
	x := [][]float64{{0.3, -0.8, 0.1}, {1.2, 0.4, -1}, {-0.5, 1.1, 2}}
	p := [][]float64{{0.7, 0.2, -1}, {-0.4, 0.9, 0.5}, {0.1, -1.3, 0.3}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, metric := range map[string]func(x *Node, cond ...*Node) *Node{"I + ½xxᵀ": curved, "funnel": funnelMetric} {
			out, err := CallOnceN(b, func(x, p *Node) []*Node {
				env := envAt(x.Graph(), ebm.DoubleWell{}, 0)
				at := RiemannianHMC{Metric: metric}.at(env, x)
				want := Gradient(ReduceAllSum(hamiltonian(env, metric, x, p)), x, p)
				return []*Node{at.force(p), Neg(want[0]), at.factor.solve(p), want[1]}
			}, x, p)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			near(t, name+": force", out[0].Value().([][]float64), out[1].Value().([][]float64))
			near(t, name+": velocity", out[2].Value().([][]float64), out[3].Value().([][]float64))
		}
	})
}

// With a metric that is the same everywhere it is HMC with that mass.
func TestRiemannianIsHMC(t *testing.T) {
	mass := [][]float64{{1.5, -0.5}, {-0.5, 0.7}}
	constant := func(x *Node, _ ...*Node) *Node {
		return BroadcastToDims(ConstAs(x, [][][]float64{mass}), x.Shape().Dimensions[0], 2, 2)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, pair := range map[string]struct {
			riemannian RiemannianHMC
			flat       HMC
		}{
			"dense":   {RiemannianHMC{Metric: constant, Leapfrog: 3, Iterations: 2}, HMC{Mass: denseMass(mass), Leapfrog: 3}},
			"default": {RiemannianHMC{Leapfrog: 2, Iterations: 2}, HMC{Leapfrog: 2}},
		} {
			out, err := CallOnceN(b, func(x, z, u *Node) []*Node {
				env := envAt(x.Graph(), ebm.DoubleWell{}, 0)
				h := Scalar(x.Graph(), x.DType(), 0.2)
				state, info := pair.riemannian.transition(env, x, z, u, h)
				want, wantInfo := pair.flat.transition(env, pair.flat.Init(env, x), z, u, h)
				return []*Node{state[0], want[0], ExpandAxes(info.Accept, 0), ExpandAxes(wantInfo.Accept, 0), ExpandAxes(info.Energy, 0), ExpandAxes(want[1], 0)}
			}, startX, startP, []float64{0.01, 0.9999, 0.5})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			for i, what := range []string{"x", "acceptance", "energy"} {
				near(t, name+" mass: "+what, out[2*i].Value().([][]float64), out[2*i+1].Value().([][]float64))
			}
		}
	})
}

// There and, with the momentum turned round, back again; and what the last iterations changed is then nothing.
func TestRiemannianReversible(t *testing.T) {
	kernel := RiemannianHMC{Metric: curved, Leapfrog: 2, Iterations: 14}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out, err := CallOnceN(b, func(x, p *Node) []*Node {
			env := envAt(x.Graph(), ebm.DoubleWell{}, 0)
			h := Scalar(x.Graph(), x.DType(), 0.05)
			end, newP, changed := kernel.path(env, kernel.at(env, x), p, h)
			back, backP, changedBack := kernel.path(env, end, Neg(newP), h)
			return []*Node{back.x, Neg(backP), Add(changed, changedBack)}
		}, startX, startP)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		near(t, "position", out[0].Value().([][]float64), startX)
		near(t, "momentum", out[1].Value().([][]float64), startP)
		near(t, "the last iterations", [][]float64{out[2].Value().([]float64)}, [][]float64{{0, 0, 0}})
	})
}

// Over a fixed time the largest error in H shrinks as h².
func TestRiemannianOrder(t *testing.T) {
	onGo(t, func(b compute.Backend) {
		worst := func(steps int) float64 {
			out, err := CallOnce(b, func(x, p *Node) *Node {
				env := envAt(x.Graph(), ebm.DoubleWell{}, 0)
				kernel := RiemannianHMC{Metric: curved, Leapfrog: steps, Iterations: 10}
				end, newP, _ := kernel.path(env, kernel.at(env, x), p, Scalar(x.Graph(), x.DType(), 0.4/float64(steps)))
				return ReduceAllMax(Abs(Sub(hamiltonian(env, curved, end.x, newP), hamiltonian(env, curved, x, p))))
			}, startX, startP)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			return out.Value().(float64)
		}
		coarse, fine := worst(8), worst(16)
		order := math.Log2(coarse / fine)
		t.Logf("error of H %.3g with h = 1/20, %.3g with h = 1/40: order %.3f", coarse, fine, order)
		if !(math.Abs(order-2) <= 0.15) {
			t.Errorf("order is %.3f, want 2 ± 0.15", order)
		}
	})
}

// careless makes a mistake, and does not look for the way back.
type careless struct {
	RiemannianHMC
	volume, momenta bool // log|G| left out of H; momenta from N(0, I)
}

func (k careless) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	z := env.Rand.Normal(x.Shape())
	start := k.at(env, x)
	p := start.factor.root(z)
	if k.momenta {
		p = z
	}
	end, newP, _ := k.path(env, start, p, k.StepSize.At(env.Step, x.DType()))
	kinetic := func(at place, p *Node) *Node { return MulScalar(sumEvent(Mul(p, at.factor.solve(p))), 0.5) }
	gain := Sub(Add(start.energy, kinetic(start, p)), Add(end.energy, kinetic(end, newP)))
	if !k.volume {
		gain = Add(gain, MulScalar(Sub(start.factor.logDet, end.factor.logDet), 0.5))
	}
	accept := Where(IsFinite(gain), Exp(MinScalar(gain, 0)), ZerosLike(gain))
	take := LessThan(env.Rand.Uniform(accept.Shape()), accept)
	return ebm.State{Where(take, end.x, x)}, ebm.Info{Accept: accept}
}

func TestRiemannianMistakes(t *testing.T) {
	kernel := certificates[1].kernels[2].(RiemannianHMC)
	onGo(t, func(b compute.Backend) {
		for name, mistake := range map[string]careless{
			"log|G| left out":     {kernel, true, false},
			"momenta from N(0,I)": {kernel, false, true},
		} {
			t.Run(name, func(t *testing.T) {
				mustFail(t, b, verify.Invariance{Energy: ebm.DoubleWell{}, Event: []int{2}, Kernel: mistake, Steps: 2}, 1)
			})
		}
	})
}

// oneEnded refuses by how far the way back ends from the start, held to the tolerance itself: a distance that is another
// from the other end of the path.
type oneEnded struct{ RiemannianHMC }

func (k oneEnded) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	h, start := k.StepSize.At(env.Step, x.DType()), k.at(env, x)
	p := start.factor.root(env.Rand.Normal(x.Shape()))
	end, newP, _ := k.path(env, start, p, h)
	back, backP, _ := k.path(env, end, Neg(newP), h)
	near := LessOrEqual(Add(gap(back.x, x), gap(Neg(backP), p)), Scalar(x.Graph(), x.DType(), 1e-3))
	gain := Sub(hamiltonian(env, k.Metric, x, p), hamiltonian(env, k.Metric, end.x, newP))
	accept := Where(near, Exp(MinScalar(gain, 0)), ZerosLike(gain))
	take := LessThan(env.Rand.Uniform(accept.Shape()), accept)
	return ebm.State{Where(take, end.x, x)}, ebm.Info{Accept: accept}
}

// Where the iterations do not converge for many of the chains, a check that is the same from both ends of a path costs acceptance;
// another check, or none, the target.
func TestRiemannianWayBack(t *testing.T) {
	valleyed := certificates[3].kernels[2].(RiemannianHMC)
	unchecked := valleyed
	unchecked.Tolerance = math.Inf(1)
	wells := certificates[1].kernels[2].(RiemannianHMC)
	wells.StepSize, wells.Iterations = ebm.Fixed(0.7), 5
	onGo(t, func(b compute.Backend) {
		check := verify.Invariance{Energy: ebm.Rosenbrock{}, Event: []int{2}, Kernel: valleyed, Steps: 2, MinMove: 0.05}
		t.Run("checked", func(t *testing.T) { mustPass(t, b, check, 1) })
		check.Kernel = unchecked
		t.Run("not checked", func(t *testing.T) { mustFail(t, b, check, 1) })
		check.Energy, check.Kernel = ebm.DoubleWell{}, wells
		t.Run("checked, wells", func(t *testing.T) { mustPass(t, b, check, 1) })
		check.Kernel = oneEnded{wells}
		t.Run("checked from one end", func(t *testing.T) { mustFail(t, b, check, 1) })
	})
}

func TestRiemannianMatchesTorchEBM(t *testing.T) {
	type riemannianCase struct {
		Model              string
		StepSize           float64 `json:"step_size"`
		Leapfrog           int     `json:"n_leapfrog_steps"`
		Iterations         int     `json:"solver_max_iter"`
		X, P, Uniforms     [][]float64
		Positions, Momenta [][][]float64
		Normals, States    [][][]float64
		Accepted           []int
	}
	cases := fixtures[riemannianCase](t, "riemannian.json")
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		rejected := 0
		for i, c := range cases {
			kernel := RiemannianHMC{Metric: curved, Leapfrog: c.Leapfrog, Iterations: c.Iterations, Tolerance: math.Inf(1)}
			got, err := CallOnceN(b, func(x, p *Node) []*Node {
				env := envAt(x.Graph(), parityEnergies[c.Model], 0)
				at, h := kernel.at(env, x), Scalar(x.Graph(), x.DType(), c.StepSize)
				var all []*Node
				for range c.Positions {
					at, p, _ = kernel.step(env, at, p, h)
					all = append(all, Identity(at.x), p)
				}
				return all
			}, c.X, c.P)
			if err != nil {
				t.Fatalf("case %d: %+v", i, err)
			}
			for step := range c.Positions {
				name := fmt.Sprintf("case %d, %s, %d steps", i, c.Model, step+1)
				near(t, name+", position", got[2*step].Value().([][]float64), c.Positions[step])
				near(t, name+", momentum", got[2*step+1].Value().([][]float64), c.Momenta[step])
			}

			exec, err := NewExec(b, func(x, z, u *Node) (*Node, *Node) {
				env := envAt(x.Graph(), parityEnergies[c.Model], 0)
				state, info := kernel.transition(env, x, z, u, Scalar(x.Graph(), x.DType(), c.StepSize))
				return state[0], info.Accept
			})
			if err != nil {
				t.Fatal(err)
			}
			x := c.X
			for step := range c.States {
				name := fmt.Sprintf("case %d, %s, transition %d", i, c.Model, step)
				newX, accept, err := exec.Call2(x, c.Normals[step], c.Uniforms[step])
				if err != nil {
					t.Fatalf("%s: %+v", name, err)
				}
				accepted := 0
				for chain, probability := range accept.Value().([]float64) {
					if c.Uniforms[step][chain] < probability {
						accepted++
					}
				}
				x = newX.Value().([][]float64)
				near(t, name, x, c.States[step])
				if accepted != c.Accepted[step] {
					t.Errorf("%s: %d accepted, TorchEBM accepts %d", name, accepted, c.Accepted[step])
				}
				rejected += len(x) - accepted
			}
			exec.Finalize()
		}
		if rejected == 0 {
			t.Error("no fixture rejects a proposal, so that the test says nothing of the Metropolis test")
		}
	})
}
