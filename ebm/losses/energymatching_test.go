package losses

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"gonum.org/v1/gonum/stat"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// wavy is V(x) = Σ_k (¼x_k⁴ + c·sin x_k), with c the conditioning or 1.
var wavy = ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
	wave := Sin(x)
	if len(cond) > 0 {
		wave = Mul(wave, cond[0])
	}
	return ReduceSum(Add(MulScalar(Square(Square(x)), 0.25), wave), -1)
})

var (
	emX0 = [][]float64{{0.5, -1}, {1.2, 0.3}, {-0.4, 0.9}, {0.1, 1.7}}
	emX1 = [][]float64{{1, 2}, {-1, 0.5}, {0.3, -0.8}, {-1.4, -0.2}}
	emT  = []float64{0.2, 0.6, 0.93, 0.81}
)

// The flow term against its sum in float64.
func TestEnergyMatchingFlowBruteForce(t *testing.T) {
	jitter, weights, c := [][]float64{{1, -1}, {0.3, 0.2}, {-2, 0.5}, {0.7, 0}}, []float64{0.5, 2, 0.5, 1}, [][]float64{{1, 2}, {-3, 0.5}, {0.2, 0.1}, {1, 1}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, k := range map[string]struct {
			loss     EnergyMatching
			sigma, a float64
			all      bool // weights of rows and pairs, and conditioning
		}{
			"defaults":         {EnergyMatching{}, 0.1, 0.8, false},
			"all":              {EnergyMatching{Sigma: 0.3, Cutoff: 0.5}, 0.3, 0.5, true},
			"never fades":      {EnergyMatching{Cutoff: 1}, 0.1, 1, false},
			"without jitter":   {EnergyMatching{Sigma: -1}, 0, 0.8, true},
			"along the cosine": {EnergyMatching{Interpolant: flow.Cosine{}}, 0.1, 0.8, true},
		} {
			want := 0.0
			for i, at := range emT {
				alpha, da, s, ds := at, 1.0, 1-at, -1.0
				if k.loss.Interpolant != nil {
					sin, cos := math.Sincos(math.Pi / 2 * at)
					alpha, da, s, ds = sin, math.Pi/2*cos, cos, -math.Pi/2*sin
				}
				w := 1.0
				if k.a < 1 {
					w = min(1, (1-at)/(1-k.a))
				}
				if k.all {
					w *= weights[i] * (1 + at*alpha)
				}
				for j := range 2 {
					x := alpha*emX1[i][j] + s*emX0[i][j] + k.sigma*jitter[i][j]
					slope := x*x*x + math.Cos(x)
					if k.all {
						slope = x*x*x + c[i][j]*math.Cos(x)
					}
					miss := -slope - (da*emX1[i][j] + ds*emX0[i][j])
					want += w * miss * miss / 8
				}
			}
			l := k.loss
			l.Energy = wavy
			if k.all {
				l.Weight = func(t *Node, path flow.Coeffs) *Node { return AddScalar(Mul(t, path.Alpha), 1) }
			}
			l = l.withDefaults()
			got, err := CallOnce(b, func(x0, x1, t, z, w, c *Node) *Node {
				d := drawnPairs{x0: x0, x1: x1, t: t}
				if l.Sigma > 0 {
					d.jitter = z
				}
				if k.all {
					d.weights, d.cond = w, []*Node{c}
				}
				return Identity(l.match(d))
			}, emX0, emX1, emT, jitter, weights, c)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			eqmNear(t, name, got.Value().(float64), want, 1e-12)
		}
	})
}

