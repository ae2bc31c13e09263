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

var tableaux = map[string]flow.Tableau{
	"Euler": flow.Euler, "Heun": flow.Heun, "Midpoint": flow.Midpoint, "RK4": flow.RK4, "RK438": flow.RK438,
	"Bosh3": flow.Bosh3, "Dopri5": flow.Dopri5, "Tsit5": flow.Tsit5, "Dopri8": flow.Dopri8,
}

// tree is a rooted tree: its branches.
type tree []tree

// trees are all rooted trees of n vertices.
func trees(n int) []tree {
	var all []tree
	smaller := []tree{}
	for k := 1; k < n; k++ {
		smaller = append(smaller, trees(k)...)
	}
	var grow func(t tree, left, from int)
	grow = func(t tree, left, from int) {
		if left == 0 {
			all = append(all, append(tree{}, t...))
		}
		for i := from; i < len(smaller); i++ {
			if size := smaller[i].size(); size <= left {
				grow(append(t[:len(t):len(t)], smaller[i]), left-size, i)
			}
		}
	}
	grow(nil, n-1, 0)
	return all
}

func (t tree) size() int {
	n := 1
	for _, b := range t {
		n += b.size()
	}
	return n
}

// density is γ, the product over the vertices of the sizes of their subtrees.
func (t tree) density() float64 {
	v := float64(t.size())
	for _, b := range t {
		v *= b.density()
	}
	return v
}

// weights are Πφᵢ(branch) for each slope i; φᵢ(branch) = Σⱼ aᵢⱼ·weightsⱼ(branch).
func (t tree) weights(a [][]float64) []float64 {
	out := make([]float64, len(a))
	for i := range out {
		out[i] = 1
	}
	for _, b := range t {
		w := b.weights(a)
		for i, row := range a {
			sum := 0.0
			for j, v := range row {
				sum += v * w[j]
			}
			out[i] *= sum
		}
	}
	return out
}

// unmet is the largest |Σᵢ bᵢ weightsᵢ(t) − 1/γ(t)| over the trees of n vertices.
func unmet(m flow.Tableau, b []float64, n int) (worst float64) {
	for _, t := range trees(n) {
		sum := -1 / t.density()
		for i, w := range t.weights(m.A) {
			sum += b[i] * w
		}
		worst = max(worst, math.Abs(sum))
	}
	return worst
}

// Order p means that the conditions of all trees up to p vertices hold, and one of p + 1 does not; an embedded method has
// order p − 1.
func TestOrderConditions(t *testing.T) {
	for n, want := range []int{1, 1, 2, 4, 9, 20, 48, 115} {
		if got := len(trees(n + 1)); got != want {
			t.Fatalf("%d trees of %d vertices, want %d", got, n+1, want)
		}
	}
	for name, m := range tableaux {
		check := func(what string, b []float64, order int) {
			for n := 1; n <= order; n++ {
				if v := unmet(m, b, n); v > 2e-14 {
					t.Errorf("%s: a condition of order %d of %s is off by %.2g", name, n, what, v)
				}
			}
			if v := unmet(m, b, order+1); v < 1e-8 {
				t.Errorf("%s: %s is of a higher order than %d", name, what, order)
			}
		}
		check("the method", m.B, m.Order())
		if m.E != nil {
			low := make([]float64, len(m.B))
			for i := range low {
				low[i] = m.B[i] - m.E[i]
			}
			check("the embedded method", low, m.Order()-1)
		}
	}
}

// coupled is x˙₁ = 2t x₁ log x₂, x˙₂ = −2t x₂ log x₁, solved by x₁ = exp sin t², x₂ = exp cos t².
func coupled(x, t *Node) *Node {
	a, b := Slice(x, AxisRange(), AxisRange(0, 1)), Slice(x, AxisRange(), AxisRange(1, 2))
	twice := MulScalar(ExpandAxes(t, -1), 2)
	return Concatenate([]*Node{Mul(Mul(twice, a), Log(b)), Neg(Mul(Mul(twice, b), Log(a)))}, 1)
}

