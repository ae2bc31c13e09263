package nn_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"
)

// The network, its features and its use of time and conditioning against the same sums in plain Go.
func TestMLPFieldValue(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := seeded(t, 1)
		f := nn.MLPField{Scope: store.Scope("/field"), Widths: []int{5}, Activation: activation.TypeTanh, Timed: true}
		times, levels := []float64{0.1, 0.9, 0.5}, [][]float64{{1, 0}, {0.5, -1}, {2, 2}}
		out := call(t, b, store, false, func(in []*Node) []*Node {
			value, features := f.FieldFeatures(in[0], in[1], in[2])
			return []*Node{Identity(value), Identity(features), Identity(f.Field(in[0], in[1], in[2]))}
		}, points, times, levels)
		value, features, again := out[0].Value().([][]float64), out[1].Value().([][]float64), out[2].Value().([][]float64)

		at := func(name string) [][]float64 { return matrix(t, store, "/field/"+name) }
		w, bias, c, clock := at("hidden_0/weights"), at("hidden_0/biases")[0], at("hidden_0/condition_0"), at("hidden_0/condition_1")
		u, last := at("output/weights"), at("output/biases")[0]
		for i, x := range points {
			h := make([]float64, 5)
			for j := range h {
				h[j] = math.Tanh(bias[j] + x[0]*w[0][j] + x[1]*w[1][j] + levels[i][0]*c[0][j] + levels[i][1]*c[1][j] + times[i]*clock[0][j])
				if math.Abs(features[i][j]-h[j]) > 1e-14 {
					t.Errorf("feature %d of point %d is %.16g, want %.16g", j, i, features[i][j], h[j])
				}
			}
			for k := range 2 {
				want := last[k]
				for j := range h {
					want += h[j] * u[j][k]
				}
				if math.Abs(value[i][k]-want) > 1e-14 || again[i][k] != value[i][k] {
					t.Errorf("f(%v)[%d] = %.16g and %.16g, want %.16g", x, k, value[i][k], again[i][k], want)
				}
			}
		}
	})
}

// A field keeps the shape of an event, heeds the time only where it is asked to, and its energies have its gradients.
func TestMLPField(t *testing.T) {
	images := [][][][]float64{{{{0.1}, {0.7}}, {{-1}, {0.2}}}, {{{2}, {0.5}}, {{0}, {-0.3}}}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, timed := range []bool{false, true} {
			store := seeded(t, 2)
			f := nn.MLPField{Scope: store.Scope("/field"), Widths: []int{6}, Classes: 3, SpectralNorm: true, Timed: timed}
			out := call(t, b, store, false, func(in []*Node) []*Node {
				return []*Node{Identity(ebm.FieldAt(f, in[0], nil, in[1])), Identity(ebm.FieldAt(f, in[0], OnesLike(ebm.ZeroTime(in[0])), in[1]))}
			}, images, []int32{0, 2})
			if got, want := out[0].Shape().Dimensions, []int{2, 2, 2, 1}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the field of images has the shape %v, want %v", got, want)
			}
			if changes := !out[0].Equal(out[1]); changes != timed {
				t.Errorf("Timed %t: the field changes with time: %t", timed, changes)
			}
		}
		store := seeded(t, 3)
		f := nn.MLPField{Scope: store.Scope("/field"), Widths: []int{6}}
		ebmtest.GradCheck(t, b, store, ebm.DotEnergy{Of: f}, images)
		ebmtest.GradCheck(t, b, store, ebm.L2Energy{Of: f}, images)
		if got, want := store.Scope("/field").NumParameters(), 4*6+6+6*4+4; got != want {
			t.Errorf("there are %d weights, want %d", got, want)
		}
	})
}

func TestMLPFieldErrors(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x := [][]float32{{1, 2}, {3, 4}}
		for want, f := range map[string]nn.MLPField{
			"MLPField: Widths[0] must be at least 1, got 0":                       {Widths: []int{0}},
			"MLPField: Classes must be set for labels":                            {},
			"MLPField: Activation must act on each unit alone, got":               {Activation: activation.TypeSwiGLU},
			"MLPField: t must be one floating-point number a row, got (Int32)[2]": {Timed: true},
		} {
			store := seeded(t, 1)
			f.Scope = store.Scope("/field")
			refused(t, b, store, want, func(in []*Node) *Node { return f.Field(in[0], in[1], in[1]) }, x, []int32{0, 1})
		}
		if err := (nn.MLPField{}).Validate(); err == nil || err.Error() != "MLPField: Scope is nil" {
			t.Errorf("without a scope: got error %v", err)
		}
		err := ebm.Validate(ebm.DotEnergy{Of: nn.MLPField{}})
		if err == nil || err.Error() != "DotEnergy: Of: MLPField: Scope is nil" {
			t.Errorf("an energy of a field without a scope: got error %v", err)
		}
	})
}

// A field of the plane, and an energy made of it.
func ExampleMLPField() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	store := model.NewStore()
	must.M(store.SetRNGStateFromSeed(1))
	field := nn.MLPField{Scope: store.Scope("/field"), Widths: []int{32, 32}}

	x := tensors.FromValue([][]float32{{0, 0}, {1, 1}, {2, -1}})
	vectors := must.M1(ebm.EvaluateField(b, store, field, x, 0))
	energies := must.M1(ebm.Evaluate(b, store, ebm.DotEnergy{Of: field}, x))
	fmt.Println(vectors.Shape(), "vectors,", len(energies), "energies,", store.Scope("/field").NumParameters(), "weights")
	// Output: (Float32)[3, 2] vectors, 3 energies, 1218 weights
}
