package flow_test

import (
	"context"
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
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

func solve(t *testing.T, b compute.Backend, f ebm.Field, a flow.Adaptive, p flow.Problem) *flow.Solution {
	t.Helper()
	solver, err := flow.NewSolver(b, nil, f, a)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer solver.Finalize()
	sol, err := solver.Solve(t.Context(), p)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return sol
}

var coupledField = ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node { return coupled(x, t) })

// Tighter tolerances give smaller errors, at the times in between too, there and back.
func TestAdaptive(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, m := range map[string]flow.Tableau{"Heun": flow.Heun, "Bosh3": flow.Bosh3, "Dopri5": flow.Dopri5, "Tsit5": flow.Tsit5, "Dopri8": flow.Dopri8} {
			tols := []float64{1e-4, 1e-7}
			if m.Order() < 4 {
				tols = []float64{1e-3, 1e-5}
			}
			if b.Name() == "xla" { // where compiling takes its time
				if name != "Bosh3" && name != "Dopri8" {
					continue
				}
				tols = tols[:1]
			}
			for _, tol := range tols {
				solver, err := flow.NewSolver(b, nil, coupledField, flow.Adaptive{Method: m, RTol: tol, ATol: tol})
				if err != nil {
					t.Fatal(err)
				}
				for _, times := range [][]float64{{0.2, 0.5, 0.50001, 1.4}, {1.4, 0.9, 0.5, 0.2}} {
					sol, err := solver.Solve(t.Context(), flow.Problem{Start: tensors.FromValue([][]float64{coupledAt(times[0])}), Times: times})
					if err != nil {
						t.Fatalf("%+v", err)
					}
					values, worst := sol.Values.Value().([][][]float64), 0.0
					for i, at := range times[1:] {
						want := coupledAt(at)
						worst = max(worst, math.Hypot(values[0][i][0]-want[0], values[0][i][1]-want[1]))
					}
					last := values[0][len(times)-2]
					if x := sol.X.Value().([][]float64)[0]; x[0] != last[0] || x[1] != last[1] || sol.T[0] != times[len(times)-1] || sol.Status[0] != flow.Done {
						t.Errorf("%s: ends at %v, time %g, %s; its last value is %v", name, x, sol.T[0], sol.Status[0], last)
					}
					slopes := len(m.A)
					if m.Order() == 3 || m.Order() == 5 {
						slopes--
					}
					if want := 2 + slopes*sol.Steps[0]; sol.Evaluations[0] != want {
						t.Errorf("%s: %d evaluations in %d steps, want %d", name, sol.Evaluations[0], sol.Steps[0], want)
					}
					t.Logf("%s, tolerance %g, %v: error %.2g, %d evaluations, %d of %d steps refused", name, tol, times, worst, sol.Evaluations[0], sol.Rejected[0], sol.Steps[0])
					if !(worst < 30*tol) || 2*sol.Rejected[0] > sol.Steps[0] {
						t.Errorf("%s, tolerance %g, %v: error %.2g, %d of %d steps refused", name, tol, times, worst, sol.Rejected[0], sol.Steps[0])
					}
				}
				solver.Finalize()
			}
		}
	})
}

// rates is x˙ = −λx for a rate of each chain's own, and of image-like events.
var rates = ebm.FieldFunc(func(x, _ *Node, cond ...*Node) *Node { return Neg(Mul(x, flow.AlongRows(cond[0], x))) })

// Chains step by themselves: each goes as it would alone, and the fast ones take more steps.
func TestChainsAreAlone(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x, lambda := [][][]float32{{{1}, {2}}, {{3}, {-1}}, {{1}, {1}}}, []float32{1, 100, 10}
		a := flow.Adaptive{Method: flow.Dopri5, RTol: 1e-4, ATol: 1e-5}
		all := solve(t, b, rates, a, flow.Problem{Start: tensors.FromValue(x), Cond: []*tensors.Tensor{tensors.FromValue(lambda)}})
		for i := range x {
			one := solve(t, b, rates, a, flow.Problem{Start: tensors.FromValue(x[i : i+1]), Cond: []*tensors.Tensor{tensors.FromValue(lambda[i : i+1])}})
			got, want := all.X.Value().([][][]float32)[i], one.X.Value().([][][]float32)[0]
			for j := range got {
				exact := float64(x[i][j][0]) * math.Exp(-float64(lambda[i]))
				if got[j][0] != want[j][0] || !(math.Abs(float64(got[j][0])-exact) < 1e-4) {
					t.Errorf("chain %d ends at %g among others, at %g alone, at %g in truth", i, got[j][0], want[j][0], exact)
				}
			}
			if all.Steps[i] != one.Steps[0] || all.Evaluations[i] != one.Evaluations[0] {
				t.Errorf("chain %d takes %d steps among others and %d alone", i, all.Steps[i], one.Steps[0])
			}
		}
		t.Logf("steps %v", all.Steps)
		if !(all.Steps[0] < all.Steps[2] && all.Steps[2] < all.Steps[1]) {
			t.Errorf("steps %v for rates %v", all.Steps, lambda)
		}
	})
}

