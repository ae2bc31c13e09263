package samplers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

func TestWindows(t *testing.T) {
	for steps, want := range map[int]string{
		1000: "75 [25 50 100 200 500] 50",
		300:  "75 [25 50 100] 50",
		150:  "75 [25] 50",
		149:  "22 [113] 14",
		20:   "3 [15] 2",
	} {
		first, slow, last := windows(steps)
		if got := fmt.Sprint(first, slow, last); got != want {
			t.Errorf("the windows of %d steps are %s, want %s", steps, got, want)
		}
	}
}

func TestBadWarmUp(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		good := ebm.Options{Chains: 4, Dim: 2, Steps: 20}
		for want, c := range map[string]struct {
			w WarmUp
			k Preconditioned
			o ebm.Options
		}{
			"WarmUp: kernel is nil":                                                           {o: good},
			"WarmUp: Target must be in (0, 1), got -0.8":                                      {WarmUp{Target: -0.8}, HMC{}, good},
			"WarmUp: Start must be a finite number and positive, got -1":                      {WarmUp{Start: -1}, HMC{}, good},
			"WarmUp: Options.Steps must be at least 20, got 0":                                {WarmUp{}, HMC{}, ebm.Options{Chains: 4, Dim: 2}},
			"WarmUp: a mass wants at least 2 chains, got 1":                                   {WarmUp{}, HMC{}, ebm.Options{Chains: 1, Dim: 2, Steps: 20}},
			"WarmUp: Options.BurnIn, Thin, Trajectory, Summaries and Resume must be left out": {WarmUp{}, HMC{}, ebm.Options{Chains: 4, Dim: 2, Steps: 20, BurnIn: 1}},
			"WarmUp: HMC: Leapfrog must be at least 1, or 0 for the default of 10, got -1":    {WarmUp{}, HMC{Leapfrog: -1}, good},
			"WarmUp: ebm: Options.Dim or Options.Event must say the shape":                    {WarmUp{}, HMC{}, ebm.Options{Chains: 4, Steps: 20}},
		} {
			kernel, report, err := c.w.Run(t.Context(), b, nil, ebm.DoubleWell{}, c.k, c.o)
			if kernel != nil || report != nil || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
		if _, _, err := (WarmUp{}).Run(t.Context(), nil, nil, ebm.DoubleWell{}, HMC{}, good); err == nil || err.Error() != "ebm: NewSampler: the backend is nil" {
			t.Errorf("no backend: error %v", err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := (WarmUp{}).Run(ended, b, nil, ebm.DoubleWell{}, HMC{}, good); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: error %v", err)
		}
		flat := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return MulScalar(ReduceSum(x, -1), 0) })
		_, _, err := WarmUp{Mass: DiagonalFromGradients{}}.Run(t.Context(), b, nil, flat, HMC{Leapfrog: 1}, good)
		if want := "in the draws and 0 in their gradients: both must be positive"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a flat energy: error %v, want one with %q", err, want)
		}
	})
}

// What the rules make of a Gaussian, after a warm-up from far away: step size, acceptance, mass, and that the chains go on exactly.
func TestWarmUp(t *testing.T) {
	const chains, d = 1000, 10
	gaussian := turned(narrow)
	_, covariance, err := gaussian.Moments(d)
	if err != nil {
		t.Fatal(err)
	}
	sigma := mat.NewSymDense(d, nil)
	for i := range d {
		for j := range i + 1 {
			sigma.SetSym(i, j, covariance[i][j])
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(sigma) {
		t.Fatal("the covariance is not positive definite")
	}
	var precision mat.SymDense
	if err := chol.InverseTo(&precision); err != nil {
		t.Fatal(err)
	}
	// Draws of different chains are independent, so there are at least as many: a variance has a relative standard error of √(2/n) at most.
	limit := 5 * math.Sqrt(2.0/chains)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, rule := range []MassRule{DiagonalFromDraws{}, DenseFromDraws{}, DiagonalFromGradients{}} {
			name := fmt.Sprintf("%T", rule)
			t.Run(name, func(t *testing.T) {
				if b.Name() == "xla" && rule == (DiagonalFromDraws{}) {
					t.Skip("the same code as with gradients; XLA takes long to compile")
				}
				kernel, report, err := WarmUp{Mass: rule}.Run(t.Context(), b, nil, gaussian, HMC{Leapfrog: 4, Jitter: 0.2}, ebm.Options{Chains: chains, Dim: d, Steps: 200, Seed: 1})
				if err != nil {
					t.Fatalf("%+v", err)
				}
				switch mass := report.Mass.(type) {
				case DiagonalMass:
					for i, m := range mass {
						want := covariance[i][i]
						if rule == (DiagonalFromGradients{}) {
							want = math.Sqrt(covariance[i][i] / precision.At(i, i))
						}
						if math.Abs(1/(m*want)-1) > limit {
							t.Errorf("1/M[%d] is %.4f, want %.4f to %.0f %%", i, 1/m, want, 100*limit)
						}
					}
				case DenseMass: // ΣM has the eigenvalues of a Wishart matrix's inverse, around 1
					root, whitened := mat.NewDense(d, d, nil), mat.NewDense(d, d, nil)
					var lower mat.TriDense
					chol.LTo(&lower)
					inverse := mat.NewDense(d, d, nil)
					for i, row := range mass.inverse {
						inverse.SetRow(i, row)
					}
					if err := root.Solve(&lower, inverse); err != nil {
						t.Fatal(err)
					}
					if err := whitened.Solve(&lower, root.T()); err != nil {
						t.Fatal(err)
					}
					var eigen mat.Eigen
					if !eigen.Factorize(whitened, mat.EigenNone) {
						t.Fatal("no eigenvalues")
					}
					for _, v := range eigen.Values(nil) {
						if edge := math.Sqrt(float64(d)/chains) + limit/2; math.Abs(math.Sqrt(real(v))-1) > edge {
							t.Errorf("Σ⁻¹M⁻¹ has an eigenvalue %v, want its root to be 1 ± %.2f", v, edge)
						}
					}
				}
				out := sample(t, b, gaussian, kernel, ebm.Options{Resume: report.Checkpoint, Steps: 50})
				t.Logf("step %.3f, acceptance %.3f; windows %+v", report.StepSize, out.Accept, report.Windows)
				if math.Abs(out.Accept-0.8) > 0.05 {
					t.Errorf("acceptance is %.3f, want 0.80 ± 0.05", out.Accept)
				}
				if report.Checkpoint.Step != 200 || len(report.Windows) != 4 || !report.X.Equal(report.Checkpoint.State[0]) {
					t.Errorf("the report has step %d and %d windows, want 200 and 4", report.Checkpoint.Step, len(report.Windows))
				}
			})
		}
	})
}

