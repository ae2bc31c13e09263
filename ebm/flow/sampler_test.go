package flow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat/distuv"
)

// twoBumps are data of which everything is known: on a path with noise N(0, I) the density at each time is a mixture
// of N(αμₖ, α²s² + σ²). d numbers a point, all of a mean alike.
type twoBumps struct {
	weights, means []float64
	std            float64
}

var bumps = twoBumps{[]float64{0.3, 0.7}, []float64{-1.5, 1}, 0.5}

// field is any quantity of the bumps on a path, finite at both ends but for the score where σ is 0.
func (m twoBumps) field(path flow.Interpolant, q flow.Quantity) ebm.Field {
	return ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node {
		c := path.At(t)
		wide := func(v *Node) *Node { return flow.AlongRows(v, x) }
		variance := wide(Add(MulScalar(Square(c.Alpha), m.std*m.std), Square(c.Sigma)))
		var logits []*Node
		for k, mean := range m.means {
			off := Sub(x, MulScalar(wide(c.Alpha), mean))
			logits = append(logits, AddScalar(MulScalar(ReduceSum(Div(Square(off), variance), 1), -0.5), math.Log(m.weights[k])))
		}
		share := Softmax(Stack(logits, 1), 1) // [n, K]
		var total *Node
		for k, mean := range m.means {
			off := Div(Sub(x, MulScalar(wide(c.Alpha), mean)), variance)
			data := AddScalar(Mul(MulScalar(wide(c.Alpha), m.std*m.std), off), mean)
			noise := Mul(wide(c.Sigma), off)
			value := map[flow.Quantity]func() *Node{
				flow.Velocity: func() *Node { return Add(Mul(wide(c.DAlpha), data), Mul(wide(c.DSigma), noise)) },
				flow.Score:    func() *Node { return Neg(off) },
				flow.Noise:    func() *Node { return noise },
				flow.Data:     func() *Node { return data },
			}[q]()
			term := Mul(wide(Squeeze(Slice(share, AxisRange(), AxisElem(k)), 1)), value)
			if total == nil {
				total = term
			} else {
				total = Add(total, term)
			}
		}
		return total
	})
}

// logDensity is the data's, of points of d numbers.
func (m twoBumps) logDensity(x []float64) float64 {
	sum := 0.0
	for k, mean := range m.means {
		p := m.weights[k]
		for _, v := range x {
			p *= distuv.Normal{Mu: mean, Sigma: m.std}.Prob(v)
		}
		sum += p
	}
	return math.Log(sum)
}

// distance is the largest between the distribution functions of a sample of single numbers and of the data.
func (m twoBumps) distance(x [][]float32) (most float64) {
	sorted := make([]float64, len(x))
	for i := range x {
		sorted[i] = float64(x[i][0])
	}
	slices.Sort(sorted)
	for i, v := range sorted {
		cdf := 0.0
		for k, mean := range m.means {
			cdf += m.weights[k] * distuv.Normal{Mu: mean, Sigma: m.std}.CDF(v)
		}
		most = max(most, math.Abs(cdf-float64(i)/float64(len(x))), math.Abs(cdf-float64(i+1)/float64(len(x))))
	}
	return most
}

