package flow

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Greedy pairs the two points of noise and data that lie nearest, then the nearest two of those that are left, and so on: a
// one-to-one pairing, in place of the optimal one. First pairs are short, and the last may be long: points that are left over.
//
// It takes n² log n time and 8n² bytes, whatever the points. Choose it where [ExactOT] is too slow for the batch.
type Greedy struct{}

var _ Coupling = Greedy{}

// Pair pairs the batch; rng is not used.
func (Greedy) Pair(b Batch, _ *rand.Rand) (Pairs, error) {
	if err := b.Validate(); err != nil {
		return Pairs{}, err
	}
	n := b.Len()
	cost := costs(b)
	order := make([]uint64, len(cost)) // a distance in single precision, whose bits are in its order, and the pair
	for k, c := range cost {
		order[k] = uint64(math.Float32bits(float32(c)))<<32 | uint64(k)
	}
	slices.Sort(order)
	p := Pairs{I0: make([]int, n), I1: upTo(n)}
	taken0, taken1 := make([]bool, n), make([]bool, n)
	for _, o := range order {
		i, j := int(uint32(o))/n, int(uint32(o))%n
		if !taken0[i] && !taken1[j] {
			taken0[i], taken1[j] = true, true
			p.I0[j] = i
		}
	}
	return p, nil
}
