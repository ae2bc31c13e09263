package flow_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// kepler is a planet about the sun, H = ½|p|² − 1/|x|.
var kepler = flow.Separable(ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return Neg(Reciprocal(Sqrt(ReduceSum(Square(x), -1)))) }))

// bead is a bead on a wire, of a mass that changes with the place: H = p²/(2(1+x²)) + ½x². It does not separate.
var bead = flow.Hamiltonian{
	Velocity: func(x, p, _ *Node) *Node { return Div(p, OnePlus(Square(x))) },
	Force: func(x, p, _ *Node) *Node {
		return Sub(Mul(x, Square(Div(p, OnePlus(Square(x))))), x)
	},
}

// driven is x¨ = −x + cos 2t, solved by x = (4/3)cos t − ⅓cos 2t from x = 1 at rest.
var driven = flow.Hamiltonian{
	Velocity: func(_, p, _ *Node) *Node { return p },
	Force:    func(x, _, t *Node) *Node { return Sub(flow.AlongRows(Cos(MulScalar(t, 2)), x), x) },
}

func drivenAt(t float64) (x, p float64) {
	return (4*math.Cos(t) - math.Cos(2*t)) / 3, (2*math.Sin(2*t) - 4*math.Sin(t)) / 3
}

// orbit takes steps in pieces of a graph, and gives the state after each piece.
func orbit(t *testing.T, b compute.Backend, m flow.Symplectic, h flow.Hamiltonian, x, p [][]float64, at, dt []float64, steps, piece int, see func(x, p [][]float64)) (_, _ [][]float64, _ []float64) {
	t.Helper()
	exec, err := NewExec(b, func(x, p, t, dt *Node) (*Node, *Node, *Node) {
		for range piece {
			x, p = m.Step(h, x, p, t, dt)
			x, p, t = OptimizationBarrier(x), OptimizationBarrier(p), Add(t, dt)
		}
		return Identity(x), Identity(p), Identity(t)
	})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer exec.Finalize()
	for range steps / piece {
		out, err := exec.Call(x, p, at, dt)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		x, p, at = out[0].Value().([][]float64), out[1].Value().([][]float64), out[2].Value().([]float64)
		if see != nil {
			see(x, p)
		}
	}
	return x, p, at
}

var symplectics = map[string]flow.Symplectic{
	"Leapfrog": flow.Leapfrog, "Yoshida4": flow.Yoshida4, "GeneralisedLeapfrog": flow.GeneralisedLeapfrog{Iterations: 30},
	"position Verlet": flow.Splitting{Kick: []float64{0, 1}, Drift: []float64{0.5, 0.5}, P: 2},
}

func TestSymplecticOrder(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, m := range symplectics {
			var e [3]float64
			for i, n := range []int{32, 64, 128} {
				x, p, _ := orbit(t, b, m, driven, [][]float64{{1}}, [][]float64{{0}}, []float64{0}, []float64{3 / float64(n)}, n, 1, nil)
				wantX, wantP := drivenAt(3)
				e[i] = math.Hypot(x[0][0]-wantX, p[0][0]-wantP)
			}
			t.Logf("%s: order %.3f, error %.2g", name, orderOf(e), e[2])
			if got := orderOf(e); !(math.Abs(got-float64(m.Order())) <= 0.15) {
				t.Errorf("%s: order %.3f, want %d ± 0.15", name, got, m.Order())
			}
		}
		// Where the Hamiltonian does not separate there is no closed form: the distances to the next finer step shrink by 2^p.
		var ends [4]float64
		for i, n := range []int{32, 64, 128, 256} {
			x, _, _ := orbit(t, b, symplectics["GeneralisedLeapfrog"], bead, [][]float64{{1}}, [][]float64{{0.5}}, []float64{0}, []float64{3 / float64(n)}, n, 1, nil)
			ends[i] = x[0][0]
		}
		got := orderOf([3]float64{math.Abs(ends[0] - ends[1]), math.Abs(ends[1] - ends[2]), math.Abs(ends[2] - ends[3])})
		t.Logf("GeneralisedLeapfrog of a bead: order %.3f", got)
		if !(math.Abs(got-2) <= 0.15) {
			t.Errorf("GeneralisedLeapfrog, not separable: order %.3f, want 2 ± 0.15", got)
		}
	})
}

// Over 10⁴ steps the energy stays within a band, and does not drift: the mean over the last tenth is that over the first.
func TestEnergyIsKept(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		const steps = 10_000
		piece := 10
		if b.Name() == "xla" {
			piece = 4
		}
		keplerEnergy := func(x, p []float64) float64 { return (p[0]*p[0]+p[1]*p[1])/2 - 1/math.Hypot(x[0], x[1]) }
		beadEnergy := func(x, p []float64) float64 { return p[0]*p[0]/(2*(1+x[0]*x[0])) + x[0]*x[0]/2 }
		for _, c := range []struct {
			name   string
			h      flow.Hamiltonian
			x, p   []float64
			energy func(x, p []float64) float64
			dt     float64
			band   float64 // of relative error
		}{
			{"Leapfrog", kepler, []float64{0.7, 0}, []float64{0, math.Sqrt(1.3 / 0.7)}, keplerEnergy, 0.05, 3e-3}, // eccentricity 0.3
			{"Yoshida4", kepler, []float64{0.7, 0}, []float64{0, math.Sqrt(1.3 / 0.7)}, keplerEnergy, 0.05, 2e-5},
			{"GeneralisedLeapfrog", bead, []float64{1}, []float64{0.5}, beadEnergy, 0.05, 5e-4},
		} {
			m := symplectics[c.name]
			if c.name == "GeneralisedLeapfrog" {
				m = flow.GeneralisedLeapfrog{}
			}
			first := c.energy(c.x, c.p)
			var errs []float64
			orbit(t, b, m, c.h, [][]float64{c.x}, [][]float64{c.p}, []float64{0}, []float64{c.dt}, steps, piece, func(x, p [][]float64) {
				errs = append(errs, (c.energy(x[0], p[0])-first)/math.Abs(first))
			})
			worst, tenth := 0.0, len(errs)/10
			for _, e := range errs {
				worst = max(worst, math.Abs(e))
			}
			drift := total(errs[len(errs)-tenth:])/float64(tenth) - total(errs[:tenth])/float64(tenth)
			t.Logf("%s: energy within %.2g, drift %.2g", c.name, worst, drift)
			if !(worst < c.band) || !(math.Abs(drift) < c.band/50) {
				t.Errorf("%s: the energy goes off by up to %.2g and drifts by %.2g in %d steps; want at most %g and %g", c.name, worst, drift, steps, c.band, c.band/50)
			}
		}
	})
}

