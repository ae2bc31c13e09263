package metrics

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// Noise is a noise floor: the distance that two samples of one distribution are apart, over several independent pairs.
type Noise struct {
	Mean, Std float64 // Std with pairs − 1; 0 for one pair
	Max       float64
	Pairs     int
}

// Floor measures the noise floor of a distance between samples that draw gives: draw(0) against draw(1), draw(2) against
// draw(3), …, all [n, dim]. Give draw the sizes of the comparison that the floor stands beside; different seeds must give
// independent samples.
func Floor(d Distance, dim, pairs int, draw func(seed uint64) ([]float32, error)) (Noise, error) {
	return floor(d, dim, pairs, func(p int) (x, y []float32, err error) {
		if x, err = draw(uint64(2 * p)); err != nil {
			return nil, nil, errors.WithMessagef(err, "Floor: draw(%d)", 2*p)
		}
		if y, err = draw(uint64(2*p + 1)); err != nil {
			return nil, nil, errors.WithMessagef(err, "Floor: draw(%d)", 2*p+1)
		}
		return x, y, nil
	})
}

// FloorOfHalves measures the noise floor where no true sampler is to be had: x [n, dim] is cut at random in two halves, again and
// again. It is the floor for samples of n/2 points, and its pairs are not independent, so Std is too small.
func FloorOfHalves(d Distance, x []float32, dim, pairs int, seed uint64) (Noise, error) {
	if err := checkPoints("FloorOfHalves", "x", x, dim); err != nil {
		return Noise{}, err
	}
	n := len(x) / dim
	if n < 2 {
		return Noise{}, errors.Errorf("FloorOfHalves: x has %d point, want at least 2", n)
	}
	rng := newRand(seed)
	return floor(d, dim, pairs, func(int) (a, b []float32, err error) {
		for k, i := range rng.Perm(n)[:n/2*2] {
			point := x[i*dim : (i+1)*dim]
			if k < n/2 {
				a = append(a, point...)
			} else {
				b = append(b, point...)
			}
		}
		return a, b, nil
	})
}

func floor(d Distance, dim, pairs int, pair func(p int) (x, y []float32, err error)) (Noise, error) {
	if d == nil {
		return Noise{}, errors.New("Floor: d is nil")
	}
	if pairs < 1 {
		return Noise{}, errors.Errorf("Floor: pairs = %d, want at least 1", pairs)
	}
	values := make([]float64, pairs)
	for p := range values {
		x, y, err := pair(p)
		if err != nil {
			return Noise{}, err
		}
		if values[p], err = d.Between(x, y, dim); err != nil {
			return Noise{}, err
		}
	}
	return noise(values), nil
}

func noise(values []float64) Noise {
	mean, variance := meanVar(values)
	return Noise{Mean: mean, Std: math.Sqrt(variance), Max: slices.Max(values), Pairs: len(values)}
}
