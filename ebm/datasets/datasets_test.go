package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// wantErr fails unless err says all of the words.
func wantErr(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func generate(t *testing.T, g Generator) *Data {
	t.Helper()
	d, err := g.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestGenerators(t *testing.T) {
	for _, c := range []struct {
		zero, other, bad Generator
		n, classes       int
		badSays          string
		first            [2]float64 // point of the zero value: a published result stays what it was
	}{
		{GaussianMixture{}, GaussianMixture{Seed: 1}, GaussianMixture{N: -1}, 2000, 8, "GaussianMixture: N = -1", [2]float64{0.7572479, 0.7304911}},
		{EightGaussians{}, EightGaussians{Seed: 1}, EightGaussians{Std: -0.1}, 2000, 8, "EightGaussians: Std = -0.1", [2]float64{1.43427, 1.4235673}},
		{TwentyFiveGaussians{}, TwentyFiveGaussians{Seed: 1}, TwentyFiveGaussians{Std: math.NaN()}, 2000, 25, "Std = NaN", [2]float64{-1.2725852, -1.3482764}},
		{TwoMoons{}, TwoMoons{Seed: 1}, TwoMoons{Noise: math.Inf(1)}, 2000, 2, "TwoMoons: Noise = +Inf", [2]float64{0.09572405, 1.0223448}},
		{SwissRoll{}, SwissRoll{Seed: 1}, SwissRoll{N: 1}, 2000, 0, "SwissRoll: N = 1", [2]float64{0.66629475, 0.15370426}},
		{Circle{}, Circle{Seed: 1}, Circle{Radius: -2}, 2000, 0, "Circle: Radius = -2", [2]float64{-0.9748743, -0.018213522}},
		{Checkerboard{}, Checkerboard{Seed: 1}, Checkerboard{Range: 1e4}, 2000, 32, "Checkerboard: Range = 10000", [2]float64{-2.3866055, -3.320709}},
		{Pinwheel{}, Pinwheel{Seed: 1}, Pinwheel{Arms: -5}, 2000, 5, "Pinwheel: Arms = -5", [2]float64{-0.8609212, -1.3373983}},
		{Grid{}, Grid{Seed: 1}, Grid{PerDim: 1}, 100, 100, "Grid: PerDim = 1", [2]float64{0.7787581, 1.0014653}},
		{SCurve{}, SCurve{Seed: 1}, SCurve{Scale: math.NaN()}, 2000, 0, "SCurve: Scale = NaN", [2]float64{0.24717008, 0.101570226}},
		{Spirals{}, Spirals{Seed: 1}, Spirals{Turns: -1}, 2000, 2, "Spirals: Turns = -1", [2]float64{-1.8665984, -0.84343576}},
		{Rings{}, Rings{Seed: 1}, Rings{N: math.MaxInt}, 2000, 4, "Rings: N = 9223372036854775807", [2]float64{-2.206772, -0.09179816}},
	} {
		t.Run(reflect.TypeOf(c.zero).Name(), func(t *testing.T) {
			a, again, b := generate(t, c.zero), generate(t, c.zero), generate(t, c.other)
			if a.Len() != c.n || a.Dim != 2 {
				t.Errorf("%d points of %d coordinates, want %d of 2", a.Len(), a.Dim, c.n)
			}
			for j, want := range c.first {
				if got := float64(a.X[j]); math.Abs(got-want) > 1e-5 {
					t.Errorf("coordinate %d of the first point is %g, want %g", j, got, want)
				}
			}
			if !reflect.DeepEqual(a, again) {
				t.Error("the same seed gave other points")
			}
			if slices.Equal(a.X, b.X) {
				t.Error("another seed gave the same points")
			}
			counts := map[int32]int{}
			for _, l := range a.Labels {
				counts[l]++
			}
			if len(counts) != c.classes {
				t.Errorf("%d classes, want %d", len(counts), c.classes)
			}
			if c.classes > 1 && slices.IsSorted(a.Labels) {
				t.Error("not shuffled")
			}
			_, err := c.bad.Generate()
			wantErr(t, err, c.badSays)
		})
	}
}

// Without jitter every point lies on its shape, with the label of its part.
func TestShapes(t *testing.T) {
	const eps = 1e-5
	near := func(a, b float64) bool { return math.Abs(a-b) < eps }
	for name, c := range map[string]struct {
		g  Generator
		on func(x, y float64, label int) bool
	}{
		"GaussianMixture": {GaussianMixture{Components: 3, Radius: 2, Std: None}, func(x, y float64, k int) bool {
			return near(x, 2*math.Cos(2*math.Pi*float64(k)/3)) && near(y, 2*math.Sin(2*math.Pi*float64(k)/3))
		}},
		"EightGaussians": {EightGaussians{Std: None}, func(x, y float64, k int) bool {
			return near(x, 2*math.Cos(math.Pi*float64(k)/4)) && near(y, 2*math.Sin(math.Pi*float64(k)/4))
		}},
		"TwentyFiveGaussians": {TwentyFiveGaussians{Std: None}, func(x, y float64, k int) bool {
			return near(x*1.414, float64(2*(k/5-2))) && near(y*1.414, float64(2*(k%5-2)))
		}},
		"TwoMoons": {TwoMoons{Noise: None}, func(x, y float64, k int) bool {
			if k == 0 {
				return near(math.Hypot(x, y), 1) && y > -eps
			}
			return near(math.Hypot(x-1, y-0.5), 1) && y < 0.5+eps
		}},
		"Circle": {Circle{Noise: None, Radius: 3}, func(x, y float64, _ int) bool { return near(math.Hypot(x, y), 3) }},
		"Checkerboard": {Checkerboard{}, func(x, y float64, _ int) bool {
			return int(math.Floor(x)+math.Floor(y))&1 != 0 && max(math.Abs(x), math.Abs(y)) <= 4
		}},
		"Grid": {Grid{Noise: None, PerDim: 5, Range: 2}, func(x, y float64, k int) bool {
			return near(x, float64(k/5-2)) && near(y, float64(k%5-2))
		}},
		"Rings": {Rings{Noise: None, Rings: 3, Radius: 6}, func(x, y float64, k int) bool { return near(math.Hypot(x, y), 2*float64(k+1)) }},
		"Spirals": {Spirals{Noise: None}, func(x, y float64, k int) bool {
			turn := (math.Atan2(y, x) - 2*math.Pi*(float64(k)/2+1.5*math.Hypot(x, y)/3)) / (2 * math.Pi)
			return math.Abs(turn-math.Round(turn)) < 1e-4
		}},
		"Pinwheel": {Pinwheel{Noise: None, Angular: None}, func(x, y float64, k int) bool {
			turn := (math.Atan2(y, x) - 2*math.Pi*float64(k)/5 - 5*math.Hypot(x, y)/2) / (2 * math.Pi)
			return math.Abs(turn-math.Round(turn)) < 1e-4 && math.Hypot(x, y) <= 2
		}},
		"SCurve": {SCurve{Noise: None, Scale: 1}, func(x, y float64, _ int) bool { return near(x*x+(math.Abs(y)-1)*(math.Abs(y)-1), 1) }},
	} {
		d := generate(t, c.g)
		for i := range d.Len() {
			label := 0
			if d.Labels != nil {
				label = int(d.Labels[i])
			}
			if x, y := float64(d.Row(i)[0]), float64(d.Row(i)[1]); !c.on(x, y, label) {
				t.Errorf("%s: (%g, %g) is not on part %d", name, x, y, label)
				break
			}
		}
	}
}

// The jitter has the standard deviation asked for: √(mean of 4000 squares) lies within 5 standard errors, 5/√8000.
func TestJitter(t *testing.T) {
	const std, n = 0.3, 2000
	d := generate(t, GaussianMixture{N: n, Components: 1, Std: std, Radius: 1, Seed: 3})
	var square float64
	for i := range n {
		x, y := float64(d.Row(i)[0])-1, float64(d.Row(i)[1])
		square += (x*x + y*y) / (2 * n)
	}
	if got := math.Sqrt(square); math.Abs(got/std-1) > 5/math.Sqrt(4*n) {
		t.Errorf("jitter %g, want %g", got, std)
	}
	counts := make([]int, 3)
	for _, l := range generate(t, GaussianMixture{N: 11, Components: 3}).Labels {
		counts[l]++
	}
	if !slices.Equal(counts, []int{4, 4, 3}) {
		t.Errorf("shares of 11 points are %v, want [4 4 3]", counts)
	}
}

// IID draws the parts on their own: their counts vary as a multinomial's, and no longer are equal shares.
func TestIID(t *testing.T) {
	for _, g := range []Generator{
		GaussianMixture{IID: true}, EightGaussians{IID: true}, TwentyFiveGaussians{IID: true}, TwoMoons{IID: true},
		Pinwheel{IID: true}, Spirals{IID: true}, Rings{IID: true},
	} {
		d := generate(t, g)
		counts := map[int32]float64{}
		for _, l := range d.Labels {
			counts[l]++
		}
		k := float64(len(counts))
		var chi2 float64 // mean k−1, variance 2(k−1)
		for _, c := range counts {
			chi2 += (c - 2000/k) * (c - 2000/k) / (2000 / k)
		}
		if chi2 == 0 || chi2 > k-1+5*math.Sqrt(2*(k-1)) {
			t.Errorf("%s: counts %v have χ² = %g", d.Name, counts, chi2)
		}
	}
	// The angle of an independent point is uniform, so the height sin θ of the outer moon has mean 2/π.
	d := generate(t, TwoMoons{N: 20000, Noise: None, IID: true})
	var mean, n float64
	for i, l := range d.Labels {
		if l == 0 {
			mean += float64(d.Row(i)[1])
			n++
		}
	}
	if se := math.Sqrt((0.5 - 4/math.Pi/math.Pi) / n); math.Abs(mean/n-2/math.Pi) > 4*se {
		t.Errorf("mean height %g, want %g", mean/n, 2/math.Pi)
	}
}

func TestSwissRoll(t *testing.T) {
	d := generate(t, SwissRoll{})
	for j := range 2 {
		mean, std := moments(d.Column(j), 0)
		if math.Abs(mean) > 1e-6 || math.Abs(std-0.5) > 1e-6 {
			t.Errorf("coordinate %d has mean %g and standard deviation %g, want 0 and 0.5", j, mean, std)
		}
	}
}

// moments with n−ddof in the variance.
func moments(x []float64, ddof float64) (mean, std float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		std += (v - mean) * (v - mean) / (n - ddof)
	}
	return mean, math.Sqrt(std)
}

func TestOldFaithful(t *testing.T) {
	const sum = "f0723d802dc82e6b250ab1ea1af10d207c3feced450f928ea53e97b975f0b6a1"
	if got := sha256.Sum256([]byte(oldFaithful)); hex.EncodeToString(got[:]) != sum {
		t.Errorf("old_faithful.csv has SHA-256 %x, want %s", got, sum)
	}
	d, err := OldFaithful()
	if err != nil {
		t.Fatal(err)
	}
	if d.Len() != 272 || !slices.Equal(d.Columns, []string{"eruptions", "waiting"}) {
		t.Fatalf("%d points of %q", d.Len(), d.Columns)
	}
	for j, want := range [][2]float64{{3.487783, 1.141371}, {70.897059, 13.594974}} { // as R prints them
		mean, std := moments(d.Column(j), 1)
		if math.Abs(mean-want[0]) > 1e-6 || math.Abs(std-want[1]) > 1e-6 {
			t.Errorf("%s: mean %.6f, std %.6f, want %v", d.Columns[j], mean, std, want)
		}
	}
}

func TestStandardize(t *testing.T) {
	d, _ := OldFaithful()
	z, s, err := d.Standardize()
	if err != nil {
		t.Fatal(err)
	}
	for j := range 2 {
		if mean, std := moments(z.Column(j), 0); math.Abs(mean) > 1e-6 || math.Abs(std-1) > 1e-6 {
			t.Errorf("coordinate %d has mean %g, std %g", j, mean, std)
		}
	}
	back, err := s.Invert(z.X)
	if err != nil {
		t.Fatal(err)
	}
	for i := range back {
		if math.Abs(float64(back[i]-d.X[i])) > 1e-5 {
			t.Fatalf("value %d came back as %g, was %g", i, back[i], d.X[i])
		}
	}
	_, err = s.Invert(z.X[:3])
	wantErr(t, err, "x has 3 values", "2 coordinates")
	_, _, err = (&Data{Name: "flat", Dim: 2, X: []float32{1, 5, 2, 5}, Columns: []string{"a", "b"}}).Standardize()
	wantErr(t, err, "coordinate 1 (b) is constant")
	_, err = Scaling{Mean: []float64{0}, Std: []float64{0}}.Invert([]float32{1})
	wantErr(t, err, "Std[0] = 0")
	_, err = s.Apply(&Data{Dim: 1, X: []float32{1}})
	wantErr(t, err, "2 entries", "1 coordinates")
}

func TestSplit(t *testing.T) {
	d := generate(t, Grid{Noise: None})
	a, b, err := d.Split(0.3, 7)
	if err != nil {
		t.Fatal(err)
	}
	if a.Len() != 30 || b.Len() != 70 {
		t.Errorf("parts of %d and %d, want 30 and 70", a.Len(), b.Len())
	}
	seen := map[int32]bool{} // the label names the node, so it follows its point
	for _, part := range []*Data{a, b} {
		for i, l := range part.Labels {
			if x := float64(part.Row(i)[0]); math.Abs(x-evenly(int(l)/10, 10, -1, 1)) > 1e-6 {
				t.Fatalf("label %d is at x = %g", l, x)
			}
			seen[l] = true
		}
	}
	if len(seen) != 100 {
		t.Errorf("the parts hold %d different points, want 100", len(seen))
	}
	c, _, _ := d.Split(0.3, 7)
	e, _, _ := d.Split(0.3, 8)
	if !slices.Equal(a.X, c.X) || slices.Equal(a.X, e.X) {
		t.Error("the cut does not depend on the seed alone")
	}
	for _, f := range []float64{0, 1, -1, math.NaN(), 0.001} {
		_, _, err := d.Split(f, 1)
		wantErr(t, err, "fraction = ", "empty part")
	}
}

func TestValidate(t *testing.T) {
	for says, d := range map[string]*Data{
		"Data is nil":                       nil,
		"Dim = 0":                           {X: []float32{1}},
		"X is empty":                        {Dim: 1},
		"X has 3 values":                    {Dim: 2, X: make([]float32, 3)},
		"Labels has 1 entries for 2 points": {Dim: 1, X: make([]float32, 2), Labels: make([]int32, 1)},
		"Columns has 1 names":               {Dim: 2, X: make([]float32, 2), Columns: []string{"a"}},
		"Event = [2 2]":                     {Dim: 2, X: make([]float32, 2), Event: []int{2, 2}},
		"point 1, coordinate 1 is NaN":      {Dim: 2, X: []float32{1, 2, 3, float32(math.NaN())}},
		"point 0, coordinate 0 is -Inf":     {Dim: 1, X: []float32{float32(math.Inf(-1))}},
		"Labels[0] = -1":                    {Dim: 1, X: make([]float32, 1), Labels: []int32{-1}},
		"Labels[0] = 2":                     {Dim: 1, X: make([]float32, 1), Labels: []int32{2}, Classes: []string{"a", "b"}},
	} {
		wantErr(t, d.Validate(), says)
		_, err := d.Tensor(dtypes.Float32)
		wantErr(t, err, says)
	}
	_, err := (&Data{Dim: 1, X: make([]float32, 2)}).Take([]int32{0, 2})
	wantErr(t, err, "indices[1] = 2")
}

func TestTensor(t *testing.T) {
	d := &Data{Dim: 4, X: []float32{1, 2, 3, 4, 5, 6, 7, 8}, Event: []int{2, 2}}
	x, err := d.Tensor(dtypes.Float64)
	if err != nil {
		t.Fatal(err)
	}
	if got := x.Shape().String(); got != "(Float64)[2, 2, 2]" {
		t.Errorf("shape %s", got)
	}
	if got := tensors.MustCopyFlatData[float64](x); got[7] != 8 {
		t.Errorf("values %v", got)
	}
	_, err = d.Tensor(dtypes.Int32)
	wantErr(t, err, "dtype = Int32")
}

// The digits are those of the source: their number, the sum of all their ink, and the first of them.
func TestDigits(t *testing.T) {
	d, err := Digits()
	if err != nil {
		t.Fatal(err)
	}
	ink, each := 0.0, make([]int, 10)
	for _, v := range d.X {
		ink += 8 * (float64(v) + 1)
	}
	for _, l := range d.Labels {
		each[l]++
	}
	if d.Len() != 1797 || ink != 561718 || !slices.Equal(each, []int{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}) {
		t.Errorf("%d digits with ink %g, %v of each", d.Len(), ink, each)
	}
	if got := d.Row(0)[8:16]; !slices.Equal(got, []float32{-1, -1, 0.625, 0.875, 0.25, 0.875, -0.375, -1}) || d.Labels[0] != 0 {
		t.Errorf("the first digit's second row is %v, its label %d", got, d.Labels[0])
	}
}
