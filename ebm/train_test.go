package ebm_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// moonsCD is a small persistent training on two moons.
func moonsCD(store *model.Store) losses.ContrastiveDivergence {
	return losses.ContrastiveDivergence{Energy: nn.MLPEnergy(store.Scope("/energy"), 16), Kernel: samplers.Langevin{StepSize: ebm.Fixed(.01)},
		Steps: 3, Persistent: true, Buffer: 64}
}

func moons(t *testing.T) *datasets.Batches {
	t.Helper()
	data, err := datasets.TwoMoons{N: 96, Seed: 1}.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return &datasets.Batches{Data: data, Size: 32, Seed: 3}
}

// contents are the bytes of all variables.
func contents(t *testing.T, store *model.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for v := range store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			t.Fatal(err)
		}
		if err := value.ConstBytes(func(data []byte) { out[v.Path()] = string(data) }); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// paths are the names of the energy's weights, in the store's order.
func paths(store *model.Store) []string {
	var out []string
	for v := range store.IterVariables() {
		if strings.HasPrefix(v.Path(), "/energy/") {
			out = append(out, v.Path())
		}
	}
	return out
}

func sameContents(t *testing.T, got, want map[string]string) {
	t.Helper()
	for path, data := range want {
		if strings.HasPrefix(path, "/rng") || strings.Contains(path, "rngState") {
			continue // GoMLX's generator only serves the initial weights
		}
		if got[path] != data {
			t.Errorf("%s differs", path)
		}
	}
	if len(want) < 8 {
		t.Errorf("only %d variables: what was compared?", len(want))
	}
}

func TestTrainFindsThePrecisionOfAGaussian(t *testing.T) {
	// E = ½w‖x‖² on data of variance ¼: the likelihood is greatest at w = 1/(mean x²), which exact chains would find to the last digit.
	data := &datasets.Data{Name: "normal", Dim: 2}
	for i := range 2048 { // a lattice of quantiles: its variance is known
		z := math.Sqrt2 * math.Erfinv(2*(float64(i)+.5)/2048-1)
		data.X = append(data.X, float32(z/2), float32(-z/2))
	}
	want := 0.0
	for _, v := range data.X {
		want += float64(v) * float64(v)
	}
	want = float64(len(data.X)) / want
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		energy := ebm.Net{Scope: store.Scope("/energy"), Fn: func(scope *model.Scope, x *Node, _ ...*Node) *Node {
			return Mul(MulScalar(ReduceSum(Square(x), -1), .5), scope.VariableWithValue("w", float32(1)).NodeValue(x.Graph()))
		}}
		loss := losses.ContrastiveDivergence{Energy: energy, Kernel: samplers.HMC{StepSize: ebm.Fixed(.3), Leapfrog: 3}, Steps: 2, Persistent: true, Buffer: 512, Fresh: -1}
		report, err := ebm.Train(context.Background(), b, store, loss, &datasets.Batches{Data: data, Size: 512},
			ebm.TrainOptions{Steps: 400, LearningRate: .05, Schedule: ebm.Cosine{Start: .05, End: .0005, Steps: 400}})
		if err != nil {
			t.Fatal(err)
		}
		w := float64(tensors.ToScalar[float32](store.GetVariable("/energy/w").MustValue()))
		// 512 chains of dimension 2 give the variance, and so w, to 1/√512; the end of the schedule averages some of it away.
		if math.Abs(w/want-1) > 5/math.Sqrt(512) {
			t.Errorf("w = %.3f, want %.3f", w, want)
		}
		if len(report.History) != 100 || report.Steps != 400 || report.Diagnosis != nil {
			t.Errorf("report: %d epochs, %d steps, diagnosis %v", len(report.History), report.Steps, report.Diagnosis)
		}
	})
}

