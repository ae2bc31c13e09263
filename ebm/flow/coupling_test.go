package flow_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// cloud is a batch of normals and of data in two clusters, labelled 0 and 1, at −2 and 2 of the first coordinate.
func cloud(n, d int, seed uint64) flow.Batch {
	rng := seeded(seed)
	b := flow.Batch{Dim: d, CondDim: 1}
	for range n {
		label := float64(rng.IntN(2))
		b.Cond = append(b.Cond, label)
		for k := range d {
			b.X0 = append(b.X0, float32(rng.NormFloat64()))
			at := 0.3 * rng.NormFloat64()
			if k == 0 {
				at += 4*label - 2
			}
			b.X1 = append(b.X1, float32(at))
		}
	}
	return b
}

// distance is ‖x₀ᵢ − x₁ⱼ‖².
func distance(b flow.Batch, i, j int) (sum float64) {
	for k := range b.Dim {
		d := float64(b.X0[i*b.Dim+k]) - float64(b.X1[j*b.Dim+k])
		sum += d * d
	}
	return sum
}

// pair pairs a batch, and checks that each datum comes once, in its place.
func pair(t *testing.T, c flow.Coupling, b flow.Batch, seed uint64) flow.Pairs {
	t.Helper()
	p, err := c.Pair(b, seeded(seed))
	if err != nil {
		t.Fatalf("%T: %+v", c, err)
	}
	if err := p.Validate(b); err != nil {
		t.Fatalf("%T: %v", c, err)
	}
	for k, j := range p.I1 {
		if k != j {
			t.Fatalf("%T: datum %d is in the place of %d", c, j, k)
		}
	}
	return p
}

func permutation(t *testing.T, c flow.Coupling, p flow.Pairs) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(p.I0))
	for i, v := range sorted {
		if i != v {
			t.Fatalf("%T: the noise is %v, want every point of it once", c, p.I0)
		}
	}
}

// best is the cost of the best one-to-one pairing, by trying all; allowed tells which pairs may be.
func best(b flow.Batch, allowed func(i, j int) bool) float64 {
	n, least := b.Len(), math.Inf(1)
	var try func(j int, used uint, sum float64)
	try = func(j int, used uint, sum float64) {
		if j == n {
			least = min(least, sum)
			return
		}
		for i := range n {
			if used>>i&1 == 0 && allowed(i, j) {
				try(j+1, used|1<<i, sum+distance(b, i, j))
			}
		}
	}
	try(0, 0, 0)
	return least
}

func cost(b flow.Batch, p flow.Pairs) (sum float64) {
	for k := range p.I0 {
		sum += distance(b, p.I0[k], p.I1[k])
	}
	return sum
}

func TestExactOTBruteForce(t *testing.T) {
	for n := 1; n <= 7; n++ {
		for trial := range uint64(20) {
			b := cloud(n, 1+int(trial)%5, 100*uint64(n)+trial)
			p := pair(t, flow.ExactOT{}, b, 1)
			permutation(t, flow.ExactOT{}, p)
			near(t, fmt.Sprintf("cost of %d pairs", n), cost(b, p), best(b, func(_, _ int) bool { return true }), 1e-12)

			within := func(i, j int) bool { return b.Cond[i] == b.Cond[j] }
			p = pair(t, flow.ConditionAware{}, b, 1)
			permutation(t, flow.ConditionAware{}, p)
			for k := range n {
				if !within(p.I0[k], k) {
					t.Fatalf("noise of class %g goes with class %g", b.Cond[p.I0[k]], b.Cond[k])
				}
			}
			near(t, fmt.Sprintf("cost of %d pairs within classes", n), cost(b, p), best(b, within), 1e-12)
			// A large weight on the conditions does the same.
			near(t, "cost with a weight", cost(b, pair(t, flow.ConditionAware{Weight: 1e4}, b, 1)), best(b, within), 1e-12)
		}
	}
}

