package ebm_test

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat/distuv"
)

// falseAlarm is the chance with which each statistical test below would fail on true random numbers. The numbers
// are fixed by their seeds, so that none fails now and then.
const falseAlarm = 1e-6

// draw draws at a seed and a step.
func draw[T interface {
	float32 | float64 | uint32 | int32
}](t *testing.T, b compute.Backend, seed uint64, step int32, fn func(r *ebm.Rand) *Node) []T {
	t.Helper()
	return callFlat[T](t, b, func(in []*Node) *Node { return Identity(fn(ebm.NewRand(in[0], in[1]))) },
		[]uint32{uint32(seed), uint32(seed >> 32)}, step)
}

func words(r *ebm.Rand, dims ...int) *Node {
	w, _ := ebm.Words(r, shapes.Make(dtypes.Float32, dims...), false)
	return Reshape(w, dims...)
}

// hostWord is the word of element (i, j) of a draw whose rows have d numbers.
func hostWord(seed uint64, step, use uint32, i, j, d int) uint32 {
	key := ebm.Threefry([2]uint32{uint32(seed), uint32(seed >> 32)}, [2]uint32{step, use})
	if d == 1 {
		return ebm.Threefry(key, [2]uint32{uint32(i), 0})[0]
	}
	return ebm.Threefry(key, [2]uint32{uint32(i), uint32(j / 2)})[j%2]
}

// Words are the documented function of key, step, use and element, on both backends, for even and odd rows.
func TestRandMapping(t *testing.T) {
	const n, seed = 5, 0xdeadbeef_00000007
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, d := range []int{1, 2, 5} {
			exec, err := NewExec(b, func(key, step *Node) (*Node, *Node) {
				r := ebm.NewRand(key, step)
				return words(r, n, d), words(r, n, d)
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			for _, step := range []int32{0, 9, math.MaxInt32, -1} {
				out, err := exec.Call([]uint32{seed & 0xffffffff, seed >> 32}, step)
				if err != nil {
					t.Fatal(err)
				}
				for use := range out {
					for k, got := range tensors.MustCopyFlatData[uint32](out[use]) {
						if want := hostWord(seed, uint32(step), uint32(use), k/d, k%d, d); got != want {
							t.Fatalf("d = %d, step %d, use %d, element (%d, %d): %08x in the graph, %08x on the host", d, step, use, k/d, k%d, got, want)
						}
					}
				}
			}
		}
	})
}

// A chain's numbers do not depend on how many chains there are, nor on how the event's numbers are arranged.
func TestRandElementsStandAlone(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, name := range []string{"Normal32", "Uniform64", "Intn"} { // one for each way of reading words
			fn := draws[name]
			out, err := CallOnceN(b, func(in []*Node) []*Node {
				fresh := func(dims ...int) *Node { return fn(ebm.NewRand(in[0], in[1]), dims...) }
				return []*Node{fresh(10, 12), fresh(1000, 12), fresh(10, 2, 3, 2), fresh(10, 3), fresh(1000, 3)}
			}, []uint32{5, 6}, int32(3))
			if err != nil {
				t.Fatal(err)
			}
			var flat [5][]float64
			for i := range out {
				flat[i] = tensors.MustCopyFlatData[float64](out[i])
			}
			if !slices.Equal(flat[0], flat[1][:120]) || !slices.Equal(flat[3], flat[4][:30]) {
				t.Errorf("%s: the first 10 of 1000 rows differ from 10 rows", name)
			}
			if !slices.Equal(flat[0], flat[2]) {
				t.Errorf("%s: an event of shape [2 3 2] differs from one of shape [12]", name)
			}
		}
	})
}

// draws are all kinds of draws, as Float64 for comparison.
var draws = map[string]func(r *ebm.Rand, dims ...int) *Node{
	"Normal32": func(r *ebm.Rand, dims ...int) *Node { return asFloat64(r.Normal(shapes.Make(dtypes.Float32, dims...))) },
	"Normal64": func(r *ebm.Rand, dims ...int) *Node { return r.Normal(shapes.Make(dtypes.Float64, dims...)) },
	"Uniform32": func(r *ebm.Rand, dims ...int) *Node {
		return asFloat64(r.Uniform(shapes.Make(dtypes.Float32, dims...)))
	},
	"Uniform64": func(r *ebm.Rand, dims ...int) *Node { return r.Uniform(shapes.Make(dtypes.Float64, dims...)) },
	"Sign":      func(r *ebm.Rand, dims ...int) *Node { return asFloat64(r.Sign(shapes.Make(dtypes.Float32, dims...))) },
	"Intn":      func(r *ebm.Rand, dims ...int) *Node { return asFloat64(r.Intn(1000, dims...)) },
}

func asFloat64(x *Node) *Node { return ConvertDType(x, dtypes.Float64) }

