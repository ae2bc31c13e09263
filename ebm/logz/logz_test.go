package logz

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/stat"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// known is an energy whose log Z and exact draws are known, with settings that suit it.
type known struct {
	name string
	Base // the energy itself
	dim  int
	from Base // what annealing starts at
	hmc  samplers.HMC
}

func hmc(step float64, leapfrog int) samplers.HMC {
	return samplers.HMC{StepSize: ebm.Fixed(step), Leapfrog: leapfrog}
}

// chain is a covariance of ρ^|i−j|.
func chain(d int, rho float64) [][]float64 {
	cov := make([][]float64, d)
	for i := range cov {
		cov[i] = make([]float64, d)
		for j := range cov[i] {
			cov[i][j] = math.Pow(rho, math.Abs(float64(i-j)))
		}
	}
	return cov
}

var targets = []known{
	{"Gaussian", ebm.Gaussian{Mean: []float64{1, -1}, Cov: chain(2, 0.8)}, 2, ebm.Gaussian{}, hmc(0.35, 3)},
	{"Gaussian in 10 dimensions", ebm.Gaussian{Cov: chain(10, 0.7)}, 10, ebm.Gaussian{}, hmc(0.4, 4)},
	{"double well", ebm.DoubleWell{}, 2, ebm.Gaussian{}, hmc(0.25, 4)},
	{"mixture", ebm.Mixture{Means: [][]float64{{-1.5, 0}, {1.5, 1}, {0, -2}}, Weights: []float64{1, 2, 3}, Std: 0.5}, 2, ebm.Gaussian{Cov: [][]float64{{4, 0}, {0, 4}}}, hmc(0.3, 4)},
	// A base of the target's own moments: its tail of x² would make for weights without a variance otherwise.
	{"banana", ebm.Rosenbrock{B: 5}, 2, ebm.Gaussian{Mean: []float64{1, 1.5}, Cov: [][]float64{{0.5, 1}, {1, 2.6}}}, hmc(0.1, 5)},
}

const (
	seeds = 20
	// Of the intervals of 95 % that a test makes, all together, so many standard deviations more than expected may miss.
	slack = 5
)

// swept is what a method gave for 20 seeds in a row on one target.
type swept struct {
	truth     float64
	estimates []Estimate
}

// sweep takes seeds of the target's own, so that one target's misses say nothing of another's.
func sweep(t *testing.T, target known, run func(seed uint64) (Estimate, error)) swept {
	t.Helper()
	truth, err := target.LogZ(target.dim)
	if err != nil {
		t.Fatal(err)
	}
	s := swept{truth: truth}
	first := uint64(1000 * slices.IndexFunc(targets, func(k known) bool { return k.name == target.name }))
	for seed := range uint64(seeds) {
		e, err := run(first + seed)
		if err != nil {
			t.Fatalf("seed %d: %+v", first+seed, err)
		}
		s.estimates = append(s.estimates, e)
	}
	return s
}

// misses counts the seeds whose estimate is more than 5 standard errors off, and those whose interval of 95 % misses.
func (s swept) misses() (far, outside int) {
	for _, e := range s.estimates {
		if !(math.Abs(e.LogZ-s.truth) <= 5*e.StdErr) {
			far++
		}
		if !(e.Lower <= s.truth && s.truth <= e.Upper) {
			outside++
		}
	}
	return far, outside
}

// bias is the mean of the estimates less the truth, and its standard error by the estimates' spread.
func (s swept) bias() (bias, stdErr float64) {
	values := make([]float64, len(s.estimates))
	for i, e := range s.estimates {
		values[i] = e.LogZ - s.truth
	}
	mean, deviation := stat.MeanStdDev(values, nil)
	return mean, deviation / math.Sqrt(float64(len(values)))
}

// covered fails the test where intervals of 95 % missed more often than chance allows.
func covered(t *testing.T, intervals, outside int) {
	t.Helper()
	n := float64(intervals)
	if most := 0.05*n + slack*math.Sqrt(0.05*0.95*n); float64(outside) > most {
		t.Errorf("%d of %d intervals of 95 %% miss, want at most %.0f", outside, intervals, most)
	}
	t.Logf("%d of %d intervals of 95 %% miss", outside, intervals)
}

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