// The warmed-up kernel is an ordinary one, which leaves the target invariant and has the acceptance asked for.
func TestWarmedUpInvariance(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, target := range targets[:2] {
			hmc := target.hmc
			hmc.Leapfrog = 3
			kernel, _, err := WarmUp{Target: 0.7}.Run(t.Context(), b, nil, target.energy, hmc, ebm.Options{Chains: 200, Dim: target.dim, Steps: 100, Seed: 2})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			mustPass(t, b, verify.Invariance{Energy: target.energy, Event: []int{target.dim}, Kernel: kernel, Steps: stepsBetween})
		}
	})
}

// A mass in the state does what the same mass does as a constant, for events of any shape.
func TestMassInState(t *testing.T) {
	dense, err := NewDenseMass([][]float64{{2, 0.5, 0, 0}, {0.5, 1, 0, 0.2}, {0, 0, 3, 0}, {0, 0.2, 0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, mass := range []Mass{DiagonalMass{1, 2, 3, 4}, dense} {
			_, isDense := mass.(DenseMass)
			hmc := HMC{StepSize: ebm.Fixed(0.3), Leapfrog: 2}
			start := tensors.FromValue([][][]float64{{{1, 2}, {0, 1}}, {{0, -1}, {1, 1}}, {{2, 0}, {0, 0}}})
			carried := massed{kernel: hmc, stepSize: ebm.Fixed(0.3), dense: isDense}
			first := sample(t, b, ebm.DoubleWell{}, carried, ebm.Options{Start: start, Steps: 1, Seed: 4})
			numbers := spread(massNumbers(mass), 3)
			first.Checkpoint.State[3] = host.Tensor(dtypes.Float64, numbers, 3, len(numbers)/3)
			got := sample(t, b, ebm.DoubleWell{}, carried, ebm.Options{Resume: first.Checkpoint, Steps: 5})
			first.Checkpoint.State = first.Checkpoint.State[:3]
			want := sample(t, b, ebm.DoubleWell{}, hmc.WithMass(mass), ebm.Options{Resume: first.Checkpoint, Steps: 5})
			a, c := onHost(t, got.X), onHost(t, want.X)
			for i := range a {
				if math.Abs(a[i]-c[i]) > 1e-12 {
					t.Fatalf("%T: %v in the state, %v as a constant", mass, a, c)
				}
			}
		}
	})
}

// Progress counts the steps of all windows.
func TestWarmUpProgress(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		last := 0
		o := ebm.Options{Chains: 4, Dim: 2, Steps: 60, Progress: func(p ebm.Progress) {
			if p.Steps != 60 || p.Step <= last {
				t.Errorf("step %d of %d after %d", p.Step, p.Steps, last)
			}
			last = p.Step
		}}
		if _, _, err := (WarmUp{}).Run(t.Context(), b, nil, ebm.Gaussian{}, HMC{Leapfrog: 1}, o); err != nil {
			t.Fatalf("%+v", err)
		}
		if last != 60 {
			t.Errorf("progress ended at step %d of 60", last)
		}
	})
}

// WarmUp tunes MALA too: on an ill-conditioned Gaussian the mass undoes the scales, and the acceptance is the target.
func TestWarmUpMALA(t *testing.T) {
	const chains, d = 400, 10
	cov := make([][]float64, d)
	for i := range cov {
		cov[i] = make([]float64, d)
		cov[i][i] = math.Pow(10, -float64(i)/3) // variances from 1 to 0.001
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		gaussian := ebm.Gaussian{Cov: cov}
		kernel, report, err := WarmUp{Target: 0.574}.Run(t.Context(), b, nil, gaussian, MALA{}, ebm.Options{Chains: chains, Dim: d, Steps: 300, Seed: 1})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		for i, m := range report.Mass.(DiagonalMass) {
			if limit := 5 * math.Sqrt(2.0/chains); math.Abs(m*cov[i][i]-1) > limit {
				t.Errorf("mass %d is %g, want %g to %g of it", i, m, 1/cov[i][i], limit)
			}
		}
		out := sample(t, b, gaussian, kernel, ebm.Options{Resume: report.Checkpoint, Steps: 100})
		if math.Abs(out.Accept-0.574) > 0.05 {
			t.Errorf("acceptance is %.3f, want 0.574 ± 0.05", out.Accept)
		}
	})
}
