package samplers

import (
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// stub is a kernel whose acceptance is a known function of its step size, and not finite for every other chain where broken.
type stub struct {
	step   ebm.Schedule
	broken bool
}

func (k stub) WithStepSize(s ebm.Schedule) ebm.Kernel { k.step = s; return k }
func (k stub) Init(_ ebm.Env, x *Node) ebm.State      { return ebm.State{x} }
func (k stub) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	n := s[0].Shape().Dimensions[0]
	step := k.step.At(env.Step, s[0].DType())
	accept := everyRow(Exp(Neg(step)), n)
	if k.broken {
		row := Iota(s[0].Graph(), shapes.Make(s[0].DType(), n), 0)
		odd := GreaterThan(Sub(row, MulScalar(Floor(MulScalar(row, 0.5)), 2)), ZerosLike(row))
		accept = Where(odd, Div(ZerosLike(row), ZerosLike(row)), accept)
	}
	return ebm.State{Add(s[0], BroadcastToShape(step, s[0].Shape()))}, ebm.Info{Accept: accept}
}

// The step sizes are, one by one, those of Hoffman and Gelman's recursion on the host, and the last one stays.
func TestDualAveragingRecursion(t *testing.T) {
	const steps, after, start, target = 30, 5, 0.3, 0.7
	x, log, mean, bias := 0.0, math.Log(start), 0.0, 0.0
	for i := 1; i <= steps; i++ {
		x += math.Exp(log)
		w := 1 / (float64(i) + 10)
		bias += w * (target - math.Exp(-math.Exp(log)) - bias)
		log = math.Log(10*start) - math.Sqrt(float64(i))/0.05*bias
		power := math.Pow(float64(i), -0.75)
		mean = power*log + (1-power)*mean
	}
	x += after * math.Exp(mean)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		kernel := DualAveraging{Kernel: stub{}, Target: target, Steps: steps, Start: start}
		out := sample(t, b, ebm.DoubleWell{}, kernel, ebm.Options{Start: tensors.FromValue([][]float64{{0}, {0}, {0}}), Steps: steps + after})
		step, err := kernel.StepSize(out.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		const limit = 1e-7 // acceptances are averaged in units of 2⁻³⁰, and the gain is √30/0.05
		if math.Abs(step/math.Exp(mean)-1) > limit {
			t.Errorf("the step size is %.15g, want %.15g", step, math.Exp(mean))
		}
		for _, v := range onHost(t, out.X) {
			if math.Abs(v/x-1) > limit {
				t.Errorf("the step sizes add up to %.15g, want %.15g", v, x)
			}
		}
	})
}

// Where the acceptance of half of the chains is NaN it counts as 0: ½·exp(−ε) = 0.4 at ε = 0.2231.
func TestDualAveragingNonFinite(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		kernel := DualAveraging{Kernel: stub{broken: true}, Target: 0.4, Steps: 2000}
		out := sample(t, b, ebm.DoubleWell{}, kernel, ebm.Options{Chains: 10, Dim: 1, Steps: 2000})
		step, err := kernel.StepSize(out.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		if want := -math.Log(0.8); math.Abs(step/want-1) > 0.02 {
			t.Errorf("the step size is %g, want %g", step, want)
		}
		for _, c := range []*ebm.Checkpoint{nil, {}, {State: []*tensors.Tensor{out.X, out.X, out.X, out.X, out.X, out.X}}} {
			if _, err := kernel.StepSize(c); err == nil || err.Error() != "DualAveraging: StepSize wants the checkpoint of a run of this kernel" {
				t.Errorf("StepSize of another checkpoint: error %v", err)
			}
		}
	})
}

// The adapted kernel's acceptance is its target, to 0.1: at the limit of stability the acceptance drops within a few per cent of the
// step size, the recursion swings across that, and the mean of its step sizes lies on the safe side.
func TestDualAveragingAcceptance(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, target := range targets {
			for _, accept := range []float64{0.65, 0.8} {
				if target.name == "mixture" && b.Name() == "xla" {
					continue // it compiles for longest
				}
				hmc := target.hmc
				hmc.Leapfrog = 3
				kernel := DualAveraging{Kernel: hmc, Target: accept, Steps: 300}
				out := sample(t, b, target.energy, kernel, ebm.Options{Chains: 400, Dim: target.dim, Steps: 100, BurnIn: 300, Seed: 1})
				step, err := kernel.StepSize(out.Checkpoint)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s: step %.4f, acceptance %.3f for %.2f", target.name, step, out.Accept, accept)
				if math.Abs(out.Accept-accept) > 0.1 {
					t.Errorf("%s: acceptance is %.3f, want %.2f ± 0.1", target.name, out.Accept, accept)
				}
			}
		}
	})
}

