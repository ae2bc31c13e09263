package ebm_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// smallField is the field of the fixtures, f(x, t) = tanh(xW + tv)U.
var smallField = ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node {
	w := ConstAs(x, [][]float64{{0.8, -0.5, 0.3}, {0.2, 0.6, -0.9}})
	v := ConstAs(x, [][]float64{{0.4, -0.7, 0.1}})
	u := ConstAs(x, [][]float64{{0.5, -1}, {0.7, 0.4}, {-0.6, 0.9}})
	return MatMul(Tanh(Add(MatMul(x, w), Mul(ExpandAxes(t, -1), v))), u)
})

// swirl is the field w·(−y, x) + t with a trainable w that begins at 3; it is no gradient.
func swirl(store *model.Store) ebm.FieldNet {
	return ebm.FieldNet{Scope: store.Scope("/swirl"), Fn: func(scope *model.Scope, x, t *Node, _ ...*Node) *Node {
		w := scope.VariableWithValue("w", 3.0).NodeValue(x.Graph())
		turned := MatMul(x, ConstAs(x, [][]float64{{0, 1}, {-1, 0}}))
		return Add(Mul(turned, w), ExpandAxes(t, -1))
	}}
}

func TestEvaluateField(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		x := tensors.FromValue([][]float64{{1, 2}, {3, 4}})
		out, err := ebm.EvaluateField(b, store, swirl(store), x, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		alike(t, "the field", numbers(t, out), []float64{-5.5, 3.5, -11.5, 9.5}, 0)
		shifted := ebm.FieldFunc(func(x, _ *Node, cond ...*Node) *Node { return Add(x, cond[0]) })
		if out, err = ebm.EvaluateField(b, nil, shifted, x, 0, tensors.FromValue([][]float64{{1, 1}, {0, 2}})); err != nil {
			t.Fatal(err)
		}
		alike(t, "with conditioning", numbers(t, out), []float64{2, 3, 3, 6}, 0)
		vectors, err := ebm.FieldOnHost(b, nil, smallField, 2, 0.25)([]float32{1, 2})
		if err != nil {
			t.Fatal(err)
		}
		a, c, d := math.Tanh(0.8+0.4+0.1), math.Tanh(-0.5+1.2-0.175), math.Tanh(0.3-1.8+0.025)
		alike(t, "on the host", vectors, []float64{0.5*a + 0.7*c - 0.6*d, -a + 0.4*c + 0.9*d}, 1e-6)

		flat := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return ReduceSum(x, -1) })
		none := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return nil })
		for want, call := range map[string]func() error{
			"Field: the field of x (Float64)[2, 2] must have x's shape, got (Float64)[2]": func() error { _, err := ebm.EvaluateField(b, nil, flat, x, 0); return err },
			"Field: the field of x (Float64)[2, 2] must have x's shape, got nil":          func() error { _, err := ebm.EvaluateField(b, nil, none, x, 0); return err },
			"ebm: EvaluateField: the field is nil":                                        func() error { _, err := ebm.EvaluateField(b, nil, nil, x, 0); return err },
			"ebm: EvaluateField: the backend is nil":                                      func() error { _, err := ebm.EvaluateField(nil, nil, smallField, x, 0); return err },
			"ebm: EvaluateField's cond[0] must have one row for each of 2 points, got (Float64)[1]": func() error {
				_, err := ebm.EvaluateField(b, nil, smallField, x, 0, tensors.FromValue([]float64{1}))
				return err
			},
			"ebm: FieldOnHost: want points of 2 numbers each, got 3 numbers": func() error { _, err := ebm.FieldOnHost(b, nil, smallField, 2, 0)([]float32{1, 2, 3}); return err },
			"DotEnergy: Of is nil": func() error { _, err := ebm.Evaluate(b, nil, ebm.DotEnergy{}, x); return err },
			"SumEnergy: Of is nil": func() error { _, err := ebm.Evaluate(b, nil, ebm.SumEnergy{}, x); return err },
			"SumEnergy: the field of x (Float64)[2, 2] must have a row for each point, got nil": func() error { _, err := ebm.Evaluate(b, nil, ebm.SumEnergy{Of: none}, x); return err },
			"L2Energy: Of is nil":       func() error { _, err := ebm.Evaluate(b, nil, ebm.L2Energy{}, x); return err },
			"ImplicitEnergy: Of is nil": func() error { _, err := ebm.Evaluate(b, nil, ebm.ImplicitEnergy{}, x); return err },
		} {
			if err := call(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}

func TestFieldEnergyGradients(t *testing.T) {
	x := [][]float64{{0.3, -1.2}, {2, 0.5}, {-0.7, 0.1}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		ebmtest.GradCheck(t, b, nil, ebm.DotEnergy{Of: smallField}, x)
		ebmtest.GradCheck(t, b, nil, ebm.L2Energy{Of: smallField}, x)
		ebmtest.GradCheck(t, b, nil, ebm.SumEnergy{Of: smallField}, x)
	})
}

