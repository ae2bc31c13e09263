package metrics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var distances = map[string]Distance{
	"SlicedWasserstein": SlicedWasserstein{}, "Wasserstein": Wasserstein{}, "EnergyDistance": EnergyDistance{}, "MMD": MMD{},
}

// wantErr fails unless err says the words.
func wantErr(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("error %q does not say %q", err, words)
	}
}

func between(t *testing.T, d Distance, x, y []float32, dim int) float64 {
	t.Helper()
	v, err := d.Between(x, y, dim)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func normals(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 7))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func wantNear(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.9g, want %.9g ± %g", what, got, want, tolerance)
	}
}

// A distance is 0 from a sample to itself in any order, symmetric, positive otherwise, and obeys the triangle inequality.
func TestMetricAxioms(t *testing.T) {
	x, y, z := normals(60, 1), normals(60, 2), normals(60, 3)
	reversed := make([]float32, 0, 60)
	for i := 57; i >= 0; i -= 3 {
		reversed = append(reversed, x[i:i+3]...)
	}
	for name, d := range distances {
		if name == "MMD" {
			d = MMD{Bandwidths: []float64{0.5, 2}} // the default looks at the pair, so it is no fixed metric
		}
		xy, yz, xz := between(t, d, x, y, 3), between(t, d, y, z, 3), between(t, d, x, z, 3)
		wantNear(t, name+"(x, x)", between(t, d, x, reversed, 3), 0, 1e-7)
		wantNear(t, name+"(y, x)", between(t, d, y, x, 3), xy, 1e-12)
		if xy < 1e-3 || xz > xy+yz {
			t.Errorf("%s: %g, %g, %g are no distances", name, xy, yz, xz)
		}
	}
}

// A shift by Δ moves every projection by θ·Δ: W₂ = ‖Δ‖ exactly, and SW₂ = ‖Δ‖/√d in the mean over directions.
func TestShift(t *testing.T) {
	for _, dim := range []int{1, 2, 5} {
		x := normals(200*dim, 4)
		y := slices.Clone(x)
		for i := range y {
			y[i] += 3
		}
		norm := 3 * math.Sqrt(float64(dim))
		wantNear(t, fmt.Sprint("W₂ in ", dim), between(t, Wasserstein{}, x, y, dim), norm, 1e-5)
		// The mean of 512 cos²: standard error below 3·√(1/8/512)·½ of SW₂.
		wantNear(t, fmt.Sprint("SW₂ in ", dim), between(t, SlicedWasserstein{}, x, y, dim), 3, 0.25)
	}
}

// W₂ of two Gaussian quantile grids on a line is √((m₁−m₂)² + (s₁−s₂)²), here with unequal sizes.
func TestSlicedAgainstGaussianClosedForm(t *testing.T) {
	grid := func(n int, mean, std float64) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(mean + std*math.Sqrt2*math.Erfinv(2*(float64(i)+0.5)/float64(n)-1))
		}
		return x
	}
	got := between(t, SlicedWasserstein{}, grid(20000, 0, 1), grid(15001, 1, 2), 1)
	wantNear(t, "SW₂", got, math.Sqrt2, 2e-3)
}

// Unequal sizes give what repeating every point to a common size gives.
func TestUnequalSizes(t *testing.T) {
	x, y := normals(2*6, 5), normals(2*4, 6)
	repeat := func(p []float32, times int) (out []float32) {
		for i := 0; i < len(p); i += 2 {
			for range times {
				out = append(out, p[i:i+2]...)
			}
		}
		return out
	}
	for name, d := range distances {
		if name == "Wasserstein" {
			continue // wants equal sizes
		}
		if name == "MMD" {
			d = MMD{Bandwidths: []float64{0.5, 2}}
		}
		wantNear(t, name, between(t, d, x, y, 2), between(t, d, repeat(x, 2), repeat(y, 3), 2), 1e-6)
	}
}