func TestTrainResumesBitIdentically(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		options := func(steps int) ebm.TrainOptions {
			return ebm.TrainOptions{Steps: steps, EMA: .9, ClipNorm: 1, Seed: 5, Schedule: ebm.Linear{Start: 1e-2, End: 1e-3, Steps: 12}}
		}
		ctx := context.Background()
		whole := model.NewStore()
		if _, err := ebm.Train(ctx, b, whole, moonsCD(whole), moons(t), options(11)); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, steps := range []int{4, 9, 11} { // stops within epochs of 3 batches; each part in a store of its own
			store := model.NewStore()
			o := options(steps)
			o.Checkpoint = dir
			report, err := ebm.Train(ctx, b, store, moonsCD(store), moons(t), o)
			if err != nil {
				t.Fatal(err)
			}
			if report.Steps != steps {
				t.Errorf("stopped at step %d, want %d", report.Steps, steps)
			}
			if steps == 11 {
				sameContents(t, contents(t, store), contents(t, whole))
				if got, want := paths(store), paths(whole); !slices.Equal(got, want) { // the norm of the gradient is summed in this order
					t.Errorf("the variables came back in the order %q, want %q", got, want)
				}
			}
		}
		again := model.NewStore() // and without a checkpoint, in one process
		for _, steps := range []int{5, 11} {
			if _, err := ebm.Train(ctx, b, again, moonsCD(again), moons(t), options(steps)); err != nil {
				t.Fatal(err)
			}
		}
		sameContents(t, contents(t, again), contents(t, whole))
	})
}

// A model's own noise, such as dropout's, comes from GoMLX's generator, whose state is a variable too.
func TestTrainResumesTheModelsOwnNoise(t *testing.T) {
	b, ctx := pureGo(t), context.Background()
	train := func(store *model.Store, dir string, steps int) float32 {
		t.Helper()
		noisy := lossFunc(func(x *Node, _ *ebm.Rand, _ ...*Node) ebm.Terms {
			scope, g := store.Scope("/energy"), x.Graph()
			w := scope.VariableWithValue("w", float32(1)).NodeValue(g)
			return ebm.Terms{Loss: Mul(w, scope.RandomUniform(g, shapes.Make(dtypes.Float32)))}
		})
		if _, err := ebm.Train(ctx, b, store, noisy, moons(t), ebm.TrainOptions{Steps: steps, Checkpoint: dir}); err != nil {
			t.Fatal(err)
		}
		return tensors.ToScalar[float32](store.GetVariable("/energy/w").MustValue())
	}
	want, dir := train(model.NewStore(), t.TempDir(), 7), t.TempDir()
	train(model.NewStore(), dir, 3)
	if got := train(model.NewStore(), dir, 7); got != want || got == 1 {
		t.Errorf("w = %g, want %g, the same noise as without a stop", got, want)
	}
}

func TestTrainCancelled(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		store, dir := model.NewStore(), t.TempDir()
		report, err := ebm.Train(ctx, b, store, moonsCD(store), moons(t), ebm.TrainOptions{Epochs: 1000, Checkpoint: dir,
			OnEpoch: func(epoch int, _ ebm.TrainProgress) error {
				if epoch == 2 {
					cancel()
				}
				return nil
			}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("want context.Canceled, got %v", err)
		}
		if report == nil || report.Steps != 6 || len(report.History) != 2 {
			t.Fatalf("want a report of 6 steps in 2 epochs, got %+v", report)
		}
		if names, _ := filepath.Glob(dir + "/step-*"); len(names) != 1 || !strings.HasSuffix(names[0], "step-000000006") {
			t.Errorf("want the checkpoint of step 6, got %v", names)
		}
	})
}

func TestTrainStopsWhereACallbackFails(t *testing.T) {
	b := pureGo(t)
	store := model.NewStore()
	_, err := ebm.Train(context.Background(), b, store, moonsCD(store), moons(t), ebm.TrainOptions{Epochs: 3,
		OnEpoch: func(int, ebm.TrainProgress) error { return errors.New("enough") }})
	if err == nil || err.Error() != "enough" {
		t.Errorf("got %v", err)
	}
}

