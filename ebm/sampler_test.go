package ebm_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// drift is the simplest kernel with all that the driver serves: gradient, noise and a schedule of the step.
// x' = x − η∇E(x) + √(2η)·z with η = 0.1/(1 + step/100).
type drift struct{ steps *int } // steps counts the calls of Step, where not nil

func (drift) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }

func (k drift) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	if k.steps != nil {
		*k.steps++
	}
	x := s[0]
	eta := Inverse(AddScalar(MulScalar(ConvertDType(env.Step, x.DType()), 0.1), 10))
	_, grad := env.ValueGrad(x)
	return ebm.State{Add(Sub(x, Mul(grad, eta)), Mul(env.Rand.Normal(x.Shape()), Sqrt(MulScalar(eta, 2))))}, ebm.Info{}
}

// walk is random-walk Metropolis: it carries the energy and tells its acceptance.
type walk struct{ scale float64 }

func (walk) Init(env ebm.Env, x *Node) ebm.State {
	return ebm.State{x, env.Energy.Energy(x, env.Cond...)}
}

func (k walk) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, energy := s[0], s[1]
	proposal := Add(x, MulScalar(env.Rand.Normal(x.Shape()), k.scale))
	proposed := env.Energy.Energy(proposal, env.Cond...)
	accept := MinScalar(Exp(Sub(energy, proposed)), 1)
	moves := LessThan(env.Rand.Uniform(energy.Shape()), accept)
	rows := append([]int{x.Shape().Dimensions[0]}, slices.Repeat([]int{1}, x.Rank()-1)...)
	wide := BroadcastToDims(Reshape(moves, rows...), x.Shape().Dimensions...)
	return ebm.State{Where(wide, proposal, x), Where(moves, proposed, energy)}, ebm.Info{Accept: accept}
}

// bowl is Σ x²/2, of any event shape.
var bowl = ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node {
	n := x.Shape().Dimensions[0]
	return MulScalar(ReduceSum(Reshape(Square(x), n, x.Shape().Size()/n), -1), 0.5)
})

// weighted is an energy with a weight w and a conditioning c, [n]: w·Σ(x−c)²/2.
func weighted(store *model.Store, dtype dtypes.DType) ebm.Net {
	return ebm.Net{Scope: store.Scope("weighted"), Fn: func(scope *model.Scope, x *Node, cond ...*Node) *Node {
		w := scope.VariableWithValue("w", shapes.CastAsDType(2.0, dtype)).NodeValue(x.Graph())
		return MulScalar(Mul(ReduceSum(Square(Sub(x, ExpandAxes(cond[0], -1))), -1), w), 0.5)
	}}
}

func newSampler(t *testing.T, b compute.Backend, store *model.Store, e ebm.Energy, k ebm.Kernel) *ebm.Sampler {
	t.Helper()
	s, err := ebm.NewSampler(b, store, e, k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Finalize)
	return s
}

func sample(t *testing.T, s *ebm.Sampler, o ebm.Options) *ebm.Samples {
	t.Helper()
	out, err := s.Sample(context.Background(), o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return out
}

// numbers copies a tensor of either precision to the host.
func numbers(t *testing.T, x *tensors.Tensor) []float64 {
	t.Helper()
	if x.DType() == dtypes.Float64 {
		return tensors.MustCopyFlatData[float64](x)
	}
	var out []float64
	for _, v := range tensors.MustCopyFlatData[float32](x) {
		out = append(out, float64(v))
	}
	return out
}

// alike fails where two sets of numbers differ by more than a relative tolerance; 0 asks for the same bits.
func alike(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) || len(got) == 0 {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if d := math.Abs(got[i] - want[i]); !(d <= tolerance*max(1, math.Abs(want[i]))) {
			t.Errorf("%s: number %d of %d is %.9g, want %.9g", what, i, len(got), got[i], want[i])
			return
		}
	}
}