func transport(t *testing.T, b compute.Backend, field ebm.Field, how flow.Transport, o ebm.Options) *flow.Samples {
	t.Helper()
	s, err := flow.NewSampler(b, nil, field, how)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer s.Finalize()
	out, err := s.Sample(t.Context(), o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return out
}

// Whatever the field tells, along whatever path, with noise and without, the samples are the data's, by the distribution function of 20 000:
// the bound holds with a chance of 1 − 1e-6 for exact samples, and 0.01 are left for finite steps. Without the score's part the same
// diffusion misses it.
func TestSamplerFindsTheData(t *testing.T) {
	const n = 20_000
	bound := math.Sqrt(math.Log(2/1e-6)/(2*n)) + 0.01
	tight := flow.VarianceExploding{SigmaMax: 30}
	cases := map[string]flow.Transport{
		"velocity":            {},
		"score":               {Predict: flow.Score},
		"noise, cosine":       {Path: flow.Cosine{}, Predict: flow.Noise},
		"data, Tweedie":       {Predict: flow.Data, LastStep: flow.LastTweedie, Steps: 100},
		"noise, VP":           {Path: flow.VariancePreserving{}, Predict: flow.Noise},
		"score, VE":           {Path: tight, Predict: flow.Score},
		"data, EDM":           {Path: flow.EDM{}, Predict: flow.Data, Method: flow.Heun},
		"adaptive":            {Path: flow.VariancePreserving{}, Adaptive: &flow.Adaptive{}},
		"SDE, velocity":       {Diffusion: flow.SigmaDiffusion{}},
		"SDE, score, VP":      {Path: flow.VariancePreserving{}, Predict: flow.Score, Diffusion: flow.PathDiffusion{}, Steps: 500},
		"SDE, noise, cosine":  {Path: flow.Cosine{}, Predict: flow.Noise, Diffusion: flow.BumpDiffusion{}, LastStep: flow.LastEuler},
		"SDE, data":           {Predict: flow.Data, Diffusion: flow.FadingDiffusion{}, LastStep: flow.LastTweedie},
		"SDE, path, linear":   {Diffusion: flow.PathDiffusion{}, Steps: 500},
		"SDE, score, VE":      {Path: tight, Predict: flow.Score, Diffusion: flow.PathDiffusion{}, Noisy: flow.SRA1{}},
		"SDE, score of a net": {Diffusion: flow.BumpDiffusion{}, Score: bumps.field(flow.Linear{}, flow.Score)},
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, how := range cases {
			path := how.Path
			if path == nil {
				path = flow.Linear{}
			}
			out := transport(t, b, bumps.field(path, how.Predict), how, ebm.Options{Chains: n, Dim: 1, Seed: 7})
			if got := bumps.distance(out.X.Value().([][]float32)); !(got < bound) {
				t.Errorf("%s: distance %.4f to the data, want at most %.4f", name, got, bound)
			}
		}
		wrong := cases["SDE, score of a net"]
		wrong.Score = ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return ZerosLike(x) })
		out := transport(t, b, bumps.field(flow.Linear{}, flow.Velocity), wrong, ebm.Options{Chains: n, Dim: 1, Seed: 7})
		if got := bumps.distance(out.X.Value().([][]float32)); got < 2*bound {
			t.Errorf("without the score's part the distance is %.4f: the test has no power", got)
		}
	})
}

// A field that is none of a path's: what the sampler does of it is TorchEBM's arithmetic.
func TestSamplerMatchesTorchEBM(t *testing.T) {
	raw, err := os.ReadFile("../testdata/parity/flow_sampler.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Interpolant, Predict, Last string
			From, To                   float64
			Steps                      int
			X, End                     [][]float64
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 27 {
		t.Fatalf("%d cases, want 27", len(file.Cases))
	}
	field := ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node {
		w, v := ConstAs(x, [][]float64{{0.8, -0.5, 0.3}, {0.2, 0.6, -0.9}}), ConstAs(x, [][]float64{{0.4, -0.7, 0.1}})
		return MatMul(Tanh(Add(MatMul(x, w), Mul(ExpandAxes(t, 1), v))), ConstAs(x, [][]float64{{0.5, -1}, {0.7, 0.4}, {-0.6, 0.9}}))
	})
	predict := map[string]flow.Quantity{"velocity": flow.Velocity, "score": flow.Score, "noise": flow.Noise}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for i, c := range file.Cases {
			how := flow.Transport{Path: paths[c.Interpolant], Predict: predict[c.Predict], From: c.From, To: c.To, Steps: c.Steps, LastStep: flow.LastNone}
			if c.Last != "None" {
				how.Method, how.LastStep = flow.Euler, map[string]flow.LastStep{"Mean": flow.LastMean, "Tweedie": flow.LastTweedie}[c.Last]
			}
			out := transport(t, b, field, how, ebm.Options{Start: tensors.FromValue(c.X)})
			for j, row := range out.X.Value().([][]float64) {
				for k, got := range row {
					// TorchEBM keeps σ of VariancePreserving from 0 by 1e-12 in its square, and adds 1e-8 to σ where it divides by it.
					near(t, fmt.Sprintf("case %d, %s, %s, %s: end[%d][%d]", i, c.Interpolant, c.Predict, c.Last, j, k), got, c.End[j][k], 3e-7)
				}
			}
		}
	})
}