// In one dimension the best pairing is that of the sorted points.
func TestExactOTSorts(t *testing.T) {
	b := cloud(300, 1, 5)
	p := pair(t, flow.ExactOT{}, b, 1)
	order := make([]int, 300) // of the data
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return int(math.Copysign(1, float64(b.X1[i]-b.X1[j]))) })
	for k := 1; k < len(order); k++ {
		if b.X0[p.I0[order[k]]] < b.X0[p.I0[order[k-1]]] {
			t.Fatalf("the noise of the %d-th datum is less than that of the one before", k)
		}
	}
}

// Greedy against picking the nearest pair again and again.
func TestGreedy(t *testing.T) {
	for trial := range uint64(5) {
		b := cloud(40, 2, trial)
		p := pair(t, flow.Greedy{}, b, 1)
		permutation(t, flow.Greedy{}, p)
		taken0, taken1 := make([]bool, 40), make([]bool, 40)
		for range 40 {
			least, at, to := math.Inf(1), -1, -1
			for i := range 40 {
				for j := range 40 {
					if d := distance(b, i, j); !taken0[i] && !taken1[j] && d < least {
						least, at, to = d, i, j
					}
				}
			}
			taken0[at], taken1[to] = true, true
			if p.I0[to] != at {
				t.Fatalf("datum %d has noise %d, want %d", to, p.I0[to], at)
			}
		}
		if c := cost(b, p); c < cost(b, pair(t, flow.ExactOT{}, b, 1)) || c > cost(b, pair(t, flow.Independent{}, b, 1)) {
			t.Errorf("greedy costs %g, want between exact and independent", c)
		}
	}
}