func pureGo(t *testing.T) compute.Backend {
	t.Helper()
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

func TestEMA(t *testing.T) {
	// A loss w·c has a constant gradient; GoMLX's Adam then moves w by the learning rate each step, so the average has a closed form.
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		slope := lossFunc(func(x *Node, _ *ebm.Rand, _ ...*Node) ebm.Terms {
			w := store.Scope("/energy").VariableWithValue("w", float32(1)).NodeValue(x.Graph())
			return ebm.Terms{Loss: Mul(w, ReduceAllMean(OnesLike(x)))}
		})
		const rate, decay, steps = .01, .5, 20
		if _, err := ebm.Train(context.Background(), b, store, slope, moons(t), ebm.TrainOptions{Steps: steps, LearningRate: rate, EMA: decay}); err != nil {
			t.Fatal(err)
		}
		w, average := 1.0, 0.0
		for s := range steps {
			w -= rate
			d := math.Min(decay, (1+float64(s))/(10+float64(s)))
			if s == 0 {
				d = 0 // the average begins at the weights
			}
			average = d*average + (1-d)*w
		}
		read := func() float64 { return float64(tensors.ToScalar[float32](store.GetVariable("/energy/w").MustValue())) }
		if got := read(); math.Abs(got-w) > 1e-5 {
			t.Errorf("w = %.6f, want %.6f", got, w)
		}
		if err := ebm.WithEMA(store, func() error {
			if got := read(); math.Abs(got-average) > 1e-5 {
				t.Errorf("average = %.6f, want %.6f", got, average)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got := read(); math.Abs(got-w) > 1e-5 {
			t.Errorf("w = %.6f after WithEMA, want it back at %.6f", got, w)
		}
	})
	if err := ebm.WithEMA(model.NewStore(), func() error { return nil }); err == nil || !strings.Contains(err.Error(), "holds no averages") {
		t.Errorf("a store without averages: %v", err)
	}
}

type lossFunc func(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms

func (f lossFunc) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms { return f(x, rng, cond...) }

func TestClipNormAndSchedule(t *testing.T) {
	// Plain gradient descent on 3a + 4b: the gradient's norm is 5, so a step clipped to 1 at rate r moves (a, b) by r·(.6, .8).
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		loss := lossFunc(func(x *Node, _ *ebm.Rand, _ ...*Node) ebm.Terms {
			scope := store.Scope("/energy")
			w := scope.VariableWithValue("w", []float32{0, 0}).NodeValue(x.Graph())
			return ebm.Terms{Loss: ReduceAllSum(Mul(w, Const(x.Graph(), []float32{3, 4})))}
		})
		report, err := ebm.Train(context.Background(), b, store, loss, moons(t), ebm.TrainOptions{Steps: 2, ClipNorm: 1,
			Optimizer: plainSGD(), Schedule: ebm.MultiStep{Start: .5, Milestones: []int{1}, Gamma: .1}})
		if err != nil {
			t.Fatal(err)
		}
		w := tensors.MustCopyFlatData[float32](store.GetVariable("/energy/w").MustValue())
		want := -(.5 + .05) // rate .5 in the first step, .05 in the second
		if math.Abs(float64(w[0])-.6*want) > 1e-6 || math.Abs(float64(w[1])-.8*want) > 1e-6 {
			t.Errorf("w = %v, want %.3f·(.6, .8)", w, want)
		}
		if g := report.History[0].GradNorm; math.Abs(g-5) > 1e-5 {
			t.Errorf("norm of the gradient = %g, want 5: before clipping", g)
		}
	})
}

func TestNonFiniteGradientsDoNotSpoilTheWeights(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		loss := lossFunc(func(x *Node, _ *ebm.Rand, _ ...*Node) ebm.Terms {
			w := store.Scope("/energy").VariableWithValue("w", float32(-1)).NodeValue(x.Graph())
			return ebm.Terms{Loss: Log(w)} // NaN
		})
		report, err := ebm.Train(context.Background(), b, store, loss, moons(t), ebm.TrainOptions{Steps: 50})
		var d *ebm.Diagnosis
		if !errors.As(err, &d) || d != report.Diagnosis || d.Step != 3 || !strings.Contains(err.Error(), "three steps in a row") {
			t.Fatalf("want a diagnosis at step 3, got %v", err)
		}
		if w := tensors.ToScalar[float32](store.GetVariable("/energy/w").MustValue()); w != -1 {
			t.Errorf("w = %g, want −1, untouched", w)
		}
	})
}

