package metrics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// ar1 is chains of x' = ρx + √(1−ρ²)·z, started in their stationary distribution N(0, 1).
func ar1(chains, draws int, rho float64, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, 0, chains*draws)
	for range chains {
		v := rng.NormFloat64()
		for range draws {
			x = append(x, float32(v))
			v = rho*v + math.Sqrt(1-rho*rho)*rng.NormFloat64()
		}
	}
	return x
}

func ess(t *testing.T, x []float32, chains, dim int) []float64 {
	t.Helper()
	out, err := ESS(x, chains, dim)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func rhat(t *testing.T, x []float32, chains, dim int) []float64 {
	t.Helper()
	out, err := RHat(x, chains, dim)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An AR(1) chain of n draws is worth n(1−ρ)/(1+ρ); the estimate is good to a few per cent at 40 000 draws.
func TestESSOfAR1(t *testing.T) {
	const chains, draws = 4, 10000
	for _, rho := range []float64{-0.5, 0, 0.5, 0.9} {
		got := ess(t, ar1(chains, draws, rho, 3), chains, 1)[0]
		want := chains * draws * (1 - rho) / (1 + rho)
		wantNear(t, fmt.Sprintf("ESS at ρ = %g relative to the truth", rho), got/want, 1, 0.1)
	}
}

// ESS predicts the error of the mean: the variance over many chains is that of ESS independent draws. Chains that disagree
// have next to none.
func TestESSMeaning(t *testing.T) {
	const chains, draws, rho = 400, 500, 0.7
	x := ar1(chains, draws, rho, 5)
	var variance float64
	for c := range chains {
		var mean float64
		for _, v := range x[c*draws : (c+1)*draws] {
			mean += float64(v) / draws
		}
		variance += mean * mean / chains
	}
	one := ess(t, x, chains, 1)[0] / chains
	wantNear(t, "ESS of one chain times the variance of its mean", one*variance, 1, 4*math.Sqrt(2./chains))

	for i := range draws {
		x[i] += 10
	}
	if got := ess(t, x[:4*draws], 4, 1)[0]; got > 20 {
		t.Errorf("four chains, one of them elsewhere: ESS = %g", got)
	}
}

func TestRHat(t *testing.T) {
	const chains, draws = 4, 2000
	x := ar1(chains, draws, 0.3, 6)
	if r := rhat(t, x, chains, 1)[0]; r > 1.005 {
		t.Errorf("R̂ of good chains is %g", r)
	}
	for name, change := range map[string]func(c, i int, v float32) float32{
		"location": func(c, _ int, v float32) float32 { return v + float32(c) },
		"scale":    func(c, _ int, v float32) float32 { return v * float32(1+3*(c%2)) },
		"trend":    func(_, i int, v float32) float32 { return v + float32(i)/1000 },
	} {
		bad := slices.Clone(x)
		for i, v := range bad {
			bad[i] = change(i/draws, i%draws, v)
		}
		if r := rhat(t, bad, chains, 1)[0]; r < 1.05 {
			t.Errorf("chains that differ in %s have R̂ = %g", name, r)
		}
	}
	// Without ranks infinite variance would hide that the chains agree.
	cauchy := slices.Clone(x)
	for i, v := range cauchy {
		cauchy[i] = float32(math.Tan(math.Pi / 2 * math.Erf(float64(v)/math.Sqrt2) * 0.999999))
	}
	if r := rhat(t, cauchy, chains, 1)[0]; r > 1.01 {
		t.Errorf("R̂ of good heavy-tailed chains is %g", r)
	}
	stuck := make([]float32, 2*8)
	for i := 8; i < 16; i++ {
		stuck[i] = 1
	}
	if r := rhat(t, stuck, 2, 1)[0]; !math.IsInf(r, 1) {
		t.Errorf("R̂ of two stuck chains is %g", r)
	}
}

// Coordinates are judged apart, whatever the units.
func TestChainsLayout(t *testing.T) {
	const chains, draws = 2, 1000
	good, slow := ar1(chains, draws, 0, 7), ar1(chains, draws, 0.9, 8)
	x := make([]float32, 0, 2*len(good))
	for i := range good {
		x = append(x, good[i], 1000*slow[i]+5)
	}
	both := ess(t, x, chains, 2)
	wantNear(t, "ESS of coordinate 0", both[0], ess(t, good, chains, 1)[0], 1e-6)
	wantNear(t, "ESS of coordinate 1", both[1]/ess(t, slow, chains, 1)[0], 1, 1e-3)
	r := rhat(t, x, chains, 2)
	wantNear(t, "R̂ of coordinate 0", r[0], rhat(t, good, chains, 1)[0], 1e-9)
}

// Ties share a rank: Φ⁻¹ of (r − 3/8)/(S + 1/4).
func TestRankNormal(t *testing.T) {
	z := rankNormal([][]float64{{5, 1}, {5, 9}})
	q := func(rank float64) float64 { return math.Sqrt2 * math.Erfinv(2*(rank-0.375)/4.25-1) }
	for i, want := range []float64{q(2.5), q(1), q(2.5), q(4)} {
		wantNear(t, fmt.Sprint("z of draw ", i), z[i/2][i%2], want, 1e-12)
	}
}

func TestChainErrors(t *testing.T) {
	x := normals(24, 1)
	nan := slices.Clone(x)
	nan[7] = float32(math.NaN())
	for name, f := range map[string]func([]float32, int, int) ([]float64, error){"ESS": ESS, "RHat": RHat} {
		for says, c := range map[string]struct {
			x           []float32
			chains, dim int
		}{
			"x is empty": {nil, 2, 1},
			"chains = 0": {x, 0, 1},
			"dim = -2":   {x, 2, -2},
			"x has 24 values, which is no multiple of chains·dim = 5·1": {x, 5, 1},
			"x has 3 draws a chain":             {x, 4, 2},
			"x at point 3, coordinate 1 is NaN": {nan, 2, 2},
			"x is constant in coordinate 0":     {make([]float32, 16), 2, 1},
		} {
			_, err := f(c.x, c.chains, c.dim)
			wantErr(t, err, name+": "+says)
		}
	}
}