// Where the path ends in noise and To is 1, LastTweedie takes it away: the model's data at the points that LastNone leaves.
func TestTweedieAtTheEnd(t *testing.T) {
	path := flow.VarianceExploding{SigmaMin: 0.4, SigmaMax: 30}
	data := bumps.field(path, flow.Data)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		how := flow.Transport{Path: path, Predict: flow.Data, Diffusion: flow.PathDiffusion{}, LastStep: flow.LastNone, Steps: 20}
		o := ebm.Options{Chains: 8, Dim: 2, Seed: 2, DType: dtypes.Float64}
		noisy := transport(t, b, data, how, o)
		want, err := ebm.EvaluateField(b, nil, data, noisy.X, 1)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		how.LastStep = flow.LastTweedie
		got := transport(t, b, data, how, o).X.Value().([][]float64)
		for i, row := range want.Value().([][]float64) {
			for j, x := range row {
				near(t, "E[x₁ | x]", got[i][j], x, 1e-9)
			}
		}
		if first := noisy.X.Value().([][]float64)[0][0]; math.Abs(first-got[0][0]) < 1e-3 {
			t.Error("the last step did nothing")
		}
	})
}

// The way back is run at the right times, from To down: x˙ = x + t has the flow x(b) = (x(a) + a + 1)e^(b−a) − b − 1. Run from From up, as
// TorchEBM's sampler does (torchebm 0.8.9, FlowSampler with reverse), it would end elsewhere.
func TestReverse(t *testing.T) {
	field := ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node { return Add(x, flow.AlongRows(t, x)) })
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		start := tensors.FromValue([][]float64{{1, -2}, {0.5, 3}})
		for name, how := range map[string]flow.Transport{"fixed": {Steps: 20}, "adaptive": {Adaptive: &flow.Adaptive{RTol: 1e-9, ATol: 1e-9}}} {
			how.From, how.To, how.Reverse = 0.25, 0.75, true
			back := transport(t, b, field, how, ebm.Options{Start: start})
			how.Reverse, how.LastStep = false, flow.LastNone
			again := transport(t, b, field, how, ebm.Options{Start: back.X})
			for i, row := range start.Value().([][]float64) {
				for j, x := range row {
					near(t, name+": back", back.X.Value().([][]float64)[i][j], (x+1.75)*math.Exp(-0.5)-1.25, 1e-8)
					near(t, name+": there and back", again.X.Value().([][]float64)[i][j], x, 1e-7)
				}
			}
		}
	})
}

// Log densities of samples, and of given points, are those of the data; the density adds up to 1.
func TestLogDensity(t *testing.T) {
	field := bumps.field(flow.Linear{}, flow.Velocity)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		check := func(name string, x [][]float64, got []float64, tolerance float64) {
			t.Helper()
			if len(got) != len(x) {
				t.Fatalf("%s: %d log densities of %d points", name, len(got), len(x))
			}
			for i := range x {
				near(t, fmt.Sprintf("%s: log density at %.3f", name, x[i]), got[i], bumps.logDensity(x[i]), tolerance)
			}
		}
		for name, how := range map[string]flow.Transport{
			"fixed": {}, "adaptive": {Adaptive: &flow.Adaptive{RTol: 1e-7, ATol: 1e-8}}, "one-dimensional probes": {Probes: 1},
		} {
			how.LogDensity = true
			d := 2
			if how.Probes > 0 {
				d = 1 // where vᵀJv is the trace
			}
			out := transport(t, b, field, how, ebm.Options{Chains: 50, Dim: d, DType: dtypes.Float64, Seed: 3, Trajectory: true, Thin: 10})
			x := out.X.Value().([][]float64)
			check(name, x, out.LogDensity, 1e-5)
			if got := out.Trajectory.Shape().Dimensions; !slices.Equal(got, []int{50, 5, d}) {
				t.Errorf("%s: trajectory %v", name, got)
			}
			end := out.Trajectory.Value().([][][]float64)[7][4]
			near(t, name+": the trajectory's end", end[0], x[7][0], 1e-12)
			how.Reverse = true
			back := transport(t, b, field, how, ebm.Options{Start: out.X})
			check(name+", back", x, back.LogDensity, 1e-5)
		}

		grid, cell := [][]float32{}, 6./40
		for i := range 40 {
			for j := range 40 {
				grid = append(grid, []float32{float32((float64(i)+0.5)*cell - 3), float32((float64(j)+0.5)*cell - 3)})
			}
		}
		out := transport(t, b, field, flow.Transport{Reverse: true, LogDensity: true}, ebm.Options{Start: tensors.FromValue(grid)})
		sum := 0.0
		for _, l := range out.LogDensity {
			sum += math.Exp(l) * cell * cell
		}
		if math.Abs(sum-1) > 0.01 {
			t.Errorf("the density adds up to %g, want 1", sum)
		}

		sampler, err := flow.NewSampler(b, nil, field, flow.Transport{Reverse: true, LogDensity: true})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		defer sampler.Finalize()
		energy, err := sampler.OnHost(2)([]float32{0, 0.5, -1, -1})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		near(t, "energy on the host", energy[1], -bumps.logDensity([]float64{-1, -1}), 1e-4)
		if _, err := sampler.OnHost(2)([]float32{1, 2, 3}); err == nil || !strings.Contains(err.Error(), "want points of 2 numbers each, got 3 numbers") {
			t.Errorf("OnHost of one and a half points: %v", err)
		}

		// A score's flow has its last stretch, and a prior of one's own counts.
		how := flow.Transport{Predict: flow.Score, LogDensity: true, Steps: 100}
		out = transport(t, b, bumps.field(flow.Linear{}, flow.Score), how, ebm.Options{Chains: 20, Dim: 2, DType: dtypes.Float64})
		check("score", out.X.Value().([][]float64), out.LogDensity, 5e-3)
		how = flow.Transport{LogDensity: true, Prior: ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return AddScalar(ebm.ZeroTime(x), 2) })}
		still := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return ZerosLike(x) })
		out = transport(t, b, still, how, ebm.Options{Chains: 2, Dim: 3})
		near(t, "log density of a prior of one's own", out.LogDensity[1], -2, 1e-6)
	})
}