// grid gives n rows of numbers between −2 and 2, of any event shape.
func grid(dtype dtypes.DType, n int, event ...int) *tensors.Tensor {
	shape := shapes.Make(dtypes.Float64, append([]int{n}, event...)...)
	flat := make([]float64, shape.Size())
	for i := range flat {
		flat[i] = float64(i*7%41)/10 - 2
	}
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(flat, shape.Dimensions...)
	}
	narrow := make([]float32, len(flat))
	for i, v := range flat {
		narrow[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(narrow, shape.Dimensions...)
}

// tolerance between ways to run the same steps: exact on the Go backend.
func tolerance(b compute.Backend) float64 {
	if b.Name() == "xla" {
		return 1e-6
	}
	return 0
}

// Loops whose length the compiler knows, of which a run takes as many as fit, give what one loop gives, also where a run resumes
// within one. They leave the memory of the caller's start alone.
func TestLaps(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		if b.Name() != "xla" {
			t.Skip("only XLA has them")
		}
		store, cond := model.NewStore(), []*tensors.Tensor{grid(dtypes.Float32, 64)}
		energy, start := weighted(store, dtypes.Float32), grid(dtypes.Float32, 64, 2)
		run := func(lap int, o ebm.Options) *ebm.Samples {
			s := newSampler(t, b, store, energy, walk{0.5})
			ebm.SetLap(s, lap)
			if o.Devices = 1; o.Resume == nil {
				o.Cond = cond
			}
			return sample(t, s, o)
		}
		whole := run(0, ebm.Options{Start: start, Steps: 11, Seed: 9})
		for _, lap := range []int{3, 11, 12} {
			once := run(lap, ebm.Options{Start: start, Steps: 11, Seed: 9})
			alike(t, fmt.Sprintf("laps of %d", lap), numbers(t, once.X), numbers(t, whole.X), 0)
			part := run(lap, ebm.Options{Start: start, Steps: 4, Seed: 9})
			part = run(lap, ebm.Options{Resume: part.Checkpoint, Steps: 7})
			alike(t, fmt.Sprintf("laps of %d, resumed", lap), numbers(t, part.X), numbers(t, whole.X), 0)
			if once.Accept != whole.Accept {
				t.Errorf("laps of %d: acceptance %g, want %g", lap, once.Accept, whole.Accept)
			}
		}
	})
}

// One loop, pieces of any length and steps unrolled in a graph of the user's give the same states, with weights,
// conditioning, images and both precisions.
func TestThreeWaysToRunAreOne(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		steps := 11 // not a multiple of the Go backend's chunks
		if b.Name() == "xla" {
			steps = 5 // it compiles unrolled steps for seconds
		}
		for _, c := range []struct {
			name   string
			kernel ebm.Kernel
			start  *tensors.Tensor
			cond   bool
		}{
			{"drift", drift{}, grid(dtypes.Float32, 64, 3), false},
			{"drift, images in double precision", drift{}, grid(dtypes.Float64, 64, 2, 2, 1), false},
			{"drift with weights and conditioning", drift{}, grid(dtypes.Float32, 64, 2), true},
			{"walk with weights and conditioning in double precision", walk{0.5}, grid(dtypes.Float64, 64, 2), true},
		} {
			store := model.NewStore()
			energy, cond := ebm.Energy(bowl), []*tensors.Tensor(nil)
			n, dtype := c.start.Shape().Dimensions[0], c.start.DType()
			if c.cond {
				energy, cond = weighted(store, dtype), []*tensors.Tensor{grid(dtype, n)}
			}
			s := newSampler(t, b, store, energy, c.kernel)
			whole := sample(t, s, ebm.Options{Start: c.start, Cond: cond, Steps: steps, Seed: 9})

			part := sample(t, s, ebm.Options{Start: c.start, Cond: cond, Steps: 1, Seed: 9})
			for _, n := range []int{2, steps - 3} {
				part = sample(t, s, ebm.Options{Resume: part.Checkpoint, Steps: n})
			}
			alike(t, c.name+", in pieces", numbers(t, part.X), numbers(t, whole.X), 0)

			exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
				step := Const(in[0].Graph(), int32(0))
				env := ebm.Env{Energy: energy, Cond: in[2:], Step: step, Rand: ebm.NewRand(in[0], step)}
				state, _ := ebm.Unroll(env, c.kernel, c.kernel.Init(env, in[1]), steps)
				for i := range state {
					state[i] = Identity(state[i])
				}
				return state
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			args := []any{[]uint32{9, 0}, c.start}
			for _, c := range cond {
				args = append(args, c)
			}
			state, err := exec.Call(args...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range state {
				alike(t, fmt.Sprintf("%s, unrolled, state[%d]", c.name, i), numbers(t, state[i]), numbers(t, whole.Checkpoint.State[i]), tolerance(b))
			}
		}
	})
}

