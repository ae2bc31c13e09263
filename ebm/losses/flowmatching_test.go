package losses

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/nn"
)

// The loss against its sum in float64, for the field f(x, t) = x + t·c with c its conditioning.
func TestFlowMatchingBruteForce(t *testing.T) {
	x0, x1 := [][]float64{{0.5, -1}, {1.2, 0.3}, {-0.4, 0.9}}, [][]float64{{1, 2}, {-1, 0.5}, {0.3, -0.8}}
	times, weights, slope := []float64{0.2, 0.6, 0.93}, []float64{0.5, 2, 0.5}, [][]float64{{1, 2}, {-3, 0.5}, {0.2, 0.1}}
	paths := map[string]struct {
		path flow.Interpolant
		at   func(t float64) (a, da, s, ds float64)
	}{
		"Linear": {nil, func(t float64) (a, da, s, ds float64) { return t, 1, 1 - t, -1 }},
		"Cosine": {flow.Cosine{}, func(t float64) (a, da, s, ds float64) {
			sin, cos := math.Sincos(math.Pi / 2 * t)
			return sin, math.Pi / 2 * cos, cos, -math.Pi / 2 * sin
		}},
		"VarianceExploding": {flow.VarianceExploding{SigmaMax: 2}, func(t float64) (a, da, s, ds float64) {
			s = 2 * math.Pow(0.005, t)
			return 1, 0, s, s * math.Log(0.005)
		}},
	}
	field := ebm.FieldFunc(func(x, t *Node, cond ...*Node) *Node { return Add(x, Mul(ExpandAxes(t, -1), cond[0])) })
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, p := range paths {
			for _, predict := range []flow.Quantity{flow.Velocity, flow.Score, flow.Noise, flow.Data} {
				for _, weighted := range []bool{false, true} {
					want := 0.0
					for i, at := range times {
						a, da, s, ds := p.at(at)
						for k := range 2 {
							f := a*x1[i][k] + s*x0[i][k] + at*slope[i][k]
							miss := map[flow.Quantity]float64{flow.Velocity: f - da*x1[i][k] - ds*x0[i][k], flow.Score: s * (f + x0[i][k]/s),
								flow.Noise: f - x0[i][k], flow.Data: f - x1[i][k]}[predict]
							w := 1.0
							if weighted {
								w = weights[i] * (1 + at*a)
							}
							want += w * miss * miss / 6
						}
					}
					l := FlowMatching{Field: field, Interpolant: p.path, Predict: predict}
					if weighted {
						l.Weight = func(t *Node, path flow.Coeffs) *Node { return AddScalar(Mul(t, path.Alpha), 1) }
					}
					got, err := CallOnce(b, func(x0, x1, t, w, c *Node) *Node {
						if !weighted {
							w = nil
						}
						return Identity(l.match(x0, x1, t, nil, w, []*Node{c}))
					}, x0, x1, times, weights, slope)
					if err != nil {
						t.Fatalf("%+v", err)
					}
					eqmNear(t, fmt.Sprintf("%s, %s, weighted %t", name, predict, weighted), got.Value().(float64), want, 1e-13)
				}
			}
		}
	})
}

// Paired inputs take the place of the noise, and a plain batch has its own: the two agree where the noise is the same.
func TestFlowMatchingPaired(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		field := ebm.FieldFunc(func(x, t *Node, cond ...*Node) *Node { return Add(Mul(x, cond[0]), ExpandAxes(t, -1)) })
		out, err := CallOnceN(b, func(key, x, scale *Node) []*Node {
			step := Const(x.Graph(), int32(3))
			plain := FlowMatching{Field: field}.Loss(x, ebm.NewRand(key, step), scale).Loss
			rng := ebm.NewRand(key, step)
			noise, given := rng.Normal(x.Shape()), ebm.NewRand(key, step)
			given.Normal(x.Shape()) // so that the times are the same draw
			paired := FlowMatching{Field: field, Paired: true}.Loss(x, given, noise, OnesLike(Reshape(Slice(scale, AxisRange(), AxisRange(0, 1)), -1)), scale).Loss
			return []*Node{plain, paired}
		}, []uint32{1, 2}, [][]float64{{1, 2}, {3, -4}, {0, 1}}, [][]float64{{1, 2}, {0, 1}, {-1, 1}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		eqmNear(t, "the paired loss", out[1].Value().(float64), out[0].Value().(float64), 0)
	})
}

