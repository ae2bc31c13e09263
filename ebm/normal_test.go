package ebm_test

import (
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mathext"
)

// edgeWords are 32-bit words around every power of two, with either sign bit.
func edgeWords() []uint32 {
	words := []uint32{0, 0x7fffffff, 0x80000000, 0xffffffff}
	for e := range 31 {
		for d := -2; d <= 2; d++ {
			w := uint32(1<<e+d) & 0x7fffffff
			words = append(words, w, w|0x80000000, 0x7fffffff-w, 0xffffffff-w)
		}
	}
	return words
}

// manyWords are the edge words and 2²⁰ random ones.
func manyWords(key uint32) []uint32 {
	words := edgeWords()
	for i := range uint32(1 << 19) {
		w := ebm.Threefry([2]uint32{key, 0}, [2]uint32{i, 0})
		words = append(words, w[0], w[1])
	}
	return words
}

// The polynomial against the inverse of the normal distribution function in double precision, for 2²⁰ random words
// and those around every power of two. Near 0 the step of 1−2p in Float32, 2⁻²⁴, is what counts.
func TestNormal32IsTheQuantile(t *testing.T) {
	const relative, absolute, tail = 1e-6, 1e-7, 6.3381
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		words := manyWords(1)
		z := callFlat[float32](t, b, func(in []*Node) *Node { return ebm.Normal32(in[0]) }, words)
		var worst float64
		for i, w := range words {
			p := (float64(w&0x7fffffff) + 0.5) * 0x1p-32
			want := -mathext.NormalQuantile(p)
			if w>>31 == 1 {
				want = -want
			}
			got := float64(z[i])
			if !(math.Abs(got-want) <= relative*math.Abs(want)+absolute) || math.Abs(got) > tail || math.Signbit(got) != (w>>31 == 1) {
				t.Fatalf("word %08x gives %.9g, the quantile is %.9g", w, got, want)
			}
			if math.Abs(want) > 0.5 {
				worst = max(worst, math.Abs(got/want-1))
			}
		}
		t.Logf("largest relative error where |z| > ½: %.2g; tail ±%.4f", worst, z[0])
		if z[0] < 6.33 || z[2] != -z[0] {
			t.Errorf("the words 0 and 80000000 should give the tails ±6.338, got %g and %g", z[0], z[2])
		}
	})
}

// The double-precision quantile against the distribution function itself: a Newton step from z to the exact quantile,
// (Q(z)−p)/φ(z), must be a rounding error.
func TestNormal64IsTheQuantile(t *testing.T) {
	const relative, absolute, tail = 1.2e-15, 3e-16, 9.1553
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		hi, lo := manyWords(2), manyWords(3)
		for _, w := range edgeWords() { // also the far tails: few or no bits in the high word
			hi, lo = append(hi, 0, 1, 0x80000000, 0x7fffffff), append(lo, w, w, w, w)
		}
		z := callFlat[float64](t, b, func(in []*Node) *Node { return ebm.Normal64(in[0], in[1]) }, hi, lo)
		var worst float64
		for i := range hi {
			k := uint64(hi[i]&0x7fffffff)<<32 | uint64(lo[i])
			got := math.Abs(z[i])
			density := math.Exp(-got*got/2) / math.Sqrt(2*math.Pi)
			var step float64
			if k < 1<<61 { // p < ⅛
				p := math.Ldexp(float64(k)+0.5, -64)
				step = (math.Erfc(got/math.Sqrt2)/2 - p) / density
			} else {
				q := math.Ldexp(float64(1<<63-k)-0.5, -64) // ½ − p
				step = (q - math.Erf(got/math.Sqrt2)/2) / density
			}
			if !(math.Abs(step) <= relative*got+absolute) || got > tail || math.Signbit(z[i]) != (hi[i]>>31 == 1) {
				t.Fatalf("words %08x %08x give %.17g, which is off by %.2g", hi[i], lo[i], z[i], step)
			}
			if got > 0.5 {
				worst = max(worst, math.Abs(step)/got)
			}
		}
		extreme := callFlat[float64](t, b, func(in []*Node) *Node { return ebm.Normal64(in[0], in[1]) }, []uint32{0, 0x80000000}, []uint32{0, 0})
		t.Logf("largest relative error where |z| > ½: %.2g; tail ±%.5f", worst, extreme[0])
		if extreme[0] < 9.1 || extreme[1] != -extreme[0] {
			t.Errorf("the lowest words should give the tails, got %g and %g", extreme[0], extreme[1])
		}
	})
}

// callFlat runs a graph function once, on arguments such as []uint32, and gives the numbers of its result.
func callFlat[T interface {
	float32 | float64 | uint32 | int32
}](t *testing.T, b compute.Backend, fn func(in []*Node) *Node, args ...any) []T {
	t.Helper()
	out, err := CallOnce(b, fn, args...)
	if err != nil {
		t.Fatal(err)
	}
	flat, err := tensors.CopyFlatData[T](out)
	if err != nil {
		t.Fatal(err)
	}
	return flat
}
