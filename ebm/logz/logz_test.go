package logz

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
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
