package losses_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
)

// draw runs a graph function on the noise that value gives to a loss.
func draw(t *testing.T, b compute.Backend, fn func(g *Graph, rng *ebm.Rand) []*Node) []*tensors.Tensor {
	t.Helper()
	out, err := CallOnceN(b, func(key *Node) []*Node {
		return fn(key.Graph(), ebm.NewRand(key, Const(key.Graph(), int32(3))))
	}, []uint32{1, 2})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return out
}

// The loss against the same sum in plain Go, with the same noise; the conditioning of a neighbour is that of its point.
func TestEnergyDiscrepancyAgainstTheSum(t *testing.T) {
	x := [][][]float64{{{1}, {2}}, {{-1}, {.5}}, {{.25}, {-2}}} // events of shape [2, 1]
	cond := [][]float64{{.5}, {1}, {2}}
	energy := ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
		p, q := Slice(x, AxisRange(), AxisElem(0)), Slice(x, AxisRange(), AxisElem(1))
		value := Add(MulScalar(Square(Square(p)), .25), Mul(p, q))
		return Mul(Reshape(value, x.Shape().Dimensions[0]), Reshape(cond[0], x.Shape().Dimensions[0]))
	})
	host := func(p, q, c float64) float64 { return (p*p*p*p/4 + p*q) * c }
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, l := range []losses.EnergyDiscrepancy{
			{}, {Time: .3, Neighbours: 3, Stabiliser: .5}, {Time: 2, Neighbours: 1, Stabiliser: -1},
		} {
			l.Energy = energy
			got, _, err := value(b, model.NewStore(), l, x, cond)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			m, variance, w := 4, 1., 1. // the defaults
			if l.Time != 0 {
				m, variance, w = l.Neighbours, l.Time, max(0, l.Stabiliser)
			}
			noise := draw(t, b, func(g *Graph, rng *ebm.Rand) []*Node {
				return []*Node{rng.Normal(shapes.Make(dtypes.Float64, 3, 2)), rng.Normal(shapes.Make(dtypes.Float64, 3, m, 2))}
			})
			first, second := noise[0].Value().([][]float64), noise[1].Value().([][][]float64)
			want := 0.0
			for i := range x {
				p, q, sum := x[i][0][0], x[i][1][0], w/float64(m)
				for j := range m {
					dp, dq := first[i][0]+second[i][j][0], first[i][1]+second[i][j][1]
					sum += math.Exp(host(p, q, cond[i][0])-host(p+math.Sqrt(variance)*dp, q+math.Sqrt(variance)*dq, cond[i][0])) / float64(m)
				}
				want += math.Log(sum) / 3
			}
			near(t, fmt.Sprintf("t = %g, M = %d, w = %g", variance, m, w), got, want, 1e-12)
		}
	})
}

// For E = ½ax² and data of variance 1 in one dimension, w = 0 and M → ∞: L = ½a − ½log(1+at) − a(1+t)/(2(1+at)).
func TestEnergyDiscrepancyOfAGaussian(t *testing.T) {
	const n, m = 4000, 200
	x := make([][]float64, n)
	for i := range x {
		x[i] = []float64{math.Sqrt2 * math.Erfinv(2*(float64(i)+.5)/n-1)}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range [][2]float64{{1, 1}, {.5, 1}, {2, .5}} {
			a, variance := c[0], c[1]
			energy := ebm.Harmonic{K: a}
			got, _, err := value(b, model.NewStore(), losses.EnergyDiscrepancy{Energy: energy, Time: variance, Neighbours: m, Stabiliser: -1}, x)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			s := 1 + a*variance
			want := a/2 - math.Log(s)/2 - a*(1+variance)/(2*s)
			// The summand is ½ax² − log-integral; its part c·y², c = a/2s, has the variance 2c²(1+t)². The log of a mean over M
			// adds noise and bias of the order of 1/M, here below 1/100.
			tolerance := 5*a/(2*s)*(1+variance)*math.Sqrt(2./n) + .01
			if !(math.Abs(got-want) <= tolerance) {
				t.Errorf("a = %g, t = %g: loss %.4f, want %.4f ± %.4f", a, variance, got, want, tolerance)
			}
		}
	})
}

