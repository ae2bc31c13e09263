package losses_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// twoModes is a mixture of two round Gaussians, at (±2, 0) and with standard deviation ½, whose weight at (2, 0) is learned: it is 1/(1+exp(−a)),
// and a begins at 0.
func twoModes(store *model.Store) ebm.Net {
	const variance = .25
	return ebm.Net{Scope: store.Scope("/energy"), Fn: func(scope *model.Scope, x *Node, _ ...*Node) *Node {
		a := scope.VariableWithValue("a", float32(0)).NodeValue(x.Graph())
		along := MatMul(x, ConstAs(x, [][]float64{{2 / variance}, {0}})) // [n, 1]
		right := Sub(Reshape(along, x.Shape().Dimensions[0]), Softplus(Neg(a)))
		left := Sub(Neg(Reshape(along, x.Shape().Dimensions[0])), Softplus(a))
		return Sub(MulScalar(ReduceSum(Square(x), -1), .5/variance), LogAddExp(right, left))
	}}
}

// The data has a quarter of its points in the right mode. CD-k's chains never leave the mode they begin in, so that the weight is never
// corrected; PCD's chains stay as they were born, half and half, and drive the weight away for good; tempered chains balance.
func TestParallelTemperingBalancesTheModes(t *testing.T) {
	data := &datasets.Data{Name: "1:3", Dim: 2}
	for i := range 1024 {
		z := math.Sqrt2 * math.Erfinv(2*(float64(i)+.5)/1024-1) / 2
		w := math.Sqrt2 * math.Erfinv(2*(math.Mod(float64(i)*.618034, 1)*1023/1024+.5/1024)-1) / 2
		centre := -2.0
		if i%4 == 0 {
			centre = 2
		}
		data.X = append(data.X, float32(centre+z), float32(w))
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		weight := map[string]float64{}
		for name, loss := range map[string]func(ebm.Energy, ebm.Kernel) ebm.Loss{
			"CD-10": func(e ebm.Energy, k ebm.Kernel) ebm.Loss { return losses.ContrastiveDivergence{Energy: e, Kernel: k} },
			"PCD-10": func(e ebm.Energy, k ebm.Kernel) ebm.Loss {
				return losses.ContrastiveDivergence{Energy: e, Kernel: k, Persistent: true}
			},
			"PT-CD-10": func(e ebm.Energy, k ebm.Kernel) ebm.Loss {
				return losses.ParallelTemperingCD{Energy: e, Kernel: k, Buffer: 512}
			},
		} {
			store := model.NewStore()
			report, err := ebm.Train(t.Context(), b, store, loss(twoModes(store), samplers.Langevin{StepSize: ebm.Fixed(.05)}),
				&datasets.Batches{Data: data, Size: 128}, ebm.TrainOptions{Steps: 250, Schedule: ebm.Linear{Start: .3, End: .01, Steps: 250},
					// Adam would blow gradients of next to nothing up to full steps.
					Optimizer: optimizer.StochasticGradientDescent().WithDecay(false).Done()})
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			a := float64(tensors.ToScalar[float32](store.GetVariable("/energy/a").MustValue()))
			weight[name] = 1 / (1 + math.Exp(-a))
			last := report.History[len(report.History)-1].SwapRate
			if isTempered := name == "PT-CD-10"; isTempered != (last > .1 && last < 1) || !isTempered && !math.IsNaN(last) {
				t.Errorf("%s: the history's swap rate is %g", name, last)
			}
			t.Logf("%s: weight of the right mode %.3f (truth 0.250, at the start 0.500)", name, weight[name])
		}
		if math.Abs(weight["CD-10"]-.5) > .05 || weight["PCD-10"] > .1 {
			t.Errorf("CD and PCD are expected to fail here, with weights near .5 and 0, got %v", weight)
		}
		// 512 chains know the weight to √(¼·¾/512) = .019.
		if math.Abs(weight["PT-CD-10"]-.25) > 5*.019 {
			t.Errorf("weight %.3f, want .25 ± %.3f", weight["PT-CD-10"], 5*.019)
		}
	})
}

