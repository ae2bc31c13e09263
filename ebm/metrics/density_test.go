package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A Gaussian energy x²/2s² + c has log Z = log(s·√2π) − c. Its importance weights under N(0, 1) have for s < 1 a known variance,
// which the standard error and ESS must show.
func TestImportanceLogZ(t *testing.T) {
	const n, repeats, s, c = 500, 400, 0.8, 3.
	rng := rand.New(rand.NewPCG(2, 2))
	truth := math.Log(s*math.Sqrt(2*math.Pi)) - c
	// For densities q = N(0, s²) and p = N(0, 1): E_p (q/p)² = 1/(s·√(2 − s²)).
	second := 1 / (s * math.Sqrt(2-s*s))
	var mean, square, se, ess float64
	for range repeats {
		energies, logp := make([]float32, n), make([]float64, n)
		for i := range energies {
			x := rng.NormFloat64()
			energies[i] = float32(x*x/(2*s*s) + c)
			logp[i] = -x*x/2 - math.Log(2*math.Pi)/2
		}
		z, err := ImportanceLogZ(energies, logp)
		if err != nil {
			t.Fatal(err)
		}
		mean += (z.LogZ - truth) / repeats
		square += (z.LogZ - truth) * (z.LogZ - truth) / repeats
		se += z.StdErr / repeats
		ess += z.ESS / repeats
	}
	want := math.Sqrt((second - 1) / n)
	wantNear(t, "bias of LogZ", mean, 0, 5*want/math.Sqrt(repeats)+want*want)
	wantNear(t, "root mean square error to the truth", math.Sqrt(square)/want, 1, 5/math.Sqrt(2*repeats))
	wantNear(t, "StdErr to the truth", se/want, 1, 0.05)
	wantNear(t, "ESS to the truth", ess*second/n, 1, 0.05)
}

// The true energy has equal weights wherever its zero lies; energies far from 0 do not overflow.
func TestDensityOfTheTruth(t *testing.T) {
	logp := []float64{-1, -2.5, -0.25, -4}
	energies := make([]float32, len(logp))
	for i, l := range logp {
		energies[i] = float32(4000 - l)
	}
	z, err := ImportanceLogZ(energies, logp)
	if err != nil {
		t.Fatal(err)
	}
	wantNear(t, "LogZ", z.LogZ, -4000, 1e-9)
	wantNear(t, "StdErr", z.StdErr, 0, 1e-6)
	wantNear(t, "ESS", z.ESS, 4, 1e-9)
	mse, err := DensityMSE(energies, logp, z.LogZ)
	if err != nil {
		t.Fatal(err)
	}
	wantNear(t, "MSE", mse, 0, 1e-12)
	// A model that is off by +1 at one of four points and by −1 at another.
	energies[0]--
	energies[1]++
	if mse, err = DensityMSE(energies, logp, -4000); err != nil {
		t.Fatal(err)
	}
	wantNear(t, "MSE", mse, 0.5, 1e-12)
	if z, err = ImportanceLogZ(energies[:1], logp[:1]); err != nil || !math.IsNaN(z.StdErr) {
		t.Errorf("one draw has a standard error: %+v, %v", z, err)
	}
}

func TestDensityErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for says, c := range map[string]struct {
		energies []float32
		logp     []float64
	}{
		"energies is empty":                                      {nil, nil},
		"energies at point 1, coordinate 0 is NaN":               {[]float32{1, float32(nan)}, []float64{1, 2}},
		"energies has 2 values and logDensities 1, want as many": {[]float32{1, 2}, []float64{1}},
		"logDensities[1] is NaN, want a finite number":           {[]float32{1, 2}, []float64{1, nan}},
		"logDensities[0] is -Inf, want a finite number":          {[]float32{1, 2}, []float64{-inf, 1}},
	} {
		_, err := ImportanceLogZ(c.energies, c.logp)
		wantErr(t, err, "ImportanceLogZ: "+says)
		_, err = DensityMSE(c.energies, c.logp, 0)
		wantErr(t, err, "DensityMSE: "+says)
	}
	_, err := DensityMSE([]float32{1}, []float64{1}, nan)
	wantErr(t, err, "DensityMSE: logZ = NaN, want a finite number")
}