// The contrastive term against a sorted list; equal energies, infinite ones and ones that are no numbers.
func TestEnergyMatchingGapBruteForce(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	data := []float64{1, -2, 0.5}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, k := range []struct {
			negatives   []float64
			trim, floor float64 // as given
			drop        int
			low         float64 // the floor that holds
			want        float64 // NaN: that; else computed
		}{
			{[]float64{3, 1, 2, 0, -1, 4, 5, -2, 9, 7}, 0, 0, 1, 0.02, 0},
			{[]float64{3, 1, 2, 0, -1, 4, 5, -2, 9, 7}, 0, -1, 1, inf, 0},
			{[]float64{3, 1, 2, 0, -1, 4, 5, -2, 9, 7}, -1, 100, 0, 100, 0},
			{[]float64{2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, 0.35, -1, 3, inf, 0},
			{[]float64{-3, -1, inf, -5}, 0.25, -1, 1, inf, 0},
			{[]float64{-3, -1, -4, -5}, 0.24, 0, 0, 0.02, 0},
			{[]float64{-3, nan, -4, 7}, 0.25, 0, 1, 0.02, nan},
			{[]float64{-3, nan, -4, 7}, -1, -1, 0, inf, nan},
		} {
			sorted := slices.Clone(k.negatives)
			sort.Float64s(sorted)
			sum := 0.0
			for _, v := range sorted[:len(sorted)-k.drop] {
				sum += v
			}
			want := max(2*((1-2+0.5)/3-sum/float64(len(sorted)-k.drop)), -k.low)
			if k.want != k.want {
				want = k.want
			}
			l := EnergyMatching{Energy: wavy, Contrast: 2, Trim: k.trim, Floor: k.floor}.withDefaults()
			out, err := CallOnceN(b, func(data, negatives *Node) []*Node {
				loss, kept := l.gap(data, negatives)
				return []*Node{Identity(loss), Identity(kept)}
			}, data, k.negatives)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			name := fmt.Sprintf("negatives %v, trim %g, floor %g", k.negatives, k.trim, k.floor)
			if got := out[0].Value().(float64); math.IsNaN(want) != math.IsNaN(got) || math.Abs(got-want) > 1e-12 {
				t.Errorf("%s: the term is %g, want %g", name, got, want)
			}
			kept := 0.0
			for _, v := range out[1].Value().([]float64) {
				kept += v
			}
			if want == want && kept != float64(len(sorted)-k.drop) {
				t.Errorf("%s: %g negatives count, want %d", name, kept, len(sorted)-k.drop)
			}
		}
	})
}

// emTerms makes a function of x0, x1, times, normals, weights and negatives that computes the flow term, the loss and its gradient in the
// weights w and u of the energy x·f(x, 0) of eqmField.
func emTerms(t *testing.T, b compute.Backend, store *model.Store, l EnergyMatching) func(in ...any) (flow, loss float64, grads [][]float64) {
	t.Helper()
	l.Energy = ebm.DotEnergy{Of: eqmField{store}}
	l = l.withDefaults()
	exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
		d := drawnPairs{x0: in[0], x1: in[1], t: in[2], jitter: in[3], weights: in[4]}
		matched := l.match(d)
		loss := matched
		if l.Contrast > 0 {
			gap, _ := l.gap(l.Energy.Energy(d.x1), l.Energy.Energy(in[5]))
			loss = Add(matched, gap)
		}
		g := loss.Graph()
		grads := Gradient(loss, store.GetVariable("/field/w").NodeValue(g), store.GetVariable("/field/u").NodeValue(g))
		return []*Node{Identity(matched), Identity(loss), grads[0], grads[1], Identity(in[5])}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(exec.Finalize)
	return func(in ...any) (flow, loss float64, grads [][]float64) {
		t.Helper()
		out, err := exec.Call(in...)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		return tensors.ToScalar[float64](out[0]), tensors.ToScalar[float64](out[1]),
			[][]float64{tensors.MustCopyFlatData[float64](out[2]), tensors.MustCopyFlatData[float64](out[3])}
	}
}

func TestEnergyMatchingMatchesTorchEBM(t *testing.T) {
	raw, err := os.ReadFile("../testdata/parity/energy_matching.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Interpolant                          string
			Sigma, Cutoff, Contrast, Trim, Floor float64
			X0, X1, Normals, Negatives           [][]float64
			T, Weights                           []float64
			Flow, Loss                           float64
			Gradient                             [][][]float64
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 9 {
		t.Fatalf("%d cases, want 9", len(file.Cases))
	}
	off := func(v float64) float64 { // 0 is the default here
		if v == 0 {
			return -1
		}
		return v
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for i, c := range file.Cases {
			name := fmt.Sprintf("case %d, %s", i, c.Interpolant)
			l := EnergyMatching{Contrast: c.Contrast, Sigma: c.Sigma, Cutoff: c.Cutoff, Trim: off(c.Trim), Floor: off(c.Floor)}
			if c.Interpolant == "Cosine" {
				l.Interpolant = flow.Cosine{}
			}
			matched, loss, grads := emTerms(t, b, model.NewStore(), l)(c.X0, c.X1, c.T, c.Normals, c.Weights, c.Negatives)
			eqmNear(t, name+": flow", matched, c.Flow, 1e-12)
			eqmNear(t, name+": loss", loss, c.Loss, 1e-12)
			for k, want := range c.Gradient {
				for j, w := range slices.Concat(want...) {
					eqmNear(t, fmt.Sprintf("%s: gradient %d[%d]", name, k, j), grads[k][j], w, 1e-11)
				}
			}
		}
	})
}

