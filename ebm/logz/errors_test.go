package logz

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
)

// constant is an energy of one value everywhere.
func constant(v float64) ebm.Energy {
	return ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return AddScalar(MulScalar(ReduceSum(x, -1), 0), v) })
}

func TestAISBadInput(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		pairs := tensors.FromValue([][]float32{{1, 2}, {2, 1}, {0, 3}})
		good := AIS{Backend: b, Energy: ebm.Gaussian{}, Betas: LinearLadder(2), Kernel: hmc(0.2, 1), Event: []int{2}, Chains: 10}
		for want, spoil := range map[string]func(a *AIS){
			"ebm: NewSampler: the backend is nil":                                                     func(a *AIS) { a.Backend = nil },
			"logz: AIS.Energy is nil":                                                                 func(a *AIS) { a.Energy = nil },
			"logz: AIS.Betas must have at least two numbers, got [0]":                                 func(a *AIS) { a.Betas = []float64{0} },
			"logz: AIS.Betas must go from 0 to 1, got 0 to 0.9":                                       func(a *AIS) { a.Betas = []float64{0, 0.9} },
			"logz: AIS.Betas must increase, got 0.5 and then 0.5 at 2":                                func(a *AIS) { a.Betas = []float64{0, 0.5, 0.5, 1} },
			"logz: AIS.Betas must increase, got 0 and then NaN at 1":                                  func(a *AIS) { a.Betas = []float64{0, math.NaN(), 1} },
			"logz: AIS.Moves must be at least 1, got -1":                                              func(a *AIS) { a.Moves = -1 },
			"logz: AIS.Chains must be at least 2, got 1":                                              func(a *AIS) { a.Chains = 1 },
			"logz: AIS.Event must hold positive sizes where there are no Samples, got []":             func(a *AIS) { a.Event = nil },
			"logz: AIS.DType must be Float32 or Float64, got Int32":                                   func(a *AIS) { a.DType = dtypes.Int32 },
			"logz: AIS.Samples has rows of shape [2], but Event says [3]":                             func(a *AIS) { a.Event, a.Samples = []int{3}, pairs },
			"logz: AIS.Samples is Float32, but DType says Float64":                                    func(a *AIS) { a.DType, a.Samples = dtypes.Float64, pairs },
			"logz: AIS: the samples must be Float32 or Float64 [n, event...] with at least two rows,": func(a *AIS) { a.Samples = tensors.FromValue([][]float32{{1, 2}}) },
			"logz: AIS.Base: Gaussian: events must have 3 numbers as Mean and Cov do, got 2": func(a *AIS) {
				a.Base = ebm.Gaussian{Mean: []float64{1, 2, 3}}
			},
			"HMC: Leapfrog must be at least 1":                                                func(a *AIS) { a.Kernel = hmc(1, -1) },
			"logz: AIS forward: 10 of 10 log weights are NaN or infinite":                     func(a *AIS) { a.Energy = constant(math.NaN()) },
			"logz: AIS forward: all 10 weights are 0: the energy is infinite wherever":        func(a *AIS) { a.Energy = constant(math.Inf(1)) },
			"logz: AIS.Samples must hold draws of the energy for the way back, as ebm.Ackley": func(a *AIS) { a.Energy = ebm.Ackley{} },
		} {
			a := good
			spoil(&a)
			if _, err := a.Both(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := good.Forward(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled context: got the error %v", err)
		}
	})
}