// round is ½‖x‖² in two dimensions. It has a matrix product, without which XLA takes long over unrolled steps.
var round = ebm.Gaussian{Cov: [][]float64{{1, 0}, {0, 1}}}

// On a Gaussian that does not change, the chains at each β keep its density, β·E ~ Exp(1), and in two dimensions neighbours swap at
// the rate 2βⱼ/(βᵢ+βⱼ): twice the probability of Eᵢ > Eⱼ.
func TestTemperedChainsKeepTheirDensities(t *testing.T) {
	const slots = 4000
	betas := []float64{1, .5, .2}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		l := losses.ParallelTemperingCD{Energy: round, Kernel: samplers.HMC{StepSize: ebm.Fixed(.5), Leapfrog: 2}, Steps: 1, Betas: betas, Buffer: slots}
		r := newTrainer(t, b, store, l)
		x := make([][]float32, slots)
		for i := range x {
			x[i] = []float32{0, 0}
		}
		for range 60 { // from N(0, I), which is hot for no chain and cold for most
			r.run(t, x)
		}
		chains := tempered[float32](t, store, "chains")
		for k, beta := range betas {
			sum := 0.0
			for i := range slots {
				p, q := float64(chains[(i*len(betas)+k)*2]), float64(chains[(i*len(betas)+k)*2+1])
				sum += beta * (p*p + q*q) / 2
			}
			near(t, fmt.Sprintf("mean β·E at β = %g", beta), sum/slots, 1, 5/math.Sqrt(slots))
		}
		rates, err := losses.SwapRates(store)
		if err != nil {
			t.Fatal(err)
		}
		for i, rate := range rates { // a mean over 60 steps, the first of which are no equilibrium
			near(t, fmt.Sprintf("swap rate of pair %d", i), rate, 2*betas[i+1]/(betas[i]+betas[i+1]), .03)
		}
		if _, err := losses.Betas(store); err == nil || !strings.Contains(err.Error(), "losses: Betas: the store has no /parallel_tempering/betas") {
			t.Errorf("a ladder that does not move is in the store? got the error %v", err)
		}
	})
}

// A ladder that moves to a swap rate of ½ gets β's a factor of 3 apart, from wherever it began; where the hottest may not go so far, it
// stays there, with rates that are higher.
func TestLadderMovesToTheSwapRate(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for hottest, want := range map[float64][]float64{1e-3: {1, 1. / 3, 1. / 9}, .2: {1, math.Sqrt(.2), .2}} {
			store := model.NewStore()
			l := losses.ParallelTemperingCD{Energy: round, Kernel: samplers.HMC{StepSize: ebm.Fixed(.7), Leapfrog: 2}, Steps: 1,
				Rungs: 3, MinBeta: hottest, SwapRate: .5, Buffer: 512}
			r := newTrainer(t, b, store, l)
			x := make([][]float32, 512)
			for i := range x {
				x[i] = []float32{0, 0}
			}
			for range 400 {
				r.run(t, x)
			}
			got, err := losses.Betas(store)
			if err != nil {
				t.Fatal(err)
			}
			rates, err := losses.SwapRates(store)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("hottest %g: β %.4f, swap rates %.3f", hottest, got, rates)
			for i := range want { // the gain of .05 keeps a spacing moving by about 1 %
				near(t, fmt.Sprintf("hottest %g, β%d, relatively", hottest, i+1), got[i]/want[i], 1, .08)
			}
		}
	})
}

// tempered copies a variable of the tempered chains.
func tempered[T float32 | int32](t *testing.T, store *model.Store, name string) []T {
	t.Helper()
	v := store.GetVariable("/parallel_tempering/" + name)
	if v == nil {
		t.Fatalf("no variable %q", name)
	}
	return tensors.MustCopyFlatData[T](v.MustValue())
}