// A network's log Z in two dimensions is known by quadrature; its weights go through the loop.
func TestNetwork(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		if err := store.SetRNGStateFromSeed(1); err != nil {
			t.Fatal(err)
		}
		energy := ebm.Sum{ebm.Scaled{Of: nn.MLPEnergy(store.Scope("/energy"), 16, 16), By: 4}, ebm.Gaussian{}}
		const cells, edge = 160, 8.0
		var grid []float32
		for i := range cells {
			for j := range cells {
				grid = append(grid, float32((2*float64(i)+1)/cells-1)*edge, float32((2*float64(j)+1)/cells-1)*edge)
			}
		}
		energies, err := ebm.Evaluate(b, store, energy, tensors.FromFlatDataAndDimensions(grid, cells*cells, 2))
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, e := range energies {
			sum += math.Exp(-e) * (2 * edge / cells) * (2 * edge / cells)
		}
		truth := math.Log(sum)

		sampler, err := ebm.NewSampler(b, store, energy, hmc(0.4, 4))
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		out, err := sampler.Sample(t.Context(), ebm.Options{Chains: 1000, Dim: 2, Steps: 50, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		annealed, err := AIS{Backend: b, Store: store, Energy: energy, Kernel: hmc(0.4, 4), Betas: SigmoidLadder(30), Samples: out.X}.Both(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		bridged, err := Bridge{Backend: b, Store: store, Energy: energy, Samples: out.X}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []Estimate{annealed, bridged} {
			t.Logf("by quadrature %.4f; %v", truth, e)
			if math.Abs(e.LogZ-truth) > 5*e.StdErr || len(e.Warnings) > 0 {
				t.Errorf("log Z is %.4f, got %v", truth, e)
			}
		}
		if math.Abs(truth-math.Log(2*math.Pi)) < 20*bridged.StdErr {
			t.Errorf("the network hardly changes log Z, %.4f: the test is too easy", truth)
		}
	})
}

func TestBridgeWhereLogZIsKnown(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		intervals, outside := 0, 0
		for i, target := range targets {
			if b.Name() == "xla" && i != 1 {
				continue // every seed compiles
			}
			for _, base := range []Base{nil, target.from} {
				s := sweep(t, target, func(seed uint64) (Estimate, error) {
					x, err := draw("", target, 1000, []int{target.dim}, dtypes.Float32, seed, 2)
					if err != nil {
						return Estimate{}, err
					}
					return Bridge{Backend: b, Energy: target.Base, Samples: x, Base: base, Seed: seed}.Run(t.Context())
				})
				far, missed := s.misses()
				bias, stdErr := s.bias()
				t.Logf("%s, base %T: log Z = %.4f, bias %+.4f ± %.4f, %d of %d intervals miss; the first: %v", target.name, base, s.truth, bias, stdErr, missed, seeds, s.estimates[0])
				if far > 0 {
					t.Errorf("%s: %d of %d seeds are more than 5 standard errors off", target.name, far, seeds)
				}
				if math.Abs(bias) > 5*stdErr {
					t.Errorf("%s: the bias is %+.4f ± %.4f", target.name, bias, stdErr)
				}
				intervals, outside = intervals+seeds, outside+missed
			}
		}
		covered(t, intervals, outside)
	})
}

// The fixed point, its error and the effective number of samples on numbers drawn here: l = log q⁻¹exp(−E) for the unnormalised
// p = 7·N(1, 1) and q = N(0, 1) is x − ½ + log 7.
func TestBridgeEquation(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	ratios := func(n int, mean float64) []float64 {
		l := make([]float64, n)
		for i := range l {
			l[i] = mean + rng.NormFloat64() - 0.5 + math.Log(7)
		}
		return l
	}
	s := swept{truth: math.Log(7)}
	for range 200 {
		ofSamples, ofDraws := ratios(300, 1), ratios(500, 0)
		e, err := bridge(ofSamples, ofDraws, 300)
		if err != nil {
			t.Fatal(err)
		}
		s.estimates = append(s.estimates, e)
		// Meng and Wong's iteration stays where it is.
		s1, r := 300.0/800, math.Exp(e.LogZ)
		up, down := 0.0, 0.0
		for _, l := range ofDraws {
			up += math.Exp(l) / (s1*math.Exp(l) + (1-s1)*r) / 500
		}
		for _, l := range ofSamples {
			down += 1 / (s1*math.Exp(l) + (1-s1)*r) / 300
		}
		if math.Abs(up/down/r-1) > 1e-12 {
			t.Fatalf("the iteration goes from %.15g to %.15g", r, up/down)
		}
	}
	far, outside := s.misses()
	if far > 0 {
		t.Errorf("%d of 200 estimates are more than 5 standard errors off", far)
	}
	covered(t, 200, outside)
	values, claimed := make([]float64, 200), 0.0
	for i, e := range s.estimates {
		values[i], claimed = e.LogZ, claimed+e.StdErr/200
	}
	// A standard deviation of 200 numbers is known to 5 %.
	if spread := stat.StdDev(values, nil); math.Abs(claimed/spread-1) > 5*0.05 {
		t.Errorf("the estimates spread by %.4f, their standard errors are %.4f", spread, claimed)
	}

	// Every sample five times: as good as a fifth of them, and the error says so.
	s.estimates = nil
	for range 200 {
		var repeated []float64
		for _, l := range ratios(300, 1) {
			repeated = append(repeated, l, l, l, l, l)
		}
		e, err := bridge(repeated, ratios(500, 0), 300)
		if err != nil {
			t.Fatal(err)
		}
		s.estimates = append(s.estimates, e)
	}
	_, outside = s.misses()
	covered(t, 200, outside)
}