func TestBridgeBadInput(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x, err := draw("", ebm.Gaussian{}, 40, []int{2}, dtypes.Float32, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		good := Bridge{Backend: b, Energy: ebm.Gaussian{}, Samples: x}
		for want, spoil := range map[string]func(c *Bridge){
			"ebm: Evaluate: the backend is nil":                          func(c *Bridge) { c.Backend = nil },
			"logz: Bridge.Energy is nil":                                 func(c *Bridge) { c.Energy = nil },
			"logz: Bridge.Samples is nil":                                func(c *Bridge) { c.Samples = nil },
			"logz: Bridge.Draws must be at least 2, got 1":               func(c *Bridge) { c.Draws = 1 },
			"logz: Bridge.ESS must be at most the 40 Samples, got 41":    func(c *Bridge) { c.ESS = 41 },
			"with at least two rows, got (Int32)[2, 1]":                  func(c *Bridge) { c.Samples = tensors.FromValue([][]int32{{1}, {2}}) },
			"FitGaussian: 2 samples are too few for events of 2 numbers": func(c *Bridge) { c.Samples = tensors.FromValue([][]float32{{1, 2}, {2, 1}, {0, 3}, {1, 1}}) },
			"logz: FitGaussian: Gaussian: Cov must be positive definite": func(c *Bridge) {
				c.Samples = tensors.FromValue([][]float64{{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}})
			},
			"logz: Bridge.Base: Gaussian: events must have 3 numbers":     func(c *Bridge) { c.Base = ebm.Gaussian{Mean: []float64{1, 2, 3}} },
			"logz: Bridge: at 20 of 20 Samples the energy is NaN or inf":  func(c *Bridge) { c.Energy = constant(math.Inf(1)) },
			"at 40 of 40 draws of the base the energy is NaN or infinite": func(c *Bridge) { c.Base, c.Energy = ebm.Gaussian{}, hole{} },
			"the samples and the base's draws do not overlap at all":      func(c *Bridge) { c.Base = ebm.Gaussian{Mean: []float64{1e3, 0}} },
		} {
			c := good
			spoil(&c)
			if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}

// hole is −∞ everywhere.
type hole struct{}

func (hole) Energy(x *Node, cond ...*Node) *Node { return constant(math.Inf(-1)).Energy(x, cond...) }

func TestMeanLogLikelihoodBadInput(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x := tensors.FromValue([][]float32{{1, 2}, {2, 1}})
		z := Estimate{LogZ: 1, Lower: 0, Upper: 2}
		for want, call := range map[string]func() (Likelihood, error){
			"MeanLogLikelihood: x is nil": func() (Likelihood, error) { return MeanLogLikelihood(b, nil, ebm.Gaussian{}, nil, z) },
			"z must have LogZ between Lower and Upper, got 2, 1 and 0": func() (Likelihood, error) {
				return MeanLogLikelihood(b, nil, ebm.Gaussian{}, x, Estimate{LogZ: 1, Lower: 2})
			},
			"MeanLogLikelihood: the energy of x in row 0 is +Inf": func() (Likelihood, error) { return MeanLogLikelihood(b, nil, constant(math.Inf(1)), x, z) },
			"ebm: Evaluate: the energy is nil":                    func() (Likelihood, error) { return MeanLogLikelihood(b, nil, nil, x, z) },
			"logz: MeanLogLikelihood: the samples must be Float32 or Float64 [n, eve": func() (Likelihood, error) {
				return MeanLogLikelihood(b, nil, ebm.Gaussian{}, tensors.FromValue([]float32{1, 2}), z)
			},
		} {
			if _, err := call(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}

// What an estimate is not to be believed for stands in its sentence.
func TestWarnings(t *testing.T) {
	few := Estimate{Method: "AIS forward", LogZ: 1, StdErr: 0.5, N: 1000, ESS: 3, Accept: 0.9}
	few.interval()
	many := Estimate{Method: "AIS reverse", LogZ: 1, StdErr: 0.01, N: 1000, ESS: 800, Accept: 0.7}
	many.interval()
	low := many
	low.Method, low.LogZ = "AIS forward", 1.5
	low.interval()
	high := many
	high.LogZ = 2
	high.interval()
	for want, e := range map[string]Estimate{
		"log Z = 1.0000 ± 0.5000, between 0.0200 and 1.9800 with 95 % (AIS forward, 1000 weights worth 3, acceptance 0.90); CAUTION: the 1000 weights of AIS forward are worth 3.0, fewer than 30: the standard error is too small": few,
		"log Z = 1.0000 ± 0.0100, between 0.9804 and 1.0196 with 95 % (AIS reverse, 1000 weights worth 800, acceptance 0.70)":                                                                                                       many,
		"acceptance 0.70); CAUTION: the lower bound, 1.5000, is above the upper, 1.0000, by 35 standard errors: the kernel is not exact or Samples are not the energy's":                                                            enclose(low, many),
		"acceptance 0.70); CAUTION: the lower bound, 1.5000, and the upper, 2.0000, are 35 standard errors apart: take more temperatures, and believe the interval rather than the standard error":                                  enclose(low, high),
	} {
		if text := e.String(); !strings.Contains(text, want) {
			t.Errorf("got %q, want %q", text, want)
		}
	}
}
