package ebm_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// dealer is a kernel that only draws: beside the position it keeps, for each draw of deals, s/2 plus that draw, whose bits depend
// on those of every step.
type dealer struct{ dtype dtypes.DType }

func (k dealer) Init(env ebm.Env, x *Node) ebm.State {
	s := ebm.State{x}
	for _, drawn := range k.deals(env) {
		s = append(s, ZerosLike(drawn))
	}
	return s
}

func (k dealer) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	next := ebm.State{s[0]}
	for i, drawn := range k.deals(env) {
		next = append(next, Add(MulScalar(s[i+1], 0.5), drawn))
	}
	return next, ebm.Info{}
}

// deals are draws of every kind and of shapes of one, an even and an odd number a row, more and less than a lane, from every source
// that a Rand can be. All have dealt rows.
func (k dealer) deals(env ebm.Env) (out []*Node) {
	add := func(x *Node) { out = append(out, Reshape(ConvertDType(x, k.dtype), dealt, -1)) }
	shape := func(event ...int) shapes.Shape { return shapes.Make(k.dtype, append([]int{dealt}, event...)...) }
	every := func(r *ebm.Rand, event ...int) {
		add(r.Normal(shape(event...)))
		add(r.Uniform(shape(event...)))
		add(r.Sign(shape(event...)))
		add(r.Intn(1000, shape(event...).Dimensions...))
	}
	r := env.Rand
	for _, event := range [][]int{nil, {1}, {2}, {3}, {2, 3, 2}, {301}} {
		every(r, event...)
	}
	add(BroadcastToDims(r.Normal(shapes.Make(k.dtype)), dealt, 1))
	add(r.Sign(shapes.Make(dtypes.Int32, dealt))) // the graph's
	folded := r.Fold()
	every(folded, 2)
	every(folded.Fold(), 3)
	every(r.Fold(), 2)
	every(r.At(Const(env.Step.Graph(), int32(-7))), 2)
	every(r.At(AddScalar(env.Step, 3)).Fold().At(AddScalar(AddScalar(env.Step, 5), -9)), 2)
	every(r.At(MulScalar(env.Step, 2)), 2) // a step that the host can't tell: the graph's
	every(r, 3)
	return out
}

const dealt = 5

// What the host draws for the driver's chunks is what the graph of [ebm.Unroll] draws, bit by bit.
func TestHostDrawsAreThoseOfTheGraph(t *testing.T) {
	b := pureGo(t)
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		const seed = 3<<40 + 9
		k := dealer{dtype}
		s := newSampler(t, b, nil, bowl, k)
		start := grid(dtype, dealt, 2)
		for _, steps := range []int{1, 19} { // singles; two chunks and three singles
			t.Run(fmt.Sprint(dtype, steps), func(t *testing.T) {
				want, err := CallOnceN(b, func(in []*Node) []*Node {
					step := Const(in[0].Graph(), int32(0))
					env := ebm.Env{Energy: bowl, Step: step, Rand: ebm.NewRand(in[0], step)}
					state, _ := ebm.Unroll(env, k, k.Init(env, in[1]), steps)
					return state[1:]
				}, []uint32{seed & 0xffffffff, seed >> 32}, start)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // the second run draws into the tensors of the first
					got := sample(t, s, ebm.Options{Start: start, Steps: steps, Seed: seed}).Checkpoint.State[1:]
					for i := range want {
						alike(t, fmt.Sprintf("draw %d, summed", i), numbers(t, got[i]), numbers(t, want[i]), 0)
					}
				}
			})
		}
	}
}

