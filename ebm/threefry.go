package ebm

import (
	"math/bits"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// rounds is the number of Threefry rounds: 13 is the fewest for which the authors report that all of
// TestU01's BigCrush passes (their Table 2); each costs five integer operations an element.
const rounds = 13

// threefryParity is the constant of the key schedule, from Skein's specification.
const threefryParity = 0x1BD11BDA

var threefryRotations = [8]int{13, 15, 26, 6, 17, 29, 16, 24}

// Threefry is the counter-based generator Threefry-2x32 on the host: 64 random bits as a pure function of
// a 64-bit key and a 64-bit counter. It gives the very bits that the graphs draw.
//
// J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
// doi:10.1145/2063384.2063405.
func Threefry(key, counter [2]uint32) [2]uint32 { return threefryHost(rounds, key, counter) }

func threefryHost(rounds int, key, counter [2]uint32) [2]uint32 {
	ks := [3]uint32{key[0], key[1], key[0] ^ key[1] ^ threefryParity}
	x0, x1 := counter[0]+ks[0], counter[1]+ks[1]
	for r := range rounds {
		x0 += x1
		x1 = bits.RotateLeft32(x1, threefryRotations[r%8]) ^ x0
		if r%4 == 3 {
			i := uint32(r/4 + 1)
			x0 += ks[i%3]
			x1 += ks[(i+1)%3] + i
		}
	}
	return [2]uint32{x0, x1}
}

// threefryGraph is threefryHost on Uint32 nodes; the key is two scalars, the counter two nodes of any one shape.
func threefryGraph(rounds int, key, counter [2]*Node) [2]*Node {
	g := key[0].Graph()
	u32 := func(v uint32) *Node { return Const(g, v) }
	ks := [3]*Node{key[0], key[1], BitwiseXor(BitwiseXor(key[0], key[1]), u32(threefryParity))}
	x0, x1 := Add(counter[0], ks[0]), Add(counter[1], ks[1])
	for r := range rounds {
		x0 = Add(x0, x1)
		rot := threefryRotations[r%8]
		x1 = BitwiseXor(BitwiseOr(BitwiseShiftLeft(x1, u32(uint32(rot))), BitwiseShiftRightLogical(x1, u32(uint32(32-rot)))), x0)
		if r%4 == 3 {
			i := r/4 + 1
			x0 = Add(x0, ks[i%3])
			x1 = Add(x1, Add(ks[(i+1)%3], u32(uint32(i))))
		}
	}
	return [2]*Node{x0, x1}
}

// keyWords splits a [2] Uint32 node into its two scalars.
func keyWords(key *Node) [2]*Node {
	return [2]*Node{
		Reshape(Slice(key, AxisRange(0, 1))),
		Reshape(Slice(key, AxisRange(1, 2))),
	}
}

// asUint32 reads an Int32 node's bits as Uint32.
func asUint32(x *Node) *Node {
	if x.DType() == dtypes.Uint32 {
		return x
	}
	return Bitcast(x, dtypes.Uint32)
}