// turned is v = Ax with tr A the sum of the first d odd numbers over 10, and rows that mix.
func turned(x, _ *Node, _ ...*Node) *Node {
	n := x.Shape().Dimensions[0]
	d := x.Shape().Size() / n
	a := make([][]float64, d)
	for i := range a {
		a[i] = make([]float64, d)
		a[i][i] = float64(2*i+1) / 10
		a[i][(i+1)%d] += 0.3
		a[i][(i+2)%d] -= 0.1
	}
	return Reshape(MatMul(Reshape(x, n, d), ConstAs(x, a)), x.Shape().Dimensions...)
}

// The exact trace for few axes and for many, of events of any shape, and Hutchinson's estimate, unbiased, by few probes and by many.
func TestDivergence(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, event := range [][]int{{5}, {2, 3}, {20}, {3, 2, 3}} {
			d := 1
			for _, k := range event {
				d *= k
			}
			trace := float64(d*d) / 10
			for _, probes := range []int{0, 1, 24} {
				const n = 500
				how := flow.Transport{LogDensity: true, Probes: probes, Steps: 2, To: 0.5, LastStep: flow.LastNone, Method: flow.Euler,
					Prior: ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return ebm.ZeroTime(x) })}
				out := transport(t, b, ebm.FieldFunc(turned), how, ebm.Options{Chains: n, Event: event, DType: dtypes.Float64, Seed: 11})
				mean, square := 0.0, 0.0
				for _, l := range out.LogDensity {
					mean, square = mean+l/n, square+l*l/n
				}
				tolerance := 1e-9
				if probes > 0 {
					tolerance = 5*math.Sqrt((square-mean*mean)/n) + 1e-9
				}
				if !(math.Abs(mean+trace/2) <= tolerance) {
					t.Errorf("event %v, %d probes: ∫∇·v = %g, want %g ± %.2g", event, probes, -mean, trace/2, tolerance)
				}
			}
		}
	})
}

