package ebm_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

var (
	correlated = ebm.Gaussian{Mean: []float64{1, -1}, Cov: [][]float64{{1, 0.5}, {0.5, 2}}}
	narrow     = ebm.Gaussian{Cov: [][]float64{{0.3, 0.1, 0}, {0.1, 0.2, 0.05}, {0, 0.05, 1}}}
	isotropic  = ebm.Mixture{Means: [][]float64{{-2, 0}, {2, 1}, {0, 3}}, Weights: []float64{1, 2, 3}, Std: 0.7}
	tilted     = ebm.Mixture{
		Means: [][]float64{{-1, 0}, {1.5, 0.5}},
		Covs:  [][][]float64{{{1, 0.6}, {0.6, 0.5}}, {{0.3, -0.1}, {-0.1, 0.4}}},
	}
	quarter = ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return MulScalar(ReduceSum(Square(Square(x)), 1), 0.25) })
)

// targets are the energies at several parameters, each with the size of its events.
var targets = []struct {
	name   string
	energy ebm.Energy
	dim    int
}{
	{"Gaussian", correlated, 2}, {"Gaussian in 3-d", narrow, 3}, {"Gaussian{}", ebm.Gaussian{}, 2},
	{"Gaussian at a mean", ebm.Gaussian{Mean: []float64{0.5}}, 1},
	{"Harmonic", ebm.Harmonic{K: 2.5}, 3}, {"Harmonic{}", ebm.Harmonic{}, 1},
	{"DoubleWell", ebm.DoubleWell{BarrierHeight: 3, B: 1.2}, 2}, {"DoubleWell{}", ebm.DoubleWell{}, 1},
	{"flat DoubleWell", ebm.DoubleWell{BarrierHeight: 0.5, B: 0.6}, 2},
	{"Rosenbrock", ebm.Rosenbrock{A: 0.7, B: 3}, 2}, {"Rosenbrock in 4-d", ebm.Rosenbrock{}, 4},
	{"Ackley", ebm.Ackley{}, 2}, {"Rastrigin", ebm.Rastrigin{}, 2}, {"low Rastrigin", ebm.Rastrigin{A: 1}, 2},
	{"Himmelblau", ebm.Himmelblau{}, 2}, {"Booth", ebm.Booth{}, 2}, {"StyblinskiTang", ebm.StyblinskiTang{}, 2},
	{"Mixture", isotropic, 2}, {"tilted Mixture", tilted, 2},
	{"Funnel", ebm.Funnel{Scale: 0.4}, 2}, {"Funnel in 3-d", ebm.Funnel{Scale: 0.8}, 3}, {"StudentT", ebm.StudentT{DF: 10, Scale: 0.8}, 3},
	{"Sum", ebm.Sum{correlated, quarter}, 2}, {"Scaled", ebm.Scaled{Of: ebm.Himmelblau{}, By: 0.1}, 2},
	{"InBox", ebm.InBox{Of: quarter, Lo: []float64{-0.5}, Hi: []float64{3, 0.2}, Wall: 4}, 2},
}

func TestGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range targets {
			x := make([][]float64, 4)
			for i := range x {
				for range c.dim {
					x[i] = append(x[i], 0.1+1.2*rng.NormFloat64())
				}
			}
			// XLA takes a while to compile the many terms of a check: it gets those that are not built like all the others.
			switch c.energy.(type) {
			case ebm.Gaussian, ebm.Mixture, ebm.InBox:
			default:
				if b.Name() != "Go Backend" {
					continue
				}
			}
			t.Run(c.name, func(t *testing.T) { ebmtest.GradCheck(t, b, nil, c.energy, x) })
		}
	})
}

