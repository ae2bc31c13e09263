package verify

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/host"
)

// Invariance tests that a kernel leaves exp(−E) invariant: chains that start as independent exact draws must,
// after a few steps, still be distributed as exact draws are. No burn-in, no autocorrelation, nothing to tune.
//
// Every number of the event, the energy and 100 random projections (of the whitened event, so that narrow
// directions count as much as wide ones) is compared before and after, in two ways:
//
//   - sup|F − F'| of the two empirical distribution functions, against the bound of Dvoretzky, Kiefer, Wolfowitz and
//     Massart for each of the two samples: 2·√(ln(8m/α)/2n) for m statistics and n chains
//   - mean and second moment, chain by chain: z = Σδ/√(Σδ²) for the change δ of each chain, against √(2 ln(8m/α)).
//     For a reversible kernel δ is symmetric, and the bound holds at any n (Efron 1969); for others as n grows
//
// Both together raise a false alarm with probability α at most. A check also fails where chains did not move, or
// are no longer finite. What a check can't see: a mistake smaller than the report's Detectable, and one in a dependence
// between numbers that neither their projections nor the energy show.
//
// Massart, The tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality, Ann. Probab. 18 (1990),
// doi:10.1214/aop/1176990746; Efron, Student's t-test under symmetry conditions, JASA 64 (1969),
// doi:10.1080/01621459.1969.10501056.
type Invariance struct {
	Backend compute.Backend
	Energy  ebm.Energy
	Kernel  ebm.Kernel

	Store *model.Store     // the weights of an energy that has some; default none
	Exact ebm.ExactSampler // draws from exp(−E)/Z, see [ExactFunc]; default: Energy's own SampleExact

	Event []int        // shape of a chain's position, default [2]
	DType dtypes.DType // Float32 (default) or Float64

	Chains      int     // n, default 50 000
	Steps       int     // steps between the two samples, default 5
	Projections int     // default 100
	FalseAlarm  float64 // α, default 10⁻⁶
	FalsePass   float64 // for which the report says what would be detected, default 10⁻⁶
	MinMove     float64 // how far chains must move, on average, in standard deviations; default 0.1
	Seed        uint64  // of the draws and of the kernel's noise
}

// ExactFunc makes an exact sampler of a function: n independent draws of dim numbers each.
type ExactFunc func(rng *rand.Rand, n, dim int) ([][]float64, error)

var _ ebm.ExactSampler = ExactFunc(nil)

// SampleExact calls f.
func (f ExactFunc) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	return f(rng, n, dim)
}

// pilot is the number of exact draws that give the whitening; they are drawn apart from those that are compared.
const pilot = 10_000

// Run makes the check with Seed.
func (c Invariance) Run(ctx context.Context) (InvarianceReport, error) {
	reports, err := c.RunSeeds(ctx, c.Seed)
	if err != nil {
		return InvarianceReport{}, err
	}
	return reports[0], nil
}

// RunSeeds makes the check once for each seed; α holds for each. The kernel is compiled once.
func (c Invariance) RunSeeds(ctx context.Context, seeds ...uint64) (reports []InvarianceReport, err error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(seeds) == 0 {
		return nil, errors.New("verify: Invariance.RunSeeds wants at least one seed, got none")
	}
	sampler, err := ebm.NewSampler(c.Backend, c.Store, c.Energy, c.Kernel)
	if err != nil {
		return nil, err
	}
	defer sampler.Finalize()
	draws, err := c.draw(pilot, math.MaxUint64)
	if err != nil {
		return nil, err
	}
	s, err := c.statistics(draws)
	if err != nil {
		return nil, err
	}
	pilots, err := s.of(draws)
	if err != nil {
		return nil, err
	}
	for _, seed := range seeds {
		start, err := c.draw(c.Chains, seed)
		if err != nil {
			return nil, err
		}
		out, err := sampler.Sample(ctx, ebm.Options{Start: start, Steps: c.Steps, Seed: seed})
		if err != nil {
			return nil, err
		}
		r := c.report(seed, out.Accept, s.names)
		if r.NonFinite, err = nonFinite(out.X); err != nil {
			return nil, err
		}
		if r.NonFinite == 0 {
			before, err := s.of(start)
			if err != nil {
				return nil, err
			}
			after, err := s.of(out.X)
			if err != nil {
				return nil, err
			}
			r.compare(pilots, before, after)
		}
		reports = append(reports, r)
	}
	return reports, nil
}