// The two backends give the same bits where integers decide, and normals within a few units in the last place.
func TestRandSameOnBothBackends(t *testing.T) {
	results := map[string]map[string][]float64{}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		results[b.Name()] = map[string][]float64{}
		for name, fn := range draws {
			results[b.Name()][name] = draw[float64](t, b, 11, 2, func(r *ebm.Rand) *Node { return fn(r, 10_000, 7) })
		}
	})
	if len(results) < 2 {
		t.Skip("one backend only")
	}
	for name := range draws {
		goes, xla := results["Go Backend"][name], results["xla"][name]
		relative := map[string]float64{"Normal32": 1.5e-6, "Normal64": 2e-15}[name]
		absolute := relative / 7 // near 0: see normal32
		for i := range goes {
			if math.Abs(goes[i]-xla[i]) > relative*math.Abs(xla[i])+absolute {
				t.Errorf("%s: element %d is %.17g on Go and %.17g on XLA", name, i, goes[i], xla[i])
				break
			}
		}
	}
}

// Uniform numbers are strictly inside (0, 1) for every word, the lowest and highest included.
func TestUniformIsOpen(t *testing.T) {
	for _, k := range []uint32{0, 1<<23 - 1} {
		u := (float32(k) + 0.5) * 0x1p-23
		if !(u > 0 && u < 1) {
			t.Errorf("Float32 cell %d has centre %g", k, u)
		}
	}
	for _, k := range []float64{0, 1<<52 - 1} {
		if u := (k + 0.5) * 0x1p-52; !(u > 0 && u < 1) {
			t.Errorf("Float64 cell %g has centre %g", k, u)
		}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, cells := range map[string]float64{"Uniform32": 1 << 23, "Uniform64": 1 << 52} {
			for _, u := range draw[float64](t, b, 1, 0, func(r *ebm.Rand) *Node { return draws[name](r, 1<<16, 16) }) {
				cell := u*cells - 0.5
				if !(u > 0 && u < 1) || cell != math.Floor(cell) {
					t.Fatalf("%s drew %.17g, which is no cell's centre inside (0, 1)", name, u)
				}
			}
		}
	})
}

// A million draws of each kind have the moments and the distribution that they should, and are finite.
func TestRandDistributions(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		sample := func(name string) []float64 {
			return draw[float64](t, b, 77, 1, func(r *ebm.Rand) *Node { return draws[name](r, 1<<17, 8) })
		}
		for _, name := range []string{"Normal32", "Normal64"} {
			z := sample(name)
			counts := make([]float64, 64)
			for _, v := range z {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%s drew %g", name, v)
				}
				counts[min(63, int(64*distuv.UnitNormal.CDF(v)))]++
			}
			chiSquare(t, name, counts)
			meanNear(t, name+" mean", z, func(v float64) float64 { return v }, 0, 1)
			meanNear(t, name+" square", z, func(v float64) float64 { return v * v }, 1, 2)
			meanNear(t, name+" fourth power", z, func(v float64) float64 { return v * v * v * v }, 3, 96)
		}
		for _, name := range []string{"Uniform32", "Uniform64"} {
			counts := make([]float64, 256)
			for _, v := range sample(name) {
				counts[int(256*v)]++
			}
			chiSquare(t, name, counts)
		}
		signs := make([]float64, 2)
		for _, v := range sample("Sign") {
			if v != 1 && v != -1 {
				t.Fatalf("Sign drew %g", v)
			}
			signs[int(v+1)/2]++
		}
		chiSquare(t, "Sign", signs)
	})
}

// Intn stays in its bounds, favours no value, and reaches all of them at its largest n.
func TestIntn(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, n := range []int{1, 3, 1000, 1 << 16} {
			counts := make([]float64, n)
			for i, v := range draw[int32](t, b, 8, 0, func(r *ebm.Rand) *Node { return r.Intn(n, 1<<16, 16) }) {
				if v < 0 || int(v) >= n {
					t.Fatalf("Intn(%d) drew %d", n, v)
				}
				if want := uint64(hostWord(8, 0, 0, i/16, i%16, 16)) * uint64(n) >> 32; uint64(v) != want {
					t.Fatalf("Intn(%d): element %d is %d, the high half of the product is %d", n, i, v, want)
				}
				counts[v]++
			}
			if n > 1 {
				chiSquare(t, fmt.Sprintf("Intn(%d)", n), counts)
			}
		}
	})
}

// chiSquare fails where counts that should be equal are not. It is two-sided: counts that are too even fail too.
func chiSquare(t *testing.T, name string, counts []float64) {
	t.Helper()
	total := 0.0
	for _, c := range counts {
		total += c
	}
	expected, chi2 := total/float64(len(counts)), 0.0
	for _, c := range counts {
		chi2 += (c - expected) * (c - expected) / expected
	}
	if p := (distuv.ChiSquared{K: float64(len(counts) - 1)}).Survival(chi2); p < falseAlarm/2 || p > 1-falseAlarm/2 {
		t.Errorf("%s: χ² = %.1f over %d cells, p = %.2g", name, chi2, len(counts), p)
	}
}

