package losses_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/samplers"
)

// jumpTo is a kernel that goes to given points, whatever the energy.
type jumpTo struct{ points [][]float64 }

func (k jumpTo) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }
func (k jumpTo) Step(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	return ebm.State{ConstAs(s[0], k.points)}, ebm.Info{}
}

// stay is a kernel that does not move.
type stay struct{}

func (stay) Init(_ ebm.Env, x *Node) ebm.State                 { return ebm.State{x} }
func (stay) Step(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) { return s, ebm.Info{} }

// scaled is ½w‖x‖² with a trainable weight w, which begins at 1.
func scaled(store *model.Store, dtype dtypes.DType) ebm.Net {
	return ebm.Net{Scope: store.Scope("/energy"), Fn: func(scope *model.Scope, x *Node, _ ...*Node) *Node {
		one := any(float64(1))
		if dtype == dtypes.Float32 {
			one = float32(1)
		}
		w := scope.VariableWithValue("w", one).NodeValue(x.Graph())
		return Mul(MulScalar(ReduceSum(Square(x), -1), 0.5), w)
	}}
}

// value computes a loss, and its gradient with respect to all trainable weights, flattened.
func value(b compute.Backend, store *model.Store, l ebm.Loss, x any, cond ...any) (loss float64, grad []float64, err error) {
	exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
		terms := l.Loss(in[0], ebm.NewRand(Const(in[0].Graph(), []uint32{1, 2}), Const(in[0].Graph(), int32(3))), in[1:]...)
		out := []*Node{ConvertDType(terms.Loss, dtypes.Float64)}
		hasWeights := false
		for v := range store.IterVariables() {
			hasWeights = hasWeights || v.Trainable && v.InUseByGraph(in[0].Graph())
		}
		if hasWeights {
			for _, g := range scope.BuildTrainableVariablesGradientsGraph(terms.Loss) {
				out = append(out, ConvertDType(Reshape(g, g.Shape().Size()), dtypes.Float64))
			}
		}
		return out
	})
	if err != nil {
		return 0, nil, err
	}
	out, err := exec.Call(append([]any{x}, cond...)...)
	if err != nil {
		return 0, nil, err
	}
	for _, g := range out[1:] {
		grad = append(grad, tensors.MustCopyFlatData[float64](g)...)
	}
	return tensors.ToScalar[float64](out[0]), grad, nil
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))) {
		t.Errorf("%s: got %.12g, want %.12g", what, got, want)
	}
}

func TestParityWithTorchEBM(t *testing.T) {
	raw, err := os.ReadFile("../testdata/parity/contrastive_divergence.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Model        string
			EnergyReg    float64 `json:"energy_reg_weight"`
			X, Negatives [][]float64
			Loss         float64
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	gaussian := ebm.Gaussian{Mean: []float64{1, -1}, Cov: [][]float64{{1, .5}, {.5, 2}}}
	energies := map[string]ebm.Energy{"DoubleWell": ebm.DoubleWell{}, "Gaussian": gaussian, "Himmelblau": ebm.Himmelblau{}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for i, c := range file.Cases {
			e := energies[c.Model]
			if e == nil {
				t.Fatalf("case %d: no energy %q", i, c.Model)
			}
			l := losses.ContrastiveDivergence{Energy: e, Kernel: jumpTo{c.Negatives}, EnergyL2: c.EnergyReg}
			got, _, err := value(b, model.NewStore(), l, c.X)
			if err != nil {
				t.Fatal(err)
			}
			near(t, fmt.Sprintf("case %d", i), got, c.Loss, 1e-10)
		}
	})
}

func TestLossAndItsGradientAgainstTheFormula(t *testing.T) {
	x := [][]float64{{1, 2}, {-1, .5}, {.25, -2}}
	negatives := [][]float64{{.5, .5}, {2, -1}, {0, 1}}
	half := func(p []float64) float64 { return (p[0]*p[0] + p[1]*p[1]) / 2 }
	const alpha, gamma = .3, .7
	formula := func(w float64) float64 {
		var l float64
		for i := range x {
			plus, minus := w*half(x[i]), w*half(negatives[i])
			l += (plus - minus + alpha*(plus*plus+minus*minus) + gamma*w*w*2*half(x[i])) / 3
		}
		return l
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		l := losses.ContrastiveDivergence{Energy: scaled(store, dtypes.Float64), Kernel: jumpTo{negatives}, EnergyL2: alpha, GradientPenalty: gamma}
		loss, grad, err := value(b, store, l, x)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "loss", loss, formula(1), 1e-12)
		const h = 1e-5
		near(t, "gradient", grad[0], (formula(1+h)-formula(1-h))/(2*h), 1e-8)
	})
}

