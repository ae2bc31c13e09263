package ebm

import (
	"math/bits"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// drawKind is what Rand turns its words into.
type drawKind int

const (
	drawNormal drawKind = iota
	drawUniform
	drawSign
	drawIntn
)

// hostDraw is a draw that a step of the chain makes, as the host can repeat it.
type hostDraw struct {
	kind  drawKind
	n     int // of Intn
	shape shapes.Shape
	path  []turn // from the key of the run to that of the draw
	first uint32 // number of the first row
}

// A turn leads from one key to the next, threefry(key, (step, use)).
type turn struct {
	step clock
	use  uint32
}

// clock is the number of a step: offset, counted from a run-time step where it is running.
type clock struct {
	running bool
	offset  int32
}

func (d *hostDraw) equal(o *hostDraw) bool {
	return d.kind == o.kind && d.n == o.n && d.first == o.first && d.shape.Equal(o.shape) && slices.Equal(d.path, o.path)
}

// key is the key of the draw in a step of the run.
func (d *hostDraw) key(key [2]uint32, step int32) [2]uint32 {
	for _, t := range d.path {
		at := t.step.offset
		if t.step.running {
			at += step
		}
		key = Threefry(key, [2]uint32{uint32(at), t.use})
	}
	return key
}

// pairs is the number of counters in a row, and in all, that the draw is made of: see Rand.words.
func (d *hostDraw) pairs() (row, all int) {
	n, width := asRows(d.shape)
	row = width
	if d.shape.DType != dtypes.Float64 || d.kind == drawSign {
		row = (width + 1) / 2
	}
	return row, n * row
}

// asRows is how Rand reads a shape: n rows of d numbers.
func asRows(shape shapes.Shape) (n, d int) {
	if shape.Rank() == 0 {
		return 1, 1
	}
	return shape.Dimensions[0], shape.Size() / shape.Dimensions[0]
}

// lane is how many pairs of words are in work at once: they stay in the fastest cache.
const lane = 128

// fill computes the draw under its key into flat, a slice of its dtype. The numbers are those of the graph on the Go backend, bit by
// bit: the same operations in the same order and precision.
func (d *hostDraw) fill(key [2]uint32, flat any) {
	switch out := flat.(type) {
	case []float32:
		switch d.kind {
		case drawNormal:
			fillWords(d, key, out, normals32)
		case drawUniform:
			fillWords(d, key, out, each(uniformHost32))
		case drawSign:
			fillWords(d, key, out, each(signHost[float32]))
		}
	case []float64:
		switch d.kind {
		case drawNormal:
			fillPairs(d, key, out, normalHost64)
		case drawUniform:
			fillPairs(d, key, out, uniformHost64)
		case drawSign:
			fillWords(d, key, out, each(signHost[float64]))
		}
	case []int32:
		n := uint64(d.n)
		fillWords(d, key, out, each(func(w uint32) int32 { return int32(uint64(w) * n >> 32) }))
	}
}

// each makes a function of many words of a function of one.
func each[T any](fn func(uint32) T) func([]T, []uint32) {
	return func(out []T, words []uint32) {
		for i, w := range words {
			out[i] = fn(w)
		}
	}
}

// fillWords fills a draw of one word a number.
func fillWords[T any](d *hostDraw, key [2]uint32, out []T, fn func([]T, []uint32)) {
	_, width := asRows(d.shape)
	half, pairs := d.pairs()
	var first, second [lane]uint32
	var a, b [lane]T
	for from := 0; from < pairs; from += lane {
		m := min(lane, pairs-from)
		threefryLane(key, d.first, half, from, first[:m], second[:m])
		fn(a[:m], first[:m])
		if width > 1 {
			fn(b[:m], second[:m])
		}
		if width%2 == 0 {
			to := out[2*from:][:2*m]
			for i, v := range a[:m] {
				to[2*i], to[2*i+1] = v, b[i]
			}
			continue
		}
		row, column := from/half, from%half
		for i, v := range a[:m] {
			at := row*width + 2*column
			out[at] = v
			if column++; column < half {
				out[at+1] = b[i]
			} else {
				row, column = row+1, 0
			}
		}
	}
}

// fillPairs fills a draw of two words a number.
func fillPairs(d *hostDraw, key [2]uint32, out []float64, fn func(hi, lo uint32) float64) {
	width, pairs := d.pairs()
	var first, second [lane]uint32
	for from := 0; from < pairs; from += lane {
		m := min(lane, pairs-from)
		threefryLane(key, d.first, width, from, first[:m], second[:m])
		for i, hi := range first[:m] {
			out[from+i] = fn(hi, second[i])
		}
	}
}

// threefryLane computes the words of len(first) counters (row, column), in the order of rows of the given width, from the from-th
// on; the first row has a number. It is threefryHost with its 13 rounds written out.
func threefryLane(key [2]uint32, start uint32, width, from int, first, second []uint32) {
	k0, k1, k2 := key[0], key[1], key[0]^key[1]^threefryParity
	row, column := from/width, from%width
	second = second[:len(first)]
	for i := range first {
		x0, x1 := start+uint32(row)+k0, uint32(column)+k1
		if column++; column == width {
			row, column = row+1, 0
		}
		x0, x1 = mix(x0, x1, 13)
		x0, x1 = mix(x0, x1, 15)
		x0, x1 = mix(x0, x1, 26)
		x0, x1 = mix(x0, x1, 6)
		x0, x1 = x0+k1, x1+k2+1
		x0, x1 = mix(x0, x1, 17)
		x0, x1 = mix(x0, x1, 29)
		x0, x1 = mix(x0, x1, 16)
		x0, x1 = mix(x0, x1, 24)
		x0, x1 = x0+k2, x1+k0+2
		x0, x1 = mix(x0, x1, 13)
		x0, x1 = mix(x0, x1, 15)
		x0, x1 = mix(x0, x1, 26)
		x0, x1 = mix(x0, x1, 6)
		x0, x1 = x0+k0, x1+k1+3
		first[i], second[i] = mix(x0, x1, 17)
	}
}

// mix is a round.
func mix(x0, x1 uint32, rotation int) (uint32, uint32) {
	x0 += x1
	return x0, bits.RotateLeft32(x1, rotation) ^ x0
}

func uniformHost32(w uint32) float32 { return (float32(w>>9) + 0.5) * 0x1p-23 }

func uniformHost64(hi, lo uint32) float64 {
	return (float64(hi)*0x1p20 + float64(lo>>12) + 0.5) * 0x1p-52
}

func signHost[T float32 | float64](w uint32) T { return T(1 - 2*int32(w>>31)) }