func TestSinkhornMatchesPOT(t *testing.T) {
	raw, err := os.ReadFile("../testdata/parity/sinkhorn.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Reg, Marginal float64
			X0, X1, Plan  [][]float64
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 18 {
		t.Fatalf("%d cases, want 18", len(file.Cases))
	}
	flat := func(rows [][]float64) (out []float32) {
		for _, row := range rows {
			for _, v := range row {
				out = append(out, float32(v))
			}
		}
		return out
	}
	for i, c := range file.Cases {
		b := flow.Batch{X0: flat(c.X0), X1: flat(c.X1), Dim: 2}
		var plan []float64
		if c.Marginal == 0 {
			plan, _, err = flow.Sinkhorn{Reg: c.Reg, Tolerance: 1e-13, Iterations: 100_000}.Plan(b)
		} else {
			plan, err = flow.UnbalancedSinkhorn{Reg: c.Reg, Marginal: c.Marginal, Tolerance: 1e-13, Iterations: 100_000}.Plan(b)
		}
		if err != nil {
			t.Fatal(err)
		}
		n := len(c.X0)
		for k, got := range plan {
			want := c.Plan[k/n][k%n]
			if math.Abs(got-want) > 2e-6/float64(n) { // the points here are in single precision
				t.Errorf("case %d: the plan's entry %d is %g, want %g", i, k, got, want)
			}
		}
	}
}

// Between its limits, optimal and independent pairs; and with a small ε, where plain scaling would divide 0 by 0.
func TestSinkhornLimits(t *testing.T) {
	b := cloud(30, 2, 3)
	exact := pair(t, flow.ExactOT{}, b, 1)
	sharp := flow.Sinkhorn{Reg: 1e-3, Iterations: 20_000, Tolerance: 1e-5}
	plan, left, err := sharp.Plan(b)
	if err != nil {
		t.Fatal(err)
	}
	if left > 1e-5 {
		t.Errorf("the rows are off by %g", left)
	}
	var planned, mean float64
	for i := range 30 {
		for j := range 30 {
			planned, mean = planned+plan[i*30+j]*distance(b, i, j), mean+distance(b, i, j)/900
		}
	}
	if least := cost(b, exact) / 30; planned < least-1e-4 || planned > least+1e-3*mean*math.Log(30) { // the entropy is log 30 at most
		t.Errorf("the sharp plan costs %g, want little more than %g", planned, least)
	}
	for j, i := range pair(t, flow.Sinkhorn{Reg: 1e-6, Iterations: 10}, b, 1).I0 { // far from converged, and yet finite
		if !(distance(b, i, j) < 3*mean) {
			t.Errorf("datum %d is paired at %g", j, distance(b, i, j))
		}
	}
	relative, _, err := flow.Sinkhorn{Reg: 0.1}.Plan(b)
	if err != nil {
		t.Fatal(err)
	}
	if plan, _, err = (flow.Sinkhorn{Epsilon: 0.1 * mean}).Plan(b); err != nil { // the same ε in other units
		t.Fatal(err)
	}
	for k, v := range plan {
		near(t, "plan of an absolute ε", v*900, relative[k]*900, 1e-9)
	}
	if plan, _, err = (flow.Sinkhorn{Reg: 1e6}).Plan(b); err != nil {
		t.Fatal(err)
	}
	for _, v := range plan {
		near(t, "independent plan", v*900, 1, 1e-5)
	}
	if plan, _, err = (flow.Sinkhorn{}).Plan(b); err != nil {
		t.Fatal(err)
	}
	for j := range 30 {
		sum := 0.0
		for i := range 30 {
			sum += plan[i*30+j]
		}
		near(t, "a column", sum*30, 1, 1e-12)
	}
	if _, left, err = (flow.Sinkhorn{}).Plan(b); err != nil || left > 1e-3 {
		t.Errorf("with the defaults the rows are off by %g (%v)", left, err)
	}
	same := flow.Batch{X0: []float32{1, 1}, X1: []float32{1, 1}, Dim: 1}
	pair(t, flow.Sinkhorn{}, same, 1)
	pair(t, flow.UnbalancedSinkhorn{}, same, 1)
}

// The pairs that are drawn come as often as the plan says, for both kinds; with the weights of the unbalanced ones.
func TestSinkhornDraws(t *testing.T) {
	b := cloud(6, 2, 9)
	balanced, _, err := flow.Sinkhorn{Reg: 0.3}.Plan(b)
	if err != nil {
		t.Fatal(err)
	}
	unbalanced, err := flow.UnbalancedSinkhorn{Reg: 0.3, Marginal: 0.3}.Plan(b)
	if err != nil {
		t.Fatal(err)
	}
	const draws = 20_000
	for _, c := range []struct {
		coupling flow.Coupling
		plan     []float64
	}{{flow.Sinkhorn{Reg: 0.3}, balanced}, {flow.UnbalancedSinkhorn{Reg: 0.3, Marginal: 0.3}, unbalanced}} {
		rng, mass := seeded(4), 0.0
		for _, v := range c.plan {
			mass += v
		}
		got := make([]float64, 36)
		for range draws {
			p, err := c.coupling.Pair(b, rng)
			if err != nil {
				t.Fatal(err)
			}
			for j, i := range p.I0 {
				weight := 1.0
				if p.Weights != nil {
					weight = p.Weights[j]
				}
				got[i*6+j] += weight / (6 * draws)
			}
		}
		for k, v := range c.plan {
			column := 0.0
			for i := range 6 {
				column += c.plan[i*6+k%6] / mass
			}
			share := v / mass / column
			if bound := 5*column*math.Sqrt(share*(1-share)/draws) + 1e-9; math.Abs(got[k]-v/mass) > bound {
				t.Errorf("%T: pair %d comes %.4f of the time, want %.4f to within %.4f", c.coupling, k, got[k], v/mass, bound)
			}
		}
	}
}

// An outlier counts little where the marginals are free, and as much as any where they nearly are not.
func TestUnbalancedOutlier(t *testing.T) {
	b := cloud(64, 2, 21)
	b.X1[0], b.X1[1] = 12, 12
	loose := pair(t, flow.UnbalancedSinkhorn{Marginal: 0.5}, b, 1)
	mean := 0.0
	for _, w := range loose.Weights {
		mean += w / 64
	}
	near(t, "mean weight", mean, 1, 1e-12)
	if loose.Weights[0] > 0.01 {
		t.Errorf("the outlier's weight is %g, want almost nothing", loose.Weights[0])
	}
	tight := pair(t, flow.UnbalancedSinkhorn{Marginal: 1e4}, b, 1)
	if math.Abs(tight.Weights[0]-1) > 0.01 {
		t.Errorf("the outlier's weight is %g with marginals held, want 1", tight.Weights[0])
	}
}

// Optimal transport gives a class the noise on its side; among equal conditions, every class has noise of mean 0.
func TestConditionAwareNoise(t *testing.T) {
	side := func(c flow.Coupling) (skew float64) { // mean first coordinate of the noise of class 1
		count := 0.0
		for seed := range uint64(20) {
			b := cloud(128, 2, seed)
			for k, i := range pair(t, c, b, 1).I0 {
				if b.Cond[k] == 1 {
					skew, count = skew+float64(b.X0[2*i]), count+1
				}
			}
		}
		return skew / count
	}
	if got := side(flow.ExactOT{}); got < 0.7 { // E|z| = 0.80 if every point kept to its side
		t.Errorf("the noise of class 1 has mean %g under optimal transport, want about 0.8", got)
	}
	for _, c := range []flow.Coupling{flow.ConditionAware{}, flow.ConditionAware{Of: flow.Sinkhorn{}}, flow.ConditionAware{Weight: 100}, flow.Independent{}} {
		if got := side(c); math.Abs(got) > 5/math.Sqrt(20*64) {
			t.Errorf("%+v: the noise of class 1 has mean %g, want 0", c, got)
		}
	}
	b := cloud(128, 2, 1)
	weights := pair(t, flow.ConditionAware{Of: flow.UnbalancedSinkhorn{}}, b, 1).Weights
	var sum, count float64
	for k, w := range weights {
		if b.Cond[k] == 1 {
			sum, count = sum+w, count+1
		}
	}
	near(t, "mean weight of class 1", sum/count, 1, 1e-12)
	b.Cond, b.CondDim = nil, 0
	if !slices.Equal(pair(t, flow.ConditionAware{}, b, 1).I0, pair(t, flow.ExactOT{}, b, 1).I0) {
		t.Error("without conditioning the pairs are not those of ExactOT")
	}
}

func TestReflow(t *testing.T) {
	b := cloud(10, 2, 1)
	twice := flow.Reflow{Flow: func(b flow.Batch) ([]float32, error) {
		var out []float32
		for i, v := range b.X0 {
			out = append(out, 2*v+float32(b.Cond[i/2]))
		}
		return out, nil
	}}
	p := pair(t, twice, b, 1)
	for k := range 10 {
		if p.I0[k] != k || p.X1[2*k] != 2*b.X0[2*k]+float32(b.Cond[k]) {
			t.Fatalf("pair %d: noise %d, data %g", k, p.I0[k], p.X1[2*k])
		}
	}
}

// A sampler that follows the field x·log 2 + c from 0 to 1 takes noise to 2x₀ + c/log 2, with c the label of the data.
func TestReflowOfSampler(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		field := ebm.FieldFunc(func(x, _ *Node, cond ...*Node) *Node {
			return Add(MulScalar(x, math.Ln2), ExpandAxes(ConvertDType(cond[0], x.DType()), -1))
		})
		s, err := ebm.NewSampler(b, nil, flow.NoEnergy, flow.FixedSteps{Field: field, Steps: 20})
		if err != nil {
			t.Fatal(err)
		}
		labels := func(b flow.Batch) []*tensors.Tensor {
			out := make([]int32, b.Len())
			for i, v := range b.Cond {
				out[i] = int32(v)
			}
			return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(out, len(out))}
		}
		data := &flow.Paired{Data: &datasets.Batches{Data: twoClasses(128), Size: 32, Labels: true},
			Coupling: flow.Reflow{Flow: flow.FlowOf(s, ebm.Options{Steps: 20}, labels)}, Ahead: 3}
		for _, step := range take(t, data, 4) {
			x1, x0, label := step[0].([][]float32), step[1].([][]float32), step[3].([]int32)
			for i := range x1 {
				for k := range 2 {
					near(t, "the end of the flow", float64(x1[i][k]), 2*float64(x0[i][k])+float64(label[i])/math.Ln2, 1e-5)
				}
			}
		}
	})
}