// With Sigma the point is moved and the velocity is not; and a loss draws its own blur, after the noise and the times.
func TestFlowMatchingSigma(t *testing.T) {
	x0, x1, eps := [][]float64{{0.5, -1}, {1.2, 0.3}}, [][]float64{{1, 2}, {-1, 0.5}}, [][]float64{{0.7, -0.2}, {-1.1, 0.4}}
	times, weights, want := []float64{0.2, 0.6}, []float64{0.5, 1.5}, 0.0
	for i, at := range times {
		for k := range 2 {
			miss := 2*(at*x1[i][k]+(1-at)*x0[i][k]+0.3*eps[i][k]) - (x1[i][k] - x0[i][k])
			want += weights[i] * miss * miss / 4
		}
	}
	l := FlowMatching{Field: ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return MulScalar(x, 2) }), Sigma: 0.3}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out, err := CallOnceN(b, func(x0, x1, t, eps, w, key *Node) []*Node {
			rng := func() *ebm.Rand { return ebm.NewRand(key, Const(key.Graph(), int32(3))) }
			own := rng()
			noise := own.Normal(x1.Shape())
			at := flow.UniformTimes{}.Draw(own, t.Shape())
			return []*Node{l.match(x0, x1, t, eps, w, nil), l.Loss(x1, rng()).Loss, l.match(noise, x1, at, own.Normal(x1.Shape()), nil, nil)}
		}, x0, x1, times, eps, weights, []uint32{1, 2})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		eqmNear(t, "the loss", out[0].Value().(float64), want, 1e-13)
		eqmNear(t, "the loss of drawn noise", out[1].Value().(float64), out[2].Value().(float64), 0)
	})
}

// The gradient of the weights against five-point differences of the loss.
func TestFlowMatchingWeightGradient(t *testing.T) {
	x0, x1, times := [][]float64{{0.5, -1}, {1.2, 0.3}, {-0.4, 0.9}}, [][]float64{{1, 2}, {-1, 0.5}, {0.3, -0.8}}, []float64{0.2, 0.6, 0.93}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, l := range []FlowMatching{{}, {Interpolant: flow.Cosine{}, Predict: flow.Noise}, {Predict: flow.Score}, {Predict: flow.Data}} {
			store := model.NewStore()
			l.Field = eqmField{store}
			exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
				loss := l.match(in[0], in[1], in[2], nil, Const(in[0].Graph(), []float64{0.2, 1.8, 1}), nil)
				var weights []*Node
				for _, name := range eqmWeights {
					weights = append(weights, store.GetVariable("/field/"+name).NodeValue(loss.Graph()))
				}
				return append([]*Node{Identity(loss)}, Gradient(loss, weights...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			value := func() (float64, [][]float64) {
				out, err := exec.Call(x0, x1, times)
				if err != nil {
					t.Fatalf("%+v", err)
				}
				var grads [][]float64
				for _, g := range out[1:] {
					grads = append(grads, tensors.MustCopyFlatData[float64](g))
				}
				return tensors.ToScalar[float64](out[0]), grads
			}
			_, grads := value()
			for i, name := range eqmWeights {
				v := store.GetVariable("/field/" + name)
				start := tensors.MustCopyFlatData[float64](v.MustValue())
				for k := range start {
					at := func(shift float64) float64 {
						moved := slices.Clone(start)
						moved[k] += shift
						if err := v.SetValue(tensors.FromFlatDataAndDimensions(moved, v.Shape().Dimensions...)); err != nil {
							t.Fatal(err)
						}
						loss, _ := value()
						return loss
					}
					const h = 1e-3
					want := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
					at(0)
					eqmNear(t, fmt.Sprintf("%s: d loss/d%s[%d]", l.Predict, name, k), grads[i][k], want, 1e-8)
				}
			}
			exec.Finalize()
		}
	})
}

