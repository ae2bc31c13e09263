package main

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/goebm/goebm/ebm/backend"
)

// Warm-up and draws of both adaptations are right, and judged so; draws that are not are seen through.
func TestESS(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b, err := backend.New()
	if err != nil {
		t.Fatal(err)
	}
	if b.Name() != "xla" {
		t.Skip("the rows are for XLA")
	}
	file := filepath.Join(t.TempDir(), "draws")
	for row, w := range essRows {
		w.draws /= 10
		a, err := w.draw(b, row, 1, 1, file)
		if err != nil {
			t.Fatalf("%s: %+v", row, err)
		}
		if len(a.TimesMS) != 1 || math.Abs(a.Accept-w.target) > 0.1 {
			t.Errorf("%s: %d times, acceptance %.3f, want one and %.3f ± 0.1", row, len(a.TimesMS), a.Accept, w.target)
		}
		j, err := w.judge(row, file)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: step size %.3g, acceptance %.3f, ESS %.0f, %.1f standard errors off", row, a.StepSize, a.Accept, j.ESS, j.Off)
		if limit := float64(essChains * w.draws); w.mass && !(j.ESS > limit/20 && j.ESS < 2*limit) {
			t.Errorf("%s: ESS %g of %g draws", row, j.ESS, limit)
		}
		if w.mass && j.Off > 5 {
			t.Errorf("%s: a moment is %.1f standard errors off", row, j.Off)
		}
		w.narrowest *= 0.9
		if j, err = w.judge(row, file); err != nil || w.mass && j.Off < 5 {
			t.Errorf("%s: draws of another Gaussian are %g standard errors off, error %v", row, j.Off, err)
		}
		w.draws++
		if _, err := w.judge(row, file); err == nil {
			t.Errorf("%s: a file of another size is judged", row)
		}
	}
}