// The host's normals are the graph's, bit by bit, in the tails and between.
func TestHostNormals(t *testing.T) {
	b := pureGo(t)
	words := manyWords(2)
	want := callFlat[float32](t, b, func(in []*Node) *Node { return ebm.Normal32(in[0]) }, words)
	got := make([]float32, len(words))
	const lane = 128
	for i := 0; i < len(words); i += lane {
		end := min(i+lane, len(words))
		ebm.HostNormals32(got[i:end], words[i:end])
	}
	for i, w := range words {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("Float32, word %08x: %.9g on the host, %.9g in the graph", w, got[i], want[i])
		}
	}
	low := manyWords(3)
	double := callFlat[float64](t, b, func(in []*Node) *Node { return ebm.Normal64(in[0], in[1]) }, words, low)
	for i, hi := range words {
		if z := ebm.HostNormal64(hi, low[i]); math.Float64bits(z) != math.Float64bits(double[i]) {
			t.Fatalf("Float64, words %08x %08x: %.17g on the host, %.17g in the graph", hi, low[i], z, double[i])
		}
	}
}

// log32 against the library, for one in seventeen of the numbers it is for, and all those next to 1.
func TestHostLog(t *testing.T) {
	first, one := math.Float32bits(0x1p-32), math.Float32bits(1)
	for b := first; b <= one; b++ {
		x := math.Float32frombits(b)
		if got, want := ebm.HostLog32(x), float32(math.Log(float64(x))); got != want {
			t.Fatalf("log32(%g) = %g, want %g", x, got, want)
		}
		if b < one-1000 {
			b += 16
		}
	}
}

// A kernel that draws otherwise when it is built again is told so.
func TestKernelThatDrawsAnew(t *testing.T) {
	s := newSampler(t, pureGo(t), nil, bowl, fickle{new(int)})
	_, err := s.Sample(t.Context(), ebm.Options{Start: grid(dtypes.Float32, 4, 2), Steps: 1})
	const want = "Rand: draw 0, of shape (Float32)[4], is not the one made when the graph was traced: a kernel must draw the same at every building"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// fickle draws normals when first built, and uniform numbers later.
type fickle struct{ built *int }

func (fickle) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }

func (k fickle) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	shape := shapes.Make(s[0].DType(), s[0].Shape().Dimensions[0])
	draw := env.Rand.Normal
	if *k.built++; *k.built > 1 {
		draw = env.Rand.Uniform
	}
	return ebm.State{Add(s[0], ExpandAxes(draw(shape), -1))}, ebm.Info{}
}

// Large chains take short chunks, and runs cut in any way are the same.
func TestLargeChainsInPieces(t *testing.T) {
	s := newSampler(t, pureGo(t), nil, bowl, drift{})
	start := tensors.FromShape(shapes.Make(dtypes.Float32, 300, 1<<15)) // 37.5 MiB of noise a step
	whole := sample(t, s, ebm.Options{Start: start, Steps: 3, Seed: 1})
	part := sample(t, s, ebm.Options{Start: start, Steps: 1, Seed: 1})
	rest := sample(t, s, ebm.Options{Resume: part.Checkpoint, Steps: 2})
	if !slices.Equal(tensors.MustCopyFlatData[float32](whole.X), tensors.MustCopyFlatData[float32](rest.X)) {
		t.Error("three steps differ from one and two")
	}
}

func BenchmarkPureGo(b *testing.B) {
	engine, err := backend.Open("go")
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Finalize()
	for _, o := range []ebm.Options{{Chains: 10_000, Dim: 2, Steps: 1000}, {Chains: 1000, Dim: 2, Steps: 100}} {
		b.Run(fmt.Sprintf("doublewell_%dx%dx%d", o.Chains, o.Dim, o.Steps), func(b *testing.B) {
			s, err := ebm.NewSampler(engine, nil, ebm.DoubleWell{}, samplers.Langevin{StepSize: ebm.Fixed(0.01)})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Finalize()
			for b.Loop() {
				if _, err := s.Sample(context.Background(), o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHostNormals32(b *testing.B) {
	words, out := manyWords(1)[:128], make([]float32, 128)
	for b.Loop() {
		ebm.HostNormals32(out, words)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/128, "ns/number")
}