// The energy at each known minimum is the lowest of all around, and the gradient vanishes there.
func TestMinima(t *testing.T) {
	lowest := map[string]float64{"StyblinskiTang": -39.16616570377142 * 2, "Funnel": -0.16 / 8, "Funnel in 3-d": -0.64 / 2}
	goBackend(t, func(b compute.Backend) {
		known := 0
		for _, c := range targets {
			m, ok := c.energy.(ebm.Minimizer)
			if !ok {
				continue
			}
			known++
			minima, err := m.Minima(c.dim)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(2, 2))
			points := append([][]float64{}, minima...)
			for range 2000 {
				p := make([]float64, c.dim)
				from, width := minima[rng.IntN(len(minima))], math.Pow(10, 1-5*rng.Float64())
				for i := range p {
					p[i] = from[i] + width*rng.NormFloat64()
				}
				points = append(points, p)
			}
			value, grad := evaluate(t, b, c.energy, points)
			for i, e := range value.([]float64) {
				if i < len(minima) {
					near(t, c.name+" at its minimum", e, lowest[c.name], 2e-13)
					for _, g := range grad.([][]float64)[i] {
						near(t, c.name+"'s gradient at its minimum", g, 0, 1e-11)
					}
				} else if e < lowest[c.name]-1e-12 {
					t.Errorf("%s: %g at %v is less than at the minima", c.name, e, points[i])
				}
			}
		}
		if known < 15 {
			t.Errorf("only %d energies know their minima", known)
		}
	})
	if minima, err := (ebm.DoubleWell{B: -2}).Minima(3); err != nil || len(minima) != 8 || minima[5][0] != 2 || minima[5][1] != -2 {
		t.Errorf("DoubleWell's minima in 3-d: %v, error %v", minima, err)
	}
	if minima, err := (ebm.Himmelblau{}).Minima(2); err != nil || len(minima) != 4 {
		t.Errorf("Himmelblau's minima: %v, error %v", minima, err)
	}
}

// Normalizers and moments against sums over a fine grid of E as the graph computes it.
func TestNormalizersAndMoments(t *testing.T) {
	goBackend(t, func(b compute.Backend) {
		for _, c := range targets {
			n, ok := c.energy.(ebm.Normalizer)
			if !ok || c.dim > 2 {
				continue
			}
			half, h := 10.0, 0.03 // the narrowest of Rastrigin's wells has a standard deviation of 0.05
			switch c.name {
			case "Rosenbrock":
				half, h = 36, 0.06 // long, but wider
			case "Funnel":
				half, h = 16, 0.05 // its mouth has long tails
			}
			cells := int(2 * half / h)
			axis := make([]float64, cells+1)
			for i := range axis {
				axis[i] = -half + h*float64(i)
			}
			points := axis
			if c.dim == 2 {
				points = nil
				for _, x := range axis {
					for _, y := range axis {
						points = append(points, x, y)
					}
				}
			}
			value, err := ebm.Evaluate(b, nil, c.energy, tensors.FromFlatDataAndDimensions(points, len(points)/c.dim, c.dim))
			if err != nil {
				t.Fatal(err)
			}
			lowest := math.Inf(1)
			for _, e := range value {
				lowest = min(lowest, e)
			}
			sum, mean, cov := 0.0, make([]float64, c.dim), make([]float64, c.dim*c.dim)
			for i, e := range value {
				w, point := math.Exp(lowest-e), points[i*c.dim:(i+1)*c.dim]
				sum += w
				for j, x := range point {
					mean[j] += w * x
					for k, y := range point {
						cov[j*c.dim+k] += w * x * y
					}
				}
			}
			logZ, err := n.LogZ(c.dim)
			if err != nil {
				t.Fatal(err)
			}
			near(t, c.name+": log Z", logZ, math.Log(sum)+float64(c.dim)*math.Log(h)-lowest, 1e-9)
			wantMean, wantCov, err := c.energy.(ebm.Momenter).Moments(c.dim)
			if err != nil {
				t.Fatal(err)
			}
			for j := range mean {
				near(t, c.name+": mean", wantMean[j], mean[j]/sum, 1e-9)
			}
			for j := range mean {
				for k := range mean {
					near(t, c.name+": covariance", wantCov[j][k], cov[j*c.dim+k]/sum-mean[j]*mean[k]/sum/sum, 1e-8)
				}
			}
		}
	})
}

