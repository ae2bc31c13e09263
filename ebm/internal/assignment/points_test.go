package assignment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// clouds are pairs of samples, the hard cases among them.
var clouds = map[string]func(rng *rand.Rand, x, y []float32, dim int){
	"normal": func(*rand.Rand, []float32, []float32, int) {},
	"far": func(_ *rand.Rand, _, y []float32, _ int) {
		for i := range y {
			y[i] += 1000
		}
	},
	"clusters": func(rng *rand.Rand, _, y []float32, _ int) {
		for i := range y {
			y[i] = 0.1*y[i] + 4*float32(rng.IntN(2)) - 2
		}
	},
	"clusters of unlike sizes": func(rng *rand.Rand, x, y []float32, dim int) {
		for i := range y {
			x[i] += 50 * float32((i/dim)%2)
			y[i] += 50 * float32(min(1, (i/dim)%5))
		}
	},
	"ties": func(rng *rand.Rand, x, y []float32, _ int) {
		for i := range y {
			x[i], y[i] = float32(rng.IntN(6)), float32(rng.IntN(6))
		}
	},
	"collapsed": func(_ *rand.Rand, _, y []float32, dim int) {
		for i := range y {
			y[i] = y[i%dim]
		}
	},
	"both collapsed": func(_ *rand.Rand, x, y []float32, dim int) {
		for i := range y {
			x[i], y[i] = x[i%dim], y[i%dim]
		}
	},
	"collapsed but one": func(_ *rand.Rand, _, y []float32, dim int) {
		for i := range y[dim:] {
			y[dim+i] = 0.5
		}
	},
	"nearly collapsed": func(_ *rand.Rand, _, y []float32, dim int) {
		for i := range y[dim:] {
			y[dim+i] = 0.5 + 1e-3*y[dim+i]
		}
	},
	"duplicates": func(_ *rand.Rand, x, y []float32, dim int) {
		for i := dim; i < len(y); i++ {
			x[i] = x[i%(dim*(1+len(y)/dim/4))]
			if i/dim%2 == 1 {
				y[i] = y[i-dim]
			}
		}
	},
	"same": func(_ *rand.Rand, x, y []float32, _ int) { copy(y, x) },
	"unlike scales": func(_ *rand.Rand, x, y []float32, dim int) {
		for i := 0; i < len(x); i += dim {
			x[i], y[i] = 1000*x[i], 700*y[i]
		}
	},
	"outlier": func(_ *rand.Rand, _, y []float32, _ int) { y[0] = 1e6 },
	"heavy tails": func(rng *rand.Rand, _, y []float32, _ int) {
		for i := range y {
			y[i] = float32(math.Tan(1.57 * (2*rng.Float64() - 1)))
		}
	},
}

func draw(kind string, n, dim int, seed uint64) (x, y []float32) {
	rng := rand.New(rand.NewPCG(seed, 5))
	x, y = make([]float32, n*dim), make([]float32, n*dim)
	for i := range x {
		x[i], y[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
	}
	clouds[kind](rng, x, y, dim)
	return x, y
}

func sum(cost []float64, perm []int) (sum float64) {
	for i, j := range perm {
		sum += cost[i*len(perm)+j]
	}
	return sum
}

// The lists find what Solve finds, and their prices prove it: no pair costs less than the prices of its row and column.
func TestPoints(t *testing.T) {
	for kind := range clouds {
		for _, dim := range []int{1, 2, 3, 7} {
			for _, n := range []int{1, 2, 3, 5, 16, 17, 33, 130, 200} {
				name := fmt.Sprintf("%s, %d points in %d dimensions", kind, n, dim)
				x, y := draw(kind, n, dim, uint64(n))
				cost := distances(x, y, dim)
				perm := sparse(x, y, dim)
				if sorted := slices.Sorted(slices.Values(perm)); sorted[0] != 0 || sorted[n-1] != n-1 || len(slices.Compact(sorted)) != n {
					t.Fatalf("%s: not a permutation: %v", name, perm)
				}
				if got, want := sum(cost, perm), sum(cost, Solve(cost, n)); !(math.Abs(got-want) <= 1e-12*want) {
					t.Errorf("%s: cost %.16g, want %.16g", name, got, want)
				}
				if got, want := sum(cost, Points(x, y, dim)), sum(cost, perm); !(math.Abs(got-want) <= 1e-12*want) {
					t.Errorf("%s: cost %.16g, and %.16g by lists", name, got, want)
				}
				certify(t, name, x, y, dim)
			}
		}
	}
}

// certify checks dual feasibility and that the pairs are tight.
func certify(t *testing.T, name string, x, y []float32, dim int) {
	t.Helper()
	xs, _ := inCells(x, dim)
	ys, _ := inCells(y, dim)
	s := priced(xs, ys, dim)
	var most, least float64
	for i, j := range s.match() {
		u := s.at(i, int(j)) - s.price[j]
		for k, v := range s.price {
			c := s.at(i, k)
			most, least = max(most, c), min(least, c-u-v)
		}
	}
	if !(least >= -1e-13*most*float64(len(x))) {
		t.Errorf("%s: a pair is cheaper than its prices by %g, costs up to %g", name, -least, most)
	}
}

// Many points, where SciPy and Solve take long: the prices prove the pairing.
func TestPointsMany(t *testing.T) {
	for _, kind := range []string{"clusters", "collapsed but one", "nearly collapsed", "outlier"} {
		x, y := draw(kind, 1000, 2, 1)
		certify(t, kind, x, y, 2)
	}
}

func TestPointsDeterministic(t *testing.T) {
	for _, dim := range []int{2, 8} {
		x, y := draw("ties", 300, dim, 1)
		if !slices.Equal(Points(x, y, dim), Points(x, y, dim)) {
			t.Errorf("two answers in %d dimensions", dim)
		}
	}
}

func benchmark(b *testing.B, kind string, n, dim int) {
	x, y := draw(kind, n, dim, 1)
	began := time.Now()
	for b.Loop() {
		Points(x, y, dim)
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/1000/float64(b.N), "ms/pairing")
}

func BenchmarkPlane256(b *testing.B)   { benchmark(b, "clusters", 256, 2) }
func BenchmarkPlane512(b *testing.B)   { benchmark(b, "clusters", 512, 2) }
func BenchmarkPlane10000(b *testing.B) { benchmark(b, "clusters", 10000, 2) }
func BenchmarkSpace32(b *testing.B)    { benchmark(b, "clusters", 512, 32) }