// Row k of a trajectory is the position of a run of that many steps; thinning and burn-in only choose among them; the
// summaries are what the host computes from the positions.
func TestTrajectoryAndSummaries(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		const n, d, burn, steps, thin = 8, 3, 5, 17, 4
		s := newSampler(t, b, nil, bowl, walk{0.8})
		o := ebm.Options{Chains: n, Dim: d, BurnIn: burn, Steps: steps, Thin: thin, Seed: 3, Trajectory: true, Summaries: true}
		out := sample(t, s, o)
		if got, want := out.Trajectory.Shape(), shapes.Make(dtypes.Float32, n, steps/thin, d); !got.Equal(want) {
			t.Fatalf("the trajectory is %s, want %s", got, want)
		}
		path := numbers(t, out.Trajectory)
		sum := out.Summary
		if !slices.Equal(sum.Step, []int{9, 13, 17, 21}) || len(sum.Mean) != 4 || len(sum.Var) != 4 || len(sum.Energy) != 4 || len(sum.Accept) != 4 || len(sum.NonFinite) != 4 {
			t.Fatalf("the summary's rows are of the steps %v", sum.Step)
		}
		for k, step := range sum.Step {
			short := sample(t, s, ebm.Options{Chains: n, Dim: d, Steps: step, Seed: 3}) // burn-in counts as steps
			x := numbers(t, short.X)
			var kept []float64
			for i := range n {
				kept = append(kept, path[(i*(steps/thin)+k)*d:][:d]...)
			}
			alike(t, fmt.Sprintf("trajectory row %d", k), kept, x, 0)
			energy := 0.0
			for j := range d {
				mean, square := 0.0, 0.0
				for i := range n {
					mean += x[i*d+j] / n
				}
				for i := range n {
					square += (x[i*d+j] - mean) * (x[i*d+j] - mean) / n
					energy += x[i*d+j] * x[i*d+j] / 2 / n
				}
				alike(t, "summary: mean and variance", []float64{sum.Mean[k][j], sum.Var[k][j]}, []float64{mean, square}, 1e-5)
			}
			alike(t, "summary: energy", []float64{sum.Energy[k]}, []float64{energy}, 1e-5)
			if sum.NonFinite[k] != 0 || !(sum.Accept[k] > 0 && sum.Accept[k] < 1) {
				t.Errorf("row %d: %d non-finite chains, acceptance %g", k, sum.NonFinite[k], sum.Accept[k])
			}
		}
		final := sample(t, s, ebm.Options{Chains: n, Dim: d, Steps: burn + steps, Seed: 3})
		alike(t, "the last position", numbers(t, out.X), numbers(t, final.X), 0)
		if out.Checkpoint.Step != burn+steps {
			t.Errorf("%d steps done, want %d", out.Checkpoint.Step, burn+steps)
		}
		// Acceptance: each step's, from summaries without thinning, average to that of longer spans and of the run.
		o.Thin, o.Trajectory = 1, false
		every := sample(t, s, o)
		for k := range sum.Accept {
			mean := 0.0
			for _, a := range every.Summary.Accept[k*thin : (k+1)*thin] {
				mean += a / thin
			}
			alike(t, "acceptance of a row", []float64{sum.Accept[k]}, []float64{mean}, 1e-5)
		}
		mean := 0.0
		for _, a := range every.Summary.Accept {
			mean += a / steps
		}
		alike(t, "acceptance of the run", []float64{out.Accept, every.Accept}, []float64{mean, mean}, 1e-5)
	})
}

// A chain that starts where the energy is NaN is counted, and spoils no other chain.
func TestNonFiniteChainsAreCounted(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		well := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { // NaN beyond 10
			return ReduceSum(Mul(Square(x), Sqrt(AddScalar(Neg(Abs(x)), 10))), -1)
		})
		start := tensors.FromValue([][]float32{{0.1}, {50}, {-0.1}, {-20}, {0.2}})
		s := newSampler(t, b, nil, well, drift{})
		out := sample(t, s, ebm.Options{Start: start, Steps: 2, Summaries: true})
		if !slices.Equal(out.Summary.NonFinite, []int{2, 2}) {
			t.Errorf("%v non-finite chains, want 2 at both steps", out.Summary.NonFinite)
		}
		for i, v := range numbers(t, out.X) {
			if bad := i == 1 || i == 3; math.IsNaN(v) != bad {
				t.Errorf("chain %d is at %g", i, v)
			}
		}
		again := sample(t, s, ebm.Options{Resume: out.Checkpoint, Steps: 1, Summaries: true}) // as the run would have gone on
		if again.Summary.NonFinite[0] != 2 || again.Summary.Step[0] != 3 {
			t.Errorf("after a resume: %+v", again.Summary)
		}
	})
}