// A run that is cut up, cancelled and resumed gives what one run gives, bit by bit.
func TestSamplerResumes(t *testing.T) {
	field := bumps.field(flow.Linear{}, flow.Velocity)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, how := range map[string]flow.Transport{
			"flow": {LogDensity: true, Probes: 2}, "SDE": {Diffusion: flow.SigmaDiffusion{}, Steps: 50}, "adaptive": {Adaptive: &flow.Adaptive{}, LogDensity: true},
		} {
			s, err := flow.NewSampler(b, nil, field, how)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			defer s.Finalize()
			o := ebm.Options{Chains: 16, Dim: 2, Seed: 5}
			whole, err := s.Sample(t.Context(), o)
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			part := o
			if how.Adaptive == nil {
				part.Steps = 20
			} else {
				cancel()
			}
			first, err := s.Sample(ctx, part)
			if first == nil || (err == nil) != (how.Adaptive == nil) {
				t.Fatalf("%s: %v, %+v", name, first, err)
			}
			cancel()
			rest, err := s.Sample(t.Context(), ebm.Options{Resume: first.Checkpoint})
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			if !rest.X.Equal(whole.X) || !slices.Equal(rest.LogDensity, whole.LogDensity) || !slices.Equal(rest.Status, whole.Status) {
				t.Errorf("%s: a resumed run differs from a whole one", name)
			}
			if how.Adaptive != nil && (rest.Status[3] != flow.Done || rest.Evaluations[3] < 12) {
				t.Errorf("%s: %v, %v evaluations", name, rest.Status[3], rest.Evaluations[3])
			}
		}
	})
}

// Labels come to the field, with the flow and its divergence, and so does the path's noise at its start.
func TestSamplerOptions(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		push := ebm.FieldFunc(func(x, _ *Node, cond ...*Node) *Node {
			return BroadcastToDims(ExpandAxes(cond[0], 1), x.Shape().Dimensions...)
		})
		for _, how := range []flow.Transport{{}, {LogDensity: true, Probes: 1}, {Adaptive: &flow.Adaptive{}}, {Diffusion: flow.ConstantDiffusion{Scale: 1e-12}, Score: push}} {
			out := transport(t, b, push, how, ebm.Options{Start: tensors.FromValue([][]float32{{1, 2}, {3, 4}}), Cond: []*tensors.Tensor{tensors.FromValue([]float32{10, -20})}})
			for i, row := range [][]float32{{11, 12}, {-17, -16}} {
				for j, want := range row {
					near(t, "pushed by its label", float64(out.X.Value().([][]float32)[i][j]), float64(want), 1e-4)
				}
			}
		}
		still := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return ZerosLike(x) })
		out := transport(t, b, still, flow.Transport{Path: flow.EDM{}}, ebm.Options{Chains: 5000, Dim: 1, Summaries: true, Thin: 50})
		if v := out.Summary.Var[0][0]; !(math.Abs(v/6400-1) < 5*math.Sqrt(2./5000)) {
			t.Errorf("variance %g at the start of EDM's path, want 80²", v)
		}
		data := tensors.FromValue([][]float32{{1}, {2}})
		for _, how := range []flow.Transport{{}, {LogDensity: true}, {Adaptive: &flow.Adaptive{}}} {
			out := transport(t, b, still, how, ebm.Options{Data: data, Chains: 100, Seed: 1, Trajectory: true, Thin: 25})
			sum := float32(0)
			for i, x := range out.X.Value().([][]float32) {
				if path := out.Trajectory.Value().([][][]float32)[i]; len(path) != 2 || path[1][0] != x[0] {
					t.Fatalf("a trajectory of two rows that ends at %v: %v", x, path)
				}
				sum += x[0]
			}
			if sum < 120 || sum > 180 {
				t.Errorf("100 of the data's rows at random add up to %g", sum)
			}
		}
	})
}