// Enough chains to be spread over several of XLA's devices.
func TestAdaptiveManyChains(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		const n = 2000
		x, lambda := make([][]float32, n), make([]float32, n)
		for i := range x {
			x[i], lambda[i] = []float32{1, float32(i)}, float32(i)/100
		}
		sol := solve(t, b, rates, flow.Adaptive{Method: flow.Bosh3}, flow.Problem{Start: tensors.FromValue(x), Cond: []*tensors.Tensor{tensors.FromValue(lambda)}})
		for i, got := range sol.X.Value().([][]float32) {
			want := math.Exp(-float64(lambda[i]))
			if sol.Status[i] != flow.Done || !(math.Abs(float64(got[0])-want) < 2e-4) || !(math.Abs(float64(got[1])-want*float64(i)) < 2e-4*float64(i)+1e-4) {
				t.Fatalf("chain %d: %s at %v, want %g times its start", i, sol.Status[i], got, want)
			}
		}
	})
}

// Where it cannot go on it tells, and how far it came.
func TestAdaptiveStops(t *testing.T) {
	square := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return Square(x) }) // x = x₀/(1 − x₀t)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		start := tensors.FromValue([][]float64{{1}, {0.25}})
		path := flow.Problem{Start: start, Times: []float64{0, 0.5, 2, 3}}
		sol := solve(t, b, square, flow.Adaptive{RTol: 1e-6}, path)
		if sol.Status[0] != flow.StepTooShort || sol.Status[1] != flow.Done || !(math.Abs(sol.T[0]-1) < 1e-3) {
			t.Errorf("a chain that blows up at 1: %s at %g; the other: %s", sol.Status[0], sol.T[0], sol.Status[1])
		}
		v := sol.Values.Value().([][][]float64)
		if !(math.Abs(v[0][0][0]-2) < 1e-4) || !math.IsNaN(v[0][1][0]) || !(math.Abs(v[1][2][0]-1) < 1e-4) {
			t.Errorf("values %v, want 2, NaN, NaN and 0.286, 0.5, 1", v)
		}

		sol = solve(t, b, square, flow.Adaptive{RTol: 1e-6, MaxSteps: 3, FirstStep: 0.01}, path)
		for i, x0 := range []float64{1, 0.25} {
			x := sol.X.Value().([][]float64)[i][0]
			if sol.Status[i] != flow.OutOfSteps || sol.Steps[i] != 3 || !(sol.T[i] > 0.01 && sol.T[i] < 1) || !(math.Abs(x-x0/(1-x0*sol.T[i])) < 1e-4*x) {
				t.Errorf("chain %d: %s after %d steps, %g at %g", i, sol.Status[i], sol.Steps[i], x, sol.T[i])
			}
		}

		sol = solve(t, b, rates, flow.Adaptive{MaxStep: 0.125}, flow.Problem{Start: start, Cond: []*tensors.Tensor{tensors.FromValue([]float64{0.01, 0})}})
		if sol.Steps[0] < 8 || sol.Steps[0] > 12 || sol.Status[1] != flow.Done {
			t.Errorf("%v steps of at most 1/8", sol.Steps)
		}
		sol = solve(t, b, rates, flow.Adaptive{RTol: 1e-8, ATol: 1e-8, MinStep: 0.5}, flow.Problem{Start: start, Cond: []*tensors.Tensor{tensors.FromValue([]float64{50, 0.001})}})
		if sol.Status[0] != flow.StepTooShort || sol.T[0] != 0 || sol.Status[1] != flow.Done {
			t.Errorf("steps of 0.5 at least: %v at %v", sol.Status, sol.T)
		}

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		solver, err := flow.NewSolver(b, nil, square, flow.Adaptive{})
		if err != nil {
			t.Fatal(err)
		}
		defer solver.Finalize()
		got, err := solver.Solve(ctx, path)
		if err == nil || got == nil || got.T[0] != 0 {
			t.Errorf("with a context that ended: %v, error %v", got, err)
		}
	})
}

