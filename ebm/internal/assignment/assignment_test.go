package assignment_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/goebm/goebm/ebm/internal/assignment"
)

// total is the cost of a permutation, which it checks to be one.
func total(t *testing.T, cost []float64, perm []int) (sum float64) {
	t.Helper()
	n := len(perm)
	seen := make([]bool, n)
	for i, j := range perm {
		if seen[j] {
			t.Fatalf("column %d twice in %v", j, perm)
		}
		seen[j] = true
		sum += cost[i*n+j]
	}
	return sum
}

func near(t *testing.T, n int, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12*max(1, math.Abs(want))) {
		t.Errorf("cost of %d pairs is %.16g, want %.16g", n, got, want)
	}
}

// Against every permutation, with ties (integer costs) and without.
func TestBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 7; n++ {
		for trial := range 60 {
			cost := make([]float64, n*n)
			for i := range cost {
				if cost[i] = rng.Float64(); trial%2 == 0 {
					cost[i] = float64(rng.IntN(4))
				}
			}
			best := math.Inf(1)
			var try func(i int, used uint, sum float64)
			try = func(i int, used uint, sum float64) {
				if i == n {
					best = min(best, sum)
				}
				for j := range n {
					if used>>j&1 == 0 && i < n {
						try(i+1, used|1<<j, sum+cost[i*n+j])
					}
				}
			}
			try(0, 0, 0)
			near(t, n, total(t, cost, assignment.Solve(cost, n)), best)
		}
	}
}

// Against SciPy's linear_sum_assignment, on costs that both sides make of the same congruential generator.
func TestMatchesSciPy(t *testing.T) {
	raw, err := os.ReadFile("../../testdata/parity/assignment.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Kind  string
			N     int
			Seed  uint64
			Total float64
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 20 {
		t.Fatalf("%d cases, want 20", len(file.Cases))
	}
	for _, c := range file.Cases {
		state := c.Seed
		uniform := func() float64 {
			state = (1103515245*state + 12345) % (1 << 31)
			return float64(state) / (1 << 31)
		}
		cost := make([]float64, c.N*c.N)
		switch c.Kind {
		case "uniform":
			for i := range cost {
				cost[i] = uniform()
			}
		case "ties":
			for i := range cost {
				cost[i] = math.Floor(10 * uniform())
			}
		case "plane", "collapsed": // squared distances; of collapsed points all but the first lie close together
			x := make([]float64, 4*c.N)
			for i := range x {
				if x[i] = uniform(); c.Kind == "collapsed" && i >= 2*c.N+2 {
					x[i] = 0.5 + 1e-3*x[i]
				}
			}
			for i := range c.N {
				for j := range c.N {
					a, b := x[2*i]-x[2*(c.N+j)], x[2*i+1]-x[2*(c.N+j)+1]
					cost[i*c.N+j] = a*a + b*b
				}
			}
		}
		near(t, c.N, total(t, cost, assignment.Solve(cost, c.N)), c.Total)
	}
}

// A batch of 256 is paired in 20 ms: normals with clusters in the plane, the slowest of the kinds that couplings meet.
func BenchmarkSolve256(b *testing.B) {
	const n = 256
	rng := rand.New(rand.NewPCG(3, 4))
	cost := make([]float64, n*n)
	x := make([]float64, 4*n)
	for i := range x {
		if x[i] = rng.NormFloat64(); i >= 2*n {
			x[i] = 0.1*x[i] + 4*float64(rng.IntN(2)) - 2
		}
	}
	for i := range n {
		for j := range n {
			a, b := x[2*i]-x[2*(n+j)], x[2*i+1]-x[2*(n+j)+1]
			cost[i*n+j] = a*a + b*b
		}
	}
	began := time.Now()
	for b.Loop() {
		assignment.Solve(cost, n)
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/1000/float64(b.N), "ms/pairing")
}