// Exact samples have the density's mean and covariance within five standard errors; and, to see more than two moments,
// E[exp(−E/2)] is the ratio of the normalizers of 3E/2 and E, where 3E/2 is an energy of the same kind.
func TestExactSamples(t *testing.T) {
	const n = 40000
	goBackend(t, func(b compute.Backend) {
		for _, c := range targets {
			s, ok := c.energy.(ebm.ExactSampler)
			if !ok || (c.dim > 2 && c.name == "Rosenbrock in 4-d") {
				continue
			}
			x, err := s.SampleExact(rand.New(rand.NewPCG(3, 3)), n, c.dim)
			if err != nil {
				t.Fatal(err)
			}
			again, err := s.SampleExact(rand.New(rand.NewPCG(3, 3)), n, c.dim)
			if err != nil || len(x) != n || fmt.Sprint(x[n-1]) != fmt.Sprint(again[n-1]) {
				t.Errorf("%s: the same seed gives %v, then %v", c.name, x[n-1], again[n-1])
			}
			mean, cov, err := c.energy.(ebm.Momenter).Moments(c.dim)
			if err != nil {
				t.Fatal(err)
			}
			for j := range mean {
				var values stats
				for _, row := range x {
					values.add(row[j])
				}
				values.check(t, c.name+": mean", mean[j])
				for k := range mean {
					var products stats
					for _, row := range x {
						products.add((row[j] - mean[j]) * (row[k] - mean[k]))
					}
					products.check(t, c.name+": covariance", cov[j][k])
				}
			}
			steeper := map[string]ebm.Normalizer{
				"DoubleWell":      ebm.DoubleWell{BarrierHeight: 4.5, B: 1.2},
				"DoubleWell{}":    ebm.DoubleWell{BarrierHeight: 3},
				"flat DoubleWell": ebm.DoubleWell{BarrierHeight: 0.75, B: 0.6},
				"Harmonic":        ebm.Harmonic{K: 3.75},
				"StudentT":        ebm.StudentT{DF: 15.5, Scale: 0.8 * math.Sqrt(10/15.5)},
			}[c.name]
			if steeper == nil {
				continue
			}
			value, _ := evaluate(t, b, c.energy, x)
			var weights stats
			for _, e := range value.([]float64) {
				weights.add(math.Exp(-e / 2))
			}
			upper, err := steeper.LogZ(c.dim)
			if err != nil {
				t.Fatal(err)
			}
			lower, err := c.energy.(ebm.Normalizer).LogZ(c.dim)
			if err != nil {
				t.Fatal(err)
			}
			weights.check(t, c.name+": E[exp(−E/2)]", math.Exp(upper-lower))
		}
	})
}

// stats are the sums that a mean and its standard error need.
type stats struct{ n, sum, squares float64 }

func (s *stats) add(v float64) { s.n, s.sum, s.squares = s.n+1, s.sum+v, s.squares+v*v }

func (s *stats) check(t *testing.T, what string, want float64) {
	t.Helper()
	mean := s.sum / s.n
	near(t, what, mean, want, 5*math.Sqrt((s.squares/s.n-mean*mean)/s.n)+1e-12)
}

// Rows of an image are one event: [n, 2, 1, 1] gives what [n, 2] gives, with a gradient of its own shape.
func TestEventShapes(t *testing.T) {
	goBackend(t, func(b compute.Backend) {
		for _, c := range targets {
			if c.dim != 2 || c.name == "Sum" || c.name == "InBox" { // those two hold an energy made for [n, d] alone
				continue
			}
			want, wantGrad := evaluate(t, b, c.energy, [][]float64{{0.4, -1.3}, {2, 0.6}})
			got, gotGrad := evaluate(t, b, c.energy, [][][][]float64{{{{0.4}}, {{-1.3}}}, {{{2}}, {{0.6}}}})
			for i := range 2 {
				near(t, c.name, got.([]float64)[i], want.([]float64)[i], 1e-14*(1+math.Abs(want.([]float64)[i])))
				for j := range 2 {
					w := wantGrad.([][]float64)[i][j]
					near(t, c.name, gotGrad.([][][][]float64)[i][j][0][0], w, 1e-13*(1+math.Abs(w)))
				}
			}
		}
	})
}

