package table

import (
	"math"
	"math/rand/v2"

	"github.com/goebm/goebm/ebm/datasets"
)

// set is a pair of distributions in the plane, whose points one is to be turned into the other's. Its sizes are those of the published
// runner, which are not those of the tutorials beside it.
type set struct {
	name   string
	source func(n int, seed uint64) (*datasets.Data, error) // nil: N(0, I)
	target func(n int, seed uint64) (*datasets.Data, error)
}

var sets = []set{
	{name: "N→8gaussians", target: func(n int, seed uint64) (*datasets.Data, error) { // radius 5, standard deviation 1, equal shares
		return datasets.EightGaussians{N: n, Scale: 5, Std: 1, Seed: seed}.Generate()
	}},
	{name: "moons→8gaussians", source: wideMoons, target: func(n int, seed uint64) (*datasets.Data, error) { // radius 12, standard deviation 1.5
		return datasets.EightGaussians{N: n, Scale: 12, Std: 1.5, Seed: seed, IID: true}.Generate()
	}},
	{name: "N→moons", target: func(n int, seed uint64) (*datasets.Data, error) { // noise 0.05, twice as large, 1 to the left
		d, err := datasets.TwoMoons{N: n, Noise: 0.05, Seed: seed}.Generate()
		for i := range d.Len() {
			d.X[2*i], d.X[2*i+1] = 2*d.X[2*i]-1, 2*d.X[2*i+1]
		}
		return d, err
	}},
	{name: "N→scurve", target: func(n int, seed uint64) (*datasets.Data, error) { // noise 0.05, then 1.5 times as large
		return datasets.SCurve{N: n, Noise: 0.05, Scale: 1.5, Seed: seed}.Generate()
	}},
}

// wideMoons are moons of noise 0.1, shifted and scaled so that all their numbers have the mean 0 and the standard deviation 7.
func wideMoons(n int, seed uint64) (*datasets.Data, error) {
	d, err := datasets.TwoMoons{N: n, Noise: 0.1, Seed: seed}.Generate()
	if err != nil {
		return nil, err
	}
	var sum, squares float64
	for _, v := range d.X {
		sum += float64(v)
	}
	mean := sum / float64(len(d.X))
	for _, v := range d.X {
		squares += (float64(v) - mean) * (float64(v) - mean)
	}
	scale := 7 / math.Sqrt(squares/float64(len(d.X)-1))
	for i, v := range d.X {
		d.X[i] = float32(scale * (float64(v) - mean))
	}
	return d, nil
}

// part are points of the two, to train on, to choose the weights with, or to test with.
type part struct {
	source *datasets.Data // nil, N(0, I), where it is not to test with
	target *datasets.Data
}

// parts draws points and splits them at random into three parts.
func (s set) parts(points int, seed uint64) (train, validation, test part, err error) {
	all := []*part{&train, &validation, &test}
	split := func(draw func(int, uint64) (*datasets.Data, error), seed uint64, side func(*part) **datasets.Data) error {
		d, err := draw(3*points, seed)
		if err != nil {
			return err
		}
		order := datasets.Order(seed, 0, d.Len())
		for i, p := range all {
			if *side(p), err = d.Take(order[i*points : (i+1)*points]); err != nil {
				return err
			}
		}
		return nil
	}
	if err = split(s.target, 2*seed, func(p *part) **datasets.Data { return &p.target }); err != nil {
		return
	}
	if s.source != nil {
		err = split(s.source, 2*seed+1, func(p *part) **datasets.Data { return &p.source })
	} else {
		test.source = normal(points, seed)
	}
	return
}

// normal are points of N(0, I).
func normal(n int, seed uint64) *datasets.Data {
	rng := rand.New(rand.NewPCG(seed, 7))
	d := &datasets.Data{Name: "N", Dim: 2}
	for range 2 * n {
		d.X = append(d.X, float32(rng.NormFloat64()))
	}
	return d
}

// draw fills a batch of noise with rows of the points, drawn at random.
func draw(points *datasets.Data) func(x0 []float64, dim int, rng *rand.Rand) {
	return func(x0 []float64, dim int, rng *rand.Rand) {
		for i := 0; i < len(x0); i += dim {
			for k, v := range points.Row(rng.IntN(points.Len())) {
				x0[i+k] = float64(v)
			}
		}
	}
}