// The gradient of the weights against five-point differences of the loss.
func TestEnergyMatchingWeightGradient(t *testing.T) {
	in := []any{emX0, emX1, emT, [][]float64{{1, -1}, {0.3, 0.2}, {-2, 0.5}, {0.7, 0}}, []float64{0.5, 2, 0.5, 1}, [][]float64{{0.1, 1.5}, {2, -0.3}, {0.4, 0.4}, {-1, -2}}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, l := range []EnergyMatching{{}, {Contrast: 2, Floor: -1, Trim: 0.25}, {Contrast: 2, Floor: 1e-9}} {
			store := model.NewStore()
			call := emTerms(t, b, store, l)
			_, _, grads := call(in...)
			for i, name := range []string{"w", "u"} {
				v := store.GetVariable("/field/" + name)
				start := tensors.MustCopyFlatData[float64](v.MustValue())
				for k := range start {
					at := func(shift float64) float64 {
						moved := slices.Clone(start)
						moved[k] += shift
						if err := v.SetValue(tensors.FromFlatDataAndDimensions(moved, v.Shape().Dimensions...)); err != nil {
							t.Fatal(err)
						}
						_, loss, _ := call(in...)
						return loss
					}
					const h = 1e-3
					want := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
					at(0)
					eqmNear(t, fmt.Sprintf("contrast %g, floor %g: d loss/d%s[%d]", l.Contrast, l.Floor, name, k), grads[i][k], want, 1e-8)
				}
			}
		}
	})
}

// With Paired the batch's noise and weights are used, chains begin at the noise in the first rows and at the data in the others, each under
// its own conditioning, and what Train builds of chains that were run apart is what Loss builds.
func TestEnergyMatchingChains(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		cond := [][]float64{{1, 1}, {2, 0}, {0, 1}, {-1, 1}}
		for _, paired := range []bool{false, true} {
			l := EnergyMatching{Energy: wavy, Contrast: 2, Paired: paired, Steps: 3, Floor: -1, FromNoise: 0.25, Heat: ebm.Temperature{Max: 0.3, Tau: 0.5}}
			out, err := CallOnceN(b, func(key, x, noise, w, c *Node) []*Node {
				g, all := x.Graph(), []*Node{c}
				if paired {
					all = []*Node{noise, w, c}
				}
				rng := func() *ebm.Rand { return ebm.NewRand(key, Const(g, int32(5))) }
				starts, startCond := l.Starts(x, rng(), all...)
				whole := l.Loss(x, rng(), all...)
				after := l.After(whole.Samples, x, rng(), all...)
				first := rng().Normal(x.Shape())
				return []*Node{starts, startCond[0], whole.Loss, after.Loss, whole.Samples, after.Samples, first, whole.Negatives, whole.Weights, Identity(noise)}
			}, []uint32{1, 2}, emX1, emX0, []float64{1, 1, 0, 2}, cond)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			from := emX0
			if !paired {
				from = out[6].Value().([][]float64)
			}
			want := append([][]float64{from[0]}, emX1[1:]...)
			if got := out[0].Value().([][]float64); !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("paired %t: chains begin at %v, want %v", paired, got, want)
			}
			if got := out[1].Value().([][]float64); !slices.EqualFunc(got, cond, slices.Equal) {
				t.Errorf("paired %t: conditioning %v, want %v", paired, got, cond)
			}
			eqmNear(t, "the loss of chains run apart", out[3].Value().(float64), out[2].Value().(float64), 1e-14)
			for i, row := range out[4].Value().([][]float64) {
				if slices.Equal(row, want[i]) {
					t.Errorf("paired %t: chain %d stayed at %v", paired, i, row)
				}
			}
		}
	})
}

