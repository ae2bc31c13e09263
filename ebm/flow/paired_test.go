package flow_test

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/flow"
)

// twoClasses are points whose class is the sign of their first coordinate.
func twoClasses(n int) *datasets.Data {
	b := cloud(n, 2, 77)
	d := &datasets.Data{Name: "two classes", X: b.X1, Dim: 2}
	for i := range n {
		d.Labels = append(d.Labels, 0)
		if b.X1[2*i] > 0 {
			d.Labels[i] = 1
		}
	}
	return d
}

// shuffled moves data and noise, which no coupling of the package does with data.
type shuffled struct{}

func (shuffled) Pair(b flow.Batch, rng *rand.Rand) (flow.Pairs, error) {
	p := flow.Pairs{I0: rng.Perm(b.Len()), I1: rng.Perm(b.Len())}
	for i := range b.Len() {
		p.Weights = append(p.Weights, float64(i))
	}
	return p, nil
}

// take are the next batches of up to n steps, as numbers, an end of an epoch as nil.
func take(t *testing.T, d train.Dataset, n int) (steps [][]any) {
	t.Helper()
	for len(steps) < n {
		for batch, err := range d.Iter() {
			if err != nil {
				t.Fatalf("%+v", err)
			}
			var step []any
			for _, x := range batch.Inputs {
				step = append(step, x.Value())
			}
			if steps = append(steps, step); len(steps) == n {
				return steps
			}
		}
		steps = append(steps, nil)
	}
	return steps
}

// Labels, and conditioning of any kind, follow their data under every coupling.
func TestLabelsFollowData(t *testing.T) {
	mirrored := flow.Reflow{Flow: func(b flow.Batch) ([]float32, error) { // a flow that knows the class
		out := slices.Clone(b.X0)
		for i := range b.Len() {
			out[2*i] = float32(math.Abs(float64(out[2*i])) * (2*b.Cond[i] - 1))
		}
		return out, nil
	}}
	for _, c := range []flow.Coupling{nil, flow.Independent{}, flow.ExactOT{}, flow.Greedy{}, flow.Sinkhorn{}, flow.UnbalancedSinkhorn{},
		flow.ConditionAware{}, flow.ConditionAware{Weight: 3}, flow.ConditionAware{Of: flow.Greedy{}}, mirrored, shuffled{}} {
		data := &flow.Paired{Data: &datasets.Batches{Data: twoClasses(512), Size: 64, Labels: true}, Coupling: c}
		agree, rows := 0, 0
		for _, step := range take(t, data, 8) {
			x1, x0, weights, labels := step[0].([][]float32), step[1].([][]float32), step[2].([]float32), step[3].([]int32)
			if len(step) != 4 || len(x0) != 64 || len(weights) != 64 {
				t.Fatalf("%T: a batch of %d inputs, %d points of noise and %d weights", c, len(step), len(x0), len(weights))
			}
			for i, x := range x1 {
				if rows++; (x[0] > 0) == (labels[i] == 1) {
					agree++
				}
			}
		}
		if agree != rows {
			t.Errorf("%T: labels agree with their data in %.2f of %d pairs, want 1.00", c, float64(agree)/float64(rows), rows)
		}
	}
}

// A step's batch is a function of seed and step: not of how many are made ahead, of epochs gone before, or of breaks.
func TestPairedResumes(t *testing.T) {
	fresh := func(ahead int) *flow.Paired {
		return &flow.Paired{Data: &datasets.Batches{Data: twoClasses(200), Size: 64, Labels: true, Seed: 3}, Coupling: flow.Sinkhorn{}, Seed: 5, Ahead: ahead}
	}
	want := take(t, fresh(1), 8) // 3 batches an epoch, and 2 ends among the 8
	if want[3] != nil || want[7] != nil || want[6] == nil {
		t.Fatal("epochs do not end after every third batch")
	}
	same := func(what string, a, b []any) {
		t.Helper()
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: the batch differs", what)
		}
	}
	for i, step := range take(t, fresh(7), 8) {
		same(fmt.Sprintf("7 ahead, %d", i), step, want[i])
	}
	d := fresh(0)
	if d.PerEpoch() != 3 || d.Name() != "two classes" {
		t.Errorf("%d batches an epoch of %q, want 3", d.PerEpoch(), d.Name())
	}
	for _, c := range []struct{ step, at int }{{4, 5}, {0, 0}, {2, 2}, {5, 6}} {
		if err := d.Seek(c.step); err != nil {
			t.Fatal(err)
		}
		same(fmt.Sprintf("step %d", c.step), take(t, d, 1)[0], want[c.at])
		if d.Step != c.step+1 {
			t.Errorf("after step %d the next is %d", c.step, d.Step)
		}
	}
	d = fresh(0)
	for _, at := range []int{0, 1, 2, 4, 5, 6} { // an Iter for each
		same(fmt.Sprintf("one by one, %d", at), take(t, d, 1)[0], want[at])
	}
	d.Step = 1 // moved by hand
	same("moved", take(t, d, 1)[0], want[1])
	other := fresh(0)
	other.Seed = 6
	if fmt.Sprint(take(t, other, 1)[0][1]) == fmt.Sprint(want[0][1]) {
		t.Error("another seed has the same noise")
	}
	if fmt.Sprint(want[0][1]) == fmt.Sprint(want[4][1]) {
		t.Error("the noise of two epochs is the same")
	}
}

