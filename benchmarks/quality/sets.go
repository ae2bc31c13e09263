package main

import (
	"math"
	"runtime"
	"sync"

	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/metrics"
)

// Points of a set.
const (
	trainPoints = 50_000
	heldPoints  = 5000
)

// set is a distribution in the plane.
type set struct {
	name  string
	unit  float64 // its standard deviation along an axis, about: lengths among a method's settings are multiples of it
	fine  float64 // the breadth of its finest feature, likewise
	reach float64 // it lies in [−reach, reach]² about its centre
	deep  bool    // train the larger network for longer

	generate   func(n int, seed uint64) (*datasets.Data, error) // independent points
	logDensity func(x, y float64) float64                       // nil where it is not known
	modes      *metrics.Modes
}

var sets = []set{
	{name: "two moons", unit: 0.8, fine: .05, reach: 3, logDensity: blurred(moons, .05, .05),
		generate: func(n int, seed uint64) (*datasets.Data, error) {
			return datasets.TwoMoons{N: n, Seed: seed, IID: true}.Generate()
		}},
	{name: "8 Gaussians", unit: 1.4, fine: .2, reach: 4, logDensity: blurred(ring, .2, .2), modes: modesOf(ring, .2),
		generate: func(n int, seed uint64) (*datasets.Data, error) {
			return datasets.EightGaussians{N: n, Std: .2, Seed: seed, IID: true}.Generate()
		}},
	{name: "25 Gaussians", unit: 2, fine: .2 / 1.414, reach: 4.5, deep: true, logDensity: blurred(grid, .2/1.414, .2/1.414), modes: modesOf(grid, .2/1.414),
		generate: func(n int, seed uint64) (*datasets.Data, error) {
			return datasets.TwentyFiveGaussians{N: n, Seed: seed, IID: true}.Generate()
		}},
	{name: "checkerboard", unit: 2.3, fine: .3, reach: 6, logDensity: board,
		generate: func(n int, seed uint64) (*datasets.Data, error) {
			return datasets.Checkerboard{N: n, Seed: seed}.Generate()
		}},
	{name: "pinwheel", unit: 1, fine: .1, reach: 3.5,
		generate: func(n int, seed uint64) (*datasets.Data, error) {
			return datasets.Pinwheel{N: n, Seed: seed, IID: true}.Generate()
		}},
	{name: "Swiss roll", unit: .5, fine: 1 / (2 * rollStd[0]), reach: 1.6, logDensity: blurred(roll, 1/(2*rollStd[0]), 1/(2*rollStd[1])),
		generate: func(n int, seed uint64) (*datasets.Data, error) {
			return datasets.SwissRoll{N: n, Noise: 1, Arclength: rollTurns, Seed: seed}.Generate()
		}},
}

// split draws the points to train on and those held out.
func (s set) split(seed uint64) (train, held *datasets.Data, err error) {
	all, err := s.generate(trainPoints+heldPoints, seed)
	if err != nil {
		return nil, nil, err
	}
	return all.Split(float64(trainPoints)/(trainPoints+heldPoints), seed)
}

// logDensities are log p at points [n, 2].
func (s set) logDensities(x []float32) []float64 {
	out := make([]float64, len(x)/2)
	parallel(len(out), func(i int) { out[i] = s.logDensity(float64(x[2*i]), float64(x[2*i+1])) })
	return out
}

// blurred is the log-density of points that lie on any of the given ones with the same probability, plus normal noise of the given
// standard deviations: a mixture, or a curve or an area by quadrature.
func blurred(points func() [][2]float64, stdX, stdY float64) func(x, y float64) float64 {
	at := sync.OnceValue(points)
	return func(x, y float64) float64 {
		nearest := math.Inf(1)
		for _, c := range at() {
			nearest = min(nearest, distance2(x, y, c, stdX, stdY))
		}
		sum := 0.0
		for _, c := range at() {
			if d := distance2(x, y, c, stdX, stdY) - nearest; d < 80 {
				sum += math.Exp(-d / 2)
			}
		}
		return math.Log(sum/float64(len(at()))) - nearest/2 - math.Log(2*math.Pi*stdX*stdY)
	}
}

// distance2 is the squared distance in standard deviations.
func distance2(x, y float64, c [2]float64, stdX, stdY float64) float64 {
	dx, dy := (x-c[0])/stdX, (y-c[1])/stdY
	return dx*dx + dy*dy
}

func moons() (points [][2]float64) {
	const n = 1000
	for i := range n {
		sin, cos := math.Sincos(math.Pi * (float64(i) + .5) / n)
		points = append(points, [2]float64{cos, sin}, [2]float64{1 - cos, .5 - sin})
	}
	return points
}

func ring() (points [][2]float64) {
	for i := range 8 {
		sin, cos := math.Sincos(math.Pi * float64(i) / 4)
		points = append(points, [2]float64{2 * cos, 2 * sin})
	}
	return points
}

func grid() (points [][2]float64) {
	for i := range 25 {
		points = append(points, [2]float64{2 * float64(i/5-2) / 1.414, 2 * float64(i%5-2) / 1.414})
	}
	return points
}

// board is log p of the checkerboard, minus infinity off the dark squares.
func board(x, y float64) float64 {
	if max(math.Abs(x), math.Abs(y)) > 4 || (int(math.Floor(x))+int(math.Floor(y)))&1 == 0 {
		return math.Inf(-1)
	}
	return -math.Log(32)
}

// rollTurns makes the Swiss roll the usual one: t from 1.5π to 4.5π, with noise of 1.
const rollTurns = 1.5

var rollMean, rollStd = rollMoments()

// curve is the roll before noise and scaling, at n quantiles of t.
func curve(n int) (points [][2]float64) {
	for i := range n {
		t := rollTurns * math.Pi * (1 + 2*(float64(i)+.5)/float64(n))
		sin, cos := math.Sincos(t)
		points = append(points, [2]float64{t * cos, t * sin})
	}
	return points
}

// rollMoments are mean and standard deviation of the roll with its noise, by which it is scaled.
func rollMoments() (mean, std [2]float64) {
	const n = 100_000
	for _, p := range curve(n) {
		for j := range p {
			mean[j] += p[j] / n
			std[j] += p[j] * p[j] / n
		}
	}
	for j := range std {
		std[j] = math.Sqrt(std[j] - mean[j]*mean[j] + 1)
	}
	return mean, std
}

func roll() [][2]float64 {
	points := curve(3000)
	for i, p := range points {
		for j := range p {
			points[i][j] = (p[j] - rollMean[j]) / (2 * rollStd[j])
		}
	}
	return points
}

func modesOf(points func() [][2]float64, std float64) *metrics.Modes {
	m := &metrics.Modes{Std: std}
	for _, p := range points() {
		m.Centres = append(m.Centres, float32(p[0]), float32(p[1]))
	}
	return m
}

// parallel calls fn(0), …, fn(n−1) on all cores.
func parallel(n int, fn func(i int)) {
	var group sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				fn(i)
			}
		})
	}
	group.Wait()
}
