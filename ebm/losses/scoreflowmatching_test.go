package losses

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
)

// The loss against its sum in float64, in the paper's own terms: the mean μ, the width σ_t and its derivative, for the fields
// v = x + t·c and s = −2x + c with c the conditioning.
func TestScoreFlowMatchingBruteForce(t *testing.T) {
	x0, x1 := [][]float64{{0.5, -1}, {1.2, 0.3}, {-0.4, 0.9}}, [][]float64{{1, 2}, {-1, 0.5}, {0.3, -0.8}}
	eps, slope := [][]float64{{0.7, -0.2}, {-1.1, 0.4}, {0.3, 1.9}}, [][]float64{{1, 2}, {-3, 0.5}, {0.2, 0.1}}
	times, weights := []float64{0.02, 0.6, 0.93}, []float64{0.5, 2, 0.5}
	v := ebm.FieldFunc(func(x, t *Node, cond ...*Node) *Node { return Add(x, Mul(ExpandAxes(t, -1), cond[0])) })
	s := ebm.FieldFunc(func(x, _ *Node, cond ...*Node) *Node { return Add(MulScalar(x, -2), cond[0]) })
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct{ sigma, scoreWeight float64 }{{0, 0}, {0.7, 3}} {
			for _, weighted := range []bool{false, true} {
				sigma, scoreWeight := c.sigma, c.scoreWeight
				if sigma == 0 {
					sigma, scoreWeight = 1, 1
				}
				var flows, scores float64
				for i, at := range times {
					width := sigma * math.Sqrt(at*(1-at))
					w := 1.0
					if weighted {
						w = weights[i]
					}
					for k := range 2 {
						mean := at*x1[i][k] + (1-at)*x0[i][k]
						x := mean + width*eps[i][k]
						u := (1-2*at)/(2*at*(1-at))*(x-mean) + x1[i][k] - x0[i][k]
						flows += w * math.Pow(x+at*slope[i][k]-u, 2) / 6
						score, lambda := (mean-x)/(width*width), 2*width/(sigma*sigma)
						scores += w * math.Pow(lambda*(-2*x+slope[i][k]-sigma*sigma/2*score), 2) / 6
					}
				}
				for _, l := range []ScoreFlowMatching{{Velocity: v, Score: s}, {Velocity: v}} {
					l.Sigma, l.ScoreWeight = c.sigma, c.scoreWeight
					want := flows
					if l.Score != nil {
						want += scoreWeight * scores
					}
					got, err := CallOnce(b, func(x0, x1, t, eps, w, c *Node) *Node {
						if !weighted {
							w = nil
						}
						return Identity(l.match(x0, x1, t, eps, w, []*Node{c}))
					}, x0, x1, times, eps, weights, slope)
					if err != nil {
						t.Fatalf("%+v", err)
					}
					eqmNear(t, fmt.Sprintf("%v, weighted %t, score %t", c, weighted, l.Score != nil), got.Value().(float64), want, 1e-13)
				}
			}
		}
	})
}

// The gradient of the weights against five-point differences of the loss; the two fields are one and its half, on the same weights.
func TestScoreFlowMatchingWeightGradient(t *testing.T) {
	x0, x1, times := [][]float64{{0.5, -1}, {1.2, 0.3}, {-0.4, 0.9}}, [][]float64{{1, 2}, {-1, 0.5}, {0.3, -0.8}}, []float64{0.2, 0.6, 0.93}
	eps := [][]float64{{0.7, -0.2}, {-1.1, 0.4}, {0.3, 1.9}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		velocity := eqmField{store}
		l := ScoreFlowMatching{Velocity: velocity, Sigma: 0.7, Score: ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node {
			return MulScalar(velocity.Field(x, t), 0.5)
		})}
		exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
			loss := l.match(in[0], in[1], in[2], in[3], Const(in[0].Graph(), []float64{0.2, 1.8, 1}), nil)
			var weights []*Node
			for _, name := range eqmWeights {
				weights = append(weights, store.GetVariable("/field/"+name).NodeValue(loss.Graph()))
			}
			return append([]*Node{Identity(loss)}, Gradient(loss, weights...)...)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		call := func() []*tensors.Tensor {
			out, err := exec.Call(x0, x1, times, eps)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			return out
		}
		var grads [][]float64
		for _, g := range call()[1:] {
			grads = append(grads, tensors.MustCopyFlatData[float64](g))
		}
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
					return tensors.ToScalar[float64](call()[0])
				}
				const h = 1e-3
				want := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
				at(0)
				eqmNear(t, fmt.Sprintf("d loss/d%s[%d]", name, k), grads[i][k], want, 1e-8)
			}
		}
	})
}