// Before τ the chains from noise descend, as Euler's method does; those from data, and those from noise in the end, have the variance of
// Langevin's steps on a spring at temperature ε_max, ε/(1 − η/2).
func TestEnergyMatchingTemperatures(t *testing.T) {
	const n, eta, hot = 20_000, 0.05, 0.3
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		l := EnergyMatching{Energy: ebm.Harmonic{}, Contrast: 2, Steps: 200, StepSize: eta, Heat: ebm.Temperature{Max: hot, Tau: 0.5}}
		e, k, steps := l.Chains()
		sampler, err := ebm.NewSampler(b, nil, e, k)
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		start := make([]float32, n)
		for i := range start {
			start[i] = 3
		}
		o := ebm.Options{Start: tensors.FromFlatDataAndDimensions(start, n, 1), Steps: 100, Seed: 1}
		half, err := sampler.Sample(context.Background(), o)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		x := tensors.MustCopyFlatData[float32](half.X)
		for _, v := range x[:n/2] {
			if want := 3 * math.Pow(1-eta, 100); math.Abs(float64(v)-want) > 1e-5 {
				t.Fatalf("a chain that begins at noise is at %g after %d cold steps, want %g", v, 100, want)
			}
		}
		// At a linear temperature the variance lags: v' = (1−η)²v + 2ηε.
		cold, lag := 0.0, 0.0
		for i := range steps {
			eps := max(0, hot*(float64(i)/float64(steps)-0.5)/0.5)
			lag = (1-eta)*(1-eta)*lag + 2*eta*eps
		}
		whole, err := sampler.Sample(context.Background(), ebm.Options{Start: o.Start, Steps: steps, Seed: 1})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		x = tensors.MustCopyFlatData[float32](whole.X)
		for _, part := range []struct {
			name string
			x    []float32
			want float64
		}{{"from noise", x[:n/2], cold + lag}, {"from data", x[n/2:], hot / (1 - eta/2)}} {
			v := 0.0
			for _, x := range part.x {
				v += float64(x) * float64(x) / (n / 2)
			}
			if bound := 5 * part.want * math.Sqrt(2.0/(n/2)); math.Abs(v-part.want) > bound {
				t.Errorf("%s: the variance is %.4f, want %.4f to within %.4f", part.name, v, part.want, bound)
			}
		}
	})
}

// A chain that leaves the numbers goes back to its start and is counted; an energy that is no number makes the loss none.
func TestEnergyMatchingNaN(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		steep := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { // throws chains with x₀ > 0.9 out of the numbers
			first := Slice(x, AxisRange(), AxisRange(0, 1))
			throw := Where(GreaterThan(first, Scalar(x.Graph(), x.DType(), 0.9)), MulScalar(first, 1e308), ZerosLike(first))
			return Add(Reshape(MulScalar(throw, 1e3), -1), ReduceSum(Square(x), -1))
		})
		broken := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return Sqrt(AddScalar(ReduceSum(Square(x), -1), -1)) })
		out, err := CallOnceN(b, func(key, x *Node) []*Node {
			rng := func() *ebm.Rand { return ebm.NewRand(key, Const(x.Graph(), int32(5))) }
			thrown := EnergyMatching{Energy: steep, Contrast: 2, Steps: 2, FromNoise: -1}.Loss(x, rng())
			none := EnergyMatching{Energy: broken}.Loss(x, rng())
			return []*Node{thrown.NonFinite, thrown.Samples, none.Loss}
		}, []uint32{1, 2}, emX1)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if bad := out[0].Value().(int32); bad != 1 {
			t.Errorf("%d chains went wrong, want 1", bad)
		}
		if back := out[1].Value().([][]float64)[0]; !slices.Equal(back, emX1[0]) {
			t.Errorf("the chain that went wrong is at %v, want it back at %v", back, emX1[0])
		}
		if loss := out[2].Value().(float64); !math.IsNaN(loss) {
			t.Errorf("the loss is %g, want NaN", loss)
		}
	})
}

// The first phase fits into a loop, and nothing in the second is a Sort or the like, which would not go into a user's loop either.
func TestEnergyMatchingFitsInLoop(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, l := range []EnergyMatching{{}, {Contrast: 1, Steps: 2}} {
			l.Energy = wavy
			fitsInLoop(t, b, l, false)
		}
	})
}

// Two phases from N(0, 1) to N(4, 0.5²), which are far enough apart for one field: after the second the chains sample the data, and stay.
func TestEnergyMatchingTrains(t *testing.T) {
	const mean, std = 4, gaussStd
	data := gauss(4096)
	for i := range data.X {
		data.X[i] += mean - gaussMean
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		em := EnergyMatching{Energy: nn.MLPEnergy(store.Scope("/v"), 16, 16), Paired: true, Steps: 30, StepSize: 0.05, Heat: ebm.Temperature{Max: 0.5}, Trim: -1, Floor: -1}
		pairs := &flow.Paired{Data: &datasets.Batches{Data: data, Size: 64}, Coupling: flow.ExactOT{}}
		o := ebm.TrainOptions{Steps: 400, LearningRate: 3e-3, Seed: 1}
		report, err := ebm.Train(context.Background(), b, store, em, pairs, o)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		last := report.History[len(report.History)-1]
		if !math.IsNaN(last.Negatives) {
			t.Errorf("the first phase has negatives, of energy %g", last.Negatives)
		}
		em.Contrast, o.Steps = 10, 700
		if report, err = ebm.Train(context.Background(), b, store, em, pairs, o); err != nil {
			t.Fatalf("%+v", err)
		}
		last = report.History[len(report.History)-1]
		t.Logf("loss %.3f, energies %.3f apart", last.Loss, last.Gap())
		if report.Steps != 700 {
			t.Errorf("%d steps were taken, want 700", report.Steps)
		}
		sampler, err := ebm.NewSampler(b, store, em.Energy, samplers.Langevin{StepSize: ebm.Fixed(0.05), Noise: ebm.Temperature{Max: 0.5, Steps: 20}})
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		for _, until := range []int{40, 200} {
			out, err := sampler.Sample(context.Background(), ebm.Options{Chains: 2000, Dim: 1, Steps: until, Seed: 2})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			m, v := stat.MeanVariance(floats(out.X), nil)
			t.Logf("at t = %g: mean %.3f, standard deviation %.3f", 0.05*float64(until), m, math.Sqrt(v))
			if math.Abs(m-mean) > 0.3 || math.Abs(math.Sqrt(v)-std) > 0.15 {
				t.Errorf("at t = %g the samples have mean %.3f and standard deviation %.3f, want %d and %g", 0.05*float64(until), m, math.Sqrt(v), mean, std)
			}
		}
	})
}