func TestGradientsAreSafe(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, x := range []any{[][]float64{{0, 0}, {1e-200, 0}}, [][]float32{{0, 0}, {1e-30, 0}}} {
			value, grad := evaluate(t, b, ebm.Ackley{}, x)
			for i := range 2 {
				var e, g1, g2 float64
				switch v := value.(type) {
				case []float64:
					e, g1, g2 = v[i], grad.([][]float64)[i][0], grad.([][]float64)[i][1]
				case []float32:
					e, g1, g2 = float64(v[i]), float64(grad.([][]float32)[i][0]), float64(grad.([][]float32)[i][1])
				}
				near(t, "Ackley near the origin", e, 0, 1e-5)
				if !(math.Abs(g1) < 1e-25 && g2 == 0) || i == 0 && g1 != 0 {
					t.Errorf("Ackley's gradient at %v is (%g, %g), want 0", x, g1, g2)
				}
			}
		}
		// The slope of the cusp, a·b/√2 along an axis, holds down to very small radii.
		_, grad := evaluate(t, b, ebm.Ackley{}, [][]float64{{1e-100, 0}})
		near(t, "Ackley's slope beside the cusp", grad.([][]float64)[0][0], 20*0.2/math.Sqrt2, 1e-12)

		// Far out, where every component's density underflows, the mixture is as steep as its nearest component.
		value, grad := evaluate(t, b, isotropic, [][]float32{{1e4, 0}, {-1e4, 0}})
		for i, want := range []float64{(1e4 - 2) / 0.49, (-1e4 + 2) / 0.49} {
			if e := float64(value.([]float32)[i]); math.IsInf(e, 0) || math.IsNaN(e) {
				t.Errorf("Mixture far out: E = %g", e)
			}
			near(t, "Mixture's gradient far out", float64(grad.([][]float32)[i][0]), want, 1e-2)
		}
	})
}

func TestInBox(t *testing.T) {
	root := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return Neg(ReduceSum(Log(x), 1)) }) // for x > 0 only
	x := [][]float64{{0.5, 2}, {-1, 1}, {0.25, 5}, {4, 4}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		value, grad := evaluate(t, b, ebm.InBox{Of: root, Lo: []float64{0.25}, Hi: []float64{3, 4}}, x)
		for i, want := range []float64{0, math.Inf(1), math.Inf(1), math.Inf(1)} {
			if got := value.([]float64)[i]; got != want && !(math.Abs(got-want) < 1e-15) {
				t.Errorf("hard box at %v: got %g, want %g", x[i], got, want)
			}
		}
		same := func(what string, want [][]float64) {
			t.Helper()
			for i := range want {
				for j := range want[i] {
					near(t, what, grad.([][]float64)[i][j], want[i][j], 1e-14)
				}
			}
		}
		same("hard box's gradient", [][]float64{{-2, -0.5}, {0, 0}, {0, 0}, {0, 0}})
		value, grad = evaluate(t, b, ebm.InBox{Of: root, Lo: []float64{0.25}, Wall: 8}, x)
		near(t, "soft box", value.([]float64)[1], -math.Log(0.25)+4*1.25*1.25, 1e-14)
		same("soft box's gradient", [][]float64{{-2, -0.5}, {-10, -1}, {-4, -0.2}, {-0.25, -0.25}})
		value, _ = evaluate(t, b, ebm.Sum{ebm.Harmonic{}, ebm.Scaled{Of: ebm.Harmonic{}, By: -0.25}}, x)
		near(t, "a weighted sum", value.([]float64)[0], 0.375*4.25, 1e-15)
	})
}

