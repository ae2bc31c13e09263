package datasets

import (
	"iter"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train"
)

// numbers is n points of one coordinate whose value and label is their index.
func numbers(n int) *Data {
	d := &Data{Name: "numbers", Dim: 1}
	for i := range n {
		d.X = append(d.X, float32(i))
		d.Labels = append(d.Labels, int32(i))
	}
	return d
}

func collect(t *testing.T, seq iter.Seq2[train.Batch, error], most int) (out [][]float32) {
	t.Helper()
	for batch, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, tensors.MustCopyFlatData[float32](batch.Inputs[0]))
		if len(out) == most {
			break
		}
	}
	return out
}

func TestBatchesCoverAnEpoch(t *testing.T) {
	for _, c := range []struct {
		n, size int
		partial bool
		sizes   []int
	}{
		{10, 5, false, []int{5, 5}},
		{10, 4, false, []int{4, 4}},
		{10, 4, true, []int{4, 4, 2}},
		{3, 4, false, []int{3}},
		{3, 0, true, []int{3}},
	} {
		b := &Batches{Data: numbers(c.n), Size: c.size, KeepPartial: c.partial}
		var sizes []int
		seen := map[float32]bool{}
		for _, x := range collect(t, b.Iter(), -1) {
			sizes = append(sizes, len(x))
			for _, v := range x {
				seen[v] = true
			}
		}
		total := 0
		for _, s := range sizes {
			total += s
		}
		if !slices.Equal(sizes, c.sizes) || len(seen) != total || b.PerEpoch() != len(c.sizes) {
			t.Errorf("n = %d, size %d: batches of %v with %d different points, want %v", c.n, c.size, sizes, len(seen), c.sizes)
		}
		if b.Epoch != 1 || b.Step != 0 {
			t.Errorf("after an epoch the position is %d, %d", b.Epoch, b.Step)
		}
	}
}

// Stopped anywhere, and set up anew from Epoch and Step alone, the batches go on as if nothing had happened.
func TestBatchesResume(t *testing.T) {
	whole := collect(t, (&Batches{Data: numbers(20), Size: 6, Seed: 5, Endless: true}).Iter(), 12)
	if slices.Equal(whole[0], whole[3]) {
		t.Error("two epochs have the same order")
	}
	for stop := 1; stop < 12; stop++ {
		a := &Batches{Data: numbers(20), Size: 6, Seed: 5, Endless: true}
		got := collect(t, a.Iter(), stop)
		b := &Batches{Data: numbers(20), Size: 6, Seed: 5, Epoch: a.Epoch, Step: a.Step}
		for len(got) < 12 {
			got = append(got, collect(t, b.Iter(), -1)...)
		}
		for i := range whole {
			if !slices.Equal(whole[i], got[i]) {
				t.Fatalf("stopped after %d: batch %d is %v, want %v", stop, i, got[i], whole[i])
			}
		}
	}
}

func TestBatchesLabelsAndShapes(t *testing.T) {
	d := numbers(8)
	d.Dim, d.Event, d.Labels = 4, []int{2, 2}, []int32{0, 1}
	b := &Batches{Data: d, Size: 2, Labels: true, DType: dtypes.Float64}
	for batch, err := range b.Iter() {
		if err != nil {
			t.Fatal(err)
		}
		x, labels := batch.Inputs[0], tensors.MustCopyFlatData[int32](batch.Inputs[1])
		if x.Shape().String() != "(Float64)[2, 2, 2]" {
			t.Errorf("points of shape %s", x.Shape())
		}
		for i, v := range tensors.MustCopyFlatData[float64](x) {
			if want := float64(labels[i/4]*4) + float64(i%4); v != want {
				t.Errorf("value %d of the batch is %g, want %g: labels left their points", i, v, want)
			}
		}
	}
}

func TestBatchesErrors(t *testing.T) {
	unlabelled := numbers(4)
	unlabelled.Labels = nil
	for says, b := range map[string]*Batches{
		"Data is nil":           {},
		"Size = -3":             {Data: numbers(4), Size: -3},
		"Labels = true":         {Data: unlabelled, Labels: true},
		"DType = Int32":         {Data: numbers(4), DType: dtypes.Int32},
		"Epoch = -1":            {Data: numbers(4), Epoch: -1},
		"Step = 2, want 0 to 1": {Data: numbers(4), Size: 2, Step: 2, Endless: true},
		`Data "": X is empty`:   {Data: &Data{Dim: 2}},
		"coordinate 0 is NaN":   {Data: &Data{Dim: 1, X: []float32{float32(math.NaN())}}},
	} {
		count := 0
		for _, err := range b.Iter() {
			wantErr(t, err, says)
			count++
		}
		if count != 1 {
			t.Errorf("%s: %d items, want the error alone", says, count)
		}
	}
}

// Order is uniform over permutations: of 6000 epochs each of the 6 orders of 3 points comes 1000 times, give or take.
func TestOrder(t *testing.T) {
	counts := map[[3]int32]float64{}
	for epoch := range 6000 {
		counts[[3]int32(Order(9, epoch, 3))]++
	}
	var chi2 float64
	for _, c := range counts {
		chi2 += (c - 1000) * (c - 1000) / 1000
	}
	if len(counts) != 6 || chi2 > 20.5 { // the 0.1 % point of χ² with 5 degrees of freedom
		t.Errorf("orders %v, χ² = %.1f", counts, chi2)
	}
	if got, want := Order(1, 2, 8), []int32{}; len(got) != 8 || slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if len(Order(1, 0, -1)) != 0 {
		t.Error("an order of −1 points")
	}
}
