package table

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
	logDensity func(x, y float64) float64
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
	{name: "pinwheel", unit: 1, fine: .1, reach: 3.5, logDensity: blurred(arms, .05, .05),
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

// node is a point that a distribution gives some weight.
type node struct{ x, y, weight float64 }

// blurred is the log-density of points that lie on the given ones with probabilities in proportion to their weights, plus normal noise
// of the given standard deviations: a mixture, or a curve or an area by quadrature.
func blurred(nodes func() []node, stdX, stdY float64) func(x, y float64) float64 {
	at := sync.OnceValue(nodes)
	total := sync.OnceValue(func() (sum float64) {
		for _, c := range at() {
			sum += c.weight
		}
		return sum
	})
	return func(x, y float64) float64 {
		distance2 := func(c node) float64 {
			dx, dy := (x-c.x)/stdX, (y-c.y)/stdY
			return dx*dx + dy*dy
		}
		nearest := math.Inf(1)
		for _, c := range at() {
			nearest = min(nearest, distance2(c))
		}
		sum := 0.0
		for _, c := range at() {
			if d := distance2(c) - nearest; d < 80 {
				sum += c.weight * math.Exp(-d/2)
			}
		}
		return math.Log(sum/total()) - nearest/2 - math.Log(2*math.Pi*stdX*stdY)
	}
}

func moons() (nodes []node) {
	const n = 1000
	for i := range n {
		sin, cos := math.Sincos(math.Pi * (float64(i) + .5) / n)
		nodes = append(nodes, node{cos, sin, 1}, node{1 - cos, .5 - sin, 1})
	}
	return nodes
}

func ring() (nodes []node) {
	for i := range 8 {
		sin, cos := math.Sincos(math.Pi * float64(i) / 4)
		nodes = append(nodes, node{2 * cos, 2 * sin, 1})
	}
	return nodes
}

func grid() (nodes []node) {
	for i := range 25 {
		nodes = append(nodes, node{2 * float64(i/5-2) / 1.414, 2 * float64(i%5-2) / 1.414, 1})
	}
	return nodes
}

// arms are those of the pinwheel before noise: t in [0, 1] has density 2t, the angle's spread is normal. Neighbours are at most a
// standard deviation of the noise apart.
func arms() (nodes []node) {
	const turns, angles = 250, 20
	for arm := range 5 {
		for i := range turns {
			t := (float64(i) + .5) / turns
			for j := -angles; j <= angles; j++ {
				z := 5 * float64(j) / angles
				sin, cos := math.Sincos(2*math.Pi*float64(arm)/5 + 5*t + .1*z)
				nodes = append(nodes, node{2 * t * cos, 2 * t * sin, t * math.Exp(-z*z/2)})
			}
		}
	}
	return nodes
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

func roll() (nodes []node) {
	for _, p := range curve(3000) {
		nodes = append(nodes, node{(p[0] - rollMean[0]) / (2 * rollStd[0]), (p[1] - rollMean[1]) / (2 * rollStd[1]), 1})
	}
	return nodes
}

func modesOf(centres func() []node, std float64) *metrics.Modes {
	m := &metrics.Modes{Std: std}
	for _, c := range centres() {
		m.Centres = append(m.Centres, float32(c.x), float32(c.y))
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
