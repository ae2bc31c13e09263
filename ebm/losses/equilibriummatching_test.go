package losses

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
)

// eqmField is the field of the fixtures, f(x, t) = tanh(xW + tv)U, whose tanh are its features.
type eqmField struct{ store *model.Store }

func (f eqmField) FieldFeatures(x, t *Node, _ ...*Node) (value, features *Node) {
	weight := func(name string, start any) *Node {
		return f.store.Scope("/field").ResetVisited().VariableWithValue(name, start).NodeValue(x.Graph())
	}
	w := weight("w", [][]float64{{0.8, -0.5, 0.3}, {0.2, 0.6, -0.9}})
	v := weight("v", [][]float64{{0.4, -0.7, 0.1}})
	u := weight("u", [][]float64{{0.5, -1}, {0.7, 0.4}, {-0.6, 0.9}})
	h := Tanh(Add(MatMul(x, w), Mul(ExpandAxes(t, -1), v)))
	return MatMul(h, u), h
}

func (f eqmField) Field(x, t *Node, _ ...*Node) *Node {
	value, _ := f.FieldFeatures(x, t)
	return value
}

var eqmWeights = []string{"w", "v", "u"}

// eqmCompile makes a function that computes the loss for given noise, data and times with the weights as they are in the store, and
// its gradient in the field's weights.
func eqmCompile(t *testing.T, b compute.Backend, store *model.Store, match func(x0, x1, t *Node, cond []*Node) *Node) func(x0, x1, times any) (float64, map[string][]float64) {
	t.Helper()
	exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
		loss := match(in[0], in[1], in[2], nil)
		var weights []*Node
		for _, name := range eqmWeights {
			weights = append(weights, store.GetVariable("/field/"+name).NodeValue(loss.Graph()))
		}
		return append([]*Node{Identity(loss)}, Gradient(loss, weights...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(exec.Finalize)
	return func(x0, x1, times any) (float64, map[string][]float64) {
		t.Helper()
		out, err := exec.Call(x0, x1, times)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		grad := map[string][]float64{}
		for i, name := range eqmWeights {
			grad[name] = tensors.MustCopyFlatData[float64](out[i+1])
		}
		return tensors.ToScalar[float64](out[0]), grad
	}
}

// through says how a field is trained: itself, or through an energy.
func (l EquilibriumMatching) through(energy string, f ebm.Field) EquilibriumMatching {
	switch energy {
	case "none":
		l.Field = f
	case "dot":
		l.Energy = ebm.DotEnergy{Of: f}
	case "l2":
		l.Energy = ebm.L2Energy{Of: f}
	}
	return l
}

func eqmNear(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Errorf("%s is %.15g, want %.15g", what, got, want)
	}
}

func TestEquilibriumMatchingMatchesTorchEBM(t *testing.T) {
	raw, err := os.ReadFile("../testdata/parity/equilibrium_matching.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Interpolant, Energy, Decay string
			From, Scale, Dispersion    float64
			TimeDependent              bool `json:"time_dependent"`
			X0, X1                     [][]float64
			T, C                       []float64
			Loss                       float64
			Gradient                   []json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 15 {
		t.Fatalf("%d cases, want 15", len(file.Cases))
	}
	paths := map[string]flow.Interpolant{"Linear": nil, "Cosine": flow.Cosine{}, "VariancePreserving": flow.VariancePreserving{}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for i, c := range file.Cases {
			name := fmt.Sprintf("case %d, %s, %s, %s", i, c.Interpolant, c.Energy, c.Decay)
			store := model.NewStore()
			l := EquilibriumMatching{Interpolant: paths[c.Interpolant], TimeDependent: c.TimeDependent}.through(c.Energy, eqmField{store})
			switch c.Decay {
			case "truncated":
				l.Decay = flow.Truncated{From: c.From, Scale: c.Scale}
				if c.From == 0.8 && c.Scale == 4 {
					l.Decay = nil // the default
				}
			case "linear":
				l.Decay = flow.Ramp{Scale: c.Scale}
			case "constant":
				l.Decay = flow.Constant{Scale: c.Scale}
			}
			if c.Dispersion > 0 {
				l.Dispersion = &Dispersion{Weight: c.Dispersion}
			}
			decay := l.Decay
			if decay == nil {
				decay = flow.Truncated{}
			}
			at, err := CallOnce(b, func(t *Node) *Node { return Identity(decay.At(t)) }, c.T)
			if err != nil {
				t.Fatal(err)
			}
			for j, v := range at.Value().([]float64) {
				eqmNear(t, name+": c(t)", v, c.C[j], 1e-14)
			}
			loss, grad := eqmCompile(t, b, store, l.match)(c.X0, c.X1, c.T)
			eqmNear(t, name+": the loss", loss, c.Loss, 1e-12)
			for j, weights := range eqmWeights {
				for k, want := range eqmFlat(t, c.Gradient[j]) {
					eqmNear(t, fmt.Sprintf("%s: d loss/d%s[%d]", name, weights, k), grad[weights][k], want, 1e-11)
				}
			}
		}
	})
}

// eqmFlat reads a list, or a list of lists.
func eqmFlat(t *testing.T, text json.RawMessage) (flat []float64) {
	t.Helper()
	var rows [][]float64
	if json.Unmarshal(text, &flat) == nil {
		return flat
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	flat = nil
	for _, row := range rows {
		flat = append(flat, row...)
	}
	return flat
}

// The gradient of the weights against five-point differences of the loss.
func TestEquilibriumMatchingWeightGradient(t *testing.T) {
	x0, x1, times := [][]float64{{0.5, -1}, {1.2, 0.3}, {-0.4, 0.9}}, [][]float64{{1, 2}, {-1, 0.5}, {0.3, -0.8}}, []float64{0.2, 0.6, 0.93}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, l := range map[string]EquilibriumMatching{
			"none": {Dispersion: &Dispersion{Weight: 0.7, Temperature: 0.3}, TimeDependent: true},
			"dot":  {Interpolant: flow.Cosine{}},
			"l2":   {},
		} {
			store := model.NewStore()
			l = l.through(name, eqmField{store})
			value := eqmCompile(t, b, store, l.match)
			_, grad := value(x0, x1, times)
			for weights, k := range map[string]int{"w": 1, "v": 2, "u": 3} {
				v := store.GetVariable("/field/" + weights)
				start := tensors.MustCopyFlatData[float64](v.MustValue())
				at := func(shift float64) float64 {
					moved := append([]float64{}, start...)
					moved[min(k, len(moved)-1)] += shift
					if err := v.SetValue(tensors.FromFlatDataAndDimensions(moved, v.Shape().Dimensions...)); err != nil {
						t.Fatal(err)
					}
					loss, _ := value(x0, x1, times)
					return loss
				}
				const h = 1e-3
				want := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
				at(0)
				eqmNear(t, fmt.Sprintf("%s: d loss/d%s", name, weights), grad[weights][min(k, len(start)-1)], want, 1e-8)
			}
		}
	})
}