func TestNoGradientFlowsThroughTheChains(t *testing.T) {
	// The chains' ends depend on w; were the gradient to flow through them, it would differ from E's at fixed ends.
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		energy := scaled(store, dtypes.Float64)
		l := losses.ContrastiveDivergence{Energy: energy, Kernel: samplers.GradientDescent{StepSize: ebm.Fixed(.1)}, Steps: 3}
		x := [][]float64{{1, 2}, {3, -1}}
		_, grad, err := value(b, store, l, x)
		if err != nil {
			t.Fatal(err)
		}
		shrink := math.Pow(.9, 6) // of ‖x‖², in three steps x ← .9x
		near(t, "gradient", grad[0], (5+10)/2.*(1-shrink)/2, 1e-12)
	})
}

// trainer runs a persistent loss step by step and shows its buffer.
type trainer struct {
	store *model.Store
	exec  *model.Exec
	step  int32
}

func newTrainer(t *testing.T, b compute.Backend, store *model.Store, l ebm.Loss) *trainer {
	t.Helper()
	exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
		terms := l.Loss(in[1], ebm.NewRand(Const(in[0].Graph(), []uint32{9, 9}), in[0]), in[2:]...)
		return []*Node{terms.Loss, terms.NonFinite, terms.Samples}
	})
	if err != nil {
		t.Fatal(err)
	}
	return &trainer{store: store, exec: exec}
}

func (r *trainer) run(t *testing.T, args ...any) []*tensors.Tensor {
	t.Helper()
	out, err := r.exec.Call(append([]any{r.step}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	r.step++
	return out
}

func buffer[T float32 | int32](t *testing.T, store *model.Store, name string) []T {
	t.Helper()
	v := store.GetVariable("/contrastive_divergence/" + name)
	if v == nil {
		t.Fatalf("no variable %q", name)
	}
	flat, err := tensors.CopyFlatData[T](v.MustValue())
	if err != nil {
		t.Fatal(err)
	}
	return flat
}

func TestChainsKeepTheirLineages(t *testing.T) {
	// 64 chains that do not move stay 64 distinct chains, each in its slot, after 400 updates.
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		l := losses.ContrastiveDivergence{Energy: ebm.Harmonic{}, Kernel: stay{}, Steps: 1, Persistent: true, Buffer: 64, Fresh: -1}
		r := newTrainer(t, b, store, l)
		x := make([][]float32, 16)
		for i := range x {
			x[i] = []float32{0, 0}
		}
		for range 200 {
			r.run(t, x)
		}
		before := buffer[float32](t, store, "chains")
		for range 400 {
			r.run(t, x)
		}
		after := buffer[float32](t, store, "chains")
		distinct := map[float32]bool{}
		for i, v := range after {
			if v != before[i] {
				t.Fatalf("slot %d changed from %g to %g though chains do not move", i/2, before[i], v)
			}
			if i%2 == 0 {
				distinct[v] = true
			}
		}
		if len(distinct) != 64 {
			t.Errorf("%d distinct chains left of 64", len(distinct))
		}
	})
}

// count is a kernel that adds 1 to the first coordinate, so that a chain shows how many steps it took.
type count struct{}

func (count) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }
func (count) Step(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	return ebm.State{AddScalar(s[0], 1)}, ebm.Info{}
}

func TestSlotsAreVisitedEquallyAndOncePerBatch(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		// 50 slots do not divide by 16: the tail must be drawn as often as the rest.
		l := losses.ContrastiveDivergence{Energy: ebm.Harmonic{}, Kernel: count{}, Steps: 3, Persistent: true, Buffer: 50, Fresh: -1, Width: 1e-6}
		r := newTrainer(t, b, store, l)
		const updates = 500
		x := make([][]float32, 16)
		for i := range x {
			x[i] = []float32{0}
		}
		for range updates {
			r.run(t, x)
		}
		total := 0.0
		for slot, v := range buffer[float32](t, store, "chains") {
			visits := float64(v) / 3
			total += visits
			const p = 16. / 50
			if sd := math.Sqrt(updates * p * (1 - p)); math.Abs(visits-updates*p) > 6*sd {
				t.Errorf("slot %d was visited %.0f times, want %.0f ± %.0f", slot, visits, updates*p, 6*sd)
			}
		}
		near(t, "visits in all", total, updates*16, 1e-5) // a slot twice in a batch would lose a visit
	})
}

