package samplers

import (
	"math"
	"math/rand/v2"
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
)

func TestWrapperKernels(t *testing.T) {
	hmc := HMC{StepSize: ebm.Fixed(0.8), Leapfrog: 2}
	ebmtest.Kernels(t, map[string]ebm.Kernel{
		"Clamped":         Clamped{Kernel: hmc, Lo: []float64{-0.5}},
		"Reflected":       Reflected{Kernel: hmc, Lo: []float64{-0.5}, Hi: []float64{0.7}},
		"ReplicaExchange": ReplicaExchange{Kernel: hmc, Temperatures: []float64{1, 3, 4}},
	})
	// Its recursion blows up the backends' different rounding of an acceptance; within each it keeps the contract.
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		report, err := verify.Equivalence{Backend: b, Kernel: DualAveraging{Kernel: hmc, Steps: 3, Start: 0.5}, DType: dtypes.Float64}.Run(t.Context())
		if err != nil || !report.Passed() {
			t.Errorf("DualAveraging: %v, error %v", report, err)
		}
	})
}

// sample runs a kernel and fails the test on an error.
func sample(t *testing.T, b compute.Backend, e ebm.Energy, k ebm.Kernel, o ebm.Options) *ebm.Samples {
	t.Helper()
	sampler, err := ebm.NewSampler(b, nil, e, k)
	if err != nil {
		t.Fatal(err)
	}
	defer sampler.Finalize()
	out, err := sampler.Sample(t.Context(), o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return out
}

func onHost(t *testing.T, x *tensors.Tensor) []float64 {
	t.Helper()
	flat, err := host.Floats(x)
	if err != nil {
		t.Fatal(err)
	}
	return flat
}

// What can't work is refused with the type, the field and the value.
func TestBadWrappers(t *testing.T) {
	box := []float64{0}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for want, kernel := range map[string]ebm.Kernel{
			"Clamped: Kernel is nil":                                                             Clamped{Lo: box},
			"Clamped: Lo or Hi must be given":                                                    Clamped{Kernel: Langevin{}},
			"Clamped: Lo must have 1 or 2 numbers, got 3":                                        Clamped{Kernel: Langevin{}, Lo: []float64{1, 2, 3}},
			"Clamped: Hi must have 1 or 2 numbers, got 0":                                        Clamped{Kernel: Langevin{}, Hi: []float64{}},
			"Clamped: Lo must be less than Hi, got [0, -1] for number 1":                         Clamped{Kernel: Langevin{}, Lo: box, Hi: []float64{1, -1}},
			"Reflected: Kernel is nil":                                                           Reflected{Lo: box},
			"Reflected: Lo must be less than Hi, got [NaN, +Inf] for number 0":                   Reflected{Kernel: HMC{}, Lo: []float64{math.NaN()}},
			"Reflected: HMC's Mass must be scalar or diagonal, got a dense":                      Reflected{Kernel: HMC{Mass: DenseMass{}}, Lo: box},
			"Reflected: Kernel must be Tunable to have its step size set, got samplers.Nesterov": DualAveraging{Kernel: Reflected{Kernel: Nesterov{}, Lo: box}},
			"DualAveraging: Kernel is nil":                                                       DualAveraging{},
			"DualAveraging: Target must be in (0, 1), got -0.1":                                  DualAveraging{Kernel: HMC{}, Target: -0.1},
			"DualAveraging: Target must be in (0, 1), got 1":                                     DualAveraging{Kernel: HMC{}, Target: 1},
			"DualAveraging: Steps must be positive, got -5":                                      DualAveraging{Kernel: HMC{}, Steps: -5},
			"DualAveraging: Start must be a finite number and positive, got -1":                  DualAveraging{Kernel: HMC{}, Start: -1},
			"DualAveraging: Gamma must be a finite number and positive, got -1":                  DualAveraging{Kernel: HMC{}, Gamma: -1},
			"DualAveraging: Kernel samplers.Langevin reports no acceptance":                      DualAveraging{Kernel: Langevin{}},
			"HMC: Leapfrog must be at least 1":                                                   DualAveraging{Kernel: HMC{Leapfrog: -1}},
			"ReplicaExchange: Kernel is nil":                                                     ReplicaExchange{},
			"ReplicaExchange: Between must be positive, got -1":                                  ReplicaExchange{Kernel: HMC{}, Between: -1},
			"ReplicaExchange: Temperatures must be at least two, the first of them 1, got [1]":   ReplicaExchange{Kernel: HMC{}, Temperatures: []float64{1}},
			"ReplicaExchange: Temperatures must be at least two, the first of them 1, got [2 4]": ReplicaExchange{Kernel: HMC{}, Temperatures: []float64{2, 4}},
			"ReplicaExchange: Temperatures must rise and be finite, got [1 3 2]":                 ReplicaExchange{Kernel: HMC{}, Temperatures: []float64{1, 3, 2}},
			"ReplicaExchange: Kernel must be Tunable":                                            DualAveraging{Kernel: ReplicaExchange{Kernel: Nesterov{}}},
		} {
			sampler, err := ebm.NewSampler(b, nil, ebm.DoubleWell{}, kernel)
			if err != nil {
				t.Fatal(err)
			}
			_, err = sampler.Sample(t.Context(), ebm.Options{Chains: 4, Dim: 2, Steps: 1})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%#v: got the error %v, want one with %q", kernel, err, want)
			}
			sampler.Finalize()
		}
	})
}

