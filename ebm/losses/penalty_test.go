package losses_test

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/samplers"
)

// On a loss with negatives the penalties are what ContrastiveDivergence's own fields are, also where young chains do not count; on one
// without, the formulas over the data.
func TestPenaltiesAgainstTheFormulas(t *testing.T) {
	x := [][]float32{{1, 2}, {-1, .5}, {.25, -2}}
	half := func(p []float32) float64 { return float64(p[0]*p[0]+p[1]*p[1]) / 2 }
	penalties := []losses.Penalty{losses.EnergyL2{Weight: .3}, losses.GradientPenalty{Weight: .7}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		inner := func(store *model.Store) losses.ContrastiveDivergence {
			return losses.ContrastiveDivergence{Energy: scaled(store, dtypes.Float32), Kernel: samplers.Langevin{StepSize: ebm.Fixed(.1)}, Steps: 1,
				Persistent: true, Buffer: 6, Fresh: .3, Young: 2}
		}
		fields, values, plain := model.NewStore(), model.NewStore(), model.NewStore()
		own := inner(fields)
		own.EnergyL2, own.GradientPenalty = .3, .7
		runs := []*trainer{
			newTrainer(t, b, fields, own),
			newTrainer(t, b, values, losses.Penalised{Of: inner(values), Energy: scaled(values, dtypes.Float32), Penalties: penalties}),
			newTrainer(t, b, plain, inner(plain)),
		}
		differs := false
		for range 12 {
			var at [3]float32
			for i, r := range runs {
				at[i] = tensors.ToScalar[float32](r.run(t, x)[0])
			}
			if math.Abs(float64(at[0]-at[1])) > 1e-5*math.Abs(float64(at[0])) {
				t.Errorf("the fields give %.8g, the values %.8g", at[0], at[1])
			}
			differs = differs || at[0] != at[2]
		}
		if !differs {
			t.Error("the penalties changed nothing")
		}

		store := model.NewStore()
		nce := losses.NoiseContrastive{Energy: scaled(store, dtypes.Float32), LogZ: new(0.)}
		bare, _, err := value(b, store, nce, x)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := value(b, store, losses.Penalised{Of: nce, Energy: nce.Energy, Penalties: penalties}, x)
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		for _, p := range x {
			want += (.3*half(p)*half(p) + .7*2*half(p)) / 3
		}
		near(t, "penalties without negatives", got-bare, want, 1e-5)

		defaults, _, err := value(b, store, losses.Penalised{Of: nce, Energy: nce.Energy, Penalties: []losses.Penalty{losses.EnergyL2{}, losses.GradientPenalty{}}}, x)
		if err != nil {
			t.Fatal(err)
		}
		want = 0
		for _, p := range x {
			want += .1 * (half(p)*half(p) + 2*half(p)) / 3
		}
		near(t, "default weights", defaults-bare, want, 1e-5)
	})
}

func TestPenaltiesGradient(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store, energy := tiny(t)
		l := losses.Penalised{Energy: energy, Penalties: []losses.Penalty{losses.EnergyL2{}, losses.GradientPenalty{}},
			Of: losses.ContrastiveDivergence{Energy: energy, Kernel: jumpTo{[][]float64{{.5, .5}, {2, -1}, {0, 1}}}}}
		if n := gradientsAgreeWithDifferences(t, b, store, l, [][]float64{{1, 2}, {-1, .5}, {.25, -2}}); n != 17 {
			t.Errorf("%d gradients were compared, want 17", n)
		}
	})
}

// Warming up the chains is handed on to the loss inside, and a loss without anything to prepare needs nothing.
func TestPenalisedPrepares(t *testing.T) {
	data := &datasets.Data{Name: "zeros", X: make([]float32, 32), Dim: 2}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		cd := losses.ContrastiveDivergence{Energy: scaled(store, dtypes.Float32), Steps: 1, Persistent: true, Buffer: 20, WarmUp: 2}
		batches := func() *datasets.Batches { return &datasets.Batches{Data: data, Size: 16} }
		if _, err := ebm.Train(t.Context(), b, store, losses.Penalised{Of: cd, Energy: cd.Energy}, batches(), ebm.TrainOptions{Steps: 1}); err != nil {
			t.Fatalf("%+v", err)
		}
		for slot, age := range buffer[int32](t, store, "ages") {
			if age == 0 {
				t.Fatalf("slot %d holds no chain: was the buffer warmed up?", slot)
			}
		}
		other := model.NewStore()
		ed := losses.EnergyDiscrepancy{Energy: scaled(other, dtypes.Float32)}
		if _, err := ebm.Train(t.Context(), b, other, losses.Penalised{Of: ed, Energy: ed.Energy}, batches(), ebm.TrainOptions{Steps: 1}); err != nil {
			t.Fatalf("%+v", err)
		}
	})
}

func TestPenalisedSettingsOutOfRange(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		ed := losses.EnergyDiscrepancy{Energy: round}
		for text, l := range map[string]losses.Penalised{
			"Penalised: Of and Energy must not be nil, got <nil> and ebm.Gaussian":       {Energy: round},
			"Penalised: Of and Energy must not be nil, got losses.EnergyDiscrepancy and": {Of: ed},
			"Penalised: Penalties[1] is nil":                                             {Of: ed, Energy: round, Penalties: []losses.Penalty{losses.EnergyL2{}, nil}},
			"EnergyL2: Weight must be a finite number and positive, got -1":              {Of: ed, Energy: round, Penalties: []losses.Penalty{losses.EnergyL2{Weight: -1}}},
			"GradientPenalty: Weight must be a finite number and positive, got NaN":      {Of: ed, Energy: round, Penalties: []losses.Penalty{losses.GradientPenalty{Weight: math.NaN()}}},
		} {
			if _, _, err := value(b, model.NewStore(), l, [][]float32{{1, 1}, {2, 2}}); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("want an error with %q, got %v", text, err)
			}
		}
	})
}