// meanNear fails where the mean of f over a sample is too far from what it should be, given the variance of f.
func meanNear(t *testing.T, name string, sample []float64, f func(v float64) float64, mean, variance float64) {
	t.Helper()
	sum := 0.0
	for _, v := range sample {
		sum += f(v)
	}
	z := (sum/float64(len(sample)) - mean) / math.Sqrt(variance/float64(len(sample)))
	if math.Abs(z) > distuv.UnitNormal.Quantile(1-falseAlarm/2) {
		t.Errorf("%s is off by %.1f standard errors", name, z)
	}
}

// Words of neighbouring elements, steps, uses and keys, and of a source and its folds, agree in half of their bits,
// each bit alone too, and follow one another without correlation.
func TestRandNeighboursAreIndependent(t *testing.T) {
	const count = 1 << 17
	neighbours := map[string]func(i int) (a, b uint32){
		"rows":    func(i int) (a, b uint32) { return hostWord(1, 0, 0, i, 0, 2), hostWord(1, 0, 0, i+1, 0, 2) },
		"columns": func(i int) (a, b uint32) { return hostWord(1, 0, 0, i, 0, 2), hostWord(1, 0, 0, i, 1, 2) },
		"halves":  func(i int) (a, b uint32) { return hostWord(1, 0, 0, 0, i, 1<<20), hostWord(1, 0, 0, 0, i+1, 1<<20) },
		"steps": func(i int) (a, b uint32) {
			return hostWord(1, uint32(i), 0, 3, 0, 2), hostWord(1, uint32(i+1), 0, 3, 0, 2)
		},
		"uses": func(i int) (a, b uint32) {
			return hostWord(1, 5, uint32(i), 3, 0, 2), hostWord(1, 5, uint32(i+1), 3, 0, 2)
		},
		"keys": func(i int) (a, b uint32) {
			return hostWord(uint64(i), 5, 0, 3, 0, 2), hostWord(uint64(i+1), 5, 0, 3, 0, 2)
		},
		"flipped": func(i int) (a, b uint32) { // a key that differs in one bit
			return hostWord(uint64(i), 5, 0, 3, 0, 2), hostWord(uint64(i)^1<<(i%64), 5, 0, 3, 0, 2)
		},
		"step and row swapped": func(i int) (a, b uint32) { return hostWord(1, uint32(i), 0, 7, 0, 2), hostWord(1, 7, 0, i, 0, 2) },
	}
	for name, pair := range neighbours {
		var same [33]float64 // pairs that agree in so many bits
		var bit [32]float64  // agreements of each bit
		var product float64
		for i := range count {
			a, b := pair(i)
			same[32-bits.OnesCount32(a^b)]++
			for k := range bit {
				bit[k] += float64(^(a ^ b) >> k & 1)
			}
			product += centred(a) * centred(b)
		}
		limit := distuv.UnitNormal.Quantile(1 - falseAlarm/2/32/float64(len(neighbours)))
		for k, agreements := range bit {
			if z := (agreements - count/2) / math.Sqrt(count/4); math.Abs(z) > limit {
				t.Errorf("%s: bit %d agrees %.0f times of %d, off by %.1f standard errors", name, k, agreements, count, z)
			}
		}
		if z := product / math.Sqrt(count); math.Abs(z) > limit {
			t.Errorf("%s: the correlation is off by %.1f standard errors", name, z)
		}
		// The number of equal bits is binomial; its tails are joined to cells of at least about ten.
		cells, expected := make([]float64, 21), make([]float64, 21)
		for k, c := range same {
			cell := min(20, max(0, k-6))
			cells[cell] += c
			expected[cell] += count * distuv.Binomial{N: 32, P: 0.5}.Prob(float64(k))
		}
		chi2 := 0.0
		for i := range cells {
			chi2 += (cells[i] - expected[i]) * (cells[i] - expected[i]) / expected[i]
		}
		if p := (distuv.ChiSquared{K: 20}).Survival(chi2); p < falseAlarm/2 || p > 1-falseAlarm/2 {
			t.Errorf("%s: the number of equal bits has χ² = %.1f over 21 cells, p = %.2g", name, chi2, p)
		}
	}
}

// centred reads a word as a uniform number of mean 0 and variance 1.
func centred(w uint32) float64 { return (float64(w) + 0.5 - 1<<31) * 0x1p-31 * math.Sqrt(3) }