// The energy pulls a chain with label c to 10c; so each stored ladder is, on every rung, near its stored label.
func TestLabelsStayWithTheirLadders(t *testing.T) {
	energy := ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
		centre := ExpandAxes(ConvertDType(cond[0], x.DType()), -1)
		return MulScalar(ReduceSum(Square(Sub(x, MulScalar(centre, 10))), -1), .5)
	})
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		l := losses.ParallelTemperingCD{Energy: energy, Kernel: samplers.GradientDescent{StepSize: ebm.Fixed(.7)}, Steps: 10, Betas: []float64{1, .8, .5}, Buffer: 40}
		r := newTrainer(t, b, store, l)
		x, labels := make([][]float32, 8), make([]int32, 8)
		for step := range 60 {
			for i := range x {
				x[i], labels[i] = []float32{0, 0}, int32((step*5+i*3)%7)
			}
			r.run(t, x, labels)
		}
		seen := map[int32]bool{}
		kept := tempered[int32](t, store, "cond_0")
		for i, v := range tempered[float32](t, store, "chains") {
			slot := i / 6
			near(t, fmt.Sprintf("slot %d with label %d, rung %d", slot, kept[slot], i/2%3), float64(v), 10*float64(kept[slot]), 1e-1)
			seen[kept[slot]] = true
		}
		if len(seen) < 4 {
			t.Errorf("only %d labels in the buffer", len(seen))
		}
	})
}

func TestTemperedLossAndItsGradient(t *testing.T) {
	x := [][]float64{{1, 2}, {-1, .5}, {.25, -2}}
	ends := [][]float64{{.5, .5}, {2, -1}, {0, 1}, {1, 1}, {-1, 0}, {.3, -.2}} // of three ladders, each of two rungs
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store, energy := tiny(t)
		l := losses.ParallelTemperingCD{Energy: energy, Kernel: jumpTo{ends}, Betas: []float64{1, .5}, Buffer: 3}
		if n := gradientsAgreeWithDifferences(t, b, store, l, x); n != 17 {
			t.Errorf("%d gradients were compared, want 17", n)
		}
		// Whichever way the swap went, negatives are the chains at β = 1, and the loss is a difference of means.
		store = model.NewStore()
		l.Energy = scaled(store, dtypes.Float64)
		exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
			g := in[0].Graph()
			terms := l.Loss(in[0], ebm.NewRand(Const(g, []uint32{1, 2}), Const(g, int32(3))))
			return []*Node{terms.Loss, terms.Samples, terms.SwapRate, terms.NonFinite}
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(x)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		half := func(p []float64) float64 { return (p[0]*p[0] + p[1]*p[1]) / 2 }
		want, rate := 0.0, 0.0
		for i, s := range out[1].Value().([][]float64) {
			if s[0] != ends[2*i][0] && s[0] != ends[2*i+1][0] {
				t.Errorf("negative %d is %v, of neither rung of its ladder", i, s)
			}
			want += (half(x[i]) - half(s)) / 3
			rate += min(1, math.Exp(.5*(half(ends[2*i])-half(ends[2*i+1])))) / 3
		}
		near(t, "loss", tensors.ToScalar[float64](out[0]), want, 1e-12)
		near(t, "swap rate", tensors.ToScalar[float64](out[2]), rate, 1e-12)
		if bad := tensors.ToScalar[int32](out[3]); bad != 0 {
			t.Errorf("%d chains are not finite", bad)
		}
	})
}

func TestNonFiniteTemperedChainsGoBack(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		l := losses.ParallelTemperingCD{Energy: ebm.DoubleWell{}, Kernel: samplers.GradientDescent{StepSize: ebm.Fixed(10)}, Steps: 6, Buffer: 32}
		out := newTrainer(t, b, store, l).run(t, [][]float32{{1, 1}, {-1, 1}, {1, -1}, {-1, -1}})
		if bad := tensors.ToScalar[int32](out[1]); bad == 0 {
			t.Error("a step size of 10 on the double well sent no chain to infinity?")
		}
		for i, v := range tempered[float32](t, store, "chains") {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatalf("slot %d holds %g", i/8, v)
			}
		}
	})
}

