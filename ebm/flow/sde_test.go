package flow_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// path is a Brownian path for each of n chains on [0, 1], in steps of one length: [step][chain].
type path struct{ w, h [][]float64 }

func brownian(n, steps int) path {
	rng, size := rand.New(rand.NewPCG(1, 2)), 1/float64(steps)
	p := path{make([][]float64, steps), make([][]float64, steps)}
	for s := range steps {
		p.w[s], p.h[s] = make([]float64, n), make([]float64, n)
		for i := range n {
			p.w[s][i], p.h[s][i] = rng.NormFloat64()*math.Sqrt(size), rng.NormFloat64()*math.Sqrt(size/12)
		}
	}
	return p
}

// coarser is the same path in half as many steps.
func (p path) coarser() path {
	steps := len(p.w) / 2
	out := path{make([][]float64, steps), make([][]float64, steps)}
	for s := range steps {
		w1, w2, h1, h2 := p.w[2*s], p.w[2*s+1], p.h[2*s], p.h[2*s+1]
		out.w[s], out.h[s] = make([]float64, len(w1)), make([]float64, len(w1))
		for i := range w1 {
			out.w[s][i] = w1[i] + w2[i]
			out.h[s][i] = (h1[i]+h2[i])/2 + (w1[i]-w2[i])/4 // the mean of the path less half its end
		}
	}
	return out
}

// ends is W(1) of each chain.
func (p path) ends() []float64 {
	out := make([]float64, len(p.w[0]))
	for _, w := range p.w {
		for i, v := range w {
			out[i] += v
		}
	}
	return out
}

// walk follows the path from x0 at time 0 to time 1.
func walk(t *testing.T, b compute.Backend, m flow.StochasticIntegrator, s flow.SDE, x0 float64, p path) []float64 {
	t.Helper()
	n, size := len(p.w[0]), 1/float64(len(p.w))
	exec, err := NewExec(b, func(x, t, w, h *Node) *Node {
		each := BroadcastToDims(t, n)
		next := m.Step(s, ExpandAxes(x, -1), each, AddScalar(ZerosLike(each), size), flow.Increment{W: ExpandAxes(w, -1), H: ExpandAxes(h, -1)})
		return Reshape(next, n)
	})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer exec.Finalize()
	x := make([]float64, n)
	for i := range x {
		x[i] = x0
	}
	at := tensors.FromValue(x)
	for i := range p.w {
		out, err := exec.Call(at, float64(i)*size, p.w[i], p.h[i])
		if err != nil {
			t.Fatalf("%+v", err)
		}
		_ = at.FinalizeAll()
		at = out[0]
	}
	return tensors.MustCopyFlatData[float64](at)
}

const noisy = 0.8 // b below

func arch(x *Node) *Node { return Sqrt(OnePlus(Square(x))) } // √(1+x²)

// In Stratonovich's sense dx = √(1+x²)(cos(3t) dt + b dW) is solved by x = sinh(arsinh x₀ + ⅓sin 3t + bW).
var stratonovich = flow.SDE{
	Drift:     func(x, t *Node) *Node { return Mul(flow.AlongRows(Cos(MulScalar(t, 3)), x), arch(x)) },
	Diffusion: func(x, _ *Node) *Node { return MulScalar(arch(x), noisy) },
}

// The same in Itô's sense, where the drift is ½b²x more.
var ito = flow.SDE{
	Drift:     func(x, t *Node) *Node { return Add(stratonovich.Drift(x, t), MulScalar(x, noisy*noisy/2)) },
	Diffusion: stratonovich.Diffusion,
}

func archWay(w float64) float64 { return math.Sinh(math.Asinh(0.2) + math.Sin(3)/3 + noisy*w) }

// fading is dx = (1/√(1+t) − x/(2(1+t)))dt + (½/√(1+t))dW, solved by x = (x₀ + t + ½W)/√(1+t).
var fading = flow.SDE{
	Drift: func(x, t *Node) *Node {
		r := flow.AlongRows(Reciprocal(OnePlus(t)), x)
		return Sub(Sqrt(r), MulScalar(Mul(x, r), 0.5))
	},
	Diffusion: func(_, t *Node) *Node { return MulScalar(Reciprocal(Sqrt(OnePlus(t))), 0.5) },
}