const gaussMean, gaussStd = 1.5, 0.5 // of the data N(m, s²) that the closed forms are of

// gaussVelocity is E[u_t | x] on the straight path to N(m, s²), from independent noise.
func gaussVelocity(x, t float64) float64 {
	a, s := t, 1-t
	return gaussMean + (a*gaussStd*gaussStd-s)/(a*a*gaussStd*gaussStd+s*s)*(x-a*gaussMean)
}

// gaussLeast is the loss of that velocity: the mean over t of Var(u_t | x) = s²/(t²s² + (1−t)²), whose integral is sπ/2.
const gaussLeast = gaussStd * math.Pi / 2

// gauss has n quantiles of the data.
func gauss(n int) *datasets.Data {
	d := &datasets.Data{Name: "gauss", Dim: 1}
	for i := range n {
		d.X = append(d.X, float32(gaussMean+gaussStd*math.Sqrt2*math.Erfinv(2*(float64(i)+0.5)/float64(n)-1)))
	}
	return d
}

// The closed form of the field has the loss that it is known to have, and no other scale or shift of it has less.
func TestFlowMatchingGaussian(t *testing.T) {
	field := func(scale, shift float64) ebm.Field {
		return ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node {
			c := flow.Linear{}.At(ExpandAxes(t, -1))
			variance := Add(MulScalar(Square(c.Alpha), gaussStd*gaussStd), Square(c.Sigma))
			slope := Div(Sub(MulScalar(c.Alpha, gaussStd*gaussStd), c.Sigma), variance)
			v := AddScalar(Mul(slope, Sub(x, MulScalar(c.Alpha, gaussMean))), gaussMean)
			return AddScalar(MulScalar(v, scale), shift)
		})
	}
	const n = 100_000
	shuffled, err := gauss(n).Take(datasets.Order(1, 0, n)) // times that are spread go up with the rows
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x := tensors.FromFlatDataAndDimensions(slices.Clone(shuffled.X), n, 1)
		for name, times := range map[string]flow.Times{"independent": nil, "spread": flow.UniformTimes{Spread: true}} {
			out, err := CallOnceN(b, func(key, x *Node) (all []*Node) {
				for _, c := range [][2]float64{{1, 0}, {1.05, 0}, {0.95, 0}, {1, 0.1}, {1, -0.1}} { // the same draws for each
					l := FlowMatching{Field: field(c[0], c[1]), Times: times}
					all = append(all, l.Loss(x, ebm.NewRand(key, Const(x.Graph(), int32(3)))).Loss)
				}
				return all
			}, []uint32{5, 6}, x)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			least := float64(out[0].Value().(float32))
			// A term is at most (1 + s²)·z² or so, of variance 2·(1 + s²)²: five standard errors.
			if bound := 5 * 1.25 * math.Sqrt(2.0/n); math.Abs(least-gaussLeast) > bound {
				t.Errorf("%s: the loss is %g, want %g to within %g", name, least, gaussLeast, bound)
			}
			for i, o := range out[1:] {
				if v := float64(o.Value().(float32)); v <= least {
					t.Errorf("%s: a changed field, %d, has the loss %g, less than %g", name, i, v, least)
				}
			}
		}
	})
}