// With γ = 0.2 the swings at the limit of stability die down, and the acceptance is the target's where 0.05 ends 0.07 above it.
func TestDualAveragingGamma(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, target := range targets {
			if target.name != "ill-conditioned Gaussian" {
				continue
			}
			hmc := target.hmc
			hmc.Leapfrog = 3
			off := map[float64]float64{}
			for _, gamma := range []float64{0.05, 0.2} {
				kernel := DualAveraging{Kernel: hmc, Target: 0.65, Steps: 300, Gamma: gamma}
				out := sample(t, b, target.energy, kernel, ebm.Options{Chains: 400, Dim: target.dim, Steps: 100, BurnIn: 300, Seed: 1})
				off[gamma] = out.Accept - 0.65
			}
			t.Logf("off by %v", off)
			if math.Abs(off[0.2]) > 0.03 || off[0.05] < 0.05 {
				t.Errorf("γ → acceptance less its target: %v, want 0.2 within 0.03, and 0.05 above that", off)
			}
			return
		}
		t.Error("the target is missing")
	})
}

// frozen is dual averaging that has ended: at Init it has all its steps behind it, at a given step size.
type frozen struct {
	DualAveraging
	step float64
}

func (k frozen) Init(env ebm.Env, x *Node) ebm.State {
	s := k.DualAveraging.Init(env, x)
	n := x.Shape().Dimensions[0]
	s[len(s)-3] = everyRow(Const(x.Graph(), math.Log(k.step)), n)
	s[len(s)-1] = everyRow(Const(x.Graph(), float64(k.withDefaults().Steps)), n)
	return s
}

// selfish lets every chain adapt to its own acceptance, and never stops.
type selfish struct{ HMC }

func (k selfish) Init(env ebm.Env, x *Node) ebm.State {
	s := k.HMC.Init(env, x)
	return append(s, MulScalar(OnesLike(s[1]), math.Log(0.5)))
}

func (k selfish) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, log := s[0], s[3]
	z, u := env.Rand.Normal(x.Shape()), env.Rand.Uniform(s[1].Shape())
	next, info := k.transition(env, s[:3], z, u, alongRows(Exp(log), x))
	return append(next, Add(log, AddScalar(info.Accept, -0.8))), info
}

// Once frozen it leaves the target invariant, wherever it froze. Adapting chain by chain does not.
func TestDualAveragingInvariance(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		hmc := HMC{Leapfrog: 3}
		check := verify.Invariance{Energy: ebm.DoubleWell{}, Event: []int{2}, Steps: stepsBetween}
		t.Run("frozen", func(t *testing.T) {
			adapt := DualAveraging{Kernel: hmc, Steps: 100}
			out := sample(t, b, ebm.DoubleWell{}, adapt, ebm.Options{Chains: 400, Dim: 2, Steps: 100, Seed: 1})
			step, err := adapt.StepSize(out.Checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			check.Kernel = frozen{adapt, step}
			mustPass(t, b, check)
		})
		t.Run("each chain for itself", func(t *testing.T) {
			check.Kernel = selfish{hmc}
			mustFail(t, b, check)
		})
	})
}

// Chains spread over devices draw what they draw on one, bit by bit, since their mean acceptance is the same.
func TestDualAveragingSharded(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		if b.NumDevices() < 2 {
			t.Skip("the backend has one device")
		}
		kernel := DualAveraging{Kernel: HMC{Leapfrog: 2}, Steps: 150}
		sampler, err := ebm.NewSampler(b, nil, ebm.DoubleWell{}, kernel)
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		var one *ebm.Samples
		for _, devices := range []int{1, 2, 4} {
			if devices > b.NumDevices() {
				t.Skipf("the backend has %d devices", b.NumDevices())
			}
			out, err := sampler.Sample(t.Context(), ebm.Options{Chains: 64, Dim: 3, Steps: 200, Seed: 1, Devices: devices})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			if one == nil {
				one = out
			}
			for i, want := range one.Checkpoint.State {
				if !out.Checkpoint.State[i].Equal(want) {
					t.Errorf("%d devices: state[%d] is not what it is on one", devices, i)
				}
			}
		}
	})
}