func total(v []float64) (sum float64) {
	for _, w := range v {
		sum += w
	}
	return sum
}

// A hundred steps there and back.
func TestReversible(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, m := range symplectics {
			hs := []flow.Hamiltonian{driven}
			if _, splits := m.(flow.Splitting); !splits {
				hs = append(hs, bead)
			}
			for _, h := range hs {
				x0, p0, dt := [][]float64{{1}, {-0.3}}, [][]float64{{0.5}, {1}}, []float64{0.1, 0.07}
				x, p, at := orbit(t, b, m, h, x0, p0, []float64{0, 1}, dt, 100, 2, nil)
				if math.Abs(x[0][0]-x0[0][0]) < 0.01 {
					t.Errorf("%s: the way there leads nowhere", name)
				}
				x, p, _ = orbit(t, b, m, h, x, p, at, []float64{-dt[0], -dt[1]}, 100, 2, nil)
				for i := range x {
					if off := max(math.Abs(x[i][0]-x0[i][0]), math.Abs(p[i][0]-p0[i][0])); !(off < 1e-10) {
						t.Errorf("%s: chain %d comes back %.2g off", name, i, off)
					}
				}
			}
		}
	})
}

func TestSymplecticErrors(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		step := func(m flow.Symplectic, h flow.Hamiltonian) func(t *Node) *Node {
			return func(t *Node) *Node {
				x := ExpandAxes(t, -1)
				_, p := m.Step(h, x, x, t, t)
				return p
			}
		}
		flat := flow.Hamiltonian{Velocity: driven.Velocity, Force: func(_, _, t *Node) *Node { return t }}
		for want, build := range map[string]func(t *Node) *Node{
			"Splitting: want as many drifts as kicks, or one less, and P ≥ 1; got 0, 2 and 1": step(flow.Splitting{Kick: []float64{0.5, 0.5}, P: 1}, driven),
			"Splitting: kicks and drifts must each add up to 1, got 2":                        step(flow.Splitting{Kick: []float64{1}, Drift: []float64{2}, P: 1}, driven),
			"GeneralisedLeapfrog: Iterations must be at least 1, or 0 for":                    step(flow.GeneralisedLeapfrog{Iterations: -1}, driven),
			"the force at x (Float64)[2, 1] must have x's shape, got (Float64)[2]":            step(flow.Leapfrog, flat),
		} {
			if _, err := callOnce(b, build); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}

// A pendulum swings to and fro; its energy stays.
func ExampleSplitting_Step() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	pendulum := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return ReduceSum(Neg(Cos(x)), -1) })
	for _, m := range []flow.Symplectic{flow.Leapfrog, flow.Yoshida4} {
		energy, err := CallOnce(b, func(x, p, t *Node) *Node {
			dt := AddScalar(ZerosLike(t), 0.2)
			for range 100 {
				x, p = m.Step(flow.Separable(pendulum), x, p, t, dt)
				t = Add(t, dt)
			}
			return Add(pendulum.Energy(x), MulScalar(ReduceSum(Square(p), -1), 0.5))
		}, [][]float64{{1}}, [][]float64{{0}}, []float64{0})
		if err != nil {
			panic(err)
		}
		fmt.Printf("order %d: the energy is %.0e off\n", m.Order(), math.Abs(energy.Value().([]float64)[0]+math.Cos(1)))
	}
	// Output:
	// order 2: the energy is 1e-05 off
	// order 4: the energy is 2e-07 off
}

// A bead on a wire whose mass changes with the place, H = p²/(2(1+x²)) + ½x²: H does not separate.
func ExampleGeneralisedLeapfrog() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	mass := func(x *Node) *Node { return OnePlus(Square(x)) }
	bead := flow.Hamiltonian{
		Velocity: func(x, p, _ *Node) *Node { return Div(p, mass(x)) },
		Force:    func(x, p, _ *Node) *Node { return Sub(Mul(x, Square(Div(p, mass(x)))), x) },
	}
	for _, iterations := range []int{1, 2, 8} {
		m := flow.GeneralisedLeapfrog{Iterations: iterations}
		energy, err := CallOnce(b, func(x, p, t *Node) *Node {
			dt := AddScalar(ZerosLike(t), 0.1)
			for range 100 {
				x, p = m.Step(bead, x, p, t, dt)
				t = Add(t, dt)
			}
			return MulScalar(Add(Div(Square(p), mass(x)), Square(x)), 0.5)
		}, [][]float64{{1}}, [][]float64{{0}}, []float64{0})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%d iterations: the energy is %.4f, of 0.5\n", iterations, energy.Value().([][]float64)[0][0])
	}
	// Output:
	// 1 iterations: the energy is 0.5158, of 0.5
	// 2 iterations: the energy is 0.4994, of 0.5
	// 8 iterations: the energy is 0.4994, of 0.5
}
