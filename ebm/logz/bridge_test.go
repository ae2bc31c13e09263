package logz

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"gonum.org/v1/gonum/stat"

	"github.com/goebm/goebm/ebm/ebmtest"
)

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
