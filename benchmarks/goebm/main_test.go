package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// The rows are those of work.py, number for number.
func TestRowsAreThoseOfPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to ask")
	}
	const ask = `import work
for name, w in work.ROWS.items(): print(name, w.energy, w.sampler, w.chains, w.dim, w.steps, w.step_size)
for name, w in work.ESS_ROWS.items(): print(name, w.kernel, w.leapfrog, w.target, w.narrowest, str(w.mass).lower(), w.draws)
print("ess", work.ESS_CHAINS, work.ESS_DIM, work.ESS_WARM_UP, work.ESS_STEP_SIZE)
for name, sizes in work.SIZES.items(): print("network", name, *sizes)
for name, sizes in work.TRANSFORMERS.items(): print("transformer", name, *sizes)
rates, starts = work.mixed(5)
print("mixed", *work.MIXED_RATES, work.MIXED_TIME, work.RTOL, work.ATOL, work.DIFFUSION,
    "%.6g %.6g %.6g" % (rates[1], starts[1], work.mixed_exact(rates[1], starts[1], 0.25)))
print("pictures", work.CLASSES, work.GUIDANCE, work.FREQUENCIES, work.SAME)
print("weights", "%.6f" % work.mlp_weights("mlp128", 8)[1][0][3][5])`
	command := exec.Command(python, "-c", ask)
	command.Dir = ".."
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if want := len(rows) + len(essRows) + 1 + len(sizes) + len(transformerSizes) + 3; len(lines) != want {
		t.Errorf("work.py has %d rows, this has %d", len(lines), want)
	}
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		got := ""
		if w, ok := rows[name]; ok {
			got = describe(w)
		} else if w, ok := essRows[name]; ok {
			got = fmt.Sprint(w.kernel, " ", w.leapfrog, " ", w.target, " ", w.narrowest, " ", w.mass, " ", w.draws)
		} else if name == "ess" {
			got = fmt.Sprint(essChains, " ", essDim, " ", essWarmUp, " ", essStepSize)
		} else if name == "network" {
			name, _, _ = strings.Cut(rest, " ")
			got = name + " " + strings.Trim(fmt.Sprint(sizes[name]), "[]")
		} else if name == "transformer" {
			name, _, _ = strings.Cut(rest, " ")
			got = name + " " + strings.Trim(fmt.Sprint(transformerSizes[name]), "[]")
		} else if name == "pictures" {
			got = fmt.Sprint(classes, " ", guidance, " ", frequencies, " ", same)
		} else if name == "mixed" {
			rates, starts := mixed(5)
			got = fmt.Sprint(mixedSlowest, " ", mixedFastest, " ", mixedTime, " ", rtol, " ", atol, " ", diffusion) +
				fmt.Sprintf(" %.6g %.6g %.6g", rates[1], starts[1], mixedExact(rates[1], starts[1], 0.25))
		} else if name == "weights" {
			got = fmt.Sprintf("%.6f", mlpWeights(work{energy: "mlp128", dim: 8})[1][3][5])
		}
		if got != rest {
			t.Errorf("%s is %q here, %q in work.py", name, got, rest)
		}
	}
}

// HMC leaves a Gaussian of d dimensions with a mean energy of d/2, and calls return samples and not yesterday's.
func TestPrepare(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		p, err := prepare(b, work{"gaussian", "hmc", 1000, 4, 20, 0.15})
		if err != nil {
			t.Fatal(err)
		}
		last := 0.
		for range 2 {
			if err := p.call(); err != nil {
				t.Fatal(err)
			}
			got, err := p.check()
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got[0]-2) > 6*got[1] || got[0] == last {
				t.Errorf("mean energy %g ± %g, want 2; the call before gave %g", got[0], got[1], last)
			}
			last = got[0]
		}
	})
}

// Rows of every new kind answer through the protocol, and with the right numbers.
func TestFlowRows(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b, err := backend.New()
	if err != nil {
		t.Fatal(err)
	}
	if b.Name() != "xla" {
		t.Skip("the rows are XLA's")
	}
	ready := map[string]*prepared{}
	for _, row := range []string{"fm_train_step_256", "steps_heun_10000x2x2", "adaptive_dopri5_mixed", "grid_euler_maruyama_64x8x50", "grid_heun_64x8x50",
		"grid_rk4_64x8x50", "grid_leapfrog_64x8x50"} {
		a := &answer{Row: row}
		if err := a.fill(b, ready, 1); err != nil {
			t.Fatalf("%s: %+v", row, err)
		}
		if a.FirstMS == nil || len(a.TimesMS) != 1 || (a.Check == nil) != (rows[row].sampler == "fm") {
			t.Errorf("%s: %+v", row, a)
		}
		if row != "adaptive_dopri5_mixed" {
			continue
		}
		if e, f := 1e-3, a.Figures; !(f["error"] < e && f["evaluations"] > 100 && f["evaluations"] < f["most"]) {
			t.Errorf("%s: %v, want an error below %g", row, f, e)
		}
	}
	// Two steps of Heun's method, by hand from the weights, for a point.
	w := rows["steps_heun_10000x2x2"]
	layers := mlpWeights(w)
	field := func(x, y, t float64) (dx, dy float64) {
		h := []float64{x, y, t}
		for l, weights := range layers {
			out := make([]float64, len(weights[0]))
			for j := range out {
				for i, v := range h {
					out[j] += v * float64(weights[i][j])
				}
				if l < len(layers)-1 {
					out[j] /= 1 + math.Exp(-out[j])
				}
			}
			h = out
		}
		return h[0], h[1]
	}
	store := model.NewStore()
	sampler, err := flow.NewSampler(b, store, newField(store, w), flow.Transport{Method: flow.Heun, Steps: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer sampler.Finalize()
	out, err := sampler.Sample(t.Context(), ebm.Options{Start: tensors.FromValue([][]float32{{0.5, -1}})})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	x, y := 0.5, -1.0
	for i := range 2 {
		at := float64(i) / 2
		dx, dy := field(x, y, at)
		ex, ey := field(x+dx/2, y+dy/2, at+0.5)
		x, y = x+(dx+ex)/4, y+(dy+ey)/4
	}
	if got := out.X.Value().([][]float32)[0]; math.Abs(float64(got[0])-x)+math.Abs(float64(got[1])-y) > 1e-4 {
		t.Errorf("two steps lead to %v, want %g, %g", got, x, y)
	}
}

// BenchmarkRow times the row that ROW names, for profiles: ROW=… go test -bench Row -cpuprofile cpu.out ./benchmarks/goebm
func BenchmarkRow(b *testing.B) {
	w, ok := rows[os.Getenv("ROW")]
	if !ok {
		b.Skip("set ROW to the name of a row")
	}
	be, err := backend.New()
	if err != nil {
		b.Fatal(err)
	}
	p, err := prepare(be, w)
	if err != nil {
		b.Fatal(err)
	}
	if err := p.call(); err != nil { // compiles
		b.Fatal(err)
	}
	for b.Loop() {
		if err := p.call(); err != nil {
			b.Fatal(err)
		}
	}
}

func describe(w work) string {
	return fmt.Sprint(w.energy, " ", w.sampler, " ", w.chains, " ", w.dim, " ", w.steps, " ", w.stepSize)
}