// The loss is the mean over noise and times of a known number: for the field a·x on data that are all at the origin, x_t = σx₀
// and the target is c(t)·x₀, so that the loss is E[(aσ − c)²] = a²/3 − 2aλ(½ − (1−a')²/6) + λ²(a' + (1−a')/3), a' the threshold.
func TestEquilibriumMatchingMean(t *testing.T) {
	const a, from, scale = 1.5, 0.8, 4.0
	want := a*a/3 - 2*a*scale*(0.5-(1-from)*(1-from)/6) + scale*scale*(from+(1-from)/3)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			field := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return MulScalar(x, a) })
			const n, d = 20_000, 4
			x := tensors.FromFlatDataAndDimensions(make([]float64, n*d), n, 2, 2, 1)
			losses, err := CallOnce(b, func(key, x *Node) *Node {
				x = ConvertDType(x, dtype)
				rng := ebm.NewRand(key, Const(x.Graph(), int32(3)))
				one := EquilibriumMatching{Field: field}.Loss(x, rng).Loss
				two := EquilibriumMatching{Energy: ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node {
					return MulScalar(ReduceSum(Square(x), 1, 2, 3), a/2)
				})}.Loss(x, ebm.NewRand(key, Const(x.Graph(), int32(4)))).Loss
				return ConvertDType(Stack([]*Node{one, two}, 0), dtypes.Float64)
			}, []uint32{1, 2}, x)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			// Each of n terms is (aσ − c)²·‖x₀‖²/d ≤ 16·χ²_d/d, whose second moment is at most 256·(1 + 2/d): five standard errors.
			bound := 5 * 16 * math.Sqrt((1+2.0/d)/n)
			for i, got := range losses.Value().([]float64) {
				if !(math.Abs(got-want) < bound) {
					t.Errorf("%s, loss %d is %g, want %g to within %g", dtype, i, got, want, bound)
				}
			}
		}
	})
}