func coupledAt(t float64) []float64 {
	return []float64{math.Exp(math.Sin(t * t)), math.Exp(math.Cos(t * t))}
}

// march takes steps from t = from to t = to, one chain for each number of steps, and gives the end points.
func march(t *testing.T, b compute.Backend, m flow.Integrator, from, to float64, counts []int) [][]float64 {
	t.Helper()
	exec, err := NewExec(b, func(x, t, dt *Node) (*Node, *Node) {
		next, _ := m.Step(coupled, x, t, dt)
		return Identity(next), Add(t, dt)
	})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer exec.Finalize()
	x, at := make([][]float64, len(counts)), make([]float64, len(counts))
	most := 0
	for i, n := range counts {
		x[i], at[i], most = coupledAt(from), from, max(most, n)
	}
	for step := range most {
		dt := make([]float64, len(counts))
		for i, n := range counts {
			if step < n {
				dt[i] = (to - from) / float64(n)
			}
		}
		out, err := exec.Call(x, at, dt)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		x, at = out[0].Value().([][]float64), out[1].Value().([]float64)
	}
	return x
}

// errors are the distances from the solution at t = 1.5, for n, 2n and 4n steps from t = 0.5.
func errors(t *testing.T, b compute.Backend, m flow.Integrator, n int) (e [3]float64) {
	t.Helper()
	want := coupledAt(1.5)
	for i, x := range march(t, b, m, 0.5, 1.5, []int{n, 2 * n, 4 * n}) {
		e[i] = math.Hypot(x[0]-want[0], x[1]-want[1])
	}
	return e
}

// orderOf is the order that errors for steps h, h/2 and h/4 tell: log₂ of the quotient of neighbours is p + O(h), and O(h) is
// taken out.
func orderOf(e [3]float64) float64 { return 2*math.Log2(e[1]/e[2]) - math.Log2(e[0]/e[1]) }

func TestMeasuredOrder(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, m := range tableaux {
			n := 64 // for which the error is neither rough nor rounded away
			if m.Order() == 8 {
				n = 6
			}
			e := errors(t, b, m, n)
			t.Logf("%s: order %.3f, error of %d steps %.2g", name, orderOf(e), 4*n, e[2])
			if got := orderOf(e); !(math.Abs(got-float64(m.Order())) <= 0.15) {
				t.Errorf("%s: order %.3f, want %d ± 0.15", name, got, m.Order())
			}
			end, start := march(t, b, m, 1.5, 0.5, []int{4 * n})[0], coupledAt(0.5) // back in time
			if back := math.Hypot(end[0]-start[0], end[1]-start[1]); !(back < 5*e[2]) {
				t.Errorf("%s: back in time the error is %.2g, and forward %.2g", name, back, e[2])
			}
		}
	})
}

// fitted is the slope of the line of least squares.
func fitted(x, y []float64) float64 {
	var mx, my, sxy, sxx float64
	for i := range x {
		mx, my = mx+x[i]/float64(len(x)), my+y[i]/float64(len(x))
	}
	for i := range x {
		sxy, sxx = sxy+(x[i]-mx)*(y[i]-my), sxx+(x[i]-mx)*(x[i]-mx)
	}
	return sxy / sxx
}

// Gradients go through steps: ∂x(1)/∂x(0) of x˙ = −x is e⁻¹.
func TestGradientThroughSteps(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out, err := CallOnce(b, func(x *Node) *Node {
			start, at := x, ebm.ZeroTime(x)
			dt := AddScalar(at, 0.25)
			for range 4 {
				x, _ = flow.Dopri5.Step(func(x, _ *Node) *Node { return Neg(x) }, x, at, dt)
			}
			return Gradient(ReduceAllSum(x), start)[0]
		}, [][]float64{{3}, {5}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		for _, v := range out.Value().([][]float64) {
			near(t, "the gradient", v[0], math.Exp(-1), 1e-6)
		}
	})
}