// A trained network is the closed form: of independent pairs, and of optimal ones, where the paths are straight,
// v(x, t) = m + (s−1)·x₀ with x = (1−t)x₀ + t(m + s·x₀), and the loss falls to almost nothing.
func TestFlowMatchingTrains(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, c := range map[string]struct {
			coupling flow.Coupling
			want     func(x, t float64) float64
			loss     float64
		}{
			"independent": {nil, gaussVelocity, gaussLeast},
			"exact": {flow.ExactOT{}, func(x, t float64) float64 {
				return gaussMean + (gaussStd-1)*(x-t*gaussMean)/(1-t+t*gaussStd)
			}, 0},
		} {
			store := model.NewStore()
			l := FlowMatching{Field: nn.MLPField{Scope: store.Scope("/field"), Widths: []int{24, 24}, Timed: true}, Times: flow.UniformTimes{Spread: true}}
			batches := &datasets.Batches{Data: gauss(4096), Size: 128}
			o := ebm.TrainOptions{Steps: 800, Schedule: ebm.Cosine{Start: 2e-2, Steps: 800}, Seed: 1}
			var report *ebm.TrainReport
			var err error
			if c.coupling == nil {
				report, err = ebm.Train(context.Background(), b, store, l, batches, o)
			} else {
				l.Paired = true
				report, err = ebm.Train(context.Background(), b, store, l, &flow.Paired{Data: batches, Coupling: c.coupling}, o)
			}
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			if got := report.History[len(report.History)-1].Loss; math.Abs(got-c.loss) > 0.08 {
				t.Errorf("%s: the loss is %.3f, want %.3f", name, got, c.loss)
			}
			worst := 0.0
			for _, at := range []float64{0.1, 0.3, 0.5, 0.7, 0.9} {
				spread := math.Sqrt((1-at)*(1-at) + at*at*gaussStd*gaussStd)
				if c.coupling != nil {
					spread = 1 - at + at*gaussStd
				}
				var points []float32
				for _, z := range []float64{-1.5, -1, -0.5, 0, 0.5, 1, 1.5} {
					points = append(points, float32(at*gaussMean+spread*z))
				}
				v, err := ebm.EvaluateField(b, store, l.Field, tensors.FromFlatDataAndDimensions(points, len(points), 1), at)
				if err != nil {
					t.Fatal(err)
				}
				for i, row := range v.Value().([][]float32) {
					worst = max(worst, math.Abs(float64(row[0])-c.want(float64(points[i]), at)))
				}
			}
			t.Logf("%s: the largest error of the field is %.3f", name, worst)
			if worst > 0.25 {
				t.Errorf("%s: the field is off by %.3f", name, worst)
			}
		}
	})
}

// A training on paired data that stops and is resumed is, bit by bit, one that never stopped.
func TestFlowMatchingResumes(t *testing.T) {
	moons, err := datasets.TwoMoons{N: 200}.Generate()
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		parts := func(store *model.Store) (ebm.Loss, train.Dataset) {
			return FlowMatching{Field: nn.MLPField{Scope: store.Scope("/field"), Widths: []int{8}, Timed: true, Classes: 2}, Paired: true},
				&flow.Paired{Data: &datasets.Batches{Data: moons, Size: 32, Labels: true, Seed: 1}, Coupling: flow.ConditionAware{Of: flow.Sinkhorn{}}, Seed: 2}
		}
		whole, halves := trainedTo(t, b, parts, t.TempDir(), 17), trainedTo(t, b, parts, t.TempDir(), 8, 17)
		if len(whole) == 0 || !slices.Equal(whole, halves) {
			t.Errorf("the weights differ: %v and %v", whole, halves)
		}
	})
}

// Nothing in the loss keeps training from taking many steps in one loop on XLA.
func TestFlowMatchingFitsInLoop(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, l := range []FlowMatching{{}, {Sigma: 0.1}, {Paired: true, Interpolant: flow.EDM{}, Times: flow.UniformTimes{Spread: true}, Predict: flow.Score},
			{Interpolant: flow.VariancePreserving{}, Times: flow.LogNormalTimes{}, Predict: flow.Data}} {
			l.Field = ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node { return Mul(x, ExpandAxes(t, -1)) })
			fitsInLoop(t, b, l, true)
		}
	})
}

