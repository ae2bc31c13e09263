package samplers

import (
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/metrics"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// The slope is that of the criterion: for paths on a circle, x' = x·cos τ + p·sin τ, against finite differences.
func TestChEESSlope(t *testing.T) {
	const tau, h, d = 0.7, 1e-5, 3
	x, p := make([][]float64, 40), make([][]float64, 40)
	for i := range x {
		for j := range d {
			x[i], p[i] = append(x[i], math.Sin(float64(7*i+3*j))), append(p[i], math.Cos(float64(5*i-2*j)))
		}
	}
	end := func(tau float64) (y, v [][]float64) {
		y, v = make([][]float64, len(x)), make([][]float64, len(x))
		for i := range x {
			for j := range d {
				y[i] = append(y[i], x[i][j]*math.Cos(tau)+p[i][j]*math.Sin(tau))
				v[i] = append(v[i], p[i][j]*math.Cos(tau)-x[i][j]*math.Sin(tau))
			}
		}
		return y, v
	}
	squares := func(x [][]float64) []float64 { // squared distance from the centre
		out := make([]float64, len(x))
		for j := range d {
			centre := 0.0
			for i := range x {
				centre += x[i][j] / float64(len(x))
			}
			for i := range x {
				out[i] += (x[i][j] - centre) * (x[i][j] - centre)
			}
		}
		return out
	}
	criterion := func(tau float64) (sum float64) {
		y, _ := end(tau)
		before, after := squares(x), squares(y)
		for i := range x {
			sum += (after[i] - before[i]) * (after[i] - before[i]) / 4 / float64(len(x))
		}
		return sum
	}
	want := (criterion(tau+h) - criterion(tau-h)) / (2 * h)
	// What the centre's own motion adds is left out of the estimate, as in the paper: its expectation is 0 for a symmetric target.
	y, v := end(tau)
	before, after := squares(x), squares(y)
	for j := range d {
		meanV := 0.0
		for i := range v {
			meanV += v[i][j] / float64(len(v))
		}
		centre := 0.0
		for i := range y {
			centre += y[i][j] / float64(len(y))
		}
		for i := range y {
			want += (after[i] - before[i]) * (y[i][j] - centre) * meanV / float64(len(y))
		}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		got, err := CallOnce(b, func(x, y, v *Node) *Node {
			one := OnesLike(ReduceSum(x, 1))
			return cheesSlope(x, y, v, one, one)
		}, x, y, v)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if g := got.Value().(float64); math.Abs(g-want) > 1e-6 {
			t.Errorf("the slope is %.9f, by finite differences %.9f", g, want)
		}
	})
}

// On N(0, I) a path of a quarter period, π/2, forgets the most.
func TestChEESQuarterPeriod(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		kernel, report, err := ChEES{Target: 0.98}.Run(t.Context(), b, nil, ebm.Gaussian{}, HMC{}, ebm.Options{Chains: 500, Dim: 10, Steps: 3000, Seed: 1})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		out := sample(t, b, ebm.Gaussian{}, kernel, ebm.Options{Resume: report.Checkpoint, Steps: 50})
		t.Logf("path %.3f after %d paths, %d steps of %.3f; acceptance %.3f", report.Path, report.Paths, report.Leapfrog, report.StepSize, out.Accept)
		if math.Abs(report.Path/(math.Pi/2)-1) > 0.1 {
			t.Errorf("the path length is %.3f, want %.3f to 10 %%", report.Path, math.Pi/2)
		}
		if kernel.Leapfrog != report.Leapfrog || math.Abs(float64(report.Leapfrog)*report.StepSize-report.Path) > report.StepSize {
			t.Errorf("%d leapfrog steps of %g are no path of %g", kernel.Leapfrog, report.StepSize, report.Path)
		}
		if math.Abs(out.Accept-0.98) > 0.02 {
			t.Errorf("acceptance is %.3f, want 0.98 ± 0.02", out.Accept)
		}
	})
}