// The chains of Data begin at rows of it, of which all are reached; those without a start are normal.
func TestStarts(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		still := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return MulScalar(ReduceSum(x, -1), 0) })
		s := newSampler(t, b, nil, still, walk{0}) // stays where it is
		data := tensors.FromValue([][]float32{{1, 10}, {2, 20}, {3, 30}})
		counts := make([]float64, 3)
		x := numbers(t, sample(t, s, ebm.Options{Data: data, Chains: 3000, Steps: 1, Seed: 5}).X)
		for i := 0; i < len(x); i += 2 {
			if x[i+1] != 10*x[i] {
				t.Fatalf("chain %d began at (%g, %g), which is no row of the data", i/2, x[i], x[i+1])
			}
			counts[int(x[i])-1]++
		}
		chiSquare(t, "starts from data", counts)
		z := numbers(t, sample(t, s, ebm.Options{Chains: 3000, Dim: 2, Steps: 1, Seed: 5}).X)
		meanNear(t, "normal starts: mean", z, func(v float64) float64 { return v }, 0, 1)
		meanNear(t, "normal starts: square", z, func(v float64) float64 { return v * v }, 1, 2)
		other := numbers(t, sample(t, s, ebm.Options{Chains: 3000, Dim: 2, Steps: 1, Seed: 5 << 32}).X)
		if other[0] == z[0] {
			t.Error("the high half of the seed changes nothing")
		}
		// What a kernel's Init draws is neither the starts nor the first step's noise.
		var products [2]float64
		s = newSampler(t, b, nil, still, broken{
			init: func(env ebm.Env, x *Node) ebm.State { return ebm.State{x, env.Rand.Normal(x.Shape()), x} },
			step: func(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
				return ebm.State{s[0], s[1], env.Rand.Normal(s[0].Shape())}, ebm.Info{}
			},
		})
		state := sample(t, s, ebm.Options{Chains: 3000, Dim: 2, Steps: 1, Seed: 5}).Checkpoint.State
		start, init, step := numbers(t, state[0]), numbers(t, state[1]), numbers(t, state[2])
		alike(t, "starts of another kernel", start, z, 0)
		for i := range init {
			products[0] += init[i] * start[i] / math.Sqrt(float64(len(init)))
			products[1] += init[i] * step[i] / math.Sqrt(float64(len(init)))
		}
		if math.Abs(products[0]) > 5 || math.Abs(products[1]) > 5 {
			t.Errorf("Init's noise correlates with the starts by %.1f standard errors and with the first step's by %.1f", products[0], products[1])
		}
	})
}

// A second call compiles nothing, whatever its steps, seed, thinning, burn-in and weights, which it sees.
func TestNoSecondCompile(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store, built := model.NewStore(), 0
		s := newSampler(t, b, store, weighted(store, dtypes.Float32), drift{&built})
		start, cond := grid(dtypes.Float32, 4, 2), []*tensors.Tensor{grid(dtypes.Float32, 4)}
		first := sample(t, s, ebm.Options{Start: start, Cond: cond, Steps: 20, BurnIn: 1, Seed: 1})
		if built == 0 {
			t.Fatal("Step was never called")
		}
		before := built
		for _, o := range []ebm.Options{
			{Steps: 1}, {Steps: 100, Seed: 2}, {Steps: 9, BurnIn: 10, Thin: 3, Trajectory: true, Summaries: true},
		} {
			o.Start, o.Cond = start, cond
			sample(t, s, o)
		}
		sample(t, s, ebm.Options{Resume: first.Checkpoint, Steps: 30})
		if built != before {
			t.Errorf("Step was built %d times more at later calls", built-before)
		}
		same := sample(t, s, ebm.Options{Start: start, Cond: cond, Steps: 20, BurnIn: 1, Seed: 1})
		alike(t, "the same call again", numbers(t, same.X), numbers(t, first.X), 0)
		for v := range store.IterVariables() {
			if err := v.SetValue(tensors.FromValue(float32(0.5))); err != nil {
				t.Fatal(err)
			}
		}
		changed := sample(t, s, ebm.Options{Start: start, Cond: cond, Steps: 20, BurnIn: 1, Seed: 1})
		if slices.Equal(numbers(t, changed.X), numbers(t, first.X)) {
			t.Error("a new weight in the store changed nothing")
		}
		if built != before {
			t.Error("a new weight made the sampler compile again")
		}
	})
}