func TestSamplerErrors(t *testing.T) {
	still := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node { return ZerosLike(x) })
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		good := ebm.Options{Chains: 2, Dim: 2}
		for want, try := range map[string]struct {
			field ebm.Field
			how   flow.Transport
			o     ebm.Options
		}{
			"NewSampler: the field is nil":                                             {nil, flow.Transport{}, good},
			"Transport.Predict must be Velocity, Score, Noise or Data, got 4":          {still, flow.Transport{Predict: 4}, good},
			"Transport.Steps must be positive, or 0 for the default, got -1":           {still, flow.Transport{Steps: -1}, good},
			"Transport.Probes must be positive, or 0 for the exact trace, got -1":      {still, flow.Transport{Probes: -1}, good},
			"Transport.LastStep must be LastMean, LastEuler, LastTweedie or LastNone":  {still, flow.Transport{LastStep: 9}, good},
			"Transport: Reverse, LogDensity and Adaptive are the flow's":               {still, flow.Transport{Diffusion: flow.SigmaDiffusion{}, Reverse: true}, good},
			"Transport.Noisy and Score are for a Diffusion":                            {still, flow.Transport{Noisy: flow.SRA1{}}, good},
			"Transport.Adaptive takes the place of Method and Steps":                   {still, flow.Transport{Adaptive: &flow.Adaptive{}, Steps: 3}, good},
			"the points' log density is lost in LastTweedie":                           {still, flow.Transport{LogDensity: true, LastStep: flow.LastTweedie}, good},
			"want 0 ≤ From < To ≤ 1, got 0.5 and 0.5":                                  {still, flow.Transport{From: 0.5, To: 0.5}, good},
			"want 0 ≤ From < To ≤ 1, got NaN and 1":                                    {still, flow.Transport{From: math.NaN()}, good},
			"Adaptive.Method must have an embedded method":                             {still, flow.Transport{Adaptive: &flow.Adaptive{Method: flow.RK4}}, good},
			"VariancePreserving: want 0 < BetaMin":                                     {still, flow.Transport{Path: flow.VariancePreserving{BetaMin: -1}}, good},
			"Options.BurnIn: a flow has no steps to leave out, got 3":                  {still, flow.Transport{}, ebm.Options{Chains: 2, Dim: 2, BurnIn: 3}},
			"Options.Summaries: chains have steps of their own":                        {still, flow.Transport{Adaptive: &flow.Adaptive{}}, ebm.Options{Chains: 2, Dim: 2, Summaries: true}},
			"Options.Steps must be positive, or 0 for all that remain, got -2":         {still, flow.Transport{}, ebm.Options{Chains: 2, Dim: 2, Steps: -2}},
			"Options.Steps must be at most the 50 that remain of Transport.Steps = 50": {still, flow.Transport{}, ebm.Options{Chains: 2, Dim: 2, Steps: 51}},
			"Options.Chains must be positive, got 0":                                   {still, flow.Transport{}, ebm.Options{Dim: 2}},
			"Options.Start must be finite, got NaN in row 0":                           {still, flow.Transport{}, ebm.Options{Start: tensors.FromValue([][]float32{{float32(math.NaN())}})}},
			"Options.Start must be points [n, event...], got (Float32)[1]":             {still, flow.Transport{Adaptive: &flow.Adaptive{}}, ebm.Options{Start: tensors.FromValue([]float32{1})}},
			"Options.Cond[1] must have one row for each of 2 chains":                   {still, flow.Transport{LogDensity: true}, ebm.Options{Chains: 2, Dim: 2, Cond: []*tensors.Tensor{tensors.FromValue([]float32{1})}}},
			"the field of x (Float32)[2, 2] must have x's shape, got (Float32)[2]":     {ebm.FieldFunc(func(_, t *Node, _ ...*Node) *Node { return t }), flow.Transport{}, good},
			"Options.Thin must be at most Options.Steps = 50, got 51":                  {still, flow.Transport{Adaptive: &flow.Adaptive{}}, ebm.Options{Chains: 2, Dim: 2, Trajectory: true, Thin: 51}},
		} {
			s, err := flow.NewSampler(b, nil, try.field, try.how)
			if err == nil {
				_, err = s.Sample(t.Context(), try.o)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
		if _, err := flow.NewSampler(nil, nil, still, flow.Transport{}); err == nil || !strings.Contains(err.Error(), "the backend is nil") {
			t.Errorf("without a backend: %v", err)
		}
	})
}

// Noise flows to the data, and tells how likely they are.
func ExampleSampler() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	// Data N(2, ¼) on the straight path: their velocity is known.
	field := ebm.FieldFunc(func(x, t *Node, _ ...*Node) *Node {
		t = flow.AlongRows(t, x)
		variance := Add(MulScalar(Square(t), 0.25), Square(OneMinus(t)))
		slope := Div(Sub(MulScalar(t, 0.25), OneMinus(t)), variance)
		return AddScalar(Mul(slope, Sub(x, MulScalar(t, 2))), 2)
	})
	sampler, err := flow.NewSampler(b, nil, field, flow.Transport{LogDensity: true})
	if err != nil {
		panic(err)
	}
	out, err := sampler.Sample(context.Background(), ebm.Options{Start: tensors.FromValue([][]float64{{-1}, {0}, {1}})})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.4f\n%.4f\n", out.X.Value(), out.LogDensity)
	// Output:
	// [[1.5000] [2.0000] [2.5000]]
	// [-0.7258 -0.2258 -0.7258]
}