func TestFreshChains(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		// count adds 1 a step: what is near 1 afterwards began from noise in this training step, what is beyond came from a slot.
		l := losses.ContrastiveDivergence{Energy: ebm.Harmonic{}, Kernel: count{}, Steps: 1, Persistent: true, Buffer: 128, Fresh: .25, Width: .05}
		r := newTrainer(t, b, store, l)
		x := make([][]float32, 64)
		for i := range x {
			x[i] = []float32{0}
		}
		for range 100 {
			r.run(t, x) // until every slot is born
		}
		fresh, squares, n := 0, 0.0, 0
		for range 100 {
			for _, v := range tensors.MustCopyFlatData[float32](r.run(t, x)[2]) {
				if v < 1.5 {
					fresh++
					squares += float64(v-1) * float64(v-1)
				}
				n++
			}
		}
		if share, sd := float64(fresh)/float64(n), math.Sqrt(.25*.75/float64(n)); math.Abs(share-.25) > 6*sd {
			t.Errorf("share of fresh chains %.4f, want .25 ± %.4f", share, 6*sd)
		}
		if v, want := squares/float64(fresh), .05*.05; math.Abs(v-want) > 6*want*math.Sqrt(2/float64(fresh)) {
			t.Errorf("fresh chains have variance %.5f, want Width² = %.5f", v, want)
		}
	})
}

func TestLabelsStayWithTheirChains(t *testing.T) {
	// The energy pulls a chain with label c to c; so after training steps each stored chain is near its stored label.
	energy := ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
		centre := ExpandAxes(ConvertDType(cond[0], x.DType()), -1)
		return MulScalar(ReduceSum(Square(Sub(x, MulScalar(centre, 10))), -1), .5)
	})
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		l := losses.ContrastiveDivergence{Energy: energy, Kernel: samplers.GradientDescent{StepSize: ebm.Fixed(.3)}, Steps: 20, Persistent: true, Buffer: 40}
		r := newTrainer(t, b, store, l)
		x, labels := make([][]float32, 8), make([]int32, 8)
		for step := range 60 {
			for i := range x {
				x[i], labels[i] = []float32{0, 0}, int32((step*5+i*3)%7) // a new batch's labels differ from those in the slots
			}
			r.run(t, x, labels)
		}
		chains, kept := buffer[float32](t, store, "chains"), buffer[int32](t, store, "cond_0")
		seen := map[int32]bool{}
		for i, v := range chains {
			near(t, fmt.Sprintf("chain %d with label %d", i/2, kept[i/2]), float64(v), 10*float64(kept[i/2]), 1e-2)
			seen[kept[i/2]] = true
		}
		if len(seen) < 4 {
			t.Errorf("only %d labels in the buffer", len(seen))
		}
	})
}

func TestNonFiniteChainsBeginAnew(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		l := losses.ContrastiveDivergence{Energy: ebm.DoubleWell{}, Kernel: samplers.GradientDescent{StepSize: ebm.Fixed(10)}, Persistent: true, Buffer: 32}
		r := newTrainer(t, b, store, l)
		out := r.run(t, [][]float32{{1, 1}, {-1, 1}, {1, -1}, {-1, -1}})
		if bad := tensors.ToScalar[int32](out[1]); bad == 0 {
			t.Error("a step size of 10 on the double well sent no chain to infinity?")
		}
		for i, v := range buffer[float32](t, store, "chains") {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatalf("slot %d holds %g", i/2, v)
			}
		}
	})
}