// Chains, ladder and swap rates are in the checkpoints: training in two parts is, bit by bit, training in one.
func TestTemperedTrainingResumes(t *testing.T) {
	data, err := datasets.TwoMoons{N: 64, Seed: 1}.Generate()
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		train := func(steps int, dir string) map[string]string {
			store := model.NewStore()
			l := losses.ParallelTemperingCD{Energy: nn.MLPEnergy(store.Scope("/energy"), 8), Kernel: samplers.Langevin{StepSize: ebm.Fixed(.01)},
				Steps: 2, Rungs: 3, SwapRate: .3, Buffer: 40}
			_, err := ebm.Train(t.Context(), b, store, l, &datasets.Batches{Data: data, Size: 32}, ebm.TrainOptions{Steps: steps, Checkpoint: dir})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			out := map[string]string{}
			for v := range store.IterVariables() {
				if strings.HasPrefix(v.Path(), "/parallel_tempering/") || strings.HasPrefix(v.Path(), "/energy/") {
					_ = v.MustValue().ConstBytes(func(data []byte) { out[v.Path()] = string(data) })
				}
			}
			return out
		}
		dir := t.TempDir()
		before := train(3, dir)
		parts, whole := train(5, dir), train(5, "")
		for path, bytes := range whole {
			if parts[path] != bytes {
				t.Errorf("%s differs", path)
			}
			if before[path] == bytes && path != "/energy/output/biases" { // which has no gradient
				t.Errorf("%s did not change in two steps", path)
			}
		}
		if len(whole) != 9 { // chains, ages, betas, swap_rates, swap_steps and four of weights
			t.Errorf("%d variables: what was compared?", len(whole))
		}
	})
}

func TestTemperingSettingsOutOfRange(t *testing.T) {
	cases := map[string]func(l *losses.ParallelTemperingCD){
		"Energy is nil":                                              func(l *losses.ParallelTemperingCD) { l.Energy = nil },
		"Steps must be positive, got -1":                             func(l *losses.ParallelTemperingCD) { l.Steps = -1 },
		"Buffer must be from the batch size 2 to 65536, got 1":       func(l *losses.ParallelTemperingCD) { l.Buffer = 1 },
		"Width must be a finite number and positive, got NaN":        func(l *losses.ParallelTemperingCD) { l.Width = math.NaN() },
		"SwapRate must be in [0, 1), got 1":                          func(l *losses.ParallelTemperingCD) { l.SwapRate = 1 },
		"at least 2 and MinBeta in (0, 1), got 1 and 0.1":            func(l *losses.ParallelTemperingCD) { l.Rungs = 1 },
		"at least 2 and MinBeta in (0, 1), got 4 and 1.5":            func(l *losses.ParallelTemperingCD) { l.MinBeta = 1.5 },
		"stay positive, with Rungs and MinBeta left out, got [0.9 0": func(l *losses.ParallelTemperingCD) { l.Betas = []float64{.9, 0} },
		"MinBeta left out, got [1 1], 0 and 0":                       func(l *losses.ParallelTemperingCD) { l.Betas = []float64{1, 1} },
		"MinBeta left out, got [1 0.5], 2 and 0":                     func(l *losses.ParallelTemperingCD) { l.Betas, l.Rungs = []float64{1, .5}, 2 },
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for text, change := range cases {
			l := losses.ParallelTemperingCD{Energy: ebm.Harmonic{}}
			change(&l)
			_, _, err := value(b, model.NewStore(), l, [][]float32{{1, 1}, {2, 2}})
			if err == nil || !strings.Contains(err.Error(), "ParallelTemperingCD: ") || !strings.Contains(err.Error(), text) {
				t.Errorf("want an error with %q, got %v", text, err)
			}
		}
	})
	if _, err := losses.SwapRates(nil); err == nil || !strings.Contains(err.Error(), "losses: SwapRates: the store is nil") {
		t.Errorf("SwapRates of nil: %v", err)
	}
}