func floats(x *tensors.Tensor) (out []float64) {
	for _, v := range tensors.MustCopyFlatData[float32](x) {
		out = append(out, float64(v))
	}
	return out
}

// A training that stops in its second phase and is resumed is, bit by bit, one that never stopped.
func TestEnergyMatchingResumes(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		parts := func(store *model.Store) (ebm.Loss, train.Dataset) {
			return EnergyMatching{Energy: nn.MLPEnergy(store.Scope("/v"), 8), Paired: true, Contrast: 2, Steps: 12},
				&flow.Paired{Data: &datasets.Batches{Data: gauss(200), Size: 32, Seed: 1}, Seed: 2}
		}
		whole, halves := trainedTo(t, b, parts, t.TempDir(), 9), trainedTo(t, b, parts, t.TempDir(), 4, 9)
		if len(whole) == 0 || !slices.Equal(whole, halves) {
			t.Errorf("the weights differ: %v and %v", whole, halves)
		}
	})
}

func TestEnergyMatchingBadSettings(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		refused(t, b, map[string]EnergyMatching{
			"EnergyMatching: Energy is nil": {},
			"EnergyMatching: Contrast must not be negative, and Contrast and Sigma finite, got Con": {Energy: wavy, Contrast: -1},
			"Contrast +Inf, Sigma 0.1, Floor 0.02":                                                  {Energy: wavy, Contrast: math.Inf(1)},
			"Contrast 0, Sigma NaN, Floor 0.02":                                                     {Energy: wavy, Sigma: math.NaN()},
			"EnergyMatching: Cutoff must be in (0, 1], got -1":                                      {Energy: wavy, Cutoff: -1},
			"EnergyMatching: Cutoff must be in (0, 1], got 1.5":                                     {Energy: wavy, Cutoff: 1.5},
			"EnergyMatching: Steps and StepSize must be positive, got -1 and 0.01":                  {Energy: wavy, Steps: -1},
			"EnergyMatching: Steps and StepSize must be positive, got 200 and -0.5":                 {Energy: wavy, StepSize: -0.5},
			"EnergyMatching: Heat.Max must be positive, got -2":                                     {Energy: wavy, Heat: ebm.Temperature{Max: -2}},
			"EnergyMatching: FromNoise and Trim are shares, at most 1 and less than 1, got 1.5 and": {Energy: wavy, FromNoise: 1.5},
			"at most 1 and less than 1, got 0.5 and 1":                                              {Energy: wavy, Trim: 1},
			"Temperature: Tau must be less than 1, got 2":                                           {Energy: wavy, Contrast: 1, Steps: 1, Heat: ebm.Temperature{Tau: 2}},
			"EnergyMatching: Paired needs noise like the data":                                      {Energy: wavy, Paired: true},
			"AlongRows: want one number for each row":                                               {Energy: wavy, Weight: func(t *Node, _ flow.Coeffs) *Node { return ReduceAllMean(t) }},
		})
		// Train says it too, before anything is built.
		data := &datasets.Batches{Data: gauss(64), Size: 32}
		_, err := ebm.Train(context.Background(), b, model.NewStore(), EnergyMatching{Contrast: 1}, data, ebm.TrainOptions{Steps: 1})
		if err == nil || !strings.Contains(err.Error(), "EnergyMatching: Energy is nil") {
			t.Errorf("got the error %v, want one about the energy", err)
		}
	})
}