func TestSmallCases(t *testing.T) {
	// Points 0 and 3 on a line: 2·3 − 0 − 0 = 6.
	wantNear(t, "EnergyDistance", between(t, EnergyDistance{}, []float32{0}, []float32{3}, 1), math.Sqrt(6), 1e-12)
	// {0, 2} and {1}: 2·1 − (0+2+2+0)/4 − 0 = 1.
	wantNear(t, "EnergyDistance", between(t, EnergyDistance{}, []float32{0, 2}, []float32{1}, 1), 1, 1e-12)
	// Points 2 apart with σ = 1: 1 + 1 − 2·e⁻².
	wantNear(t, "MMD", between(t, MMD{Bandwidths: []float64{1}}, []float32{0, 0}, []float32{0, 2}, 2), math.Sqrt(2-2*math.Exp(-2)), 1e-12)
	// The kernel is the mean over bandwidths.
	wantNear(t, "MMD", between(t, MMD{Bandwidths: []float64{1, 2}}, []float32{0}, []float32{2}, 1), math.Sqrt(2-math.Exp(-2)-math.Exp(-0.5)), 1e-12)
	// {0, 10} to {11, 1}: the crossing pairs, 1 each.
	wantNear(t, "Wasserstein", between(t, Wasserstein{}, []float32{0, 10}, []float32{11, 1}, 1), 1, 1e-12)
	wantNear(t, "Wasserstein", between(t, Wasserstein{}, []float32{1, 2}, []float32{4, 6}, 2), 5, 1e-12)
}

// MMD and its default bandwidths do not depend on the units.
func TestMMDUnits(t *testing.T) {
	x, y := normals(300, 8), normals(300, 9)
	before := between(t, MMD{}, x, y, 2)
	for i := range x {
		x[i], y[i] = 1024*x[i], 1024*y[i]
	}
	wantNear(t, "MMD", between(t, MMD{}, x, y, 2), before, 1e-9)
}

// The expected V-statistics of two N(0, I) samples are known: for the energy distance in one dimension, with E|X − X′| = 2/√π,
// E D² = 2·(2/√π)/n.
func TestEnergyDistanceFloor(t *testing.T) {
	const n, pairs = 100, 400
	var sum, squares float64
	for p := range uint64(pairs) {
		d := between(t, EnergyDistance{}, normals(n, 100+2*p), normals(n, 101+2*p), 1)
		sum += d * d / pairs
		squares += d * d * d * d / pairs
	}
	se := math.Sqrt((squares - sum*sum) / pairs)
	wantNear(t, "E D²", sum, 4/math.Sqrt(math.Pi)/n, 4*se)
}

func TestDistanceErrors(t *testing.T) {
	x := normals(8, 1)
	nan, inf := slices.Clone(x), slices.Clone(x)
	nan[3], inf[2] = float32(math.NaN()), float32(math.Inf(-1))
	for name, d := range distances {
		for says, c := range map[string]struct {
			x, y []float32
			dim  int
		}{
			"dim = 0":    {x, x, 0},
			"x is empty": {nil, x, 2},
			"y is empty": {x, nil, 2},
			"x has 3 values, which is no multiple of dim = 2": {x[:3], x, 2},
			"y has 5 values, which is no multiple of dim = 2": {x, x[:5], 2},
			"x at point 1, coordinate 1 is NaN":               {nan, x, 2},
			"y at point 1, coordinate 0 is -Inf":              {x, inf, 2},
		} {
			_, err := d.Between(c.x, c.y, c.dim)
			wantErr(t, err, name+": "+says)
		}
	}
	for says, d := range map[string]Distance{
		"SlicedWasserstein: Projections = -1": SlicedWasserstein{Projections: -1},
		"MMD: Bandwidths[1] = 0":              MMD{Bandwidths: []float64{1, 0}},
		"MMD: Bandwidths[0] = NaN":            MMD{Bandwidths: []float64{math.NaN()}},
		"MMD: Bandwidths[0] = 1e-300, want a positive number whose square is one too": MMD{Bandwidths: []float64{1e-300}},
		"MMD: Bandwidths is empty": MMD{Bandwidths: []float64{}},
	} {
		_, err := d.Between(x, x, 2)
		wantErr(t, err, says)
	}
	_, err := MMD{}.Between(make([]float32, 4), make([]float32, 4), 2)
	wantErr(t, err, "median distance in x and y is 0")
	_, err = Wasserstein{}.Between(x, x[:6], 2)
	wantErr(t, err, "Wasserstein: x has 4 points and y 3")
	_, err = Wasserstein{}.Between(make([]float32, 20001), make([]float32, 20001), 1)
	wantErr(t, err, "x has 20001 points of 1 coordinates, want at most 20000")
	_, err = Wasserstein{}.Between(make([]float32, 5*4097), make([]float32, 5*4097), 5)
	wantErr(t, err, "x has 4097 points of 5 coordinates, want at most 4096")
}