// Progress never goes back, ends at the total, and tells rates and acceptance that can be.
func TestProgress(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		s := newSampler(t, b, nil, bowl, walk{0.8})
		var all []ebm.Progress
		out := sample(t, s, ebm.Options{Chains: 16, Dim: 2, BurnIn: 100, Steps: 900, Seed: 1, Progress: func(p ebm.Progress) { all = append(all, p) }})
		if len(all) < 2 {
			t.Fatalf("progress was told %d times", len(all))
		}
		for i, p := range all {
			if p.Steps != 1000 || p.Step < 1 || p.Step > 1000 || p.Rate <= 0 || p.Left < 0 || !(p.Accept > 0 && p.Accept <= 1) {
				t.Errorf("report %d: %+v", i, p)
			}
			if i > 0 && (p.Step <= all[i-1].Step || p.Elapsed < all[i-1].Elapsed) {
				t.Errorf("report %d goes back: %+v after %+v", i, p, all[i-1])
			}
		}
		last := all[len(all)-1]
		if last.Step != 1000 || last.Left != 0 {
			t.Errorf("the last report is %+v", last)
		}
		alike(t, "the last report's acceptance", []float64{last.Accept}, []float64{out.Accept}, 1e-6)
	})
}

// A trajectory alone, which XLA's loop records by itself, is bit by bit what is kept when the loop is called for each row: over several
// fillings of its buffer, rows longer than a call, steps left over, a resume, and several devices.
func TestTrajectoryAlone(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		s := newSampler(t, b, nil, bowl, walk{0.8})
		for _, o := range []ebm.Options{
			{BurnIn: 5, Steps: 17, Thin: 4}, {Steps: 600}, {BurnIn: 300, Steps: 1030, Thin: 200}, {Steps: 7, Thin: 7},
		} {
			for _, devices := range []int{1, 2} {
				if devices > b.NumDevices() {
					continue
				}
				name := fmt.Sprintf("%d steps, thinned by %d, %d devices", o.Steps, o.Thin, devices)
				o.Chains, o.Event, o.Seed, o.Trajectory, o.Devices, o.Summaries = 8, []int{2, 3}, 3, true, devices, false
				alone := sample(t, s, o)
				o.Summaries = true
				both := sample(t, s, o)
				if got, want := alone.Trajectory.Shape(), both.Trajectory.Shape(); !got.Equal(want) {
					t.Fatalf("%s: the trajectory is %s, want %s", name, got, want)
				}
				alike(t, name, numbers(t, alone.Trajectory), numbers(t, both.Trajectory), 0)
				alike(t, name+": the last position", numbers(t, alone.X), numbers(t, both.X), 0)
				alike(t, name+": acceptance", []float64{alone.Accept}, []float64{both.Accept}, 0)

				resume := ebm.Options{Resume: both.Checkpoint, Steps: 30, Thin: 10, Devices: devices, Trajectory: true}
				alone = sample(t, s, resume)
				resume.Summaries = true
				alike(t, name+": resumed", numbers(t, alone.Trajectory), numbers(t, sample(t, s, resume).Trajectory), 0)
			}
		}
	})
}

