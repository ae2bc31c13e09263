// Command noisebits streams the raw 32-bit words behind ebm.Rand to standard output, for batteries of statistical
// tests. A stream runs along one of the four arguments of the noise, the other three at rest:
//
//	noisebits -stream elements | dieharder -g 200 -a
//
// The report of a run is docs/noise.md.
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/goebm/goebm/ebm"
)

func main() {
	stream := flag.String("stream", "elements", "what changes from word to word: elements, steps, uses or keys")
	seed := flag.Uint64("seed", 1, "the seed; of the stream keys the number from which they count, times 2³²")
	limit := flag.Int64("bytes", 0, "stop after so many bytes; 0: never")
	flag.Parse()
	next, err := words(*stream, *seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "noisebits:", err)
		os.Exit(2)
	}
	_ = write(os.Stdout, next, *limit) // a battery that has read enough closes the pipe
}

// Shape of the draws along which the stream elements runs: rowLength numbers a row, one row after the other.
const rowLength = 8

// words gives the function that appends the k-th few words of a stream, as ebm.Rand maps them: a draw's key is
// threefry(seed, (step, use)), and the numbers 2j and 2j+1 of row i are the two words of threefry(key, (i, j)).
func words(stream string, seed uint64) (func(to []uint32, k uint64) []uint32, error) {
	split := func(seed uint64) [2]uint32 { return [2]uint32{uint32(seed), uint32(seed >> 32)} }
	pair := func(to []uint32, seed uint64, step, use uint32) []uint32 { // the two numbers of a draw of shape [1, 2]
		w := ebm.Threefry(ebm.Threefry(split(seed), [2]uint32{step, use}), [2]uint32{0, 0})
		return append(to, w[0], w[1])
	}
	switch stream {
	case "elements":
		draw := ebm.Threefry(split(seed), [2]uint32{0, 0})
		return func(to []uint32, k uint64) []uint32 {
			var row [rowLength]uint32
			for j := range uint32(rowLength / 2) {
				w := ebm.Threefry(draw, [2]uint32{uint32(k), j})
				row[2*j], row[2*j+1] = w[0], w[1]
			}
			return append(to, row[:]...)
		}, nil
	case "steps":
		return func(to []uint32, k uint64) []uint32 { return pair(to, seed, uint32(k), 0) }, nil
	case "uses":
		return func(to []uint32, k uint64) []uint32 { return pair(to, seed, 0, uint32(k)) }, nil
	case "keys":
		return func(to []uint32, k uint64) []uint32 { return pair(to, seed<<32+k, 0, 0) }, nil
	}
	return nil, fmt.Errorf("-stream must be elements, steps, uses or keys, got %q", stream)
}

// write sends a stream's words, lowest byte first, until limit bytes are out or the reader goes away.
func write(w io.Writer, next func(to []uint32, k uint64) []uint32, limit int64) error {
	out := bufio.NewWriterSize(w, 1<<16)
	var group []uint32
	var bytes [4]byte
	var sent int64
	for k := uint64(0); ; k++ {
		group = next(group[:0], k)
		for _, word := range group {
			if limit > 0 && sent+4 > limit {
				return out.Flush()
			}
			binary.LittleEndian.PutUint32(bytes[:], word)
			if _, err := out.Write(bytes[:]); err != nil {
				return err
			}
			sent += 4
		}
	}
}