func faded(w float64) float64 { return (0.2 + 1 + w/2) / math.Sqrt2 }

// wavy has additive noise and a drift that is not linear; there is no closed form.
var wavy = flow.SDE{
	Drift: func(x, t *Node) *Node {
		return Add(Sin(MulScalar(x, 3)), flow.AlongRows(Cos(MulScalar(t, 2)), x))
	},
	Diffusion: func(_, t *Node) *Node { return AddScalar(MulScalar(Sin(MulScalar(t, 2)), 0.5), 0.8) },
}

func TestStochasticOrder(t *testing.T) {
	const chains, finest = 10_000, 512
	fine := brownian(chains, finest)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		exact := func(f func(w float64) float64) []float64 {
			out := fine.ends()
			for i, w := range out {
				out[i] = f(w)
			}
			return out
		}
		problems := map[string]struct {
			sde  flow.SDE
			want []float64
		}{
			"stratonovich": {stratonovich, exact(archWay)}, "ito": {ito, exact(archWay)}, "fading": {fading, exact(faded)},
			"wavy": {wavy, walk(t, b, flow.SRA1{}, wavy, 0.2, fine)},
		}
		for _, c := range []struct {
			m            flow.StochasticIntegrator
			problem      string
			strong, weak float64
		}{
			{flow.EulerMaruyama{}, "ito", 0.5, 1},
			{flow.EulerMaruyama{}, "fading", 1, 1},
			{flow.ImplicitEulerMaruyama{}, "ito", 0.5, 1},
			{flow.ImplicitEulerMaruyama{FixedPoint: true}, "wavy", 1, 1},
			{flow.Milstein{}, "ito", 1, 1},
			{flow.StochasticHeun{}, "stratonovich", 1, 1},
			{flow.SRA1{}, "fading", 2, 2}, // its error of order 1.5 is of the drift's second derivative
			{flow.SRA1{}, "wavy", 1.5, 2},
		} {
			problem := problems[c.problem]
			var logH, logStrong, logWeak []float64
			note := ""
			for p := fine; len(p.w) >= 16; p = p.coarser() {
				if len(p.w) > 128 {
					continue
				}
				got := walk(t, b, c.m, problem.sde, 0.2, p)
				var square, mean, spread float64
				for i, x := range got {
					off := x - problem.want[i]
					diff := math.Atan(x) - math.Atan(problem.want[i]) // of a smooth function of x
					square, mean, spread = square+off*off/chains, mean+diff/chains, spread+diff*diff/chains
				}
				logH = append(logH, -math.Log(float64(len(p.w))))
				logStrong, logWeak = append(logStrong, math.Log(square)/2), append(logWeak, math.Log(math.Abs(mean)))
				note += fmt.Sprintf("; %d steps: strong %.2g, weak %.2g ± %.1g", len(p.w), math.Sqrt(square), mean, math.Sqrt(spread/chains))
			}
			strong, weak := fitted(logH, logStrong), fitted(logH, logWeak)
			t.Logf("%T, %s: strong order %.3f, weak %.3f%s", c.m, c.problem, strong, weak, note)
			if !(math.Abs(strong-c.strong) <= 0.15) {
				t.Errorf("%T, %s: strong order %.3f, want %g ± 0.15", c.m, c.problem, strong, c.strong)
			}
			if !(math.Abs(weak-c.weak) <= 0.15) {
				t.Errorf("%T, %s: weak order %.3f, want %g ± 0.15", c.m, c.problem, weak, c.weak)
			}
		}
	})
}

