package samplers

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// hidden is a kernel of which the driver does not see that its chains stop.
type hidden struct{ ebm.Kernel }

func TestStopAtIsAKernel(t *testing.T) {
	ebmtest.Kernels(t, map[string]ebm.Kernel{
		"StopAt": StopAt{Kernel: Langevin{StepSize: ebm.Fixed(0.1), Noise: ebm.Fixed(0.3)}, GradientNorm: 0.5},
	})
}

// run takes steps of a kernel from a start.
func run(t *testing.T, b compute.Backend, e ebm.Energy, kernel ebm.Kernel, start *tensors.Tensor, steps int) *ebm.Samples {
	t.Helper()
	s, err := ebm.NewSampler(b, nil, e, kernel)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Finalize()
	out, err := s.Sample(t.Context(), ebm.Options{Start: start, Steps: steps, Seed: 5})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return out
}

// Descent on ½‖x‖² multiplies x by 1−η: a chain stops after the first k steps with (1−η)^k·‖x₀‖ < g, where descent alone is then.
func TestStopAt(t *testing.T) {
	const eta, g = 0.25, 0.01
	start := [][]float64{{3, -4}, {0.006, 0.007}, {0.0101, 0}, {-100, 20}}
	var wantSteps []int
	var wantX [][]float64
	for _, x := range start {
		x, k := slices.Clone(x), 0
		for ; math.Hypot(x[0], x[1]) >= g; k++ {
			x[0], x[1] = x[0]-x[0]*eta, x[1]-x[1]*eta
		}
		wantSteps, wantX = append(wantSteps, k), append(wantX, x)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out := run(t, b, ebm.Gaussian{}, StopAt{Kernel: GradientDescent{StepSize: ebm.Fixed(eta)}}, tensors.FromValue(start), 1000)
		if !slices.Equal(out.Steps, wantSteps) {
			t.Errorf("the chains took %v steps, want %v", out.Steps, wantSteps)
		}
		if got, want := out.Checkpoint.Step, slices.Max(wantSteps)+1; got != want { // in the last step the last chain is seen to be there
			t.Errorf("the run took %d steps, want %d", got, want)
		}
		near(t, "where they stopped", out.X.Value().([][]float64), wantX)
	})
}

// A run that ends early has the samples of one that takes all its steps, bit by bit, with noise, momentum and a schedule too.
func TestStopAtEndsEarly(t *testing.T) {
	start := make([][]float32, 50)
	for i := range start {
		start[i] = []float32{float32(i%7) - 3, float32(i%11)/4 - 1}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, c := range map[string]struct {
			kernel ebm.Kernel
			energy ebm.Energy
			g      float64
		}{
			"Langevin": {Langevin{StepSize: ebm.Linear{Start: 0.2, End: 0.01, Steps: 100}, Noise: ebm.Fixed(0.3)}, ebm.Gaussian{}, 0.2},
			"Nesterov": {Nesterov{StepSize: ebm.Fixed(0.01)}, ebm.Himmelblau{}, 0.05},
			"HMC":      {HMC{StepSize: ebm.Fixed(0.5), Leapfrog: 2}, ebm.Gaussian{}, 0.3},
		} {
			kernel := StopAt{Kernel: c.kernel, GradientNorm: c.g}
			early := run(t, b, c.energy, kernel, tensors.FromValue(start), 1000)
			all := run(t, b, c.energy, hidden{kernel}, tensors.FromValue(start), 1000)
			if all.Checkpoint.Step != 1000 || early.Checkpoint.Step >= 1000 {
				t.Errorf("%s: the runs took %d and %d steps, want fewer than 1000 and 1000", name, early.Checkpoint.Step, all.Checkpoint.Step)
			}
			for i, want := range all.Checkpoint.State {
				if !early.Checkpoint.State[i].Equal(want) {
					t.Errorf("%s: state[%d] differs between the run that ended early and the one that took all steps", name, i)
				}
			}
			if fewest, most := slices.Min(early.Steps), slices.Max(early.Steps); fewest == most || most != early.Checkpoint.Step-1 {
				t.Errorf("%s: the chains took from %d to %d steps in a run of %d", name, fewest, most, early.Checkpoint.Step)
			}
			energy := ebm.EnergyFunc(c.energy.Energy)
			flat, err := CallOnce(b, func(x *Node) *Node {
				_, grad := ebm.ValueGrad(energy, x)
				return ReduceMax(Sqrt(ReduceSum(Square(grad), 1)))
			}, early.X)
			if err != nil {
				t.Fatal(err)
			}
			if got := flat.Value().(float32); !(float64(got) < c.g*(1+1e-5)) {
				t.Errorf("%s: a chain stopped where the gradient is %g, want less than %g", name, got, c.g)
			}
		}
	})
}

// A chain that is no longer finite stops; the others go on as if it were not there.
func TestStopAtNonFinite(t *testing.T) {
	quartic := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return MulScalar(ReduceSum(Square(Square(x)), 1), 0.25) }) // gradient x³
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		kernel := StopAt{Kernel: GradientDescent{StepSize: ebm.Fixed(0.5)}, GradientNorm: 0.001}
		out := run(t, b, quartic, kernel, tensors.FromValue([][]float32{{0.5}, {10}, {0.3}}), 5000)
		x := tensors.MustCopyFlatData[float32](out.X)
		if x[1]-x[1] == 0 || !(x[0] < 0.1 && x[2] < 0.1) || out.Checkpoint.Step == 5000 {
			t.Errorf("the chains end at %v after %d steps, want the second not finite, the others near 0, and before 5000", x, out.Checkpoint.Step)
		}
		if out.Steps[1] > 20 || out.Steps[0] <= out.Steps[1] {
			t.Errorf("the chains took %v steps, want few for the second", out.Steps)
		}
	})
}

func TestStopAtBadSettings(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for want, kernel := range map[string]StopAt{
			"StopAt: GradientNorm must be positive and finite, or 0 for the default of 0.01, got -1":   {GradientNorm: -1},
			"StopAt: GradientNorm must be positive and finite, or 0 for the default of 0.01, got NaN":  {GradientNorm: math.NaN()},
			"StopAt: GradientNorm must be positive and finite, or 0 for the default of 0.01, got +Inf": {GradientNorm: math.Inf(1)},
			"HMC: Leapfrog must be at least 1": {Kernel: HMC{Leapfrog: -1}},
		} {
			s, err := ebm.NewSampler(b, nil, ebm.Gaussian{}, kernel)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = s.Sample(t.Context(), ebm.Options{Chains: 4, Dim: 2, Steps: 1}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}
