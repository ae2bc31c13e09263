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

// An AR(1) chain's autocorrelation is ρᵗ, less the bias of about −τ/N that its own mean brings. The standard error at lag t is
// below √((1 + ρ²)/(1 − ρ²)/n).
func TestAutocorrelation(t *testing.T) {
	const chains, draws, rho = 8, 5000, 0.7
	got, err := Autocorrelation(ar1(chains, draws, rho, 9), chains, 1, 8)
	if err != nil {
		t.Fatal(err)
	}
	se := math.Sqrt((1 + rho*rho) / (1 - rho*rho) / (chains * draws))
	for lag, v := range got[0] {
		wantNear(t, fmt.Sprint("autocorrelation at lag ", lag), v, math.Pow(rho, float64(lag)), 5*se+(1+rho)/(1-rho)/draws)
	}
}

// A prime number of draws is no slower: the FFT is padded to a product of 2, 3 and 5.
func TestFastLength(t *testing.T) {
	for n, want := range map[int]int{1: 1, 7: 8, 14: 15, 2 * 5003: 10125, 1 << 12: 1 << 12} {
		if got := fastLength(n); got != want {
			t.Errorf("fastLength(%d) = %d, want %d", n, got, want)
		}
	}
}

// Many chains of 8 draws: half chains of 4 show the autocorrelations of lags 1 to 3, so τ is 1 + 2·(ρ + ρ² + ρ³).
func TestESSOfShortChains(t *testing.T) {
	const chains, draws, rho = 5000, 8, 0.5
	got := ess(t, ar1(chains, draws, rho, 10), chains, 1)[0]
	wantNear(t, "ESS to the truth", got*(1+2*(rho+rho*rho+rho*rho*rho))/(chains*draws), 1, 0.05)
}

// MCSE is the standard deviation of its estimate over many runs; the median of a normal has variance π/2n.
func TestMCSEMeaning(t *testing.T) {
	const runs, chains, draws, rho = 300, 2, 400, 0.6
	var errorsOf, said [3]float64
	for r := range runs {
		x := ar1(chains, draws, rho, 1000+uint64(r))
		all := sorted(column(x, chains, draws, 1, 0))
		mean, variance := meanVar(all)
		for i, e := range [3]float64{mean, math.Sqrt(variance) - 1, quantile(all, 0.5)} {
			errorsOf[i] += e * e / runs
		}
		for i, f := range [3]func([]float32, int, int) ([]float64, error){MCSEMean, MCSEStd, func(x []float32, chains, dim int) ([]float64, error) {
			return MCSEQuantile(x, chains, dim, 0.5)
		}} {
			v, err := f(x, chains, 1)
			if err != nil {
				t.Fatal(err)
			}
			said[i] += v[0] * v[0] / runs
		}
	}
	for i, what := range []string{"mean", "standard deviation", "median"} {
		// Five standard errors of a variance over the runs, and a tenth for the estimates' own bias.
		wantNear(t, "MCSE² of the "+what+" to the truth", said[i]/errorsOf[i], 1, 5*math.Sqrt(2./runs)+0.1)
	}
}