// A run that its context ends gives what was done and the context's error; going on from there gives the bits of a
// run that was never stopped.
func TestCancelAndResume(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		s := newSampler(t, b, nil, bowl, walk{0.8})
		o := ebm.Options{Chains: 8, Dim: 2, Steps: 600, Seed: 4}
		whole := sample(t, s, o)

		ctx, cancel := context.WithCancel(context.Background())
		o.Trajectory, o.Thin = true, 50
		o.Progress = func(p ebm.Progress) {
			if p.Step >= 300 {
				cancel()
			}
		}
		part, err := s.Sample(ctx, o)
		if err != context.Canceled || part == nil {
			t.Fatalf("a cancelled run gave %v and error %v", part, err)
		}
		done := part.Checkpoint.Step // pieces are longer where a call records many rows
		if done < 300 || done >= 600 || part.Trajectory.Shape().Dimensions[1] != done/50 {
			t.Fatalf("stopped after %d steps with a trajectory %s", done, part.Trajectory.Shape())
		}
		rest := sample(t, s, ebm.Options{Resume: part.Checkpoint, Steps: 600 - done})
		alike(t, "resumed", numbers(t, rest.X), numbers(t, whole.X), 0)

		// Before the first step, and during burn-in, there is less to give, but nothing breaks.
		part, err = s.Sample(ctx, ebm.Options{Chains: 8, Dim: 2, Steps: 600, BurnIn: 10, Seed: 4})
		if err != context.Canceled || part == nil || part.Checkpoint.Step != 0 || !math.IsNaN(part.Accept) || part.Trajectory != nil {
			t.Fatalf("a run cancelled before its start gave %+v and error %v", part, err)
		}
		rest = sample(t, s, ebm.Options{Resume: part.Checkpoint, Steps: 600})
		alike(t, "resumed from the start", numbers(t, rest.X), numbers(t, whole.X), 0)

		late, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer stop()
		part, err = s.Sample(late, ebm.Options{Chains: 8, Dim: 2, Steps: math.MaxInt32, Seed: 4})
		if err != context.DeadlineExceeded || part == nil {
			t.Errorf("a run out of time gave %v and error %v", part, err)
		}
	})
}

// Memory does not grow with the steps, on the heap or beside it, unless a trajectory is asked for.
func TestMemoryDoesNotGrow(t *testing.T) {
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		t.Skip("no /proc to read the process's memory from")
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		still := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return MulScalar(ReduceSum(x, -1), 0.5) })
		s := newSampler(t, b, nil, still, walk{0.1})
		run := func(steps int) int { // summaries make each step a piece of its own, whose state of 64 kB comes and goes
			sample(t, s, ebm.Options{Chains: 128, Dim: 128, Steps: steps, Seed: 1, Summaries: steps <= 1000})
			return resident(t)
		}
		before := run(100)
		pieces, long := run(1000), run(3000)
		if limit := before + 30; pieces > limit || long > limit {
			t.Errorf("the process grew from %d MB to %d over 1000 pieces, and to %d over 3000 steps", before, pieces, long)
		}
	})
}

// resident is the process's memory in MB, after the garbage is collected.
func resident(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	var size, pages int
	if _, e := fmt.Sscan(string(data), &size, &pages); err != nil || e != nil {
		t.Fatal(err, e)
	}
	return pages * os.Getpagesize() >> 20
}

// Chains sharded over 2 and 4 devices draw what they draw on one, bit by bit; weights and conditioning go along.
func TestDevices(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		if b.NumDevices() == 1 {
			s := newSampler(t, b, nil, bowl, drift{})
			_, err := s.Sample(context.Background(), ebm.Options{Chains: 8, Dim: 2, Steps: 1, Devices: 2})
			if err == nil || !strings.Contains(err.Error(), "Options.Devices must be at most the backend's 1, got 2") {
				t.Errorf("two devices of a backend with one: error %v", err)
			}
			t.Skip("the backend has one device")
		}
		store := model.NewStore()
		s := newSampler(t, b, store, weighted(store, dtypes.Float32), walk{0.5})
		o := ebm.Options{Chains: 24, Dim: 3, Steps: 50, Seed: 6, Cond: []*tensors.Tensor{grid(dtypes.Float32, 24)}, Devices: 1, Thin: 10, Trajectory: true, Summaries: true}
		one := sample(t, s, o)
		for _, devices := range []int{2, 4} {
			if b.NumDevices() < devices {
				t.Skipf("the backend has %d devices", b.NumDevices())
			}
			o.Devices = devices
			many := sample(t, s, o)
			alike(t, fmt.Sprintf("%d devices", devices), numbers(t, many.Trajectory), numbers(t, one.Trajectory), 0)
			alike(t, fmt.Sprintf("%d devices: acceptance", devices), many.Summary.Accept, one.Summary.Accept, 0)
			resumed := sample(t, s, ebm.Options{Resume: many.Checkpoint, Steps: 10, Devices: devices})
			single := sample(t, s, ebm.Options{Resume: one.Checkpoint, Steps: 10, Devices: 1})
			alike(t, fmt.Sprintf("%d devices, resumed", devices), numbers(t, resumed.X), numbers(t, single.X), 0)
		}
		for v := range store.IterVariables() {
			if err := v.SetValue(tensors.FromValue(float32(0.5))); err != nil {
				t.Fatal(err)
			}
		}
		many := sample(t, s, o)
		o.Devices = 1
		alike(t, "a new weight on several devices", numbers(t, many.X), numbers(t, sample(t, s, o).X), 0)
		// A sampler of its own goes to the devices with the first's weights, and with some that were never initialized.
		again := newSampler(t, b, store, weighted(store, dtypes.Float32), walk{0.5})
		fresh := model.NewStore()
		unset := newSampler(t, b, fresh, weighted(fresh, dtypes.Float32), walk{0.5})
		resume := ebm.Options{Resume: many.Checkpoint, Steps: 10, Devices: 2}
		alike(t, "another sampler", numbers(t, sample(t, again, resume).X), numbers(t, sample(t, s, resume).X), 0)
		first := sample(t, unset, ebm.Options{Resume: one.Checkpoint, Steps: 10, Devices: 2})
		alike(t, "weights not yet in the store", numbers(t, first.X), numbers(t, sample(t, unset, ebm.Options{Resume: one.Checkpoint, Steps: 10}).X), 0)
		for devices, want := range map[int]string{
			5:  "ebm: Options.Devices must divide the number of chains 24, got 5",
			24: fmt.Sprintf("ebm: Options.Devices must be at most the backend's %d, got 24", b.NumDevices()),
		} {
			o.Devices = devices
			if _, err := s.Sample(context.Background(), o); err == nil || err.Error() != want {
				t.Errorf("%d devices: error %v, want %q", devices, err, want)
			}
		}
	})
}