func TestDoctorCatchesThePublishedSettings(t *testing.T) {
	// Langevin at step size 0.1, CD-10, persistent, no penalty: the settings under which the energy collapses.
	data, err := datasets.TwoMoons{N: 3000, Seed: 1}.Generate()
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, rollback := range []bool{false, true} {
			store := model.NewStore()
			loss := losses.ContrastiveDivergence{Energy: nn.MLPEnergy(store.Scope("/energy"), 64, 64), Persistent: true,
				Kernel: samplers.Langevin{StepSize: ebm.Fixed(.1)}, Steps: 10}
			report, err := ebm.Train(context.Background(), b, store, loss, &datasets.Batches{Data: data, Size: 64},
				ebm.TrainOptions{Steps: 1000, Doctor: ebm.Doctor{Rollback: rollback}})
			if err == nil || !strings.Contains(err.Error(), "the energy collapses") || !strings.Contains(err.Error(), "smaller sampler step size") {
				t.Fatalf("want the doctor to see the collapse, got %v", err)
			}
			t.Log(err)
			if d := report.Diagnosis; d.Step > 600 || rollback != (d.RolledBack >= 0) || rollback && d.RolledBack >= d.Step {
				t.Errorf("rollback %v: diagnosis at step %d, rolled back to %d", rollback, d.Step, d.RolledBack)
			}
			if testing.Short() || b.Name() != "xla" {
				break
			}
		}
	})
}

// once is a dataset that can't seek.
type once struct{ batches []train.Batch }

func (once) Name() string { return "once" }
func (d once) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		for _, b := range d.batches {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	b := pureGo(t)
	ctx := context.Background()
	store := model.NewStore()
	loss, data := moonsCD(store), moons(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		err  func() error
	}{
		{"the backend is nil", func() error { _, err := ebm.Train(ctx, nil, store, loss, data, ebm.TrainOptions{Steps: 1}); return err }},
		{"the store is nil", func() error { _, err := ebm.Train(ctx, b, nil, loss, data, ebm.TrainOptions{Steps: 1}); return err }},
		{"the loss is nil", func() error { _, err := ebm.Train(ctx, b, store, nil, data, ebm.TrainOptions{Steps: 1}); return err }},
		{"the data is nil", func() error { _, err := ebm.Train(ctx, b, store, loss, nil, ebm.TrainOptions{Steps: 1}); return err }},
		{"got Epochs 0 and Steps 0", refused(ctx, b, ebm.TrainOptions{})},
		{"got Epochs 1 and Steps 1", refused(ctx, b, ebm.TrainOptions{Steps: 1, Epochs: 1})},
		{"got Epochs -1 and Steps 0", refused(ctx, b, ebm.TrainOptions{Epochs: -1})},
		{"LearningRate must be finite and not negative, got -1", refused(ctx, b, ebm.TrainOptions{Steps: 1, LearningRate: -1})},
		{"LearningRate must be finite and not negative, got NaN", refused(ctx, b, ebm.TrainOptions{Steps: 1, LearningRate: math.NaN()})},
		{"ClipNorm must be finite and not negative, got -2", refused(ctx, b, ebm.TrainOptions{Steps: 1, ClipNorm: -2})},
		{"EMA must be in [0, 1), got 1", refused(ctx, b, ebm.TrainOptions{Steps: 1, EMA: 1})},
		{"Every and Keep must not be negative, got -1 and 0", refused(ctx, b, ebm.TrainOptions{Steps: 1, Every: -1})},
		{"TrainOptions.Checkpoint", refused(ctx, b, ebm.TrainOptions{Steps: 1, Checkpoint: file})},
		{"gave no batch", func() error { _, err := ebm.Train(ctx, b, store, loss, once{}, ebm.TrainOptions{Steps: 1}); return err }},
		{"X is empty", func() error {
			_, err := ebm.Train(ctx, b, store, loss, &datasets.Batches{Data: &datasets.Data{Dim: 2}}, ebm.TrainOptions{Steps: 1})
			return err
		}},
	} {
		if err := c.err(); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("want an error with %q, got %v", c.text, err)
		}
	}
}

func refused(ctx context.Context, b compute.Backend, o ebm.TrainOptions) func() error {
	return func() error {
		store := model.NewStore()
		_, err := ebm.Train(ctx, b, store, moonsCD(store), &datasets.Batches{Data: &datasets.Data{X: make([]float32, 8), Dim: 2}}, o)
		return err
	}
}