// slowest is the smallest ESS of the coordinates and of their squares, for each gradient.
func slowest(t *testing.T, b compute.Backend, e ebm.Energy, k ebm.Kernel, o ebm.Options, leapfrog int) float64 {
	t.Helper()
	o.Trajectory = true
	out := sample(t, b, e, k, o)
	dims := out.Trajectory.Shape().Dimensions
	x, squares := make([]float32, out.Trajectory.Size()), make([]float32, out.Trajectory.Size())
	for i, v := range onHost(t, out.Trajectory) {
		x[i], squares[i] = float32(v), float32(v*v)
	}
	least := math.Inf(1)
	for _, values := range [][]float32{x, squares} {
		ess, err := metrics.ESS(values, dims[0], dims[2])
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range ess {
			least = min(least, v)
		}
	}
	return least / float64(dims[0]*o.Steps*leapfrog)
}

// On a Gaussian of 20 numbers and condition number 10⁴ whose mass is not fitted, the path that ChEES finds gives at least 5 times as many
// effective draws a gradient as the default of 10 leapfrog steps, both with the step size for the same acceptance.
func TestChEESAgainstDefault(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		if b.Name() != "xla" {
			t.Skip("some 10⁶ gradients: too many for the pure Go backend")
		}
		const d, chains = 20, 100
		cov := make([][]float64, d)
		for i := range cov {
			cov[i] = make([]float64, d)
			cov[i][i] = math.Pow(1e4, -float64(i)/(d-1))
		}
		gaussian := ebm.Gaussian{Cov: cov}
		o := ebm.Options{Chains: chains, Dim: d, Steps: 30_000, Seed: 1}
		tuned, report, err := ChEES{Start: 0.01}.Run(t.Context(), b, nil, gaussian, HMC{}, o)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		adapt := DualAveraging{Kernel: HMC{}, Start: 0.01}
		first := sample(t, b, gaussian, adapt, ebm.Options{Start: report.X, Steps: 500, Seed: 2})
		step, err := adapt.StepSize(first.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		byChEES := slowest(t, b, gaussian, tuned, ebm.Options{Start: report.X, Steps: 200, Seed: 3}, report.Leapfrog)
		byDefault := slowest(t, b, gaussian, HMC{StepSize: ebm.Fixed(step)}, ebm.Options{Start: report.X, Steps: 4000, Seed: 3}, 10)
		t.Logf("ChEES: %d steps of %.4f, %d paths; effective draws for 1000 gradients: %.3f, with 10 steps of %.4f: %.3f; ratio %.1f",
			report.Leapfrog, report.StepSize, report.Paths, 1000*byChEES, step, 1000*byDefault, byChEES/byDefault)
		if byChEES < 5*byDefault {
			t.Errorf("ChEES gives %.2f times the effective draws of the default, want 5 times", byChEES/byDefault)
		}
	})
}

func TestBadChEES(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		good := ebm.Options{Chains: 20, Dim: 2, Steps: 100}
		for want, c := range map[string]struct {
			c ChEES
			k HMC
			o ebm.Options
		}{
			"ChEES: Target must be in (0, 1), got 2":                           {ChEES{Target: 2}, HMC{}, good},
			"ChEES: Start must be a finite number and positive, got -1":        {ChEES{Start: -1}, HMC{}, good},
			"ChEES: Rate must be in (0, 1], got -0.5":                          {ChEES{Rate: -0.5}, HMC{}, good},
			"ChEES: Most must be positive, got -3":                             {ChEES{Most: -3}, HMC{}, good},
			"the criterion is a mean over chains and wants at least 10, got 1": {ChEES{}, HMC{}, ebm.Options{Chains: 1, Dim: 2, Steps: 100}},
			"ChEES: Options.BurnIn, Thin, Trajectory, Summaries and Resume":    {ChEES{}, HMC{}, ebm.Options{Chains: 20, Dim: 2, Steps: 100, Thin: 2}},
			"ChEES: ebm: Options.Steps must be positive, got 0":                {ChEES{}, HMC{}, ebm.Options{Chains: 20, Dim: 2}},
			"ChEES: HMC: Jitter must be in [0, 1), got 2":                      {ChEES{}, HMC{Jitter: 2}, good},
			"ChEES: Options.Steps = 5 were enough for":                         {ChEES{}, HMC{}, ebm.Options{Chains: 20, Dim: 2, Steps: 5}},
		} {
			_, report, err := c.c.Run(t.Context(), b, nil, ebm.DoubleWell{}, c.k, c.o)
			if report != nil || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}