// Samples of a bowl have its moments: the driver's pieces add up to a sampler.
func TestSamplesAreRight(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		s := newSampler(t, b, nil, bowl, walk{1.5})
		x := numbers(t, sample(t, s, ebm.Options{Chains: 20_000, Dim: 2, Steps: 100, Seed: 2, Start: grid(dtypes.Float32, 20_000, 2)}).X)
		meanNear(t, "mean", x, func(v float64) float64 { return v }, 0, 1)
		meanNear(t, "square", x, func(v float64) float64 { return v * v }, 1, 2)
	})
}

func TestEvaluate(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		x := tensors.FromValue([][]float64{{1, 2}, {3, 4}})
		c := tensors.FromValue([]float64{1, 3})
		got, err := ebm.Evaluate(b, store, weighted(store, dtypes.Float64), x, c)
		if err != nil {
			t.Fatal(err)
		}
		alike(t, "energies with conditioning", got, []float64{1, 1}, 0)
		got, err = ebm.OnHost(b, nil, bowl, 3)([]float32{1, 0, 0, 1, 1, 2})
		if err != nil {
			t.Fatal(err)
		}
		alike(t, "energies on the host", got, []float64{0.5, 3}, 0)
	})
}

// A custom energy is a function; Sample runs a kernel on it for many chains.
func Example() {
	b, err := backend.New()
	if err != nil {
		panic(err)
	}
	bowl := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return ReduceSum(Square(x), -1) }) // variance ½
	s, err := ebm.NewSampler(b, nil, bowl, walk{scale: 0.8})
	if err != nil {
		panic(err)
	}
	out, err := s.Sample(context.Background(), ebm.Options{Chains: 10_000, Dim: 2, Steps: 100, Seed: 1, Thin: 100, Summaries: true})
	if err != nil {
		panic(err)
	}
	variance := out.Summary.Var[0]
	fmt.Printf("variance %.1f and %.1f, acceptance %.1f\n", variance[0], variance[1], out.Accept)
	// Output: variance 0.5 and 0.5, acceptance 0.5
}

// A run can be put down at any step and taken up again: the samples are those of a run that never stopped.
func ExampleSampler_Sample_resume() {
	b, err := backend.New()
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	s, err := ebm.NewSampler(b, nil, ebm.Harmonic{}, walk{scale: 1})
	if err != nil {
		panic(err)
	}
	whole, err := s.Sample(ctx, ebm.Options{Chains: 5, Dim: 2, Steps: 100, Seed: 1})
	if err != nil {
		panic(err)
	}
	first, err := s.Sample(ctx, ebm.Options{Chains: 5, Dim: 2, Steps: 37, Seed: 1})
	if err != nil {
		panic(err)
	}
	rest, err := s.Sample(ctx, ebm.Options{Resume: first.Checkpoint, Steps: 63})
	if err != nil {
		panic(err)
	}
	fmt.Println(rest.X.Equal(whole.X))
	// Output: true
}