const bridgeSigma = 0.8

// bridge is the closed form from N(0, 1) to N(m, s²), independent: p_t is normal with the mean tm and the variance
// V = (1−t)² + t²s² + σ²t(1−t), so that v = m + V̇/(2V)·(x − tm) and s = −σ²/(2V)·(x − tm).
func bridge(scaleV, scaleS float64) ScoreFlowMatching {
	field := func(of func(t, variance *Node) *Node, add, scale float64) ebm.Field {
		return ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node {
			t = ExpandAxes(t, -1)
			rest := OneMinus(t)
			variance := Add(Add(Square(rest), MulScalar(Square(t), gaussStd*gaussStd)), MulScalar(Mul(t, rest), bridgeSigma*bridgeSigma))
			return MulScalar(AddScalar(Mul(Div(of(t, variance), MulScalar(variance, 2)), Sub(x, MulScalar(t, gaussMean))), add), scale)
		})
	}
	growth := func(t, _ *Node) *Node { // V̇
		return Add(AddScalar(MulScalar(t, 2*gaussStd*gaussStd+2), -2), MulScalar(OneMinus(MulScalar(t, 2)), bridgeSigma*bridgeSigma))
	}
	noise := func(_, variance *Node) *Node { return MulScalar(OnesLike(variance), -bridgeSigma*bridgeSigma) }
	return ScoreFlowMatching{Velocity: field(growth, gaussMean, scaleV), Score: field(noise, 0, scaleS), Sigma: bridgeSigma}
}

// No other scale of the closed form's fields has less loss.
func TestScoreFlowMatchingGaussian(t *testing.T) {
	const n = 100_000
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out, err := CallOnceN(b, func(key, x *Node) (all []*Node) {
			for _, c := range [][2]float64{{1, 1}, {1.1, 1}, {0.9, 1}, {1, 1.2}, {1, 0.8}} { // the same draws for each
				all = append(all, bridge(c[0], c[1]).Loss(x, ebm.NewRand(key, Const(x.Graph(), int32(3)))).Loss)
			}
			return all
		}, []uint32{5, 6}, tensors.FromFlatDataAndDimensions(gauss(n).X, n, 1))
		if err != nil {
			t.Fatalf("%+v", err)
		}
		least := out[0].Value().(float32)
		for i, o := range out[1:] {
			if v := o.Value().(float32); v <= least {
				t.Errorf("changed fields, %d, have the loss %g, less than %g", i, v, least)
			}
		}
	})
}