func TestCouplingBadSettings(t *testing.T) {
	good := cloud(4, 2, 1)
	bad := good
	bad.X1 = append([]float32{float32(math.NaN())}, good.X1[1:]...)
	short := good
	short.X0 = good.X0[2:]
	for _, c := range []flow.Coupling{flow.Independent{}, flow.ExactOT{}, flow.Greedy{}, flow.Sinkhorn{}, flow.UnbalancedSinkhorn{},
		flow.ConditionAware{}, flow.Reflow{Flow: func(b flow.Batch) ([]float32, error) { return b.X0, nil }}} {
		for want, b := range map[string]flow.Batch{
			"point 0 has NaN, want finite numbers":               bad,
			"X0 must have as many numbers as X1, got 6 and 8":    short,
			"Dim must be positive, got 0":                        {},
			"X1 must have points of 3 numbers each, got 8":       {X0: good.X0, X1: good.X1, Dim: 3},
			"Cond must have 1 numbers for each of 4 points, got": {X0: good.X0, X1: good.X1, Dim: 2, CondDim: 1},
		} {
			if _, err := c.Pair(b, seeded(1)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%T: got the error %v, want one with %q", c, err, want)
			}
		}
	}
	for want, c := range map[string]flow.Coupling{
		"Sinkhorn: Reg and Epsilon must be positive and finite, got -1":    flow.Sinkhorn{Reg: -1},
		"Sinkhorn: Reg and Epsilon must be positive and finite, got -2":    flow.Sinkhorn{Epsilon: -2},
		"Sinkhorn: Reg and Epsilon both say ε: give one, got 1 and 2":      flow.Sinkhorn{Reg: 1, Epsilon: 2},
		"Sinkhorn: Tolerance must be positive, got NaN":                    flow.Sinkhorn{Tolerance: math.NaN()},
		"UnbalancedSinkhorn: Iterations must not be negative, got -3":      flow.UnbalancedSinkhorn{Iterations: -3},
		"UnbalancedSinkhorn: Marginal must be positive and finite, got -2": flow.UnbalancedSinkhorn{Marginal: -2},
		"ConditionAware: Weight must be finite and not negative, got -1":   flow.ConditionAware{Weight: -1},
		"ConditionAware: Sinkhorn: Reg and Epsilon must be positive":       flow.ConditionAware{Of: flow.Sinkhorn{Reg: -1}},
		"ConditionAware: flow.Reflow makes data of its own": flow.ConditionAware{Of: flow.Reflow{
			Flow: func(b flow.Batch) ([]float32, error) { return b.X0, nil }}},
		"Reflow: Flow is nil":                        flow.Reflow{},
		"Reflow: Flow gave 2 numbers for noise of 8": flow.Reflow{Flow: func(b flow.Batch) ([]float32, error) { return b.X0[:2], nil }},
		"Reflow: the flow is dry":                    flow.Reflow{Flow: func(flow.Batch) ([]float32, error) { return nil, fmt.Errorf("the flow is dry") }},
	} {
		if _, err := c.Pair(good, seeded(1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: got the error %v, want one with %q", c, err, want)
		}
	}
	for want, p := range map[string]flow.Pairs{
		"want 4 pairs, got I0 1, I1 0":                  {I0: []int{0}},
		"pair 1 is of noise 4 and data 0":               {I0: []int{0, 4, 0, 0}, I1: []int{0, 0, 0, 0}},
		"weight 2 is -1, want it finite and not negati": {I0: make([]int, 4), I1: make([]int, 4), Weights: []float64{1, 1, -1, 1}},
	} {
		if err := p.Validate(good); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want one with %q", err, want)
		}
	}
}

func BenchmarkCouplings(b *testing.B) {
	for _, d := range []int{2, 64} {
		batch := cloud(256, d, 1)
		for _, c := range []flow.Coupling{flow.ExactOT{}, flow.Greedy{}, flow.Sinkhorn{}, flow.UnbalancedSinkhorn{}, flow.ConditionAware{}} {
			b.Run(fmt.Sprintf("%T/256x%d", c, d), func(b *testing.B) {
				for b.Loop() {
					if _, err := c.Pair(batch, seeded(1)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