// The error estimated is that of the embedded method, of order dt^p.
func TestErrorEstimate(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, m := range tableaux {
			dt := []float64{0.1, 0.05, 0.025}
			x, at := [][]float64{coupledAt(1), coupledAt(1), coupledAt(1)}, []float64{1, 1, 1}
			given := false
			out, err := CallOnce(b, func(x, t, dt *Node) *Node {
				next, e := m.Step(coupled, x, t, dt)
				if e == nil {
					return Identity(next)
				}
				given = true
				return Identity(e)
			}, x, at, dt)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			if given != (m.E != nil) {
				t.Errorf("%s: an error estimate is given: %v", name, given)
			}
			if !given {
				continue
			}
			var logErr []float64
			for _, e := range out.Value().([][]float64) {
				logErr = append(logErr, math.Log(math.Hypot(e[0], e[1])))
			}
			got := fitted([]float64{math.Log(dt[0]), math.Log(dt[1]), math.Log(dt[2])}, logErr)
			t.Logf("%s: the error estimated has order %.2f", name, got)
			if !(math.Abs(got-float64(m.Order())) <= 0.5) {
				t.Errorf("%s: the error estimated in one step has order %.2f, want %d", name, got, m.Order())
			}
		}
	})
}

func TestTableauErrors(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		decay := func(x, _ *Node) *Node { return Neg(x) }
		step := func(m flow.Tableau, f func(x, t *Node) *Node) func(t *Node) *Node {
			return func(t *Node) *Node {
				next, _ := m.Step(f, ExpandAxes(t, -1), t, t)
				return next
			}
		}
		for want, build := range map[string]func(t *Node) *Node{
			"Tableau: want as many numbers in B, C and E":                             step(flow.Tableau{}, decay),
			"Tableau: row 1 of A must have 1 numbers, one for each slope before it, ": step(flow.Tableau{A: [][]float64{{}, {}}, B: []float64{1, 0}, C: []float64{0, 1}, P: 1}, decay),
			"Tableau: row 1 of A must add up to C[1] = 1, got 0.5":                    step(flow.Tableau{A: [][]float64{{}, {0.5}}, B: []float64{1, 0}, C: []float64{0, 1}, P: 1}, decay),
			"Tableau: B must add up to 1, got 2":                                      step(flow.Tableau{A: [][]float64{{}}, B: []float64{2}, C: []float64{0}, P: 1}, decay),
			"the field at x (Float64)[2, 1] must have x's shape, got (Float64)[2]":    step(flow.RK4, func(_, t *Node) *Node { return t }),
			"the field at x (Float64)[2, 1] must have x's shape, got nil":             step(flow.RK4, func(_, t *Node) *Node { return nil }),
			"AlongRows: want one number for each row of (Float64)[2, 1], got (": func(t *Node) *Node {
				x := ExpandAxes(t, -1)
				next, _ := flow.Euler.Step(decay, x, t, x)
				return next
			},
		} {
			if _, err := callOnce(b, build); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}

// Once around a circle in sixteen steps.
func ExampleTableau_Step() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	circle := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { // x˙ = (−x₂, x₁)
		return Concatenate([]*Node{Neg(Slice(x, AxisRange(), AxisRange(1, 2))), Slice(x, AxisRange(), AxisRange(0, 1))}, 1)
	})
	for _, m := range []flow.Integrator{flow.Euler, flow.Heun, flow.RK4, flow.Dopri5} {
		end, err := CallOnce(b, func(x, t *Node) *Node {
			dt := AddScalar(ZerosLike(t), 2*math.Pi/16)
			for range 16 {
				x, _ = m.Step(flow.Along(circle), x, t, dt)
				t = Add(t, dt)
			}
			return x
		}, [][]float64{{1, 0}}, []float64{0})
		if err != nil {
			panic(err)
		}
		fmt.Printf("order %d: %.4f\n", m.Order(), end.Value())
	}
	// Output:
	// order 1: [[3.0128 -0.9189]]
	// order 2: [[1.0362 0.1605]]
	// order 4: [[0.9996 -0.0012]]
	// order 5: [[1.0000 0.0000]]
}
