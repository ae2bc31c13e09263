package datasets

import (
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
)

// Data is a set of n points of Dim coordinates each. It is a plain value: build one as a literal from any slice.
type Data struct {
	Name    string
	X       []float32 // [n, Dim], row-major
	Dim     int       // coordinates of one point
	Event   []int     // shape of one point, whose product is Dim; nil is [Dim]
	Labels  []int32   // one label a point, 0 … classes−1; nil when there is none
	Columns []string  // names of the Dim coordinates; may be nil
	Classes []string  // names of the labels; may be nil
}

// Len is the number of points.
func (d *Data) Len() int {
	if d == nil || d.Dim < 1 {
		return 0
	}
	return len(d.X) / d.Dim
}

// Row is the i-th point: a view into X, not a copy.
func (d *Data) Row(i int) []float32 { return d.X[i*d.Dim : (i+1)*d.Dim : (i+1)*d.Dim] }

// Column copies coordinate j of every point, as plots and summaries want it.
func (d *Data) Column(j int) []float64 {
	out := make([]float64, d.Len())
	for i := range out {
		out[i] = float64(d.X[i*d.Dim+j])
	}
	return out
}

// Validate reports the first thing that is wrong with the fields: no points, lengths that disagree, a label out of range, or
// a value that is not finite.
func (d *Data) Validate() error {
	switch {
	case d == nil:
		return errors.New("Data is nil")
	case d.Dim < 1:
		return errors.Errorf("Data %q: Dim = %d, want at least 1", d.Name, d.Dim)
	case len(d.X) == 0:
		return errors.Errorf("Data %q: X is empty", d.Name)
	case len(d.X)%d.Dim != 0:
		return errors.Errorf("Data %q: X has %d values, which is no multiple of Dim = %d", d.Name, len(d.X), d.Dim)
	case d.Labels != nil && len(d.Labels) != d.Len():
		return errors.Errorf("Data %q: Labels has %d entries for %d points", d.Name, len(d.Labels), d.Len())
	case d.Columns != nil && len(d.Columns) != d.Dim:
		return errors.Errorf("Data %q: Columns has %d names, want Dim = %d", d.Name, len(d.Columns), d.Dim)
	}
	if d.Event != nil {
		size := 1
		for _, s := range d.Event {
			if s < 1 || s > d.Dim {
				size = 0
			}
			size *= s
		}
		if size != d.Dim {
			return errors.Errorf("Data %q: Event = %v, want positive sizes whose product is Dim = %d", d.Name, d.Event, d.Dim)
		}
	}
	for i, v := range d.X {
		if v != v || math.IsInf(float64(v), 0) {
			return errors.Errorf("Data %q: X at point %d, coordinate %d is %g, want a finite number", d.Name, i/d.Dim, i%d.Dim, v)
		}
	}
	for i, l := range d.Labels {
		if l < 0 || d.Classes != nil && int(l) >= len(d.Classes) {
			return errors.Errorf("Data %q: Labels[%d] = %d, want 0 to the number of classes less one", d.Name, i, l)
		}
	}
	return nil
}

// Take copies the points of the given indices, in that order, with their labels. An index out of range is an error.
func (d *Data) Take(indices []int32) (*Data, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if len(indices) == 0 {
		return nil, errors.New("Data.Take: indices is empty")
	}
	out := *d
	out.X = make([]float32, 0, len(indices)*d.Dim)
	if d.Labels != nil {
		out.Labels = make([]int32, 0, len(indices))
	}
	for i, at := range indices {
		if at < 0 || int(at) >= d.Len() {
			return nil, errors.Errorf("Data.Take: indices[%d] = %d, want 0 to %d", i, at, d.Len()-1)
		}
		out.X = append(out.X, d.Row(int(at))...)
		if d.Labels != nil {
			out.Labels = append(out.Labels, d.Labels[at])
		}
	}
	return &out, nil
}

// Split cuts the points at random in two disjoint sets, the first with round(fraction·n) of them: a training and a held-out
// part. The same seed makes the same cut. A fraction that leaves either part empty is an error.
func (d *Data) Split(fraction float64, seed uint64) (first, second *Data, err error) {
	if err := d.Validate(); err != nil {
		return nil, nil, err
	}
	n := d.Len()
	k := math.Round(fraction * float64(n))
	if !(k >= 1 && k <= float64(n-1)) {
		return nil, nil, errors.Errorf("Data.Split: fraction = %g leaves an empty part of %d points", fraction, n)
	}
	order := permutation(newRand(seed, useSplit), n)
	if first, err = d.Take(order[:int(k)]); err != nil {
		return nil, nil, err
	}
	second, err = d.Take(order[int(k):])
	return first, second, err
}

// Tensor copies the points to a GoMLX tensor [n, event...] of dtype Float32 or Float64.
func (d *Data) Tensor(dtype dtypes.DType) (*tensors.Tensor, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return toTensor(d.X, d.dims(d.Len()), dtype)
}

// dims is the shape of n points.
func (d *Data) dims(n int) []int {
	if d.Event == nil {
		return []int{n, d.Dim}
	}
	return append([]int{n}, d.Event...)
}

func toTensor(x []float32, dims []int, dtype dtypes.DType) (*tensors.Tensor, error) {
	switch dtype {
	case dtypes.Float32:
		return tensors.FromFlatDataAndDimensions(x, dims...), nil
	case dtypes.Float64:
		wide := make([]float64, len(x))
		for i, v := range x {
			wide[i] = float64(v)
		}
		return tensors.FromFlatDataAndDimensions(wide, dims...), nil
	}
	return nil, errors.Errorf("Data.Tensor: dtype = %s, want Float32 or Float64", dtype)
}

// Uses of random numbers: each has its own stream of a seed, so that they never share draws.
const (
	useGenerate = iota
	useSplit
	useOrder // the epoch is added to this one
)

// newRand is the stream number use of a seed. Seed and use are hashed (SplitMix64's finalizer) because PCG takes them as its
// raw state, and neighbouring states give related draws.
func newRand(seed, use uint64) *rand.Rand { return rand.New(rand.NewPCG(mix(seed), mix(^use))) }

func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func permutation(rng *rand.Rand, n int) []int32 {
	p := make([]int32, n)
	for i := range p {
		p[i] = int32(i)
	}
	rng.Shuffle(n, func(i, j int) { p[i], p[j] = p[j], p[i] })
	return p
}