// Four million pairs of words along each argument hold no 64-bit collision (chance of one among random pairs: 5e-7 a
// stream), and about as many 32-bit ones as random words have.
func TestRandCollisions(t *testing.T) {
	const count = 1 << 21
	streams := map[string]func(i uint32) [2]uint32{
		"elements": func(i uint32) [2]uint32 { return ebm.Threefry([2]uint32{1, 0}, [2]uint32{i, 0}) },
		"steps": func(i uint32) [2]uint32 {
			return ebm.Threefry(ebm.Threefry([2]uint32{1, 0}, [2]uint32{i, 0}), [2]uint32{0, 0})
		},
		"uses": func(i uint32) [2]uint32 {
			return ebm.Threefry(ebm.Threefry([2]uint32{1, 0}, [2]uint32{0, i}), [2]uint32{0, 0})
		},
		"keys": func(i uint32) [2]uint32 {
			return ebm.Threefry(ebm.Threefry([2]uint32{i, 0}, [2]uint32{0, 0}), [2]uint32{0, 0})
		},
	}
	for name, pair := range streams {
		wide, narrow := make([]uint64, count), make([]uint32, count)
		for i := range wide {
			w := pair(uint32(i))
			wide[i], narrow[i] = uint64(w[0])<<32|uint64(w[1]), w[0]
		}
		slices.Sort(wide)
		slices.Sort(narrow)
		if distinct := len(slices.Compact(wide)); distinct != count {
			t.Errorf("%s: %d of %d pairs of words repeat another", name, count-distinct, count)
		}
		repeats := float64(count - len(slices.Compact(narrow)))
		mean := float64(count) * count / 2 * 0x1p-32 // of a Poisson distribution, nearly
		if z := (repeats - mean) / math.Sqrt(mean); math.Abs(z) > distuv.UnitNormal.Quantile(1-falseAlarm/2) {
			t.Errorf("%s: %.0f of %d words repeat another, want %.0f", name, repeats, count, mean)
		}
	}
}

// Fold gives a source of its own: its words are those of the folded key, and it costs the parent one use.
func TestFold(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		const seed, step, n = 3, 4, 1 << 12
		got := draw[uint32](t, b, seed, step, func(r *ebm.Rand) *Node {
			child := r.Fold()
			first, second := words(child, n, 2), words(child, n, 2)
			return Concatenate([]*Node{words(r, n, 2), first, second, words(r.Fold(), n, 2)}, 0) // this hung before words had its barrier
		})
		fold := func(use uint32) uint64 {
			key := ebm.Threefry([2]uint32{seed, 0}, [2]uint32{step, use})
			return uint64(key[0]) | uint64(key[1])<<32
		}
		for part, from := range []struct {
			seed uint64
			use  uint32
		}{{seed, 1}, {fold(0), 0}, {fold(0), 1}, {fold(2), 0}} {
			for i := range n {
				if want := hostWord(from.seed, step, from.use, i, 1, 2); got[2*(part*n+i)+1] != want {
					t.Fatalf("part %d, row %d: %08x, want %08x", part, i, got[2*(part*n+i)+1], want)
				}
			}
		}
		var agreements int
		for i := range 2 * n {
			agreements += 32 - bits.OnesCount32(got[i]^got[2*n+i])
		}
		if z := (float64(agreements) - 32*n) / math.Sqrt(16*n); math.Abs(z) > 5 {
			t.Errorf("a source and its fold agree in %d of %d bits", agreements, 64*n)
		}
	})
}

// What Rand cannot draw it refuses, with the value in the message.
func TestRandRefuses(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for want, fn := range map[string]func(r *ebm.Rand){
			"Rand.Normal: want a Float32 or Float64 shape, got (Int32)[3]":     func(r *ebm.Rand) { r.Normal(shapes.Make(dtypes.Int32, 3)) },
			"Rand.Uniform: want a Float32 or Float64 shape, got (BFloat16)[3]": func(r *ebm.Rand) { r.Uniform(shapes.Make(dtypes.BFloat16, 3)) },
			"Rand.Intn: n must be from 1 to 65536, got 0":                      func(r *ebm.Rand) { r.Intn(0, 3) },
			"Rand.Intn: n must be from 1 to 65536, got 65537":                  func(r *ebm.Rand) { r.Intn(65537, 3) },
		} {
			_, err := CallOnce(b, func(in []*Node) *Node {
				fn(ebm.NewRand(in[0], in[1]))
				return in[0]
			}, []uint32{1, 2}, int32(0))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v, want %q", err, want)
			}
		}
	})
}

func ExampleRand() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	defer b.Finalize()
	z, err := CallOnce(b, func(key, step *Node) *Node {
		return ebm.NewRand(key, step).Normal(shapes.Make(dtypes.Float32, 2, 3))
	}, []uint32{1, 0}, int32(0))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.4f\n", z.Value())
	// Output: [[1.0569 -0.3588 -0.2065] [-0.2270 -0.1666 -0.1052]]
}