func TestBadEnergies(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	two := [][]float64{{0.5, 1}}
	cases := []struct {
		energy ebm.Energy
		x      any
		want   string
	}{
		{ebm.Gaussian{Cov: [][]float64{{1, 2}, {2, 1}}}, two, "Gaussian: Cov must be positive definite, got one whose smallest eigenvalue is -1"},
		{ebm.Gaussian{Cov: [][]float64{{1, 1}, {1, 1}}}, two, "Gaussian: Cov must be positive definite"},
		{ebm.Gaussian{Cov: [][]float64{{1, 0.5}, {0.4, 1}}}, two, "Gaussian: Cov must be symmetric, got 0.4 at [1][0] and 0.5 at [0][1]"},
		{ebm.Gaussian{Cov: [][]float64{{1, 0.5}, {0.5}}}, two, "Gaussian: Cov must be square, got 2 rows and 1 numbers in row 1"},
		{ebm.Gaussian{Cov: [][]float64{{1, nan}, {nan, 1}}}, two, "Gaussian: Cov[0][1] must be finite, got NaN"},
		{ebm.Gaussian{Cov: [][]float64{}}, two, "Gaussian: Cov must not be empty"},
		{ebm.Gaussian{Mean: []float64{0, inf}}, two, "Gaussian: Mean[1] must be finite, got +Inf"},
		{ebm.Gaussian{Mean: []float64{0}, Cov: [][]float64{{1, 0}, {0, 1}}}, two, "Gaussian: Cov must be 1×1 as Mean has 1 numbers, got 2 rows"},
		{ebm.Gaussian{Mean: []float64{0, 0, 0}}, two, "Gaussian: events must have 3 numbers as Mean and Cov do, got 2"},
		{ebm.Mixture{}, two, "Mixture: Means must have at least one point, got []"},
		{ebm.Mixture{Means: [][]float64{{1, 2}, {3}}}, two, "Mixture: Means must all have 2 numbers as the first has, got 1 in Means[1]"},
		{ebm.Mixture{Means: [][]float64{{1, nan}}}, two, "Mixture: Means[0][1] must be finite, got NaN"},
		{ebm.Mixture{Means: two, Weights: []float64{1, 1}}, two, "Mixture: there must be a weight for each of 1 Means, got 2 Weights"},
		{ebm.Mixture{Means: two, Weights: []float64{0}}, two, "Mixture: Weights[0] must be positive, got 0"},
		{ebm.Mixture{Means: two, Std: -1}, two, "Mixture: Std must be positive, got -1"},
		{ebm.Mixture{Means: two, Covs: [][][]float64{{{1}}}}, two, "Mixture: Covs[0] must be 2×2, got 1 rows"},
		{ebm.Mixture{Means: two, Covs: [][][]float64{{{1, 0}, {0, -1}}}}, two, "Covs[0]: Mixture: Covs must be positive definite"},
		{ebm.Mixture{Means: [][]float64{{1}}}, two, "Mixture: events must have 1 numbers as Means do, got 2"},
		{ebm.Rosenbrock{}, [][]float64{{1}}, "Rosenbrock: events must have at least 2 numbers"},
		{ebm.Funnel{}, [][]float64{{1}}, "Funnel: events must have at least 2 numbers, got x (Float64)[1, 1]"},
		{ebm.Funnel{Scale: -1}, two, "Funnel: Scale must be positive, got -1"},
		{ebm.StudentT{DF: -2}, two, "StudentT: DF must be positive, got -2"},
		{ebm.StudentT{Scale: nan}, two, "StudentT: Scale must be positive, got NaN"},
		{ebm.Posterior{}, two, "Posterior: Rows must be from 1 to 2³¹−1, got 0"},
		{ebm.Posterior{Rows: 3}, two, "Posterior: Term is nil"},
		{ebm.Posterior{Rows: 3, Term: flatTerm, Prior: ebm.Mixture{}}, two, "Posterior: Prior: Mixture: Means"},
		{ebm.Posterior{Rows: 3, Term: flatTerm}, two, "Posterior: Term of x (Float64)[1, 2] and 3 rows must be Float64 [1, 3], got (Float64)[1, 1]"},
		{ebm.Himmelblau{}, [][]float64{{1, 2, 3}}, "Himmelblau: events must have 2 numbers"},
		{ebm.Booth{}, [][]float64{{1}}, "Booth: events must have 2 numbers"},
		{ebm.DoubleWell{}, [][]int32{{1}}, "DoubleWell: x must be [n, event...] of floating-point numbers, got (Int32)[1, 1]"},
		{ebm.Harmonic{}, 1.5, "Harmonic: x must be [n, event...] of floating-point numbers, got (Float64)"},
		{ebm.Sum{}, two, "Sum: must have at least one term, got none"},
		{ebm.Sum{ebm.Harmonic{}, nil}, two, "Sum: term 1: Energy: is nil"},
		{ebm.Scaled{Of: ebm.Harmonic{}, By: inf}, two, "Scaled: By must be finite, got +Inf"},
		{ebm.Scaled{}, two, "Scaled: Of: Energy: is nil"},
		{ebm.InBox{Of: ebm.Harmonic{}, Lo: []float64{1}, Hi: []float64{2, 1}}, two, "InBox: Lo must be less than Hi, got [1, 1] in coordinate 1"},
		{ebm.InBox{Of: ebm.Harmonic{}, Lo: []float64{nan}}, two, "InBox: Lo[0] must be a number, got NaN"},
		{ebm.InBox{Of: ebm.Harmonic{}, Hi: []float64{}}, two, "InBox: Hi must have a bound, got none"},
		{ebm.InBox{Of: ebm.Harmonic{}, Hi: []float64{1, 2, 3}}, two, "InBox: Hi must have 1 or 2 numbers, got 3"},
		{ebm.InBox{Of: ebm.Harmonic{}, Wall: -1}, two, "InBox: Wall must not be negative, got -1"},
		{ebm.InBox{Of: ebm.Mixture{}}, two, "InBox: Of: Mixture: Means"},
	}
	goBackend(t, func(b compute.Backend) {
		for _, c := range cases {
			_, err := NewExec(b, func(x *Node) *Node { return c.energy.Energy(x) })
			if err == nil {
				_, err = CallOnce(b, func(x *Node) *Node { return c.energy.Energy(x) }, c.x)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%#v: got error %v, want %q", c.energy, err, c.want)
			}
		}
	})
}

