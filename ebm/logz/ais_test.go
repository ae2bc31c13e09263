package logz

import (
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/stat"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/samplers"
)

func TestAISWhereLogZIsKnown(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		intervals, outside := 0, 0
		for i, target := range targets {
			if slow := i == 1 || i == 3; slow != (b.Name() == "xla") && i != 2 {
				continue // the slow ones on XLA, the others on the Go backend, the double well on both
			}
			for _, reverse := range []bool{false, true} {
				w, err := AIS{Backend: b, Energy: target.Base, Base: target.from, Kernel: target.hmc, Betas: SigmoidLadder(100),
					Event: []int{target.dim}, Chains: 250}.prepare(reverse)
				if err != nil {
					t.Fatal(err)
				}
				s := sweep(t, target, func(seed uint64) (Estimate, error) { return w.run(t.Context(), seed) })
				w.sampler.Finalize()
				far, missed := s.misses()
				bias, stdErr := s.bias()
				t.Logf("%s, %s: log Z = %.4f, bias %+.4f ± %.4f, %d of %d intervals miss; the first: %v", target.name, w.method, s.truth, bias, stdErr, missed, seeds, s.estimates[0])
				if far > 0 {
					t.Errorf("%s, %s: %d of %d seeds are more than 5 standard errors off", target.name, w.method, far, seeds)
				}
				if reverse && bias < -5*stdErr || !reverse && bias > 5*stdErr {
					t.Errorf("%s, %s: the bias %+.4f ± %.4f has the wrong sign", target.name, w.method, bias, stdErr)
				}
				intervals, outside = intervals+seeds, outside+missed
			}
		}
		covered(t, intervals, outside)
	})
}

// With few temperatures a single chain's estimate is well below log Z forward, and above it in reverse.
func TestAISBounds(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		target := targets[2]
		truth, err := target.LogZ(target.dim)
		if err != nil {
			t.Fatal(err)
		}
		a := AIS{Backend: b, Energy: target.Base, Kernel: target.hmc, Betas: LinearLadder(5), Event: []int{2}, Chains: 5000, Seed: 3}
		up, err := a.Forward(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		down, err := a.Reverse(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []Estimate{up, down} {
			mean, deviation := stat.MeanStdDev(e.LogWeights, nil)
			z := (mean - truth) / (deviation / math.Sqrt(float64(e.N)))
			if e.Method == "AIS forward" {
				z = -z
			}
			if !(z > 5) {
				t.Errorf("%s: the mean log weight %.4f is %.1f standard errors on the right side of log Z = %.4f, want more than 5", e.Method, mean, z, truth)
			}
		}
		both := enclose(up, down)
		if !(both.Lower < truth && truth < both.Upper) || both.Lower != up.Lower || both.Upper != down.Upper {
			t.Errorf("log Z is %.4f, both ways give %v", truth, both)
		}
	})
}

// wrongSign weights by exp(E_{βₜ₊₁} − E_{βₜ}).
type wrongSign struct{ anneal }

func (k wrongSign) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	next, info := k.anneal.Step(env, s)
	return ebm.State{next[0], Sub(MulScalar(s[1], 2), next[1])}, info
}

// shrinking moves every point towards 0 after each move, so that it leaves nothing invariant.
type shrinking struct{ samplers.HMC }

func (k shrinking) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	s, info := k.HMC.Step(env, s)
	s[0] = MulScalar(s[0], 0.8)
	return s, info
}

// What is wrong is more than 5 standard errors off for every seed.
func TestAISMistakes(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		target := targets[0]
		a := AIS{Backend: b, Energy: target.Base, Kernel: target.hmc, Betas: SigmoidLadder(50), Event: []int{target.dim}, Chains: 250}
		signed, err := a.prepare(false)
		if err != nil {
			t.Fatal(err)
		}
		signed.sampler.Finalize()
		signed.sampler, err = ebm.NewSampler(b, nil, target.Base, wrongSign{anneal{signed.Base, signed.Kernel, signed.Betas, 1, false}})
		if err != nil {
			t.Fatal(err)
		}
		a.Kernel = shrinking{target.hmc}
		shrunk, err := a.prepare(false)
		if err != nil {
			t.Fatal(err)
		}
		for name, w := range map[string]*walk{"wrong sign": signed, "a kernel that is not exact": shrunk} {
			s := sweep(t, target, func(seed uint64) (Estimate, error) { return w.run(t.Context(), seed) })
			w.sampler.Finalize()
			if far, _ := s.misses(); far < seeds {
				t.Errorf("%s: found for %d of %d seeds; log Z is %.4f, the first gives %v", name, far, seeds, s.truth, s.estimates[0])
			}
		}
	})
}

// With one temperature AIS is importance sampling, whose weights are known; where the target is the base but for a constant, every
// path gives log Z exactly.
func TestAISWeights(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		a := AIS{Backend: b, Energy: ebm.DoubleWell{}, Kernel: hmc(0.2, 1), Betas: []float64{0, 1}, Event: []int{3}, DType: dtypes.Float64, Chains: 50, Seed: 9}
		e, err := a.Forward(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		x, err := draw("", ebm.Gaussian{}, 50, a.Event, dtypes.Float64, a.Seed, 0)
		if err != nil {
			t.Fatal(err)
		}
		target, err := ebm.Evaluate(b, nil, a.Energy, x)
		if err != nil {
			t.Fatal(err)
		}
		base, err := ebm.Evaluate(b, nil, ebm.Gaussian{}, x)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i := range target {
			want := base[i] - target[i] + 1.5*math.Log(2*math.Pi)
			if math.Abs(e.LogWeights[i]-want) > 1e-12*(1+math.Abs(want)) {
				t.Fatalf("log weight %d is %.15g, want %.15g", i, e.LogWeights[i], want)
			}
			sum += math.Exp(want)
		}
		if want := math.Log(sum / 50); math.Abs(e.LogZ-want) > 1e-12 {
			t.Errorf("log Z is %.15g, by importance sampling %.15g", e.LogZ, want)
		}

		a.Energy = ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return AddScalar(ebm.Gaussian{}.Energy(x), 3) })
		a.Betas, a.Samples = GeometricLadder(4, 0.1), x
		if b.Name() != "xla" { // which takes some seconds to compile another move
			a.Moves = 2
		}
		both, err := a.Both(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := 1.5*math.Log(2*math.Pi) - 3; math.Abs(both.LogZ-want) > 1e-12 || both.StdErr > 1e-8 || math.Abs(both.ESS-50) > 1e-8 {
			t.Errorf("log Z is %.15g exactly, got %v", want, both)
		}
	})
}

// Float64 chains are the same on both backends, and Float32 agrees with them within its standard error.
func TestAISFloat64(t *testing.T) {
	target := targets[2]
	a := AIS{Energy: target.Base, Kernel: target.hmc, Betas: SigmoidLadder(40), Event: []int{2}, Chains: 500, Seed: 5}
	var first *Estimate
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		a.Backend, a.DType = b, dtypes.Float64
		double, err := a.Forward(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && math.Abs(double.LogZ-first.LogZ) > 1e-9 {
			t.Errorf("log Z is %.12f by this backend and %.12f by the other", double.LogZ, first.LogZ)
		}
		first = &double
		a.DType = dtypes.Float32
		single, err := a.Forward(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(single.LogZ-double.LogZ) > 5*math.Hypot(single.StdErr, double.StdErr) {
			t.Errorf("in Float32 %v; in Float64 %v", single, double)
		}
	})
}