// Positions are in the box, some on its walls, and every cache belongs to the position beside it.
func TestClampedCaches(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		lo, hi := []float64{-0.5, -0.25}, []float64{0.75, math.Inf(1)}
		kernel := Clamped{Kernel: HMC{StepSize: ebm.Fixed(0.5), Leapfrog: 2}, Lo: lo, Hi: hi}
		out := sample(t, b, ebm.Gaussian{}, kernel, ebm.Options{Chains: 200, Dim: 2, Steps: 5, Seed: 1}) // starts are N(0, I)
		x, energy, grad := onHost(t, out.X), onHost(t, out.Checkpoint.State[1]), onHost(t, out.Checkpoint.State[2])
		onWall := 0
		for i, v := range x {
			if v < lo[i%2] || v > hi[i%2] {
				t.Fatalf("a position is %g, outside [%g, %g]", v, lo[i%2], hi[i%2])
			}
			if v == lo[i%2] || v == hi[i%2] {
				onWall++
			}
			if math.Abs(grad[i]-v) > 1e-6 {
				t.Fatalf("the gradient at %g is cached as %g", v, grad[i])
			}
		}
		if onWall == 0 {
			t.Error("no position is on a wall: nothing was clamped")
		}
		for i, e := range energy {
			if want := (x[2*i]*x[2*i] + x[2*i+1]*x[2*i+1]) / 2; math.Abs(e-want) > 1e-6 {
				t.Fatalf("the energy at %g is cached as %g, want %g", x[2*i:2*i+2], e, want)
			}
		}
	})
}

// Around a kernel without caches it is what Langevin's own Clamp is, bit by bit.
func TestClampedLangevin(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		start := tensors.FromValue([][]float32{{0.1, 0.2}, {-0.4, 0.3}, {0.5, -0.5}})
		o := ebm.Options{Start: start, Steps: 20, Seed: 3}
		own := sample(t, b, ebm.DoubleWell{}, Langevin{StepSize: ebm.Fixed(0.05), Clamp: &[2]float64{-0.5, 0.5}}, o)
		around := sample(t, b, ebm.DoubleWell{}, Clamped{Kernel: Langevin{StepSize: ebm.Fixed(0.05)}, Lo: []float64{-0.5}, Hi: []float64{0.5}}, o)
		if !own.X.Equal(around.X) {
			t.Errorf("Clamped gives %v, Langevin.Clamp %v", around.X, own.X)
		}
	})
}

// folded is F(x) and the number of mirrorings, by walking from wall to wall.
func folded(x, lo, hi float64) (y, sign float64) {
	sign = 1
	for x < lo || x > hi {
		if x < lo {
			x = 2*lo - x
		} else {
			x = 2*hi - x
		}
		sign = -sign
	}
	return x, sign
}

func TestFold(t *testing.T) {
	inf := math.Inf(1)
	lo, hi := []float64{-1, 0.5, -inf, -inf, 2}, []float64{2, inf, -0.25, inf, 2.125}
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([][]float64, 200)
	for i := range x {
		for range lo {
			x[i] = append(x[i], 8*rng.NormFloat64())
		}
	}
	x[0] = []float64{0.3, 0.7, -3, 1e9, 2.1} // inside: nothing may change
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		got, err := CallOnceN(b, func(x *Node) []*Node {
			y, sign := Reflected{Lo: lo, Hi: hi}.fold(x)
			return []*Node{y, sign, Gradient(ReduceAllSum(y), x)[0]}
		}, x)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		y, sign, slope := got[0].Value().([][]float64), got[1].Value().([][]float64), got[2].Value().([][]float64)
		for i := range x {
			for j := range lo {
				wantY, wantSign := folded(x[i][j], lo[j], hi[j])
				if !(math.Abs(y[i][j]-wantY) <= 1e-13*(1+math.Abs(x[i][j]))) || sign[i][j] != wantSign || slope[i][j] != wantSign {
					t.Fatalf("F(%g) in [%g, %g] is %g with slope %g and sign %g, want %g with %g", x[i][j], lo[j], hi[j], y[i][j], slope[i][j], sign[i][j], wantY, wantSign)
				}
				if i == 0 && y[i][j] != x[i][j] {
					t.Errorf("F(%g) in the box is %g", x[i][j], y[i][j])
				}
			}
		}
	})
}

