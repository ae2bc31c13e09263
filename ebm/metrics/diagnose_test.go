package metrics

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func diagnose(t *testing.T, x []float32, chains, dim int, e Evidence) *Diagnosis {
	t.Helper()
	d, err := Diagnose(x, chains, dim, e)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The table has what the single functions say.
func TestDiagnoseFigures(t *testing.T) {
	const chains, draws = 4, 500
	x := make([]float32, 0, 2*chains*draws)
	slow := ar1(chains, draws, 0.8, 2)
	for i, v := range ar1(chains, draws, 0.1, 1) {
		x = append(x, v, 10+2*slow[i])
	}
	energies := ar1(chains, draws, 0.5, 3)
	d := diagnose(t, x, chains, 2, Evidence{Names: []string{"fast", "slow"}, Energies: energies, Accept: 0.8, Superchains: 2})
	each := func(what string, of func(c Coordinate) float64, f func([]float32, int, int) ([]float64, error)) {
		t.Helper()
		want, err := f(x, chains, 2)
		if err != nil {
			t.Fatal(err)
		}
		for j, c := range d.Coordinates {
			if of(c) != want[j] {
				t.Errorf("%s of %s = %g, want %g", what, c.Name, of(c), want[j])
			}
		}
	}
	each("RHat", func(c Coordinate) float64 { return c.RHat }, RHat)
	each("ESSBulk", func(c Coordinate) float64 { return c.ESSBulk }, ESS)
	each("ESSTail", func(c Coordinate) float64 { return c.ESSTail }, ESSTail)
	each("MCSEMean", func(c Coordinate) float64 { return c.MCSEMean }, MCSEMean)
	each("MCSEStd", func(c Coordinate) float64 { return c.MCSEStd }, MCSEStd)
	each("MCSEQ95", func(c Coordinate) float64 { return c.MCSEQ95 }, func(x []float32, chains, dim int) ([]float64, error) {
		return MCSEQuantile(x, chains, dim, 0.95)
	})
	each("MCSEQ05", func(c Coordinate) float64 { return c.MCSEQ05 }, func(x []float32, chains, dim int) ([]float64, error) {
		return MCSEQuantile(x, chains, dim, 0.05)
	})
	each("NestedRHat", func(c Coordinate) float64 { return c.NestedRHat }, func(x []float32, chains, dim int) ([]float64, error) {
		return NestedRHat(x, chains, 2, dim)
	})
	each("Lag1", func(c Coordinate) float64 { return c.Lag1 }, func(x []float32, chains, dim int) ([]float64, error) {
		acf, err := Autocorrelation(x, chains, dim, 1)
		return []float64{acf[0][1], acf[1][1]}, err
	})
	s := d.Coordinates[1]
	wantNear(t, "Mean", s.Mean, 10, 5*s.MCSEMean)
	wantNear(t, "Std", s.Std, 2, 5*s.MCSEStd)
	wantNear(t, "Q05", s.Q05, 10-2*1.6449, 5*s.MCSEQ05)
	wantNear(t, "Q95", s.Q95, 10+2*1.6449, 5*s.MCSEQ95)
	want, err := EBFMI(energies, chains)
	if err != nil || !slices.Equal(d.EBFMI, want) {
		t.Errorf("EBFMI = %v, want %v, %v", d.EBFMI, want, err)
	}
}

func TestDiagnoseProblems(t *testing.T) {
	const chains, draws = 4, 600
	good := ar1(chains, draws, 0, 1)
	change := func(f func(i int, v float32) float32) []float32 {
		out := slices.Clone(good)
		for i, v := range out {
			out[i] = f(i, v)
		}
		return out
	}
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		x      []float32
		chains int
		e      Evidence
		says   []string // the problems, in order
	}{
		"good":             {good, chains, Evidence{Energies: good, Accept: 0.7}, nil},
		"without energies": {good, chains, Evidence{}, nil},
		"apart": {change(func(i int, v float32) float32 { return v + float32(i/draws) }), chains, Evidence{}, []string{
			"R̂ of x[0] is 1.", "bulk ESS of x[0] is", "tail ESS of x[0] is"}},
		"slow":   {ar1(chains, draws, 0.97, 4), chains, Evidence{}, []string{"R̂ of x[0] is", "bulk ESS of x[0] is", "tail ESS of x[0] is"}},
		"frozen": {change(func(int, float32) float32 { return 3 }), chains, Evidence{}, []string{"x[0] never moves"}},
		"NaN": {change(func(i int, v float32) float32 {
			if i%draws > 590 {
				return nan
			}
			return v
		}), chains, Evidence{}, []string{"36 of 2400 draws are not finite"}},
		"one chain": {good, 1, Evidence{}, []string{"one chain cannot tell"}},
		"energies explode": {good, chains, Evidence{Energies: change(func(i int, v float32) float32 {
			if i == 7 {
				return 5000
			}
			return v
		})}, []string{"1 draws diverged"}},
		"energies drift": {good, chains, Evidence{Energies: ar1(chains, draws, 0.99, 3)}, []string{"E-BFMI is below 0.3 in 4 of 4 chains"}},
		"superchains apart": {change(func(i int, v float32) float32 { return v + float32(i/draws/2) }), chains, Evidence{Superchains: 2}, []string{
			"nested R̂ of x[0] is 1."}},
	} {
		d := diagnose(t, c.x, c.chains, 1, c.e)
		ok := len(d.Problems) == len(c.says)
		for i := range min(len(d.Problems), len(c.says)) {
			ok = ok && strings.HasPrefix(d.Problems[i], c.says[i])
		}
		if !ok {
			t.Errorf("%s: problems %q, want %q", name, d.Problems, c.says)
		}
		words := "Nothing speaks against these"
		if c.says != nil {
			words = "Do not trust these"
		}
		if !strings.HasPrefix(d.String(), words) {
			t.Errorf("%s: %s", name, d)
		}
		if unknown := strings.Contains(d.String(), "Divergences and E-BFMI: unknown, no energies given."); unknown != (c.e.Energies == nil) {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// Of many coordinates the worst are shown, those without an R̂ first.
func TestDiagnoseManyCoordinates(t *testing.T) {
	const chains, draws, dim = 4, 20, 50
	x := normals(chains*draws*dim, 5)
	for i := range chains * draws {
		x[i*dim+7] += float32(10 * (i / draws))
		x[i*dim+31] = 1
	}
	d := diagnose(t, x, chains, dim, Evidence{})
	lines := strings.Split(d.String(), "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "The 20 of 50 coordinates") })
	if at < 0 || len(lines) != at+2+20 || !strings.Contains(lines[at+2], "x[31]") || !strings.Contains(lines[at+3], "x[7]") {
		t.Errorf("%s", d)
	}
	width := len([]rune(lines[at+1]))
	for _, l := range lines[at+2:] {
		if len([]rune(l)) != width {
			t.Errorf("the table is not aligned:\n%s", d)
			break
		}
	}
}

func TestDiagnoseErrors(t *testing.T) {
	x := normals(24, 1)
	for says, c := range map[string]struct {
		x           []float32
		chains, dim int
		e           Evidence
	}{
		"Diagnose: x is empty": {nil, 2, 1, Evidence{}},
		"Diagnose: dim = 0":    {x, 2, 0, Evidence{}},
		"Diagnose: chains = 0": {x, 0, 1, Evidence{}},
		"Diagnose: x has 23 values, which is no multiple of dim = 2":             {x[:23], 1, 2, Evidence{}},
		"Diagnose: x has 24 values, which is no multiple of chains·dim = 5·1":    {x, 5, 1, Evidence{}},
		"Diagnose: x has 3 draws a chain, want at least 4":                       {x, 8, 1, Evidence{}},
		"Diagnose: Names has 1 names, want dim = 2":                              {x, 2, 2, Evidence{Names: []string{"a"}}},
		"Diagnose: Energies has 7 values, want chains·draws = 2·6":               {x, 2, 2, Evidence{Energies: x[:7]}},
		"Diagnose: Superchains = 1, want at least 2 and a divisor of chains = 4": {x, 4, 1, Evidence{Superchains: 1}},
		"Diagnose: Superchains = 3, want at least 2 and a divisor of chains = 4": {x, 4, 1, Evidence{Superchains: 3}},
		"Diagnose: Accept = 1.5, want 0 to 1":                                    {x, 4, 1, Evidence{Accept: 1.5}},
	} {
		_, err := Diagnose(c.x, c.chains, c.dim, c.e)
		wantErr(t, err, says)
	}
	if d := diagnose(t, x, 4, 1, Evidence{Accept: math.NaN()}); strings.Contains(fmt.Sprint(d), "Acceptance") {
		t.Errorf("an unknown acceptance is printed: %s", d)
	}
}