func TestDamagedCheckpoints(t *testing.T) {
	b := pureGo(t)
	ctx := context.Background()
	damage := map[string]func(dir string) error{
		"cut short":  func(dir string) error { return os.Truncate(only(t, dir, "*.bin"), 100) },
		"no numbers": func(dir string) error { return os.Remove(only(t, dir, "*.bin")) },
		"no names":   func(dir string) error { return os.WriteFile(only(t, dir, "*.json"), []byte("{"), 0o666) },
	}
	for name, hurt := range damage {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := model.NewStore()
			o := ebm.TrainOptions{Steps: 2, Checkpoint: dir}
			if _, err := ebm.Train(ctx, b, store, moonsCD(store), moons(t), o); err != nil {
				t.Fatal(err)
			}
			if err := hurt(only(t, dir, "step-*")); err != nil {
				t.Fatal(err)
			}
			store = model.NewStore()
			o.Steps = 4
			if _, err := ebm.Train(ctx, b, store, moonsCD(store), moons(t), o); err == nil || !strings.Contains(err.Error(), "ebm: loading the checkpoint "+dir) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("another seed", func(t *testing.T) {
		dir := t.TempDir()
		first := model.NewStore()
		if _, err := ebm.Train(ctx, b, first, moonsCD(first), moons(t), ebm.TrainOptions{Steps: 2, Checkpoint: dir, Seed: 1}); err != nil {
			t.Fatal(err)
		}
		store := model.NewStore()
		if _, err := ebm.Train(ctx, b, store, moonsCD(store), moons(t), ebm.TrainOptions{Steps: 3, Checkpoint: dir, Seed: 2}); err == nil || !strings.Contains(err.Error(), "TrainOptions.Seed is 2, but the checkpoint") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("half written", func(t *testing.T) { // what a killed process leaves is passed over, and removed
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, ".writing-123"), 0o777); err != nil {
			t.Fatal(err)
		}
		store := model.NewStore()
		if _, err := ebm.Train(ctx, b, store, moonsCD(store), moons(t), ebm.TrainOptions{Steps: 2, Checkpoint: dir}); err != nil {
			t.Fatal(err)
		}
		if names, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(names) != 1 || filepath.Base(names[0]) != "step-000000002" {
			t.Errorf("want the checkpoint alone, got %v %v", names, err)
		}
	})
}

// only is the one file that matches.
func only(t *testing.T, dir, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) != 1 {
		t.Fatalf("want one %s in %s, got %v %v", pattern, dir, names, err)
	}
	return names[0]
}

// TestKilledTraining ends a training process with SIGKILL at many moments; whatever is then in the directory must load.
func TestKilledTraining(t *testing.T) {
	if dir := os.Getenv("EBM_TEST_TRAIN_INTO"); dir != "" {
		store := model.NewStore()
		_, err := ebm.Train(context.Background(), pureGo(t), store, moonsCD(store), moons(t), ebm.TrainOptions{Steps: 1 << 20, Every: 1, Keep: 2, Checkpoint: dir})
		t.Fatal(err) // it is killed long before
	}
	b := pureGo(t)
	dir := t.TempDir()
	steps := []int{}
	for i := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledTraining$")
		cmd.Env = append(os.Environ(), "EBM_TEST_TRAIN_INTO="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Wait until it saves again, then for a moment that differs each time.
		for began, before := time.Now(), newest(dir); newest(dir) == before; time.Sleep(time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatal("the process wrote no checkpoint in a minute")
			}
		}
		time.Sleep(time.Duration(i*1700) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		store := model.NewStore()
		var at int
		_, err := fmt.Sscanf(filepath.Base(newest(dir)), "step-%d", &at)
		if err != nil {
			t.Fatal(err)
		}
		report, err := ebm.Train(context.Background(), b, store, moonsCD(store), moons(t), ebm.TrainOptions{Steps: at, Checkpoint: dir})
		if err != nil {
			t.Fatalf("after kill %d at step %d: %v", i, at, err)
		}
		steps = append(steps, report.Steps)
	}
	if !slices.IsSorted(steps) || steps[0] == 0 {
		t.Errorf("steps reached after each kill: %v", steps)
	}
}

