package metrics

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"
)

// figure reads a number, or what JSON has none for as a string.
type figure float64

func (f *figure) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(string(trimQuotes(b)), 64)
	*f = figure(v)
	return err
}

func trimQuotes(b []byte) []byte {
	if len(b) > 1 && b[0] == '"' {
		return b[1 : len(b)-1]
	}
	return b
}

type arvizCase struct {
	Name        string    `json:"name"`
	Chains      int       `json:"chains"`
	Draws       []float32 `json:"draws"`
	ESSBulk     figure    `json:"ess_bulk"`
	ESSTail     figure    `json:"ess_tail"`
	ESSMean     figure    `json:"ess_mean"`
	ESSStd      figure    `json:"ess_sd"`
	ESSQ10      figure    `json:"ess_q10"`
	ESSMedian   figure    `json:"ess_median"`
	MCSEMean    figure    `json:"mcse_mean"`
	MCSEStd     figure    `json:"mcse_sd"`
	MCSEQ10     figure    `json:"mcse_q10"`
	MCSEMedian  figure    `json:"mcse_median"`
	RHat        *figure   `json:"rhat"`
	NestedRHat2 *figure   `json:"rhat_nested_2"`
	NestedRHat3 *figure   `json:"rhat_nested_3"`
	EBFMI       []figure  `json:"ebfmi"`
	Autocorr    []figure  `json:"autocorr"`
}

func arvizCases(t *testing.T) []arvizCase {
	t.Helper()
	b, err := os.ReadFile("testdata/arviz.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []arvizCase }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 10 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	return file.Cases
}

// Every figure is ArviZ's to 1e-8 of its size. Constant draws are an error here, where ArviZ has an ESS of all draws and no R̂.
func TestArviZ(t *testing.T) {
	for _, c := range arvizCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			if c.Name == "constant" {
				_, err := ESS(c.Draws, c.Chains, 1)
				wantErr(t, err, "ESS: x is constant in coordinate 0")
				return
			}
			want := func(what string, got []float64, err error, want ...figure) {
				t.Helper()
				if err != nil {
					t.Errorf("%s: %v", what, err)
					return
				}
				for i, w := range want {
					if g := got[i]; !(g == float64(w) || math.Abs(g-float64(w)) <= 1e-8*max(1, math.Abs(float64(w)))) {
						t.Errorf("%s[%d] = %.12g, ArviZ has %.12g", what, i, g, float64(w))
					}
				}
			}
			x, draws := c.Draws, len(c.Draws)/c.Chains
			call := func(what string, f func(x []float32, chains, dim int) ([]float64, error), w figure) {
				t.Helper()
				got, err := f(x, c.Chains, 1)
				want(what, got, err, w)
			}
			at := func(f func(x []float32, chains, dim int, q float64) ([]float64, error), q float64) func([]float32, int, int) ([]float64, error) {
				return func(x []float32, chains, dim int) ([]float64, error) { return f(x, chains, dim, q) }
			}
			call("ESS", ESS, c.ESSBulk)
			call("ESSTail", ESSTail, c.ESSTail)
			call("ESSQuantile(0.1)", at(ESSQuantile, 0.1), c.ESSQ10)
			call("ESSQuantile(0.5)", at(ESSQuantile, 0.5), c.ESSMedian)
			call("MCSEMean", MCSEMean, c.MCSEMean)
			call("MCSEStd", MCSEStd, c.MCSEStd)
			call("MCSEQuantile(0.1)", at(MCSEQuantile, 0.1), c.MCSEQ10)
			call("MCSEQuantile(0.5)", at(MCSEQuantile, 0.5), c.MCSEMedian)
			if c.RHat != nil {
				call("RHat", RHat, *c.RHat)
			}
			parts := column(x, c.Chains, draws, 1, 0)
			want("essMean", []float64{essMean(parts)}, nil, c.ESSMean)
			mean, _ := meanVar(sorted(parts))
			want("essMean of squares", []float64{essMean(mapped(parts, func(v float64) float64 { return (v - mean) * (v - mean) }))}, nil, c.ESSStd)
			for superchains, w := range map[int]*figure{2: c.NestedRHat2, 3: c.NestedRHat3} {
				if w != nil {
					got, err := NestedRHat(x, c.Chains, superchains, 1)
					want("NestedRHat", got, err, *w)
				}
			}
			for m, w := range c.EBFMI {
				got, err := EBFMI(x[m*draws:(m+1)*draws], 1)
				if math.IsNaN(float64(w)) {
					wantErr(t, err, "the energy of chain 0 never changes")
				} else {
					want("EBFMI", got, err, w)
				}
			}
			acf, err := Autocorrelation(x, c.Chains, 1, 5)
			if math.IsNaN(float64(c.Autocorr[0])) {
				wantErr(t, err, "Autocorrelation: no chain moves in coordinate 0")
			} else if err != nil {
				t.Error(err)
			} else {
				want("Autocorrelation", acf[0], nil, c.Autocorr...)
			}
		})
	}
}
