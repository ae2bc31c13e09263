package metrics

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pkg/errors"
)

// Distance compares the samples x [n, dim] and y [m, dim].
type Distance interface {
	Between(x, y []float32, dim int) (float64, error)
}

// checkPair looks at what every distance is given.
func checkPair(kind string, x, y []float32, dim int) error {
	if err := checkPoints(kind, "x", x, dim); err != nil {
		return err
	}
	return checkPoints(kind, "y", y, dim)
}

func checkPoints(kind, name string, x []float32, dim int) error {
	switch {
	case dim < 1:
		return errors.Errorf("%s: dim = %d, want at least 1", kind, dim)
	case len(x) == 0:
		return errors.Errorf("%s: %s is empty", kind, name)
	case len(x)%dim != 0:
		return errors.Errorf("%s: %s has %d values, which is no multiple of dim = %d", kind, name, len(x), dim)
	}
	for i, v := range x {
		if v != v || math.IsInf(float64(v), 0) {
			return errors.Errorf("%s: %s at point %d, coordinate %d is %g, want a finite number", kind, name, i/dim, i%dim, v)
		}
	}
	return nil
}

// squared is ‖xᵢ − yⱼ‖².
func squared(x, y []float32, i, j, dim int) float64 {
	var sum float64
	a, b := x[i*dim:(i+1)*dim], y[j*dim:(j+1)*dim]
	for k, v := range a {
		d := float64(v) - float64(b[k])
		sum += d * d
	}
	return sum
}

// meanPairs is the mean of f(‖xᵢ − yⱼ‖²) over all pairs, the sum of each row taken apart so that the result does not depend on
// how many processors there are.
func meanPairs(x, y []float32, dim int, f func(d2 float64) float64) float64 {
	n, m := len(x)/dim, len(y)/dim
	rows := make([]float64, n)
	parallel(n, func(i int) {
		for j := range m {
			rows[i] += f(squared(x, y, i, j, dim))
		}
	})
	var sum float64
	for _, r := range rows {
		sum += r / float64(m)
	}
	return sum / float64(n)
}

// parallel runs f(0) … f(n−1) on all processors.
func parallel(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x60e17a9f2d3b5c81)) }