// The two drawn pieces of the path have the variances of their kind, and are independent.
func TestBrownian(t *testing.T) {
	const n = 100_000
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out, err := CallOnceN(b, func(dt *Node) []*Node {
			g := dt.Graph()
			rng := ebm.NewRand(Const(g, []uint32{3, 4}), Const(g, int32(0)))
			noise := flow.Brownian(flow.SRA1{}, rng, Zeros(g, shapes.Make(dtypes.Float64, n, 1)), BroadcastToDims(dt, n))
			if flow.Brownian(flow.Milstein{}, rng, Zeros(g, shapes.Make(dtypes.Float64, n, 1)), BroadcastToDims(dt, n)).H != nil {
				t.Error("Milstein draws an area that it does not read")
			}
			return []*Node{ReduceAllMean(Square(noise.W)), ReduceAllMean(Square(noise.H)), ReduceAllMean(Mul(noise.W, noise.H))}
		}, 0.3)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		for i, want := range []float64{0.3, 0.3 / 12, 0} {
			scale := []float64{0.3 * math.Sqrt2, 0.3 / 12 * math.Sqrt2, 0.3 / math.Sqrt(12)}[i] / math.Sqrt(n)
			if got := out[i].Value().(float64); !(math.Abs(got-want) < 4*scale) {
				t.Errorf("moment %d is %g, want %g ± %.1g", i, got, want, scale)
			}
		}
	})
}

// stiff has two modes, of rates 1 and 1000, that turn with x, and noise.
var stiff = flow.SDE{
	Drift: func(x, _ *Node) *Node {
		a, b := Slice(x, AxisRange(), AxisRange(0, 1)), Slice(x, AxisRange(), AxisRange(1, 2))
		fast := MulScalar(Sub(b, Square(a)), 1000)
		return Concatenate([]*Node{Sub(Mul(fast, a), a), Neg(fast)}, 1)
	},
	Diffusion: func(_, t *Node) *Node { return MulScalar(OnesLike(t), 0.1) },
}

// With steps fifty times too long for the explicit method the implicit one stays, and solves its equation.
func TestImplicitIsStable(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, c := range map[string]struct {
			m      flow.StochasticIntegrator
			stable bool
		}{
			"explicit": {flow.EulerMaruyama{}, false}, "fixed point": {flow.ImplicitEulerMaruyama{FixedPoint: true}, false},
			"Newton": {flow.ImplicitEulerMaruyama{Iterations: 8}, true},
		} {
			exec, err := NewExec(b, func(x, w *Node) (*Node, *Node) {
				t := ebm.ZeroTime(x)
				dt := AddScalar(t, 0.1)
				next := c.m.Step(stiff, x, t, dt, flow.Increment{W: w})
				want := Add(Add(x, MulScalar(stiff.Drift(next, t), 0.1)), MulScalar(w, 0.1))
				return Identity(next), ReduceAllMax(Abs(Sub(want, next)))
			})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			rng, x, unsolved := rand.New(rand.NewPCG(5, 6)), [][]float64{{1, 0}}, 0.0
			for range 50 {
				out, err := exec.Call(x, [][]float64{{rng.NormFloat64() * math.Sqrt(0.1), rng.NormFloat64() * math.Sqrt(0.1)}})
				if err != nil {
					t.Fatalf("%+v", err)
				}
				x, unsolved = out[0].Value().([][]float64), max(unsolved, out[1].Value().(float64))
			}
			size := math.Hypot(x[0][0], x[0][1])
			if stable := size < 1; stable != c.stable || stable && unsolved > 1e-9 {
				t.Errorf("%s: after 50 steps |x| = %.2g, the equation is unsolved by %.2g; want it stable: %v", name, size, unsolved, c.stable)
			}
			exec.Finalize()
		}
	})
}

