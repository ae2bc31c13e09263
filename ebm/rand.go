package ebm

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Rand draws the noise of one step. It is a function, not a state: element (i, j) of a draw (row i, j-th
// number of the row) depends on the key, the step, the draw's number within the step and (i, j) alone.
// So draws are the same on every backend, in one loop or many pieces, on one device or several, and adding
// a chain moves no other chain.
//
// Bits come from Threefry-2x32 with 13 rounds: a step's draw has the key threefry(key, (step, use)), and a row's
// numbers 2j and 2j+1 are the two words of threefry(that key, (i, j)). Float64 takes both words of (i, j) for its number j.
type Rand struct {
	key  [2]*Node  // scalars
	step *Node     // Int32 scalar
	use  uint32    // draws made so far in this step
	host *hostRand // nil: draws are made in the graph
	part *part     // nil: a draw's rows are numbered from 0
}

// NewRand is the noise of the given step (Int32 scalar) under a key ([2] Uint32).
func NewRand(key, step *Node) *Rand { return &Rand{key: keyWords(key), step: step} }

// At is the noise of another step under the same key.
func (r *Rand) At(step *Node) *Rand {
	return &Rand{key: r.key, step: step, host: r.host.at(step), part: r.part}
}

// Fold is an independent source of noise: its key is drawn from this one's, as the next use of this step.
func (r *Rand) Fold() *Rand {
	host := r.host.fold(r.use)
	return &Rand{key: r.next(), step: r.step, host: host, part: r.part}
}

// next is the key of this step's next draw.
func (r *Rand) next() [2]*Node {
	use := Const(r.step.Graph(), r.use)
	r.use++
	return threefryGraph(rounds, r.key, [2]*Node{asUint32(r.step), use})
}

// words draws 32 random bits an element, twice where wide: [n, d] Uint32 nodes for a shape of n rows of d numbers.
func (r *Rand) words(shape shapes.Shape, wide bool) (first, second *Node) {
	g := r.step.Graph()
	n, d := 1, 1
	if shape.Rank() > 0 {
		n = shape.Dimensions[0]
		d = shape.Size() / n
	}
	half := d
	if !wide {
		half = (d + 1) / 2
	}
	counters := shapes.Make(dtypes.Uint32, n, half)
	rows := Iota(g, counters, 0)
	if first := r.firstRow(shape); first > 0 {
		rows = Add(rows, Const(g, first))
	}
	pair := threefryGraph(rounds, r.next(), [2]*Node{rows, Iota(g, counters, 1)})
	if wide {
		return pair[0], pair[1]
	}
	if d == 1 {
		return pair[0], nil
	}
	// Both words go through memory as one number of 64 bits, so that the rounds are computed once for the two. Without the
	// barrier XLA fuses them into whatever reads the words, computes them anew for each, and may compile for hours.
	both := BitwiseOr(ConvertDType(pair[0], dtypes.Uint64), BitwiseShiftLeftScalar(ConvertDType(pair[1], dtypes.Uint64), uint64(32)))
	all := Reshape(Bitcast(OptimizationBarrier(both), dtypes.Uint32), n, 2*half)
	if d%2 == 1 {
		all = Slice(all, AxisRange(), AxisRange(0, d))
	}
	return all, nil
}

// Uniform draws numbers in the open interval (0, 1): the centres of 2²³ equal cells for Float32, of 2⁵² for Float64.
func (r *Rand) Uniform(shape shapes.Shape) *Node {
	if u := r.drawn(drawUniform, 0, shape); u != nil {
		return u
	}
	var u *Node
	switch shape.DType {
	case dtypes.Float32:
		w, _ := r.words(shape, false)
		k := ConvertDType(Bitcast(BitwiseShiftRightLogicalScalar(w, uint32(9)), dtypes.Int32), dtypes.Float32)
		u = MulScalar(AddScalar(k, 0.5), 0x1p-23)
	case dtypes.Float64:
		hi, lo := r.words(shape, true)
		lo = BitwiseShiftRightLogicalScalar(lo, uint32(12))
		k := Add(MulScalar(ConvertDType(hi, dtypes.Float64), 0x1p20), ConvertDType(lo, dtypes.Float64))
		u = MulScalar(AddScalar(k, 0.5), 0x1p-52)
	default:
		exceptions.Panicf("Rand.Uniform: want a Float32 or Float64 shape, got %s", shape)
	}
	return Reshape(u, shape.Dimensions...)
}

// Normal draws standard normals, by the inverse of their distribution function: one number of 32 bits
// (Float32) or 64 bits (Float64) each, so that the tails reach ±6.3 and ±9.1 standard deviations.
func (r *Rand) Normal(shape shapes.Shape) *Node {
	if z := r.drawn(drawNormal, 0, shape); z != nil {
		return z
	}
	var z *Node
	switch shape.DType {
	case dtypes.Float32:
		w, _ := r.words(shape, false)
		z = normal32(w)
	case dtypes.Float64:
		z = normal64(r.words(shape, true))
	default:
		exceptions.Panicf("Rand.Normal: want a Float32 or Float64 shape, got %s", shape)
	}
	return Reshape(z, shape.Dimensions...)
}

// Sign draws +1 or −1, each with probability ½ (Rademacher).
func (r *Rand) Sign(shape shapes.Shape) *Node {
	if s := r.drawn(drawSign, 0, shape); s != nil {
		return s
	}
	w, _ := r.words(shape, false)
	bit := ConvertDType(Bitcast(BitwiseShiftRightLogicalScalar(w, uint32(31)), dtypes.Int32), shape.DType)
	return Reshape(AddScalar(MulScalar(bit, -2), 1), shape.Dimensions...)
}

// Intn draws whole numbers in [0, n) as Int32, by the high half of a product: no value is favoured by
// more than n·2⁻³². n is at most 2¹⁶.
func (r *Rand) Intn(n int, dims ...int) *Node {
	if n < 1 || n > 1<<16 {
		exceptions.Panicf("Rand.Intn: n must be from 1 to 65536, got %d", n)
	}
	if k := r.drawn(drawIntn, n, shapes.Make(dtypes.Int32, dims...)); k != nil {
		return k
	}
	w, _ := r.words(shapes.Make(dtypes.Uint32, dims...), false)
	hi, lo := BitwiseShiftRightLogicalScalar(w, uint32(16)), BitwiseAnd(w, Const(w.Graph(), uint32(0xFFFF)))
	carry := BitwiseShiftRightLogicalScalar(MulScalar(lo, uint32(n)), uint32(16))
	scaled := BitwiseShiftRightLogicalScalar(Add(MulScalar(hi, uint32(n)), carry), uint32(16))
	return Reshape(Bitcast(scaled, dtypes.Int32), dims...)
}
