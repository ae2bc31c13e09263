package ebm_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

const partChains = 24

// partRuns are runs of some of the chains: from N(0, I), and from rows of data.
func partRuns(t *testing.T, b compute.Backend, first, n, total int) map[string]*ebm.Samples {
	t.Helper()
	o := ebm.Options{Chains: n, Dim: 3, Steps: 40, Seed: 9, FirstChain: first, TotalChains: total}
	out := map[string]*ebm.Samples{"langevin": sample(t, newSampler(t, b, nil, ebm.StyblinskiTang{}, samplers.Langevin{StepSize: ebm.Fixed(.01)}), o)}
	o.Data = grid(dtypes.Float32, 40, 3)
	out["hmc"] = sample(t, newSampler(t, b, nil, ebm.DoubleWell{}, partHMC), o)
	return out
}

var partHMC = samplers.HMC{StepSize: ebm.Fixed(.02), Leapfrog: 4, Jitter: .2}

// Four processes, each with some of the chains, leave files that make up the run of all chains, bit by bit, and that goes on as it would.
func TestPartsOfARun(t *testing.T) {
	sizes := []int{6, 7, 5, 6}
	if dir := os.Getenv("EBM_TEST_PARTS_INTO"); dir != "" {
		b, err := backend.Open(os.Getenv("EBM_TEST_PARTS_BACKEND"))
		if err != nil {
			t.Fatal(err)
		}
		var first, index int
		if _, err := fmt.Sscan(os.Getenv("EBM_TEST_PARTS_INDEX"), &index); err != nil {
			t.Fatal(err)
		}
		for _, n := range sizes[:index] {
			first += n
		}
		for name, out := range partRuns(t, b, first, sizes[index], partChains) {
			if err := out.Checkpoint.Save(filepath.Join(dir, fmt.Sprintf("%s-%d", name, index))); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		config := map[string]string{"go": "go", "xla": "xla:cpu", "cuda": "xla:cuda"}[path.Base(t.Name())]
		dir := t.TempDir()
		var processes []*exec.Cmd
		for i := range sizes {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestPartsOfARun$")
			cmd.Env = append(os.Environ(), "EBM_TEST_PARTS_INTO="+dir, "EBM_TEST_PARTS_BACKEND="+config, fmt.Sprintf("EBM_TEST_PARTS_INDEX=%d", i))
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			processes = append(processes, cmd)
		}
		for _, cmd := range processes {
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		for name, whole := range partRuns(t, b, 0, partChains, 0) {
			var files []string
			for _, i := range []int{2, 0, 3, 1} {
				files = append(files, filepath.Join(dir, fmt.Sprintf("%s-%d", name, i)))
			}
			merged, err := ebm.MergeCheckpoints(files...)
			if err != nil {
				t.Fatal(err)
			}
			if c := whole.Checkpoint; merged.Step != c.Step || merged.Seed != c.Seed || merged.TotalChains != 0 || len(merged.State) != len(c.State) {
				t.Errorf("%s: merged step %d, seed %d, of %d chains, %d state values", name, merged.Step, merged.Seed, merged.TotalChains, len(merged.State))
			}
			for i, state := range whole.Checkpoint.State {
				alike(t, fmt.Sprintf("%s: state[%d]", name, i), numbers(t, merged.State[i]), numbers(t, state), 0)
			}
			if name != "hmc" {
				continue
			}
			s := newSampler(t, b, nil, ebm.DoubleWell{}, partHMC)
			on := sample(t, s, ebm.Options{Resume: merged, Steps: 10})
			alike(t, "resumed", numbers(t, on.X), numbers(t, sample(t, s, ebm.Options{Resume: whole.Checkpoint, Steps: 10}).X), 0)
			part, err := ebm.LoadCheckpoint(files[0]) // chains 13 to 17
			if err != nil {
				t.Fatal(err)
			}
			alike(t, "a part resumed", numbers(t, sample(t, s, ebm.Options{Resume: part, Steps: 10}).X), numbers(t, on.X)[13*3:18*3], 0)
		}
	})
}

// A part is the same in one process: a network's chains to the bit on the pure Go backend and to rounding on XLA, whose matrix products are computed
// otherwise for another number of rows; and those that follow batches of data that all chains share, here as many rows as there are chains.
func TestPartOfChains(t *testing.T) {
	posterior := ebm.Posterior{Prior: ebm.Harmonic{}, Rows: 50, Term: func(x, rows *Node, _ ...*Node) *Node {
		y := ExpandAxes(MulScalar(ConvertDType(rows, x.DType()), 0.1), 0)
		return MulScalar(Square(Sub(Slice(x, AxisRange(), AxisRange(0, 1)), y)), 0.01)
	}}
	langevin := samplers.Langevin{StepSize: ebm.Fixed(.01)}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		if err := store.SetRNGStateFromSeed(3); err != nil {
			t.Fatal(err)
		}
		exact := map[bool]float64{true: 1e-5, false: 0}[b.Name() == "xla"]
		for name, s := range map[string]*ebm.Sampler{
			"minibatch": newSampler(t, b, nil, posterior, samplers.Minibatch{Kernel: langevin, Size: 6}),
			"network":   newSampler(t, b, store, nn.MLPEnergy(store.Scope("/energy"), 32, 32), langevin),
		} {
			o := ebm.Options{Chains: 24, Dim: 3, Steps: 40, Seed: 9}
			whole := sample(t, s, o)
			o.Chains, o.FirstChain, o.TotalChains = 6, 9, 24
			got, want := numbers(t, sample(t, s, o).X), numbers(t, whole.X)[9*3:15*3]
			alike(t, name, got, want, exact)
			if b.Name() == "xla" {
				most := 0.0
				for i := range got {
					most = max(most, math.Abs(got[i]-want[i]))
				}
				t.Logf("%s: %.2g apart", name, most)
			}
		}
	})
}