func TestTimes(t *testing.T) {
	const n = 10_000
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		draw := func(d flow.Times, dtype dtypes.DType) []float64 {
			out, err := CallOnce(b, func(key *Node) *Node {
				return ConvertDType(d.Draw(ebm.NewRand(key, Const(key.Graph(), int32(1))), shapes.Make(dtype, n)), dtypes.Float64)
			}, []uint32{3, 4})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			times := out.Value().([]float64)
			slices.Sort(times)
			return times
		}
		cdf := func(w, mean, std float64) float64 { return math.Erfc((w-mean)/std/math.Sqrt2) / 2 } // t grows as w falls
		for name, c := range map[string]struct {
			d   flow.Times
			cdf func(t float64) float64
			tol float64
		}{
			"uniform":    {flow.UniformTimes{}, func(t float64) float64 { return t }, 2 / math.Sqrt(n)},
			"stretch":    {flow.UniformTimes{From: 0.2, To: 0.7}, func(t float64) float64 { return (t - 0.2) / 0.5 }, 2 / math.Sqrt(n)},
			"spread":     {flow.UniformTimes{Spread: true}, func(t float64) float64 { return t }, 1.01 / n},
			"log-normal": {flow.LogNormalTimes{}, func(t float64) float64 { return cdf(math.Log((1-t)/t), 0, 1) }, 2 / math.Sqrt(n)},
			"EDM":        {flow.LogNormalTimes{Mean: -1.2, Std: 1.2}, func(t float64) float64 { return cdf(math.Log((1-t)/t), -1.2, 1.2) }, 2 / math.Sqrt(n)},
			"func": {flow.TimesFunc(func(rng *ebm.Rand, shape shapes.Shape) *Node { return Square(rng.Uniform(shape)) }),
				math.Sqrt, 2 / math.Sqrt(n)},
		} {
			for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
				worst := 0.0
				times := draw(c.d, dtype)
				for i, v := range times {
					worst = max(worst, math.Abs(c.cdf(v)-(float64(i)+0.5)/n))
				}
				if !(worst < c.tol) || !(times[0] > 0 && times[n-1] < 1) {
					t.Errorf("%s, %s: the times, from %g to %g, are off by %g, want %g", name, dtype, times[0], times[n-1], worst, c.tol)
				}
			}
		}
	})
}

func TestFlowMatchingBadSettings(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		plain := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return x })
		refused(t, b, map[string]FlowMatching{
			"FlowMatching: Field is nil": {},
			"FlowMatching: Predict must be flow.Velocity, Score, Noise or Data, got 9":                                       {Field: plain, Predict: 9},
			"FlowMatching: Sigma must be finite and not negative, and 0 unless Predict is the velocity, got -1 and velocity": {Field: plain, Sigma: -1},
			"FlowMatching: Sigma must be finite and not negative, and 0 unless Predict is the velocity, got 0.1 and noise":   {Field: plain, Sigma: 0.1, Predict: flow.Noise},
			"FlowMatching: Paired needs noise like the data":                                                                 {Field: plain, Paired: true},
			"UniformTimes: want 0 ≤ From < To ≤ 1, got 0.5 and 0.2":                                                          {Field: plain, Times: flow.UniformTimes{From: 0.5, To: 0.2}},
			"LogNormalTimes: want a finite Mean and a positive, finite Std, got 0 and":                                       {Field: plain, Times: flow.LogNormalTimes{Std: -1}},
			"AlongRows: want one number for each row":                                                                        {Field: plain, Weight: func(t *Node, _ flow.Coeffs) *Node { return ReduceAllMean(t) }},
			"Field: the field of x": {Field: ebm.FieldFunc(func(_, t *Node, _ ...*Node) *Node { return t })},
		})
	})
}