func (c Invariance) withDefaults() Invariance {
	c.Chains = cmp.Or(c.Chains, 50_000)
	c.Steps = cmp.Or(c.Steps, 5)
	c.Projections = cmp.Or(c.Projections, 100)
	c.FalseAlarm = cmp.Or(c.FalseAlarm, 1e-6)
	c.FalsePass = cmp.Or(c.FalsePass, 1e-6)
	c.MinMove = cmp.Or(c.MinMove, 0.1)
	c.DType = cmp.Or(c.DType, dtypes.Float32)
	if c.Event == nil {
		c.Event = []int{2}
	}
	if own, ok := c.Energy.(ebm.ExactSampler); ok && c.Exact == nil {
		c.Exact = own
	}
	return c
}

func (c Invariance) check() error {
	switch {
	case c.Backend == nil:
		return errors.New("verify: Invariance.Backend is nil")
	case c.Energy == nil:
		return errors.New("verify: Invariance.Energy is nil")
	case c.Kernel == nil:
		return errors.New("verify: Invariance.Kernel is nil")
	case c.Exact == nil:
		return errors.Errorf("verify: Invariance.Exact is nil and %T has no SampleExact: without exact draws there is no certificate", c.Energy)
	case c.Chains < 100:
		return errors.Errorf("verify: Invariance.Chains must be at least 100, got %d", c.Chains)
	case c.Steps < 1:
		return errors.Errorf("verify: Invariance.Steps must be at least 1, got %d", c.Steps)
	case c.Projections < 1:
		return errors.Errorf("verify: Invariance.Projections must be at least 1, got %d", c.Projections)
	case !(c.FalseAlarm > 0 && c.FalseAlarm < 1):
		return errors.Errorf("verify: Invariance.FalseAlarm must be a probability, got %g", c.FalseAlarm)
	case !(c.FalsePass > 0 && c.FalsePass < 1):
		return errors.Errorf("verify: Invariance.FalsePass must be a probability, got %g", c.FalsePass)
	case !(c.MinMove >= 0):
		return errors.Errorf("verify: Invariance.MinMove must not be negative, got %g", c.MinMove)
	}
	return checkShape("Invariance", c.Event, c.DType)
}

func checkShape(what string, event []int, dtype dtypes.DType) error {
	if len(event) == 0 || slices.Min(event) < 1 {
		return errors.Errorf("verify: %s.Event must hold positive sizes, got %v", what, event)
	}
	if dtype != dtypes.Float32 && dtype != dtypes.Float64 {
		return errors.Errorf("verify: %s.DType must be Float32 or Float64, got %s", what, dtype)
	}
	return nil
}

// draw puts n exact draws into a tensor.
func (c Invariance) draw(n int, seed uint64) (*tensors.Tensor, error) {
	d := 1
	for _, size := range c.Event {
		d *= size
	}
	rows, err := c.Exact.SampleExact(rand.New(rand.NewPCG(seed, 0)), n, d)
	if err != nil {
		return nil, errors.WithMessage(err, "verify: Invariance: exact draws")
	}
	if len(rows) != n {
		return nil, errors.Errorf("verify: Invariance.Exact gave %d draws, asked for %d", len(rows), n)
	}
	for i, row := range rows {
		if len(row) != d {
			return nil, errors.Errorf("verify: Invariance.Exact gave a draw of %d numbers, asked for %d (row %d)", len(row), d, i)
		}
	}
	return host.Tensor(c.DType, slices.Concat(rows...), append([]int{n}, c.Event...)...), nil
}