// truncated draws from a Gaussian in a box, by rejection.
type truncated struct {
	of     ebm.Gaussian
	lo, hi []float64
}

func (e truncated) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	var out [][]float64
	for len(out) < n {
		draws, err := e.of.SampleExact(rng, n, dim)
		if err != nil {
			return nil, err
		}
		for _, x := range draws {
			inside := true
			for j, v := range x {
				inside = inside && v >= e.lo[j] && v <= e.hi[j]
			}
			if inside && len(out) < n {
				out = append(out, x)
			}
		}
	}
	return out, nil
}

// uniform draws from a box.
type uniform struct{ lo, hi float64 }

func (e uniform) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	out := make([][]float64, n)
	for i := range out {
		for range dim {
			out[i] = append(out[i], e.lo+(e.hi-e.lo)*rng.Float64())
		}
	}
	return out, nil
}

// foldedAfter folds what HMC on the energy itself gives: the fold is outside the Metropolis test.
type foldedAfter struct{ Reflected }

func (k foldedAfter) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	next, info := k.Kernel.Step(env, s)
	x, _ := k.fold(next[0])
	return k.Kernel.Init(env, x), info
}

// full is a dense mass under another name.
type full struct{ DenseMass }

func TestReflectedInvariance(t *testing.T) {
	gaussian := ebm.Gaussian{Mean: []float64{0.3, 0.5}, Cov: [][]float64{{1, 0.6}, {0.6, 1}}}
	lo, hi := []float64{-0.7, 0}, []float64{1.2, math.Inf(1)} // E is far from flat at the walls
	dense, err := NewDenseMass([][]float64{{1.5, -0.9}, {-0.9, 1.5}})
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		hmc := HMC{StepSize: ebm.Fixed(0.6), Leapfrog: 4}
		check := verify.Invariance{Energy: gaussian, Event: []int{2}, Exact: truncated{gaussian, lo, hi}, Steps: 3}
		t.Run("HMC", func(t *testing.T) {
			check.Kernel = Reflected{Kernel: hmc, Lo: lo, Hi: hi}
			mustPass(t, b, check)
		})
		t.Run("fold after the Metropolis test", func(t *testing.T) {
			check.Kernel = foldedAfter{Reflected{Kernel: hmc, Lo: lo, Hi: hi}}
			mustFail(t, b, check)
		})
		t.Run("dense mass", func(t *testing.T) {
			hmc.Mass = full{dense}
			check.Kernel = Reflected{Kernel: hmc, Lo: lo, Hi: hi}
			mustFail(t, b, check)
		})
		flat := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return MulScalar(ReduceSum(x, -1), 0) })
		check = verify.Invariance{Energy: flat, Event: []int{2}, Exact: uniform{-1, 1}}
		wide := Langevin{StepSize: ebm.Fixed(2)} // noise of standard deviation 2 in a box of width 2: many mirrorings
		t.Run("Brownian motion in a box", func(t *testing.T) {
			check.Kernel = Reflected{Kernel: wide, Lo: []float64{-1}, Hi: []float64{1}}
			mustPass(t, b, check)
		})
		t.Run("Brownian motion, clamped", func(t *testing.T) {
			check.Kernel = Clamped{Kernel: wide, Lo: []float64{-1}, Hi: []float64{1}}
			mustFail(t, b, check)
		})
	})
}

// After any number of bounces HMC's caches are those of the position in the box.
func TestReflectedCaches(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		kernel := Reflected{Kernel: HMC{StepSize: ebm.Fixed(0.5), Leapfrog: 5}, Lo: []float64{0.1}, Hi: []float64{0.6}}
		out := sample(t, b, ebm.Gaussian{}, kernel, ebm.Options{Chains: 100, Dim: 2, Steps: 7, Seed: 1})
		x, grad := onHost(t, out.X), onHost(t, out.Checkpoint.State[2])
		if !(out.Accept > 0.2) {
			t.Errorf("acceptance is %g", out.Accept)
		}
		for i, v := range x {
			if !(v >= float64(float32(0.1)) && v <= float64(float32(0.6)) && math.Abs(grad[i]-v) < 1e-5) {
				t.Fatalf("position %g has the gradient %g cached", v, grad[i])
			}
		}
	})
}