// Chains of one draw: forgotten starts give B/W = 1/M, remembered ones far more, which RHat cannot even be asked.
func TestNestedRHat(t *testing.T) {
	const superchains, size, runs = 20, 50, 200
	var ratio float64
	for r := range uint64(runs) {
		x := ar1(superchains*size, 1, 0, 30+r)
		v := nestedRHat(column(x, superchains*size, 1, 1, 0), superchains)
		ratio += (v*v - 1) / runs
	}
	// B is a χ²₁₉/19: the standard deviation of one ratio is √(2/19)/M.
	wantNear(t, "M·B/W", size*ratio, 1, 5*math.Sqrt(2./(superchains-1)/runs)+0.01)

	x := ar1(superchains*size, 3, 0, 31)
	good, err := NestedRHat(x, superchains*size, superchains, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x {
		x[i] += 0.5 * float32(i/(3*size)%2)
	}
	bad, err := NestedRHat(x, superchains*size, superchains, 1)
	if err != nil {
		t.Fatal(err)
	}
	if good[0] > 1.01 || bad[0] < 1.02 {
		t.Errorf("nested R̂ is %.4f when starts are forgotten and %.4f when half of them are off by half a standard deviation", good[0], bad[0])
	}
}

func TestEBFMI(t *testing.T) {
	// Steps of 1 in (0, 1, 0, 1): 3 over 4·¼.
	got, err := EBFMI([]float32{0, 1, 0, 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	wantNear(t, "E-BFMI", got[0], 3, 1e-12)
	// An AR(1) chain has 2·(1 − ρ).
	if got, err = EBFMI(ar1(2, 20000, 0.9, 3), 2); err != nil {
		t.Fatal(err)
	}
	wantNear(t, "E-BFMI of AR(1)", got[1], 0.2, 0.02)
}

func TestDivergences(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	got, err := Divergences([]float32{0, 900, 1901, 0, 5, nan, nan, inf, 3000, 0, 1, 2}, 3, 0)
	if err != nil || !slices.Equal(got, []int{1, 3, 0}) {
		t.Errorf("Divergences = %v, %v", got, err)
	}
	if got, err = Divergences([]float32{0, 900, 1901, 0}, 2, 100); err != nil || !slices.Equal(got, []int{1, 0}) {
		t.Errorf("Divergences with limit 100 = %v, %v", got, err)
	}
}

func TestChainErrors(t *testing.T) {
	x := normals(24, 1)
	nan, inf := slices.Clone(x), slices.Clone(x)
	nan[7], inf[5] = float32(math.NaN()), float32(math.Inf(1))
	type figures = func(x []float32, chains, dim int) ([]float64, error)
	half := func(f func(x []float32, chains, dim int, q float64) ([]float64, error)) figures {
		return func(x []float32, chains, dim int) ([]float64, error) { return f(x, chains, dim, 0.5) }
	}
	for name, f := range map[string]figures{
		"ESS": ESS, "ESSTail": ESSTail, "ESSQuantile": half(ESSQuantile), "RHat": RHat,
		"MCSEMean": MCSEMean, "MCSEStd": MCSEStd, "MCSEQuantile": half(MCSEQuantile),
	} {
		for says, c := range map[string]struct {
			x           []float32
			chains, dim int
		}{
			"x is empty": {nil, 2, 1},
			"chains = 0": {x, 0, 1},
			"dim = -2":   {x, 2, -2},
			"x has 24 values, which is no multiple of chains·dim = 5·1":                   {x, 5, 1},
			"x has 24 values, which is no multiple of chains·dim = 9223372036854775807·2": {x, math.MaxInt, 2},
			"x has 23 values, which is no multiple of dim = 2":                            {x[:23], 2, 2},
			"x has 3 draws a chain, want at least 4":                                      {x, 4, 2},
			"x has 1 draws a chain, want at least 4":                                      {x, 24, 1},
			"x at point 3, coordinate 1 is NaN":                                           {nan, 2, 2},
			"x at point 2, coordinate 1 is +Inf":                                          {inf, 2, 2},
			"x is constant in coordinate 0":                                               {make([]float32, 16), 2, 1},
		} {
			_, err := f(c.x, c.chains, c.dim)
			wantErr(t, err, name+": "+says)
		}
	}
	for _, q := range []float64{0, 1, -0.1, math.NaN()} {
		_, err := ESSQuantile(x, 2, 1, q)
		wantErr(t, err, fmt.Sprintf("ESSQuantile: q = %g, want a number between 0 and 1", q))
		_, err = MCSEQuantile(x, 2, 1, q)
		wantErr(t, err, fmt.Sprintf("MCSEQuantile: q = %g, want a number between 0 and 1", q))
	}
	// 63 draws of 64 at the largest value: indicators that are all 1 are no evidence, where ArviZ has an ESS of all draws.
	tied := make([]float32, 64)
	tied[5] = -1
	_, err := ESSQuantile(tied, 2, 1, 0.5)
	wantErr(t, err, "ESSQuantile: coordinate 0 has no draw above its 0.5 quantile")
	_, err = MCSEQuantile(tied, 2, 1, 0.5)
	wantErr(t, err, "MCSEQuantile: coordinate 0 has no draw above its 0.5 quantile")
	_, err = ESSTail(tied, 2, 1)
	wantErr(t, err, "ESSTail: coordinate 0 has no draw above its 0.95 quantile nor above its 0.05 quantile")
}

func TestOtherChainErrors(t *testing.T) {
	x := normals(24, 1)
	nan := slices.Clone(x)
	nan[7] = float32(math.NaN())
	for says, f := range map[string]func() error{
		"Autocorrelation: x has 1 draws a chain, want at least 2": func() error { _, err := Autocorrelation(x, 24, 1, 0); return err },
		"Autocorrelation: lags = 12, want 0 to 11":                func() error { _, err := Autocorrelation(x, 2, 1, 12); return err },
		"Autocorrelation: lags = -1, want 0 to 11":                func() error { _, err := Autocorrelation(x, 2, 1, -1); return err },
		"Autocorrelation: no chain moves in coordinate 0":         func() error { _, err := Autocorrelation([]float32{1, 1, 2, 2}, 2, 1, 1); return err },
		"Autocorrelation: x at point 7, coordinate 0 is NaN":      func() error { _, err := Autocorrelation(nan, 2, 1, 1); return err },

		"NestedRHat: superchains = 1, want at least 2 and a divisor of chains = 4": func() error { _, err := NestedRHat(x, 4, 1, 1); return err },
		"NestedRHat: superchains = 3, want at least 2 and a divisor of chains = 4": func() error { _, err := NestedRHat(x, 4, 3, 1); return err },
		"NestedRHat: x has 1 draw a chain and 1 chain a superchain":                func() error { _, err := NestedRHat(x, 24, 24, 1); return err },
		"NestedRHat: x is constant in coordinate 0":                                func() error { _, err := NestedRHat(make([]float32, 8), 4, 2, 1); return err },
		"NestedRHat: x is empty": func() error { _, err := NestedRHat(nil, 4, 2, 1); return err },

		"EBFMI: energies is empty": func() error { _, err := EBFMI(nil, 2); return err },
		"EBFMI: energies has 24 values, which is no multiple of chains = 5": func() error { _, err := EBFMI(x, 5); return err },
		"EBFMI: energies has 24 values, which is no multiple of chains = 0": func() error { _, err := EBFMI(x, 0); return err },
		"EBFMI: energies has 1 draw a chain, want at least 2":               func() error { _, err := EBFMI(x, 24); return err },
		"EBFMI: energies at chain 1, draw 1 is NaN, want a finite number":   func() error { _, err := EBFMI(nan, 4); return err },
		"EBFMI: the energy of chain 0 never changes":                        func() error { _, err := EBFMI(make([]float32, 8), 4); return err },

		"Divergences: energies is empty":                     func() error { _, err := Divergences(nil, 2, 0); return err },
		"Divergences: limit = -1, want a positive number":    func() error { _, err := Divergences(x, 2, -1); return err },
		"Divergences: limit = NaN, want a positive number":   func() error { _, err := Divergences(x, 2, math.NaN()); return err },
		"Divergences: energies has 1 draw a chain, want at ": func() error { _, err := Divergences(x, 24, 0); return err },
	} {
		wantErr(t, f(), says)
	}
}