// With w = 1 the gradient vanishes at the truth for few neighbours too; with w = 2, or at another energy, it does not.
func TestEnergyDiscrepancyIsLeastAtTheTruth(t *testing.T) {
	const n, repeats = 4000, 25
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			neighbours int
			w, std     float64 // of the data; the energy is that of 1
			zero       bool
		}{{1, 1, 1, true}, {4, 1, 1, true}, {1, 8, 1, false}, {4, 1, 1.2, false}} {
			store := model.NewStore()
			l := losses.EnergyDiscrepancy{Energy: scaled(store, dtypes.Float64), Neighbours: c.neighbours, Stabiliser: c.w}
			exec, err := model.NewExec(b, store, func(scope *model.Scope, step *Node) *Node {
				rng := ebm.NewRand(Const(step.Graph(), []uint32{4, 5}), step)
				x := MulScalar(rng.Normal(shapes.Make(dtypes.Float64, n, 2)), c.std)
				return scope.BuildTrainableVariablesGradientsGraph(l.Loss(x, rng).Loss)[0]
			})
			if err != nil {
				t.Fatal(err)
			}
			mean, squares := 0.0, 0.0
			for step := range int32(repeats) {
				out, err := exec.Call(step)
				if err != nil {
					t.Fatalf("%+v", err)
				}
				g := tensors.ToScalar[float64](out[0])
				mean, squares = mean+g/repeats, squares+g*g/repeats
			}
			exec.Finalize()
			z := mean / math.Sqrt((squares-mean*mean)/(repeats-1))
			t.Logf("%+v: gradient %.5f, %.1f standard errors", c, mean, z)
			if c.zero != (math.Abs(z) < 5) {
				t.Errorf("%+v: gradient %.5f is %.1f standard errors from 0", c, mean, z)
			}
		}
	})
}

func TestEnergyDiscrepancyGradient(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store, energy := tiny(t)
		if n := gradientsAgreeWithDifferences(t, b, store, losses.EnergyDiscrepancy{Energy: energy}, [][]float64{{1, 2}, {-1, .5}, {.25, -2}}); n != 17 {
			t.Errorf("%d gradients were compared, want 17", n)
		}
	})
}

// The error of the normalised log density on 25 Gaussians falls within 200 steps.
func TestEnergyDiscrepancyLearnsADensity(t *testing.T) {
	data, err := datasets.TwentyFiveGaussians{N: 20_000, Seed: 1, IID: true}.Generate()
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		energy := nn.MLP{Scope: store.Scope("/energy"), Widths: []int{64, 64}, Activation: activation.TypeSilu}
		at := []float64{}
		for _, steps := range []int{1, 200} {
			_, err := ebm.Train(t.Context(), b, store, losses.EnergyDiscrepancy{Energy: energy}, &datasets.Batches{Data: data, Size: 128},
				ebm.TrainOptions{Steps: steps, LearningRate: 5e-3})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			at = append(at, densityError(t, b, store, energy))
		}
		t.Logf("MSE of the log density: %.2f after a step, %.2f after 200", at[0], at[1])
		if !(at[1] < at[0]/2) {
			t.Errorf("MSE of the log density went from %.3f to %.3f, want less than half", at[0], at[1])
		}
	})
}

// densityError is the mean squared error of the normalised log density on 5000 points of the 25 Gaussians, with log Z by importance
// weights under the truth.
func densityError(t *testing.T, b compute.Backend, store *model.Store, energy ebm.Energy) float64 {
	t.Helper()
	truth := ebm.Mixture{Std: .2 / 1.414}
	for i := -2.; i <= 2; i++ {
		for j := -2.; j <= 2; j++ {
			truth.Means = append(truth.Means, []float64{2 / 1.414 * i, 2 / 1.414 * j})
		}
	}
	points, err := truth.SampleExact(rand.New(rand.NewPCG(7, 7)), 5000, 2)
	if err != nil {
		t.Fatal(err)
	}
	flat := make([]float32, 0, 10_000)
	for _, p := range slices.Concat(points...) {
		flat = append(flat, float32(p))
	}
	x := tensors.FromFlatDataAndDimensions(flat, 5000, 2)
	model, err := ebm.Evaluate(b, store, energy, x)
	if err != nil {
		t.Fatal(err)
	}
	exact, err := ebm.Evaluate(b, nil, truth, x)
	if err != nil {
		t.Fatal(err)
	}
	off, largest := make([]float64, len(model)), math.Inf(-1) // log of exp(−E)/p
	for i := range off {
		off[i] = exact[i] - model[i]
		largest = max(largest, off[i])
	}
	z := 0.0
	for _, v := range off {
		z += math.Exp(v-largest) / float64(len(off))
	}
	logZ, mse := math.Log(z)+largest, 0.0
	for _, v := range off {
		mse += (v - logZ) * (v - logZ) / float64(len(off))
	}
	return mse
}

func TestEnergyDiscrepancySettingsOutOfRange(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for text, l := range map[string]losses.EnergyDiscrepancy{
			"EnergyDiscrepancy: Energy is nil":                                     {},
			"EnergyDiscrepancy: Time must be a finite number and positive, got -1": {Energy: round, Time: -1},
			"EnergyDiscrepancy: Neighbours must be positive, got -2":               {Energy: round, Neighbours: -2},
			"EnergyDiscrepancy: Stabiliser must be finite, got NaN":                {Energy: round, Stabiliser: math.NaN()},
		} {
			if _, _, err := value(b, model.NewStore(), l, [][]float32{{1, 1}, {2, 2}}); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("want an error with %q, got %v", text, err)
			}
		}
	})
}
