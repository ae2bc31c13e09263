package metrics

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// shifted is a distance from outside the package: that of the means of the first coordinate.
type shifted struct{}

func (shifted) Between(x, y []float32, dim int) (float64, error) {
	mean := func(p []float32) (m float64) {
		for i := 0; i < len(p); i += dim {
			m += float64(p[i]) / float64(len(p)/dim)
		}
		return m
	}
	return math.Abs(mean(x) - mean(y)), nil
}

func compare(t testing.TB, test PermutationTest, x, y []float32, dim int) *TwoSample {
	t.Helper()
	out, err := test.Between(context.Background(), x, y, dim)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Under one distribution p is uniform on 1/(B+1), 2/(B+1), …, 1: the empirical distribution stays within Kolmogorov's
// (Dvoretzky–Kiefer–Wolfowitz–Massart) bound, which it breaks by chance once in a million. A shift of half a standard deviation breaks it.
func TestPermutationUniform(t *testing.T) {
	const repeats, deals = 400, 39
	bound := math.Sqrt(math.Log(2/1e-6) / (2 * repeats))
	all := map[string]Distance{"shifted": shifted{}, "MMD one σ": MMD{Bandwidths: []float64{1}}}
	for name, d := range distances {
		all[name] = d
	}
	if d, ok := all["SlicedWasserstein"].(SlicedWasserstein); ok {
		d.Projections = 16
		all["SlicedWasserstein"] = d
	}
	for name, d := range all {
		farthest := func(shift float32) (worst float64) {
			counts := make([]int, deals+2)
			for r := range uint64(repeats) {
				x, y := normals(2*15, 1000+2*r), normals(2*15, 1001+2*r)
				if name != "Wasserstein" {
					y = y[:2*11]
				}
				for i := range y {
					y[i] += shift
				}
				p := compare(t, PermutationTest{Distance: d, Permutations: deals, Seed: r}, x, y, 2).PValue
				counts[int(math.Round(p*(deals+1)))]++
			}
			below := 0
			for k, n := range counts {
				below += n
				worst = max(worst, math.Abs(float64(below)/repeats-min(1, float64(k)/(deals+1))))
			}
			return worst
		}
		if got := farthest(0); got > bound {
			t.Errorf("%s: p-values are %.3f from uniform, want at most %.3f", name, got, bound)
		}
		if got := farthest(0.5); got < bound {
			t.Errorf("%s: shifted samples give p-values only %.3f from uniform", name, got)
		}
	}
}

// Samples of different shape with one mean and one covariance: all but the distance of the means see it.
func TestPermutationPower(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	ring, blob := make([]float32, 2*200), make([]float32, 2*200)
	for i := 0; i < len(ring); i += 2 {
		s, c := math.Sincos(2 * math.Pi * rng.Float64())
		ring[i], ring[i+1] = float32(s*math.Sqrt2), float32(c*math.Sqrt2)
		blob[i], blob[i+1] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
	}
	for name, d := range distances {
		if out := compare(t, PermutationTest{Distance: d, Permutations: 99}, ring, blob, 2); out.PValue != 0.01 {
			t.Errorf("%s: a ring against a blob: %v", name, out)
		}
	}
}

// The fast way tells the same distance of any split as Between, and with it the same p-values.
func TestSplits(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for name, d := range distances {
		for _, n := range []int{1, 9, 12, 20} {
			total := 25
			if name == "Wasserstein" {
				total = 2 * n
			}
			z := normals(3*total, 9)
			split, err := d.(splitter).splits(z, 3, n)
			if err != nil {
				t.Fatal(err)
			}
			inX := make([]bool, total)
			for _, i := range rng.Perm(total)[:n] {
				inX[i] = true
			}
			var x, y []float32
			for i, in := range inX {
				if point := z[3*i : 3*i+3]; in {
					x = append(x, point...)
				} else {
					y = append(y, point...)
				}
			}
			wantNear(t, fmt.Sprintf("%s of a split of %d into %d", name, total, n), split(inX), between(t, d, x, y, 3), 1e-7)
		}
	}
}

// The p-value counts what it says: with B deals of one point against two, each deal is one of three.
func TestPermutationCounts(t *testing.T) {
	out := compare(t, PermutationTest{Permutations: 3000}, []float32{10}, []float32{0, 1}, 1)
	// D is largest for the point at 10 alone: a third of the deals, five standard errors of 0.0086.
	wantNear(t, "p", out.PValue, 1./3, 0.043)
	wantNear(t, "Null.Max", out.Null.Max, out.Distance, 1e-12)
	again := compare(t, PermutationTest{Permutations: 3000}, []float32{10}, []float32{0, 1}, 1)
	if *again != *out {
		t.Errorf("one seed gives %v and %v", out, again)
	}
	if other := compare(t, PermutationTest{Permutations: 3000, Seed: 1}, []float32{10}, []float32{0, 1}, 1); other.PValue == out.PValue && other.Null == out.Null {
		t.Errorf("two seeds both give %v", out)
	}
	if same := compare(t, PermutationTest{}, []float32{1, 1, 1}, []float32{1, 1}, 1); same.PValue != 1 {
		t.Errorf("equal points: %v", same)
	}
}

// MMD does not change with the order of the points, also where its bandwidths come from a part of them.
func TestMMDOrder(t *testing.T) {
	x, y := normals(2*700, 1), normals(2*600, 2)
	before := between(t, MMD{}, x, y, 2)
	reversed := make([]float32, 0, len(x))
	for i := len(x) - 2; i >= 0; i -= 2 {
		reversed = append(reversed, x[i:i+2]...)
	}
	wantNear(t, "MMD", between(t, MMD{}, reversed, y, 2), before, 1e-12)
}

type broken struct{ v float64 }

func (b broken) Between(x, y []float32, dim int) (float64, error) {
	if b.v == 0 {
		return 0, fmt.Errorf("no idea")
	}
	return b.v, nil
}

func TestPermutationErrors(t *testing.T) {
	ctx := context.Background()
	x := normals(8, 1)
	nan := slices.Clone(x)
	nan[3] = float32(math.NaN())
	for says, c := range map[string]struct {
		test PermutationTest
		x, y []float32
		dim  int
	}{
		"PermutationTest: Permutations = -1, want at least 1":              {PermutationTest{Permutations: -1}, x, x, 2},
		"PermutationTest: x is empty":                                      {PermutationTest{}, nil, x, 2},
		"PermutationTest: y is empty":                                      {PermutationTest{}, x, nil, 2},
		"PermutationTest: dim = 0, want at least 1":                        {PermutationTest{}, x, x, 0},
		"PermutationTest: y at point 1, coordinate 1 is NaN":               {PermutationTest{}, x, nan, 2},
		"PermutationTest: x has 3 values, which is no multiple of dim = 2": {PermutationTest{}, x[:3], x, 2},
		"Wasserstein: x has 4 points and y 3, want as many":                {PermutationTest{Distance: Wasserstein{}}, x, x[:6], 2},
		"MMD: the median distance in x and y is 0: set Bandwidths":         {PermutationTest{Distance: MMD{}}, make([]float32, 4), make([]float32, 4), 2},
		"SlicedWasserstein: Projections = -3, want at least 1":             {PermutationTest{Distance: SlicedWasserstein{Projections: -3}}, x, x, 2},
		"no idea":                            {PermutationTest{Distance: broken{}}, x, x, 2},
		"PermutationTest: Distance gave NaN": {PermutationTest{Distance: broken{math.NaN()}}, x, x, 2},
	} {
		_, err := c.test.Between(ctx, c.x, c.y, c.dim)
		wantErr(t, err, says)
	}
	//lint:ignore SA1012 what a nil context gives is the point
	_, err := PermutationTest{}.Between(nil, x, x, 2)
	wantErr(t, err, "PermutationTest: ctx is nil")
	over, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	<-over.Done()
	for _, d := range []Distance{EnergyDistance{}, shifted{}} {
		_, err = PermutationTest{Distance: d}.Between(over, x, x, 2)
		wantErr(t, err, "context deadline exceeded")
	}
}

func benchmarkPermutation(b *testing.B, d Distance, permutations int) {
	x, y := normals(2*500, 1), normals(2*500, 2)
	for b.Loop() {
		compare(b, PermutationTest{Distance: d, Permutations: permutations}, x, y, 2)
	}
}

func BenchmarkPermutationEnergy(b *testing.B)      { benchmarkPermutation(b, EnergyDistance{}, 999) }
func BenchmarkPermutationMMD(b *testing.B)         { benchmarkPermutation(b, MMD{}, 999) }
func BenchmarkPermutationSliced(b *testing.B)      { benchmarkPermutation(b, SlicedWasserstein{}, 999) }
func BenchmarkPermutationWasserstein(b *testing.B) { benchmarkPermutation(b, Wasserstein{}, 99) }