// TestFullDisk trains in a process that may write no more than a few bytes to a file, as on a full disk.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv("EBM_TEST_FULL_DISK"); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
			t.Skip(err)
		}
		store := model.NewStore()
		_, err := ebm.Train(context.Background(), pureGo(t), store, moonsCD(store), moons(t), ebm.TrainOptions{Steps: 2, Checkpoint: dir})
		fmt.Println("TRAIN", err)
		fmt.Println("SAVE", (&ebm.Checkpoint{Step: 1, State: []*tensors.Tensor{tensors.FromShape(shapes.Make(dtypes.Float32, 100, 2))}}).Save(filepath.Join(dir, "chains")))
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestFullDisk$")
	cmd.Env = append(os.Environ(), "EBM_TEST_FULL_DISK="+dir)
	out, _ := cmd.CombinedOutput()
	for _, want := range []string{"TRAIN ebm: writing the checkpoint " + dir, "SAVE ebm: saving chains", "file too large"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("want %q, got %s", want, out)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("files left behind: %v", left)
	}
}

func newest(dir string) string {
	names, _ := filepath.Glob(filepath.Join(dir, "step-*"))
	if len(names) == 0 {
		return ""
	}
	return slices.Max(names)
}

// The loop of XLA, its groups cut short by a callback, and single steps (which a Sort asks for) train the same energy.
func TestTrainInGroupsAndStepByStep(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		train := func(single bool, o ebm.TrainOptions) *model.Store {
			t.Helper()
			store := model.NewStore()
			inner := moonsCD(store)
			loss := lossFunc(func(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
				terms := inner.Loss(x, rng, cond...)
				if single {
					terms.Loss = Add(terms.Loss, MulScalar(ReduceAllSum(Sort(StopGradient(x), 0, true)), 0))
				}
				return terms
			})
			o.Steps, o.Seed, o.EMA = 40, 3, .9
			report, err := ebm.Train(context.Background(), b, store, loss, moons(t), o)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.History) != 14 {
				t.Errorf("%d rows of history, want 14, one for each epoch of 3 batches", len(report.History))
			}
			for i, row := range report.History { // wherever the groups ended
				if want := min(3*(i+1), 40); row.Step != want || row.Epoch != want/3 {
					t.Errorf("row %d of history is of step %d in epoch %d, want %d in %d", i, row.Step, row.Epoch, want, want/3)
				}
			}
			return store
		}
		whole := train(false, ebm.TrainOptions{})
		sameContents(t, contents(t, train(false, ebm.TrainOptions{OnEpoch: func(int, ebm.TrainProgress) error { return nil }})), contents(t, whole))
		if b.Name() != "xla" {
			return // there is no Sort on the Go backend, and no loop either
		}
		single := train(true, ebm.TrainOptions{})
		for v := range whole.IterVariables() {
			if v.DType() != dtypes.Float32 {
				continue
			}
			got := tensors.MustCopyFlatData[float32](single.GetVariable(v.Path()).MustValue())
			for i, want := range tensors.MustCopyFlatData[float32](v.MustValue()) {
				if math.Abs(float64(got[i]-want)) > 2e-3 { // other code, other roundings, which training amplifies
					t.Fatalf("%s[%d] = %g step by step, %g in a loop", v.Path(), i, got[i], want)
				}
			}
		}
	})
}

// On the pure Go backend the host draws a training step's noise, bit by bit as the graph would: here from a step that it can't tell.
func TestHostDrawsOfTraining(t *testing.T) {
	b := pureGo(t)
	train := func(inGraph bool) map[string]string {
		t.Helper()
		store := model.NewStore()
		inner := moonsCD(store)
		loss := lossFunc(func(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
			if inGraph {
				step := optimizer.GetGlobalStepVar(store).NodeValue(x.Graph())
				rng = rng.At(MulScalar(ConvertDType(step, dtypes.Int32), 1))
			}
			return inner.Loss(x, rng, cond...)
		})
		data := moons(t)
		data.Size, data.KeepPartial = 40, true // and a rest of 16: steps on batches of two shapes
		if _, err := ebm.Train(context.Background(), b, store, loss, data, ebm.TrainOptions{Steps: 9, Seed: 7<<40 + 5}); err != nil {
			t.Fatal(err)
		}
		return contents(t, store)
	}
	sameContents(t, train(false), train(true))
}