func TestStochasticErrors(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		step := func(m flow.StochasticIntegrator, s flow.SDE, d int, noise func(x *Node) flow.Increment) func(t *Node) *Node {
			return func(t *Node) *Node {
				x := BroadcastToDims(ExpandAxes(t, -1), 2, d)
				return m.Step(s, x, t, t, noise(x))
			}
		}
		full := func(x *Node) flow.Increment { return flow.Increment{W: x, H: x} }
		wide := flow.SDE{Drift: ito.Drift, Diffusion: func(x, _ *Node) *Node { return ExpandAxes(x, -1) }}
		for want, build := range map[string]func(t *Node) *Node{
			"flow.EulerMaruyama: the increment's W, and H where Area, must have the shape of x (Float64)[2, 1]":      step(flow.EulerMaruyama{}, ito, 1, func(*Node) flow.Increment { return flow.Increment{} }),
			"flow.SRA1: the increment's W, and H where Area":                                                         step(flow.SRA1{}, fading, 1, func(x *Node) flow.Increment { return flow.Increment{W: x} }),
			"the diffusion at x (Float64)[2, 1] must have x's shape, or be one number a row, got (Float64)[2, 1, 1]": step(flow.Milstein{}, wide, 1, full),
			"ImplicitEulerMaruyama: Newton's method is for at most 8 numbers an event, got x (Float64)[2, 9]":        step(flow.ImplicitEulerMaruyama{}, ito, 9, full),
			"ImplicitEulerMaruyama: Iterations must be at least 1":                                                   step(flow.ImplicitEulerMaruyama{Iterations: -1}, ito, 1, full),
		} {
			if _, err := callOnce(b, build); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}

// An Ornstein–Uhlenbeck process, dx = −x dt + √2 dW, forgets where it was: its law becomes N(0, 1).
func ExampleBrownian() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	ou := flow.SDE{
		Drift:     func(x, _ *Node) *Node { return Neg(x) },
		Diffusion: func(_, t *Node) *Node { return AddScalar(ZerosLike(t), math.Sqrt2) },
	}
	for _, m := range []flow.StochasticIntegrator{flow.EulerMaruyama{}, flow.SRA1{}} {
		variance, err := CallOnce(b, func(x *Node) *Node {
			t, key := ebm.ZeroTime(x), Const(x.Graph(), []uint32{1, 2})
			dt := AddScalar(t, 0.25)
			for i := range 20 {
				rng := ebm.NewRand(key, Const(x.Graph(), int32(i)))
				x, t = m.Step(ou, x, t, dt, flow.Brownian(m, rng, x, dt)), Add(t, dt)
			}
			return ReduceAllMean(Square(x))
		}, tensors.FromShape(shapes.Make(dtypes.Float32, 20_000, 1)))
		if err != nil {
			panic(err)
		}
		strong, _ := m.Order()
		fmt.Printf("strong order %g: variance %.2f\n", strong, variance.Value())
	}
	// Output:
	// strong order 0.5: variance 1.14
	// strong order 1.5: variance 0.99
}

// A stiff Ornstein–Uhlenbeck process, dx = −100x dt + dW, in steps of 1/40. Its standard deviation is 0.071; steps that are longer than
// its memory make it smaller, and where they are not implicit too large to be of use.
func ExampleImplicitEulerMaruyama() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	stiff := flow.SDE{
		Drift:     func(x, _ *Node) *Node { return MulScalar(x, -100) },
		Diffusion: func(_, t *Node) *Node { return OnesLike(t) },
	}
	for _, m := range []flow.StochasticIntegrator{flow.EulerMaruyama{}, flow.ImplicitEulerMaruyama{}} {
		size, err := CallOnce(b, func(x *Node) *Node {
			t, key := ebm.ZeroTime(x), Const(x.Graph(), []uint32{1, 2})
			dt := AddScalar(t, 0.025)
			for i := range 20 {
				rng := ebm.NewRand(key, Const(x.Graph(), int32(i)))
				x, t = m.Step(stiff, x, t, dt, flow.Brownian(m, rng, x, dt)), Add(t, dt)
			}
			return Sqrt(ReduceAllMean(Square(x)))
		}, tensors.FromShape(shapes.Make(dtypes.Float32, 10_000, 1)))
		if err != nil {
			panic(err)
		}
		fmt.Printf("%T: %.2g\n", m, size.Value())
	}
	// Output:
	// flow.EulerMaruyama: 4.6e+02
	// flow.ImplicitEulerMaruyama: 0.047
}
