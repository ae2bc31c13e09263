package main

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// The streams hold the very numbers that ebm.Rand draws in a graph: a uniform number shows 23 of its 32 bits.
func TestStreamsAreRands(t *testing.T) {
	const groups = 5
	seed := uint64(0x1_0000_0003)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		exec, err := NewExec(b, func(key, step *Node) (rows, uses *Node) {
			rows = ebm.NewRand(key, step).Uniform(shapes.Make(dtypes.Float32, groups, rowLength))
			r := ebm.NewRand(key, step)
			all := make([]*Node, groups)
			for i := range all {
				all[i] = r.Uniform(shapes.Make(dtypes.Float32, 1, 2))
			}
			return rows, Concatenate(all, 0)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		draw := func(seed uint64, step int32) (rows, uses []float32) {
			out, err := exec.Call([]uint32{uint32(seed), uint32(seed >> 32)}, step)
			if err != nil {
				t.Fatal(err)
			}
			return tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
		}
		want := map[string][]float32{}
		want["elements"], want["uses"] = draw(seed, 0)
		for k := range groups {
			_, uses := draw(seed, int32(k))
			want["steps"] = append(want["steps"], uses[:2]...)
			_, uses = draw(seed<<32+uint64(k), 0)
			want["keys"] = append(want["keys"], uses[:2]...)
		}
		for stream, uniforms := range want {
			next, err := words(stream, seed)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := write(&out, next, int64(4*len(uniforms))); err != nil || out.Len() != 4*len(uniforms) {
				t.Fatalf("%s: wrote %d bytes of %d, error %v", stream, out.Len(), 4*len(uniforms), err)
			}
			for i, u := range uniforms {
				word := binary.LittleEndian.Uint32(out.Bytes()[4*i:])
				if cell := uint32(u * (1 << 23)); cell != word>>9 {
					t.Errorf("%s: word %d is %08x, but Rand drew %g", stream, i, word, u)
				}
			}
		}
	})
}

func TestUnknownStream(t *testing.T) {
	if _, err := words("chains", 1); err == nil || err.Error() != `-stream must be elements, steps, uses or keys, got "chains"` {
		t.Errorf("got error %v", err)
	}
}