// The closed form's process leads to the data, and back, and with noise of twice the score it would not.
func TestScoreFlowMatchingProcess(t *testing.T) {
	const chains, steps = 20_000, 100
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		end := func(k ebm.Kernel, start *tensors.Tensor, seed uint64) (mean, variance float64, x *tensors.Tensor) {
			sampler, err := ebm.NewSampler(b, nil, flow.NoEnergy, k)
			if err != nil {
				t.Fatal(err)
			}
			defer sampler.Finalize()
			out, err := sampler.Sample(context.Background(), ebm.Options{Start: start, Steps: steps, Seed: seed, Summaries: true})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			last := len(out.Summary.Mean) - 1
			return out.Summary.Mean[last][0], out.Summary.Var[last][0], out.X
		}
		check := func(what string, mean, variance, wantMean, wantVariance float64) {
			// Four standard errors, and the bias of Euler's steps, of the order of their length.
			if math.Abs(mean-wantMean) > 0.03+2.0/steps || math.Abs(variance-wantVariance) > (0.04+3.0/steps)*wantVariance {
				t.Errorf("%s ends at N(%.3f, %.3f), want N(%.3f, %.3f)", what, mean, variance, wantMean, wantVariance)
			}
		}
		noise := gauss(chains).X
		for i := range noise {
			noise[i] = (noise[i] - gaussMean) / gaussStd
		}
		std := tensors.FromFlatDataAndDimensions(noise, chains, 1)
		l := bridge(1, 1)
		mean, variance, x := end(l.Forward(steps), std, 3)
		check("Forward", mean, variance, gaussMean, gaussStd*gaussStd)
		mean, variance, _ = end(l.Backward(steps), x, 4) // the noise that x was made with is not independent of it
		check("Backward", mean, variance, 0, 1)
		if _, variance, _ = end(bridge(1, 2).Forward(steps), std, 3); variance > 0.8*gaussStd*gaussStd {
			t.Errorf("with twice the score Forward ends with the variance %.3f, want it far too small", variance)
		}
	})
}

// Nothing in the loss keeps training from taking many steps in one loop on XLA; and Paired takes the place of the noise.
func TestScoreFlowMatchingFitsInLoop(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		field := ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node { return Mul(x, ExpandAxes(t, -1)) })
		l := ScoreFlowMatching{Velocity: field, Score: field, Paired: true}
		fitsInLoop(t, b, l, true)

		out, err := CallOnceN(b, func(key, x0, x1 *Node) []*Node {
			rng := func() *ebm.Rand { return ebm.NewRand(key, Const(key.Graph(), int32(3))) }
			own := rng()
			at := flow.UniformTimes{From: 1e-3, To: 0.999}.Draw(own, shapes.Make(dtypes.Float64, 2))
			return []*Node{l.Loss(x1, rng(), x0, OnesLike(at)).Loss, l.match(x0, x1, at, own.Normal(x1.Shape()), nil, nil)}
		}, []uint32{1, 2}, [][]float64{{1, 2}, {3, -4}}, [][]float64{{0.5, 1}, {-1, 2}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		eqmNear(t, "the paired loss", out[0].Value().(float64), out[1].Value().(float64), 1e-12)
	})
}

func TestScoreFlowMatchingBadSettings(t *testing.T) {
	plain := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return x })
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		refused(t, b, map[string]ScoreFlowMatching{
			"ScoreFlowMatching: Velocity is nil":                                   {Score: plain},
			"ScoreFlowMatching: Sigma must be positive and finite, got -1":         {Velocity: plain, Sigma: -1},
			"ScoreFlowMatching: ScoreWeight must be positive and finite, got +Inf": {Velocity: plain, Score: plain, ScoreWeight: math.Inf(1)},
			"ScoreFlowMatching: Paired needs noise like the data":                  {Velocity: plain, Paired: true},
			"UniformTimes: want 0 ≤ From < To ≤ 1, got 0.5 and 0.2":                {Velocity: plain, Times: flow.UniformTimes{From: 0.5, To: 0.2}},
			"Field: the field of x":                                                {Velocity: plain, Score: ebm.FieldFunc(func(_, t *Node, _ ...*Node) *Node { return t })},
		})
	})
	for name, process := range map[string]func(int) flow.NoisySteps{"Forward": ScoreFlowMatching{Velocity: plain}.Forward, "Backward": ScoreFlowMatching{Score: plain}.Backward} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "the SDE needs Velocity and Score") {
					t.Errorf("%s without a field: got %v", name, r)
				}
			}()
			process(10)
		}()
	}
}
