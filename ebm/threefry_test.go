package ebm_test

import (
	"fmt"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// threefryKnown are the published known answers for Threefry-2x32: Random123's file tests/kat_vectors, there in the
// order counter, key, result.
var threefryKnown = []struct {
	rounds               int
	counter, key, result [2]uint32
}{
	{13, [2]uint32{0, 0}, [2]uint32{0, 0}, [2]uint32{0x9d1c5ec6, 0x8bd50731}},
	{13, [2]uint32{0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff}, [2]uint32{0xfd36d048, 0x2d17272c}},
	{13, [2]uint32{0x243f6a88, 0x85a308d3}, [2]uint32{0x13198a2e, 0x03707344}, [2]uint32{0xba3e4725, 0xf27d669e}},
	{20, [2]uint32{0, 0}, [2]uint32{0, 0}, [2]uint32{0x6b200159, 0x99ba4efe}},
	{20, [2]uint32{0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff}, [2]uint32{0x1cb996fc, 0xbb002be7}},
	{20, [2]uint32{0x243f6a88, 0x85a308d3}, [2]uint32{0x13198a2e, 0x03707344}, [2]uint32{0xc4923a9c, 0x483df7a0}},
	{32, [2]uint32{0, 0}, [2]uint32{0, 0}, [2]uint32{0xcee3d47e, 0xa23dfd5c}},
	{32, [2]uint32{0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff}, [2]uint32{0x6e2fe0d0, 0xb1b76f82}},
	{32, [2]uint32{0x243f6a88, 0x85a308d3}, [2]uint32{0x13198a2e, 0x03707344}, [2]uint32{0xe2827716, 0xc3c05cdf}},
}

func TestThreefryKnownAnswers(t *testing.T) {
	for _, v := range threefryKnown {
		if got := ebm.ThreefryHost(v.rounds, v.key, v.counter); got != v.result {
			t.Errorf("%d rounds of counter %08x under key %08x give %08x, published are %08x", v.rounds, v.counter, v.key, got, v.result)
		}
		if got := ebm.Threefry(v.key, v.counter); v.rounds == 13 && got != v.result {
			t.Errorf("Threefry of counter %08x under key %08x is %08x, published is %08x", v.counter, v.key, got, v.result)
		}
	}
}

// The graph gives the published answers too, and the host's bits for many other counters.
func TestThreefryGraph(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, rounds := range []int{13, 20, 32} {
			exec, err := NewExec(b, func(key0, key1, counter0, counter1 *Node) (*Node, *Node) {
				out := ebm.ThreefryGraph(rounds, [2]*Node{key0, key1}, [2]*Node{counter0, counter1})
				return out[0], out[1]
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			for _, v := range threefryKnown {
				if v.rounds != rounds {
					continue
				}
				counters := [][2]uint32{v.counter}
				for i := range uint32(1000) {
					counters = append(counters, [2]uint32{v.counter[0] + i*0x9e3779b9, v.counter[1] ^ i*i})
				}
				var first, second []uint32
				for _, c := range counters {
					first, second = append(first, c[0]), append(second, c[1])
				}
				out, err := exec.Call(v.key[0], v.key[1], first, second)
				if err != nil {
					t.Fatal(err)
				}
				got := [2][]uint32{tensors.MustCopyFlatData[uint32](out[0]), tensors.MustCopyFlatData[uint32](out[1])}
				for i, c := range counters {
					want := ebm.ThreefryHost(rounds, v.key, c)
					if i == 0 {
						want = v.result
					}
					if [2]uint32{got[0][i], got[1][i]} != want {
						t.Fatalf("%d rounds of counter %08x under key %08x give %08x %08x in the graph, want %08x", rounds, c, v.key, got[0][i], got[1][i], want)
					}
				}
			}
		}
	})
}

func ExampleThreefry() {
	fmt.Printf("%08x\n", ebm.Threefry([2]uint32{0x13198a2e, 0x03707344}, [2]uint32{0x243f6a88, 0x85a308d3}))
	// Output: [ba3e4725 f27d669e]
}