// Conditioning goes to the field and to the energy: with both of slope c, the loss is the mean of (c − c(t)(x₀ − x₁))².
func TestEquilibriumMatchingConditioning(t *testing.T) {
	x0, x1 := [][]float64{{1, -2}, {0.5, 3}}, [][]float64{{0, 1}, {-1, 2}}
	times, slope := []float64{0.5, 0.9}, [][]float64{{1, 2}, {-3, 0.5}}
	want := 0.0
	for i, decay := range []float64{4, 2} {
		for j := range 2 {
			d := slope[i][j] - decay*(x0[i][j]-x1[i][j])
			want += d * d / 4
		}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, l := range map[string]EquilibriumMatching{
			"field":  {Field: ebm.FieldFunc(func(_, _ *Node, cond ...*Node) *Node { return cond[0] })},
			"energy": {Energy: ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node { return ReduceSum(Mul(x, cond[0]), 1) })},
		} {
			got, err := CallOnce(b, func(x0, x1, t, c *Node) *Node { return Identity(l.match(x0, x1, t, []*Node{c})) }, x0, x1, times, slope)
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			eqmNear(t, name, got.Value().(float64), want, 1e-14)
		}
	})
}

// Dispersion against its sum over pairs.
func TestDispersion(t *testing.T) {
	z := [][]float64{{0.3, -1.2}, {2, 0.5}, {-0.7, 0.1}, {0.3, -1.2}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, d := range []Dispersion{{}, {Weight: 2, Temperature: 0.25}} {
			weight, temperature := cmp.Or(d.Weight, 0.5), cmp.Or(d.Temperature, 1)
			sum := 0.0
			for _, p := range z {
				for _, q := range z {
					sum += math.Exp(-((p[0]-q[0])*(p[0]-q[0]) + (p[1]-q[1])*(p[1]-q[1])) / (2 * temperature))
				}
			}
			got, err := CallOnce(b, func(z *Node) *Node { return d.Penalty(Reshape(z, 4, 1, 2)) }, z)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			eqmNear(t, fmt.Sprintf("%+v", d), got.Value().(float64), weight*math.Log(sum/16), 1e-14)
		}
	})
}

func TestEquilibriumMatchingBadSettings(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		field, energy := eqmField{store}, ebm.DotEnergy{Of: eqmField{store}}
		plain := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return x })
		refused(t, b, map[string]EquilibriumMatching{
			"EquilibriumMatching: give either Field or Energy, got <nil> and <nil>":  {},
			"give either Field or Energy, got losses.eqmField and ebm.DotEnergy":     {Field: field, Energy: energy},
			"TimeDependent needs a Field: the Energy ebm.DotEnergy":                  {Energy: energy, TimeDependent: true},
			"Dispersion needs a Field that is an ebm.Featured, got ebm.FieldFunc":    {Field: plain, Dispersion: &Dispersion{}},
			"Dispersion needs a Field that is an ebm.Featured, got <nil>":            {Energy: energy, Dispersion: &Dispersion{}},
			"Dispersion: Weight and Temperature must be positive and finite, got -1": {Field: field, Dispersion: &Dispersion{Weight: -1}},
			"Truncated: From must be between 0 and 1, got 2":                         {Field: field, Decay: flow.Truncated{From: 2}},
		})
	})
}

// Data that are not finite give a loss that is not, and training stops with a diagnosis.
func TestEquilibriumMatchingNaN(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		x := make([]float64, 64)
		x[17] = math.NaN()
		loss, _ := eqmCompile(t, b, store, EquilibriumMatching{Field: eqmField{store}}.match)(make2(x), make2(x), make([]float64, 32))
		if !math.IsNaN(loss) {
			t.Errorf("the loss of NaN is %g", loss)
		}
		field := ebm.FieldNet{Scope: model.NewStore().Scope("/bad"), Fn: func(scope *model.Scope, x, _ *Node, _ ...*Node) *Node {
			w := scope.VariableWithValue("w", float32(1)).NodeValue(x.Graph())
			return Mul(x, Log(Neg(w)))
		}}
		moons, err := datasets.TwoMoons{N: 64}.Generate()
		if err != nil {
			t.Fatal(err)
		}
		_, err = ebm.Train(context.Background(), b, field.Scope.Store(), EquilibriumMatching{Field: field},
			&datasets.Batches{Data: moons, Size: 32}, ebm.TrainOptions{Steps: 20})
		if err == nil || !strings.Contains(err.Error(), "the loss is NaN") {
			t.Errorf("training on a field of NaN: got the error %v", err)
		}
	})
}

func make2(flat []float64) (rows [][]float64) {
	for i := 0; i < len(flat); i += 2 {
		rows = append(rows, flat[i:i+2])
	}
	return rows
}