func TestMeanExp(t *testing.T) {
	value, stdErr, ess, err := meanExp("", []float64{1000, 1000 + math.Log(2), 1000 + math.Log(6), math.Inf(-1)})
	if err != nil {
		t.Fatal(err)
	}
	// Weights 1, 2, 6, 0: mean 9/4, variance (41 − 81/4)/3, effective number 81/41.
	for got, want := range map[float64]float64{
		value:  1000 + math.Log(9.0/4),
		stdErr: math.Sqrt((41-81.0/4)/3/4) / (9.0 / 4),
		ess:    81.0 / 41,
	} {
		if math.Abs(got-want) > 1e-12*want {
			t.Errorf("got %.15g, want %.15g", got, want)
		}
	}
}

func TestLadders(t *testing.T) {
	for name, betas := range map[string][]float64{"Linear": LinearLadder(7), "Sigmoid": SigmoidLadder(7), "Geometric": GeometricLadder(7, 0.01), "Sigmoid, one step": SigmoidLadder(1), "Geometric, one step": GeometricLadder(1, 0.1)} {
		if err := checkLadder(betas); err != nil {
			t.Errorf("%s: %v: %v", name, betas, err)
		}
	}
	g := GeometricLadder(5, 0.01)
	for i := 2; i < 6; i++ {
		if r := g[i] / g[i-1]; math.Abs(r-math.Pow(100, 0.25)) > 1e-12 {
			t.Errorf("Geometric: %v has the ratio %g at %d", g, r, i)
		}
	}
	if s := SigmoidLadder(4); math.Abs(s[2]-0.5) > 1e-15 || math.Abs(s[1]+s[3]-1) > 1e-15 || s[1] >= 0.25 {
		t.Errorf("SigmoidLadder(4) is %v", s)
	}
	if l := LinearLadder(4); l[1] != 0.25 {
		t.Errorf("LinearLadder(4) is %v", l)
	}
}

// The mean log-likelihood of a Gaussian's own draws is minus its entropy.
func TestMeanLogLikelihood(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		target := targets[0]
		logZ, err := target.LogZ(2)
		if err != nil {
			t.Fatal(err)
		}
		z := Estimate{LogZ: logZ, Lower: logZ, Upper: logZ, Accept: math.NaN()}
		outside := 0
		for seed := range uint64(seeds) {
			x, err := draw("", target, 500, []int{2}, dtypes.Float64, seed, 2)
			if err != nil {
				t.Fatal(err)
			}
			l, err := MeanLogLikelihood(b, nil, target.Base, x, z)
			if err != nil {
				t.Fatal(err)
			}
			want := -logZ - 1 // E is ½χ² of 2 degrees of freedom
			if math.Abs(l.Mean-want) > 5*l.StdErr {
				t.Errorf("seed %d: minus the entropy is %.4f, got %v", seed, want, l)
			}
			if l.Lower > want || l.Upper < want {
				outside++
			}
		}
		covered(t, seeds, outside)

		// Of two points the error is that of log Z, and its sides change places.
		x := tensors.FromValue([][]float64{{1, -1}, {1, -1}})
		l, err := MeanLogLikelihood(b, nil, target.Base, x, Estimate{LogZ: 2, StdErr: 0.5, Lower: 1, Upper: 6})
		if err != nil || l.Mean != -2 || l.StdErr != 0.5 || l.Lower != -6 || l.Upper != -1 {
			t.Errorf("want −2 ± 0.5 between −6 and −1, got %v, error %v", l, err)
		}
	})
}