// Chains that are run apart end where unrolled ones do, where no noise of theirs makes a difference, and the buffer, the data's noise and the
// weights come out the same.
func TestChainsApart(t *testing.T) {
	data, err := datasets.TwoMoons{N: 64, Seed: 1}.Generate()
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		train := func(apart bool, noise float64) (w float32, chains []float32) {
			store := model.NewStore()
			l := losses.ContrastiveDivergence{Energy: scaled(store, dtypes.Float32), Kernel: samplers.GradientDescent{StepSize: ebm.Fixed(.1)}, Steps: 3,
				Apart: apart, Persistent: true, Buffer: 40, Noise: noise, Clamp: .9}
			o := ebm.TrainOptions{Steps: 8, LearningRate: .01, Seed: 3}
			if _, err := ebm.Train(t.Context(), b, store, l, &datasets.Batches{Data: data, Size: 16}, o); err != nil {
				t.Fatalf("%+v", err)
			}
			return tensors.ToScalar[float32](store.GetVariable("/energy/w").MustValue()), buffer[float32](t, store, "chains")
		}
		w, chains := train(false, .3)
		again, apart := train(true, .3)
		near(t, "weight", float64(again), float64(w), 1e-6)
		for i, v := range apart {
			near(t, fmt.Sprintf("number %d of the chains", i), float64(v), float64(chains[i]), 1e-6)
		}
		if without, _ := train(true, 0); without == again {
			t.Error("noise on the data changes nothing")
		}
	})
}

func TestWarmUpFillsTheBuffer(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		l := losses.ContrastiveDivergence{Energy: scaled(store, dtypes.Float32), Kernel: samplers.Langevin{StepSize: ebm.Fixed(.1)}, Persistent: true,
			Buffer: 4000, Fresh: -1, WarmUp: 60, Width: 3}
		data := &datasets.Data{Name: "zeros", X: make([]float32, 32*2), Dim: 2}
		if _, err := ebm.Train(context.Background(), b, store, l, &datasets.Batches{Data: data, Size: 16}, ebm.TrainOptions{Steps: 1, LearningRate: 1e-9}); err != nil {
			t.Fatal(err)
		}
		var sum float64
		chains := buffer[float32](t, store, "chains")
		for _, v := range chains {
			sum += float64(v) * float64(v)
		}
		want := 1 / (1 - .1/2) // the stationary variance of Langevin at this step size
		if got := sum / float64(len(chains)); math.Abs(got-want) > 6*want*math.Sqrt(2/float64(len(chains))) {
			t.Errorf("variance of the warmed-up chains is %.3f, want %.3f", got, want)
		}
		for i, v := range buffer[int32](t, store, "ages") {
			if v < 1 {
				t.Fatalf("slot %d holds no chain", i)
			}
		}
	})
}

func TestSettingsOutOfRange(t *testing.T) {
	base := losses.ContrastiveDivergence{Energy: ebm.Harmonic{}, Persistent: true, Buffer: 16}
	cases := map[string]func(l *losses.ContrastiveDivergence){
		"Energy is nil":                                            func(l *losses.ContrastiveDivergence) { l.Energy = nil },
		"Steps must be positive, got -1":                           func(l *losses.ContrastiveDivergence) { l.Steps = -1 },
		"Buffer must be from the batch size 4 to 65536, got 3":     func(l *losses.ContrastiveDivergence) { l.Buffer = 3 },
		"Buffer must be from the batch size 4 to 65536, got 70000": func(l *losses.ContrastiveDivergence) { l.Buffer = 70000 },
		"Fresh is a share and must be at most 1, got 2":            func(l *losses.ContrastiveDivergence) { l.Fresh = 2 },
		"not negative, got 1, -1, 0, 0, 0, 0, 0":                   func(l *losses.ContrastiveDivergence) { l.EnergyL2 = -1 },
		"not negative, got 1, NaN, 0, 0, 0, 0, 0":                  func(l *losses.ContrastiveDivergence) { l.EnergyL2 = math.NaN() },
		"not negative, got -2, 0, 0, 0, 0, 0, 0":                   func(l *losses.ContrastiveDivergence) { l.Width = -2 },
	}
	var texts []string
	for text := range cases {
		texts = append(texts, text)
	}
	sort.Strings(texts)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, text := range texts {
			l := base
			cases[text](&l)
			_, _, err := value(b, model.NewStore(), l, [][]float32{{1, 1}, {2, 2}, {3, 3}, {4, 4}})
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("want an error with %q, got %v", text, err)
			}
		}
	})
}