func TestWhatIsNotKnown(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	minima := func(e ebm.Minimizer, dim int) error { _, err := e.Minima(dim); return err }
	logZ := func(e ebm.Normalizer, dim int) error { _, err := e.LogZ(dim); return err }
	moments := func(e ebm.Momenter, dim int) error { _, _, err := e.Moments(dim); return err }
	draw := func(e ebm.ExactSampler, rng *rand.Rand, n, dim int) error {
		_, err := e.SampleExact(rng, n, dim)
		return err
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{minima(ebm.DoubleWell{}, 17), "DoubleWell: dim must be at most 16 for its 2^dim minima to be listed, got 17"},
		{minima(ebm.DoubleWell{BarrierHeight: -1}, 1), "DoubleWell: BarrierHeight must be positive, got -1"},
		{minima(ebm.Harmonic{K: -1}, 1), "Harmonic: K must be positive, got -1"},
		{minima(ebm.Ackley{}, -3), "Ackley: dim must be at least 1, got -3"},
		{minima(ebm.Himmelblau{}, 3), "Himmelblau: dim must be 2, got 3"},
		{minima(ebm.Rosenbrock{A: 2}, 3), "got dim 3 and A 2"},
		{minima(ebm.StyblinskiTang{}, 0), "StyblinskiTang: dim must be at least 1, got 0"},
		{logZ(ebm.Rosenbrock{}, 3), "Rosenbrock: the density is known for dim = 2 only, got 3"},
		{logZ(ebm.Rosenbrock{B: -1}, 2), "Rosenbrock: B must be positive, got -1"},
		{logZ(ebm.Funnel{}, 1), "Funnel: dim must be at least 2, got 1"},
		{minima(ebm.Funnel{Scale: math.Inf(1)}, 2), "Funnel: Scale must be positive, got +Inf"},
		{logZ(ebm.StudentT{}, 0), "StudentT: dim must be at least 1, got 0"},
		{moments(ebm.StudentT{DF: 2}, 1), "StudentT: the variance is finite for DF > 2 only, got 2"},
		{draw(ebm.Funnel{}, rng, 1, 1), "Funnel: dim must be at least 2, got 1"},
		{draw(ebm.StudentT{}, nil, 1, 1), "StudentT: rng is nil"},
		{logZ(ebm.Booth{}, 1), "Booth: dim must be 2, got 1"},
		{logZ(ebm.Mixture{}, 2), "Mixture: Means must have at least one point"},
		{logZ(correlated, 3), "Gaussian: events must have 2 numbers as Mean and Cov do, got 3"},
		{logZ(ebm.Rastrigin{A: -1}, 2), "Rastrigin: A must be positive, got -1"},
		{moments(isotropic, 3), "Mixture: events must have 2 numbers as Means do, got 3"},
		{moments(ebm.Gaussian{}, 0), "Gaussian: dim must be at least 1, got 0"},
		{draw(ebm.DoubleWell{}, nil, 1, 1), "DoubleWell: rng is nil"},
		{draw(ebm.Rastrigin{}, rng, -1, 1), "Rastrigin: n must not be negative, got -1"},
		{draw(ebm.Harmonic{}, rng, 1, 0), "Harmonic: dim must be at least 1, got 0"},
		{draw(correlated, rng, 1, 5), "Gaussian: events must have 2 numbers as Mean and Cov do, got 5"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got error %v, want %q", c.err, c.want)
		}
	}
}

// goBackend runs a test that needs no second backend.
func goBackend(t *testing.T, test func(b compute.Backend)) {
	t.Helper()
	ran := false
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		if !ran {
			ran = true
			test(b)
		}
	})
}
