package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Four samples on modes at 0 and 10 of a line: three near 0, one of them 4 standard deviations off, and one at 10.
func TestModesByHand(t *testing.T) {
	m := Modes{Centres: []float32{0, 10, 20}, Std: 0.5}
	got, err := m.Cover([]float32{0.1, -1.4, 2, 10}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got.Modes != 3 || got.Hit != 2 || !slices.Equal(got.Shares, []float64{0.75, 0.25, 0}) {
		t.Errorf("%+v", got)
	}
	wantNear(t, "Good", got.Good, 0.75, 1e-12)
	wantNear(t, "KL", got.KL, 0.75*math.Log(0.75*3)+0.25*math.Log(0.25*3), 1e-12)
	wantNear(t, "KLFloor", got.KLFloor, 2./8, 1e-12)
	if s, want := got.String(), "2 of 3 modes hit, 75.0% of the samples good, KL of the weights 0.536 (0.250 by chance)"; s != want {
		t.Errorf("String() = %q, want %q", s, want)
	}
	m.Weights = []float64{3, 1, 0}
	if got, err = m.Cover([]float32{0.1, -1.4, 2, 10}, 1); err != nil || got.KL > 1e-12 {
		t.Errorf("KL from its own weights is %g, %v", got.KL, err)
	}
	if got, err = m.Cover([]float32{0, 20}, 1); err != nil || !math.IsInf(got.KL, 1) {
		t.Errorf("KL with samples at a mode of weight 0 is %g, %v", got.KL, err)
	}
	m.Within = 5
	if got, err = m.Cover([]float32{2}, 1); err != nil || got.Good != 1 {
		t.Errorf("4 standard deviations are not within 5: %+v, %v", got, err)
	}
}

// True samples of 25 Gaussians: the share of good ones is that of χ², and KL is KLFloor on average. 2n·KL is about χ²₂₄, of variance 48.
func TestModesOfTrueSamples(t *testing.T) {
	const n, repeats = 2000, 200
	var centres []float32
	for i := range 25 {
		centres = append(centres, float32(i%5), float32(i/5))
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var kl, good, floor float64
	for range repeats {
		x := make([]float32, 0, 2*n)
		for range n {
			k := rng.IntN(25)
			x = append(x, centres[2*k]+float32(0.05*rng.NormFloat64()), centres[2*k+1]+float32(0.05*rng.NormFloat64()))
		}
		got, err := Modes{Centres: centres, Std: 0.05}.Cover(x, 2)
		if err != nil {
			t.Fatal(err)
		}
		if got.Hit != 25 {
			t.Fatalf("%v", got)
		}
		kl += got.KL / repeats
		good += got.Good / repeats
		floor = got.KLFloor
	}
	p := 1 - math.Exp(-9./2)
	wantNear(t, "Good", good, p, 5*math.Sqrt(p*(1-p)/(n*repeats)))
	wantNear(t, "2n·KL", 2*n*kl, 2*n*floor, 5*math.Sqrt(48./repeats))
}

func TestModesErrors(t *testing.T) {
	x := []float32{1, 2}
	ok := Modes{Centres: x, Std: 1}
	nan := float32(math.NaN())
	for says, c := range map[string]struct {
		change func(m *Modes)
		x      []float32
		dim    int
	}{
		"Modes: x is empty":                                   {func(*Modes) {}, nil, 2},
		"Modes: dim = 0, want at least 1":                     {func(*Modes) {}, x, 0},
		"Modes: x at point 0, coordinate 1 is NaN":            {func(*Modes) {}, []float32{1, nan}, 2},
		"Modes: Centres is empty":                             {func(m *Modes) { m.Centres = nil }, x, 2},
		"Modes: Centres at point 0, coordinate 0 is NaN":      {func(m *Modes) { m.Centres = []float32{nan, 1} }, x, 2},
		"Modes: Centres has 2 values, which is no multiple":   {func(*Modes) {}, []float32{1, 2, 3}, 3},
		"Modes: Std = 0, want a positive number":              {func(m *Modes) { m.Std = 0 }, x, 2},
		"Modes: Std = +Inf":                                   {func(m *Modes) { m.Std = math.Inf(1) }, x, 2},
		"Modes: Within = -1, want a positive number":          {func(m *Modes) { m.Within = -1 }, x, 2},
		"Modes: Weights has 2 values, want one for each of 1": {func(m *Modes) { m.Weights = []float64{1, 2} }, x, 2},
		"Modes: Weights[0] = -1":                              {func(m *Modes) { m.Weights = []float64{-1} }, x, 2},
		"Modes: Weights sum to 0":                             {func(m *Modes) { m.Weights = []float64{0} }, x, 2},
	} {
		m := ok
		c.change(&m)
		_, err := m.Cover(c.x, c.dim)
		wantErr(t, err, says)
	}
}
