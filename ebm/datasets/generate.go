package datasets

import (
	"math/rand/v2"

	"github.com/pkg/errors"
)

// Generator makes a set of points. All generators of this package are struct literals whose zero value works.
type Generator interface{ Generate() (*Data, error) }

// None, as the Noise or Std of a generator, means no jitter at all (0 means the default).
const None = -1.0

const (
	maxPoints = 1 << 28 // of a generator: 2 GiB in two dimensions
	maxParts  = 1 << 20
	maxLength = 1e30 // far from float32's end, so that sums and jitter stay finite
)

// params fills in defaults and keeps the first field that is wrong.
type params struct {
	kind string
	err  error
}

func (p *params) count(field string, v, def, least, most int) int {
	if v == 0 {
		v = def
	}
	if p.err == nil && (v < least || v > most) {
		p.err = errors.Errorf("%s: %s = %d, want %d to %d", p.kind, field, v, least, most)
	}
	return v
}

func (p *params) positive(field string, v, def, most float64) float64 {
	if v == 0 {
		v = def
	}
	if p.err == nil && !(v > 0 && v <= most) {
		p.err = errors.Errorf("%s: %s = %g, want a positive number of at most %g", p.kind, field, v, most)
	}
	return v
}

func (p *params) noise(field string, v, def float64) float64 {
	switch {
	case v == 0:
		return def
	case v == None:
		return 0
	case p.err == nil && !(v > 0 && v <= maxLength):
		p.err = errors.Errorf("%s: %s = %g, want a positive number of at most %g, 0 for the default or datasets.None", p.kind, field, v, maxLength)
	}
	return v
}

// cloud collects jittered points in the plane and shuffles them.
type cloud struct {
	rng   *rand.Rand
	noise float64
	data  Data
}

func newCloud(name string, n int, noise float64, seed uint64) *cloud {
	return &cloud{rng: newRand(seed, useGenerate), noise: noise,
		data: Data{Name: name, Dim: 2, X: make([]float32, 0, 2*n), Labels: make([]int32, 0, n)}}
}

func (c *cloud) add(x, y float64, label int) {
	if c.noise > 0 {
		x += c.noise * c.rng.NormFloat64()
		y += c.noise * c.rng.NormFloat64()
	}
	c.data.X = append(c.data.X, float32(x), float32(y))
	c.data.Labels = append(c.data.Labels, int32(label))
}

// done shuffles points and labels alike. labelled false drops the labels, for a set that has no parts.
func (c *cloud) done(labelled bool) (*Data, error) {
	d := &c.data
	c.rng.Shuffle(d.Len(), func(i, j int) {
		d.X[2*i], d.X[2*j] = d.X[2*j], d.X[2*i]
		d.X[2*i+1], d.X[2*j+1] = d.X[2*j+1], d.X[2*i+1]
		d.Labels[i], d.Labels[j] = d.Labels[j], d.Labels[i]
	})
	if !labelled {
		d.Labels = nil
	}
	return d, d.Validate()
}

// parts says which of k parts each of n points belongs to: n/k points each and the remainder to the first parts, or, iid, each
// point's part drawn independently.
func (c *cloud) parts(n, k int, iid bool) []int {
	out := make([]int, 0, n)
	for part := 0; part < k && !iid; part++ {
		size := n / k
		if part < n%k {
			size++
		}
		for range size {
			out = append(out, part)
		}
	}
	for len(out) < n {
		out = append(out, c.rng.IntN(k))
	}
	return out
}

// mixture jitters the centres, each an equal part.
func mixture(name string, centres [][2]float64, n int, std float64, seed uint64, iid bool) (*Data, error) {
	c := newCloud(name, n, std, seed)
	for _, k := range c.parts(n, len(centres), iid) {
		c.add(centres[k][0], centres[k][1], k)
	}
	return c.done(true)
}