// Chains that feel each other are refused, and so are numbers that make no sense.
func TestPartsRefused(t *testing.T) {
	b := pureGo(t)
	langevin := samplers.Langevin{}
	for _, c := range []struct {
		want   string
		energy ebm.Energy
		kernel ebm.Kernel
		o      ebm.Options
	}{
		{"chains that feel each other can't be run in parts: samplers.DualAveraging: one step size is adapted", bowl,
			samplers.Clamped{Kernel: samplers.DualAveraging{Kernel: samplers.MALA{}}, Hi: []float64{9}}, ebm.Options{TotalChains: 8}},
		{"ebm.Interaction: the points push each other", ebm.Sum{bowl, ebm.Scaled{Of: ebm.Interaction{Of: bowl}}}, langevin, ebm.Options{TotalChains: 8}},
		{"the kernel draws noise of shape (Float32)[8, 2], which has no row for each of 4 chains", bowl,
			samplers.ReplicaExchange{Kernel: langevin, Temperatures: []float64{1, 2}}, ebm.Options{TotalChains: 8}},
		{"Options.TotalChains must be at least FirstChain + Chains = 5 + 4, got 8", bowl, langevin, ebm.Options{FirstChain: 5, TotalChains: 8}},
		{"Options.TotalChains must say how many chains there are in all where FirstChain is 5, got 0", bowl, langevin, ebm.Options{FirstChain: 5}},
		{"Options.FirstChain must not be negative, got -1", bowl, langevin, ebm.Options{FirstChain: -1, TotalChains: 8}},
		{"FirstChain and TotalChains must be left out", bowl, langevin, ebm.Options{TotalChains: 8, Resume: &ebm.Checkpoint{}}},
	} {
		c.o.Steps = 1
		if c.o.Resume == nil {
			c.o.Chains, c.o.Dim = 4, 2
		}
		if _, err := newSampler(t, b, nil, c.energy, c.kernel).Sample(context.Background(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got the error %v, want one with %q", err, c.want)
		}
	}
}

// What can't be joined is refused with the name of a file.
func TestMergeRefuses(t *testing.T) {
	dir := t.TempDir()
	save := func(name string, c ebm.Checkpoint) string {
		path := filepath.Join(dir, name)
		if c.State == nil {
			c.State = []*tensors.Tensor{grid(dtypes.Float32, 4, 2)}
		}
		if err := c.Save(path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := save("a", ebm.Checkpoint{Step: 3, Seed: 1, TotalChains: 8})
	b := save("b", ebm.Checkpoint{Step: 3, Seed: 1, TotalChains: 8, FirstChain: 4})
	if c, err := ebm.MergeCheckpoints(b, a); err != nil || c.State[0].Shape().Dimensions[0] != 8 {
		t.Fatalf("got %v and the error %v", c, err)
	}
	for want, files := range map[string][]string{
		"no files are given":                                                   nil,
		"c is a whole run":                                                     {a, save("c", ebm.Checkpoint{Step: 3, Seed: 1})},
		"d has seed 2, but " + a + " has 1":                                    {a, save("d", ebm.Checkpoint{Step: 3, Seed: 2, TotalChains: 8, FirstChain: 4})},
		"e has step 4, but " + a + " has 3":                                    {a, save("e", ebm.Checkpoint{Step: 4, Seed: 1, TotalChains: 8, FirstChain: 4})},
		"f has a total number of chains of 9, but " + a + " has 8":             {a, save("f", ebm.Checkpoint{Step: 3, Seed: 1, TotalChains: 9, FirstChain: 4})},
		"chains 4 to 7 are in no file; the last is " + a:                       {a},
		"chains 0 to 3 are in no file; the first is " + b:                      {b},
		"chains 0 to 3 are in both " + a + " and " + a:                         {a, b, a},
		"chains 4 to 4 are in no file, between " + a + " and ":                 {a, save("g", ebm.Checkpoint{Step: 3, Seed: 1, TotalChains: 8, FirstChain: 5, State: []*tensors.Tensor{grid(dtypes.Float32, 3, 2)}})},
		"h says that its positions (Float32)[4, 2] are chains from 6 on, of 8": {a, save("h", ebm.Checkpoint{Step: 3, Seed: 1, TotalChains: 8, FirstChain: 6})},
		"i holds 2 state values and 0 of conditioning, but " + a: {a, save("i", ebm.Checkpoint{Step: 3, Seed: 1, TotalChains: 8, FirstChain: 4,
			State: []*tensors.Tensor{grid(dtypes.Float32, 4, 2), grid(dtypes.Float32, 4)}})},
		"k is (Float32)[4, 3], which does not go with the (Float32)[4, 2] of " + a: {a, save("k", ebm.Checkpoint{Step: 3, Seed: 1, TotalChains: 8, FirstChain: 4,
			State: []*tensors.Tensor{grid(dtypes.Float32, 4, 3)}})},
	} {
		if _, err := ebm.MergeCheckpoints(files...); err == nil || !strings.HasPrefix(err.Error(), "ebm: MergeCheckpoints: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want one with %q", err, want)
		}
	}
}
