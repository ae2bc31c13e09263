package ebm_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// evaluateAll computes energies and gradients, the i-th at x[i] (a Go slice or a tensor), in one compilation.
func evaluateAll(t *testing.T, b compute.Backend, energies []ebm.Energy, x []any) (value, grad []any) {
	t.Helper()
	exec, err := NewExec(b, func(x []*Node) (out []*Node) {
		for i, e := range energies {
			value, grad := ebm.ValueGrad(e, x[i])
			out = append(out, value, grad)
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call(x...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for i := range energies {
		value, grad = append(value, out[2*i].Value()), append(grad, out[2*i+1].Value())
	}
	return value, grad
}

// evaluate is evaluateAll for one energy.
func evaluate(t *testing.T, b compute.Backend, e ebm.Energy, x any) (value, grad any) {
	t.Helper()
	values, grads := evaluateAll(t, b, []ebm.Energy{e}, []any{x})
	return values[0], grads[0]
}

func float32s(x [][]float64) [][]float32 {
	y := make([][]float32, len(x))
	for i, row := range x {
		y[i] = make([]float32, len(row))
		for j, v := range row {
			y[i][j] = float32(v)
		}
	}
	return y
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %.12g, want %.12g ± %.2g", what, got, want, tolerance)
	}
}

type energyParams struct {
	Mean          []float64
	Cov           [][]float64
	BarrierHeight float64 `json:"barrier_height"`
	A, B, C, K    float64
}

func (p energyParams) energy(t *testing.T, model string) ebm.Energy {
	switch model {
	case "Gaussian":
		return ebm.Gaussian{Mean: p.Mean, Cov: p.Cov}
	case "DoubleWell":
		return ebm.DoubleWell{BarrierHeight: p.BarrierHeight, B: p.B}
	case "Harmonic":
		return ebm.Harmonic{K: p.K}
	case "Rosenbrock":
		return ebm.Rosenbrock{A: p.A, B: p.B}
	case "Ackley":
		return ebm.Ackley{A: p.A, B: p.B, C: p.C}
	case "Rastrigin":
		return ebm.Rastrigin{A: p.A}
	case "Himmelblau":
		return ebm.Himmelblau{}
	case "Booth":
		return ebm.Booth{}
	case "StyblinskiTang":
		return ebm.StyblinskiTang{}
	}
	t.Fatalf("unknown model %q", model)
	return nil
}

// fixtures reads a file of testdata/parity.
func fixtures[T any](t *testing.T, name string) []T {
	t.Helper()
	text, err := os.ReadFile("testdata/parity/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []T }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 {
		t.Fatalf("%s has no cases", name)
	}
	return file.Cases
}

func TestEnergiesAsTorchEBM(t *testing.T) {
	type fixture struct {
		Model    string
		Params   energyParams
		X        [][]float64
		Energy   []float64
		Gradient [][]float64
	}
	cases := fixtures[fixture](t, "energies.json")
	energies := make([]ebm.Energy, len(cases))
	double, single := make([]any, len(cases)), make([]any, len(cases))
	for i, c := range cases {
		energies[i], double[i], single[i] = c.Params.energy(t, c.Model), c.X, float32s(c.X)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		value, grad := evaluateAll(t, b, energies, double)
		value32, grad32 := evaluateAll(t, b, energies, single)
		for k, c := range cases {
			for i, want := range c.Energy {
				near(t, c.Model+" energy", value[k].([]float64)[i], want, 1e-13*(1+math.Abs(want)))
				near(t, c.Model+" Float32 energy", float64(value32[k].([]float32)[i]), want, 1e-4*(1+math.Abs(want)))
				for j, want := range c.Gradient[i] {
					near(t, c.Model+" gradient", grad[k].([][]float64)[i][j], want, 1e-12*(1+math.Abs(want)))
					near(t, c.Model+" Float32 gradient", float64(grad32[k].([][]float32)[i][j]), want, 1e-4*(1+math.Abs(want)))
				}
			}
		}
	})
}