// A network's weights go through the loop, and may change between calls.
func TestAdaptiveNet(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		rate := store.VariableWithValue("/rate", []float32{1, 2})
		net := ebm.FieldNet{Scope: store.RootScope(), Fn: func(_ *model.Scope, x, _ *Node, _ ...*Node) *Node {
			return Neg(Mul(x, ExpandAxes(rate.NodeValue(x.Graph()), 0)))
		}}
		solver, err := flow.NewSolver(b, store, net, flow.Adaptive{})
		if err != nil {
			t.Fatal(err)
		}
		defer solver.Finalize()
		for _, r := range [][]float32{{1, 2}, {-1, 0}} {
			if err := rate.SetValue(tensors.FromValue(r)); err != nil {
				t.Fatal(err)
			}
			sol, err := solver.Solve(t.Context(), flow.Problem{Start: tensors.FromValue([][]float32{{1, 1}})})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			for i, x := range sol.X.Value().([][]float32)[0] {
				if want := math.Exp(-float64(r[i])); !(math.Abs(float64(x)-want) < 3e-4) {
					t.Errorf("rate %g: ends at %g, want %g", r[i], x, want)
				}
			}
		}
	})
}

func TestSolverErrors(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		start := tensors.FromValue([][]float64{{1}})
		flat := ebm.FieldFunc(func(_, t *Node, _ ...*Node) *Node { return t })
		for want, try := range map[string]struct {
			f ebm.Field
			a flow.Adaptive
			p flow.Problem
		}{
			"NewSolver: the field is nil":                                            {nil, flow.Adaptive{}, flow.Problem{}},
			"Adaptive.Method must have an embedded method":                           {rates, flow.Adaptive{Method: flow.RK4}, flow.Problem{}},
			"Adaptive.RTol must be positive and finite, or 0 for the default, got -": {rates, flow.Adaptive{RTol: -1}, flow.Problem{}},
			"Adaptive.MinStep must be at most MaxStep = 1, got 2":                    {rates, flow.Adaptive{MinStep: 2, MaxStep: 1}, flow.Problem{}},
			"Adaptive.MaxSteps must be positive":                                     {rates, flow.Adaptive{MaxSteps: -1}, flow.Problem{}},
			"Problem.Start must be points [n, event...]":                             {rates, flow.Adaptive{}, flow.Problem{}},
			"Problem.Times must be where to start, and at least one time":            {rates, flow.Adaptive{}, flow.Problem{Start: start, Times: []float64{1}}},
			"Problem.Times must be finite, and all go up or all down, got [0 1 0.5]": {rates, flow.Adaptive{}, flow.Problem{Start: start, Times: []float64{0, 1, 0.5}}},
			"the field of x (Float64)[1, 1] must have x's shape, got (Float64)[1]":   {flat, flow.Adaptive{}, flow.Problem{Start: start}},
		} {
			solver, err := flow.NewSolver(b, nil, try.f, try.a)
			if err == nil {
				_, err = solver.Solve(t.Context(), try.p)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}

// Van der Pol's oscillator is slow for long, and fast now and then.
func ExampleSolver() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	oscillator := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node {
		at, speed := Slice(x, AxisRange(), AxisRange(0, 1)), Slice(x, AxisRange(), AxisRange(1, 2))
		return Concatenate([]*Node{speed, Sub(MulScalar(Mul(OneMinus(Square(at)), speed), 10), at)}, 1)
	})
	solver, err := flow.NewSolver(b, nil, oscillator, flow.Adaptive{RTol: 1e-6, ATol: 1e-8})
	if err != nil {
		panic(err)
	}
	sol, err := solver.Solve(context.Background(), flow.Problem{Start: tensors.FromValue([][]float64{{2, 0}}), Times: []float64{0, 5, 10, 20}})
	if err != nil {
		panic(err)
	}
	fmt.Println(sol.Status[0])
	fmt.Printf("%.4f\n", sol.Values.Value())
	// Output:
	// done
	// [[[1.6022 -0.1013] [-1.9712 0.0682] [1.9394 -0.0701]]]
}