func TestFieldEnergiesMatchTorchEBM(t *testing.T) {
	raw, err := os.ReadFile("testdata/parity/field_energies.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Energy      string
			X, Gradient [][]float64
			Value       []float64
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	energies := map[string]ebm.Energy{"dot": ebm.DotEnergy{Of: smallField}, "l2": ebm.L2Energy{Of: smallField}, "implicit": ebm.ImplicitEnergy{Of: smallField}}
	if len(file.Cases) != len(energies) {
		t.Fatalf("%d cases, want %d", len(file.Cases), len(energies))
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range file.Cases {
			out, err := CallOnceN(b, func(x *Node) []*Node {
				value, grad := ebm.ValueGrad(energies[c.Energy], x)
				return []*Node{Identity(value), Identity(grad)}
			}, c.X)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			var want []float64
			for _, row := range c.Gradient {
				want = append(want, row...)
			}
			alike(t, c.Energy+", gradient", numbers(t, out[1]), want, 1e-12)
			if c.Energy != "implicit" {
				alike(t, c.Energy, numbers(t, out[0]), c.Value, 1e-12)
				continue
			}
			for _, v := range numbers(t, out[0]) {
				if !math.IsNaN(v) {
					t.Errorf("an implicit energy has the value %g, want NaN", v)
				}
			}
		}
	})
}

// The gradient of an implicit energy is the field, also as part of other energies, and can be differentiated, in x and in
// the weights.
func TestImplicitEnergyIsDifferentiable(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		implicit := ebm.ImplicitEnergy{Of: swirl(store)}
		exec, err := model.NewExec(b, store, func(scope *model.Scope, x *Node) []*Node {
			_, sum := ebm.ValueGrad(ebm.Sum{ebm.Scaled{Of: implicit, By: 2}, bowl}, x)
			_, grad := ebm.ValueGrad(implicit, x)
			half := MulScalar(ReduceAllSum(Square(grad)), 0.5) // ½w²‖x‖²
			out := []*Node{sum, Gradient(half, x)[0], scope.BuildTrainableVariablesGradientsGraph(half)[0]}
			for i := range out {
				out[i] = Identity(out[i])
			}
			return out
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call([][]float64{{1, 2}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		alike(t, "2f + x", numbers(t, out[0]), []float64{-12 + 1, 6 + 2}, 1e-15)
		alike(t, "∇ₓ ½‖f‖²", numbers(t, out[1]), []float64{9, 18}, 1e-15)
		alike(t, "d/dw ½‖f‖²", numbers(t, out[2]), []float64{3 * 5}, 1e-15)
	})
}

// A kernel that decides by the energy's value refuses everything on an implicit energy; one that goes by the gradient moves.
func TestKernelsOnImplicitEnergy(t *testing.T) {
	inwards := ebm.ImplicitEnergy{Of: ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return x })}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		start := grid(dtypes.Float32, 6, 2)
		refused := sample(t, newSampler(t, b, nil, inwards, samplers.HMC{Leapfrog: 1}), ebm.Options{Start: start, Steps: 3})
		alike(t, "HMC", numbers(t, refused.X), numbers(t, start), 0)
		if refused.Accept != 0 {
			t.Errorf("HMC accepts %g, want 0", refused.Accept)
		}
		half := sample(t, newSampler(t, b, nil, inwards, samplers.GradientDescent{StepSize: ebm.Fixed(0.5)}),
			ebm.Options{Start: start, Steps: 1, Summaries: true})
		want := numbers(t, start)
		for i := range want {
			want[i] /= 2
		}
		alike(t, "gradient descent", numbers(t, half.X), want, 0)
		if e := half.Summary.Energy[0]; !math.IsNaN(e) {
			t.Errorf("the summary's energy is %g, want NaN", e)
		}
	})
}

// The acceptance on an explicit energy is that of theory: of a leapfrog step h on ½x², x at rest in exp(−½x²), it is
// (4/π)·arctan(κ^−½), where κ ≥ 1 and 1/κ are the eigenvalues of MᵀM, M the matrix of the step.
func TestAcceptanceOnFieldEnergy(t *testing.T) {
	const n = 50_000
	half := ebm.DotEnergy{Of: ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return MulScalar(x, 0.5) })} // E = ½x²
	rng := rand.New(rand.NewPCG(1, 2))
	normals := make([]float64, n)
	for i := range normals {
		normals[i] = rng.NormFloat64()
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		start := tensors.FromFlatDataAndDimensions(normals, n, 1)
		for _, h := range []float64{0.3, 1, 1.6} {
			out := sample(t, newSampler(t, b, nil, half, samplers.HMC{Leapfrog: 1, StepSize: ebm.Fixed(h)}), ebm.Options{Start: start, Steps: 1, Seed: 3})
			a, c := 1-h*h/2, h*(1-h*h/4)
			trace := (2*a*a + h*h + c*c) / 2 // (κ + 1/κ)/2
			want := 4 / math.Pi * math.Atan(1/math.Sqrt(trace+math.Sqrt(trace*trace-1)))
			bound := 5 * 0.5 / math.Sqrt(n) // five standard errors of a number between 0 and 1
			t.Logf("step %g: acceptance %.4f, in theory %.4f", h, out.Accept, want)
			if !(math.Abs(out.Accept-want) < bound) {
				t.Errorf("step %g: the acceptance is %.4f, want %.4f to within %.4f", h, out.Accept, want, bound)
			}
		}
	})
}

// One field, x/2, as four energies.
func ExampleDotEnergy() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	half := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return MulScalar(x, 0.5) }) // f + Jᵀx = x
	x := tensors.FromValue([][]float32{{1, 2}, {3, 0}})
	for _, energy := range []ebm.Energy{ebm.DotEnergy{Of: half}, ebm.L2Energy{Of: half}, ebm.SumEnergy{Of: half}, ebm.ImplicitEnergy{Of: half}} {
		values, err := ebm.Evaluate(b, nil, energy, x)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%T %v\n", energy, values)
	}
	// Output:
	// ebm.DotEnergy [2.5 4.5]
	// ebm.L2Energy [-0.625 -1.125]
	// ebm.SumEnergy [1.5 1.5]
	// ebm.ImplicitEnergy [NaN NaN]
}