// On a line the best pairing is that of the sorted samples, which gives the truth for a large problem.
func TestWassersteinLarge(t *testing.T) {
	x, y := normals(1000, 11), normals(1000, 12)
	got := between(t, Wasserstein{}, x, y, 1)
	slices.Sort(x)
	slices.Sort(y)
	var want float64
	for i := range x {
		want += math.Pow(float64(x[i])-float64(y[i]), 2) / 1000
	}
	wantNear(t, "W₂", got, math.Sqrt(want), 1e-9)
}

func TestFloor(t *testing.T) {
	draw := func(seed uint64) ([]float32, error) { return normals(400, seed), nil }
	f, err := Floor(SlicedWasserstein{}, 2, 5, draw)
	if err != nil {
		t.Fatal(err)
	}
	var values []float64
	for p := range uint64(5) {
		values = append(values, between(t, SlicedWasserstein{}, normals(400, 2*p), normals(400, 2*p+1), 2))
	}
	mean, variance := meanVar(values)
	wantNear(t, "Mean", f.Mean, mean, 1e-12)
	wantNear(t, "Std", f.Std, math.Sqrt(variance), 1e-12)
	wantNear(t, "Max", f.Max, slices.Max(values), 0)
	h, err := FloorOfHalves(SlicedWasserstein{}, normals(801, 1), 1, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	direct, err := Floor(SlicedWasserstein{}, 1, 10, draw)
	if err != nil {
		t.Fatal(err)
	}
	wantNear(t, "floor of halves of 800 to the floor of 400", h.Mean/direct.Mean, 1, 0.5)

	_, err = Floor(nil, 2, 5, draw)
	wantErr(t, err, "d is nil")
	_, err = Floor(SlicedWasserstein{}, 2, 0, draw)
	wantErr(t, err, "pairs = 0")
	_, err = Floor(SlicedWasserstein{}, 2, 1, func(s uint64) ([]float32, error) { return nil, fmt.Errorf("out of points at %d", s) })
	wantErr(t, err, "Floor: draw(0): out of points at 0")
	_, err = FloorOfHalves(SlicedWasserstein{}, nil, 2, 1, 0)
	wantErr(t, err, "FloorOfHalves: x is empty")
	_, err = FloorOfHalves(SlicedWasserstein{}, make([]float32, 2), 2, 1, 0)
	wantErr(t, err, "x has 1 point")
}

func benchmark(b *testing.B, d Distance, n int) {
	x, y := normals(2*n, 1), normals(2*n, 2)
	for b.Loop() {
		if _, err := d.Between(x, y, 2); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSlicedWasserstein3000(b *testing.B) { benchmark(b, SlicedWasserstein{}, 3000) }
func BenchmarkWasserstein1000(b *testing.B)       { benchmark(b, Wasserstein{}, 1000) }
func BenchmarkWasserstein4096(b *testing.B)       { benchmark(b, Wasserstein{}, 4096) }
func BenchmarkWasserstein10000(b *testing.B)      { benchmark(b, Wasserstein{}, 10000) }
func BenchmarkEnergyDistance3000(b *testing.B)    { benchmark(b, EnergyDistance{}, 3000) }
func BenchmarkMMD3000(b *testing.B)               { benchmark(b, MMD{}, 3000) }