// Noise is standard normal, or the source's, and moves as the pairs say, in both precisions.
func TestPairedNoise(t *testing.T) {
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		d := &flow.Paired{Data: &datasets.Batches{Data: twoClasses(4096), Size: 4096, DType: dtype}, Coupling: flow.Independent{}}
		var noise []float64
		for batch, err := range d.Iter() {
			if err != nil {
				t.Fatal(err)
			}
			if batch.Inputs[1].DType() != dtype || batch.Inputs[2].DType() != dtype {
				t.Fatalf("noise %s and weights %s, want %s", batch.Inputs[1].Shape(), batch.Inputs[2].Shape(), dtype)
			}
			switch rows := batch.Inputs[1].Value().(type) {
			case [][]float32:
				for _, row := range rows {
					noise = append(noise, float64(row[0]), float64(row[1]))
				}
			case [][]float64:
				for _, row := range rows {
					noise = append(noise, row...)
				}
			}
		}
		var mean, square float64
		for _, v := range noise {
			mean, square = mean+v/8192, square+v*v/8192
		}
		if math.Abs(mean) > 5/math.Sqrt(8192) || math.Abs(square-1) > 5*math.Sqrt(2./8192) {
			t.Errorf("%s: noise of mean %g and mean square %g", dtype, mean, square)
		}
	}
	source := func(x0 []float64, dim int, rng *rand.Rand) {
		for i := range x0 {
			x0[i] = float64(i / dim)
		}
	}
	d := &flow.Paired{Data: &datasets.Batches{Data: twoClasses(16), Size: 16, Labels: true}, Coupling: shuffled{}, Source: source}
	step := take(t, d, 1)[0]
	x0, weights := step[1].([][]float32), step[2].([]float32)
	seen := map[float32]bool{}
	for i, row := range x0 {
		if seen[row[0]] = true; row[0] != row[1] || weights[i] != float32(i) {
			t.Errorf("row %d: noise %v, weight %g", i, row, weights[i])
		}
	}
	if len(seen) != 16 {
		t.Errorf("%d points of noise, want 16", len(seen))
	}
}

// broken is a dataset that fails, or ends at once.
type broken struct{ err error }

func (b broken) Name() string   { return "broken" }
func (b broken) PerEpoch() int  { return 1 }
func (b broken) Seek(int) error { return nil }
func (b broken) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		if b.err != nil {
			yield(train.Batch{}, b.err)
		}
	}
}

type couplingFunc func(b flow.Batch) (flow.Pairs, error)

func (f couplingFunc) Pair(b flow.Batch, _ *rand.Rand) (flow.Pairs, error) { return f(b) }

func TestPairedErrors(t *testing.T) {
	good := &datasets.Batches{Data: twoClasses(64), Size: 32}
	for want, d := range map[string]*flow.Paired{
		"Paired: want Data":                          {},
		"Ahead not negative":                         {Data: good, Ahead: -1},
		"the disk is gone":                           {Data: broken{fmt.Errorf("the disk is gone")}},
		"\"broken\" gave no batch":                   {Data: broken{}},
		"Size = -1":                                  {Data: &datasets.Batches{Data: twoClasses(64), Size: -1}},
		"Paired: flow_test.couplingFunc, step 0: no": {Data: good, Coupling: couplingFunc(func(flow.Batch) (flow.Pairs, error) { return flow.Pairs{}, fmt.Errorf("no") })},
		"step 0: index out of range": {Data: good, Coupling: couplingFunc(func(b flow.Batch) (flow.Pairs, error) {
			panic(fmt.Errorf("index out of range"))
		})},
		"Pairs: want 32 pairs": {Data: good, Coupling: couplingFunc(func(b flow.Batch) (flow.Pairs, error) { return flow.Pairs{I0: []int{1}}, nil })},
	} {
		var got error
		for _, err := range d.Iter() {
			got = err
			break
		}
		if got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("got the error %v, want one with %q", got, want)
		}
	}
	if err := (&flow.Paired{}).Seek(1); err == nil {
		t.Error("Seek without Data is no error")
	}
	if err := (&flow.Paired{Data: good}).Seek(-1); err == nil {
		t.Error("Seek to −1 is no error")
	}
}
