package ebmtest

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// InvarianceCheck tests that a kernel leaves exp(−E) invariant: chains that start as independent exact draws must,
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
// are no longer finite.
//
// Massart, The tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality, Ann. Probab. 18 (1990),
// doi:10.1214/aop/1176990746; Efron, Student's t-test under symmetry conditions, JASA 64 (1969),
// doi:10.1080/01621459.1969.10501056.
type InvarianceCheck struct {
	Energy ebm.Energy
	Kernel ebm.Kernel

	Event []int        // shape of a chain's position
	DType dtypes.DType // Float32 (default) or Float64
	Exact ExactSampler // draws from exp(−E)/Z; default: Energy's own SampleExact

	Chains      int     // n, default 50 000
	Steps       int     // steps between the two samples, default 1
	Projections int     // default 100
	FalseAlarm  float64 // α, default 10⁻⁶
	FalsePass   float64 // for which the report says what would be detected, default 10⁻⁶
	MinMove     float64 // how far chains must move, on average, in standard deviations; default 0.1
}

// ExactSampler draws n independent points of dim numbers each. The analytic energies have it.
type ExactSampler interface {
	SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error)
}

// pilot is the number of exact draws that give the whitening; they are drawn apart from those that are compared.
const pilot = 10_000

// Run makes the check once for each seed, default seed 1; α holds for each. The kernel is compiled once.
func (c InvarianceCheck) Run(ctx context.Context, b compute.Backend, seeds ...uint64) ([]InvarianceReport, error) {
	c = c.withDefaults()
	switch {
	case c.Energy == nil || c.Kernel == nil || c.Exact == nil || len(c.Event) == 0:
		return nil, errors.New("ebmtest: InvarianceCheck needs Energy, Kernel, Event, and Exact where the energy has no SampleExact")
	case c.Chains < 100 || c.Steps < 1 || c.Projections < 1:
		return nil, errors.Errorf("ebmtest: InvarianceCheck wants at least 100 Chains, 1 step and 1 projection, got %d, %d and %d", c.Chains, c.Steps, c.Projections)
	case !(c.FalseAlarm > 0 && c.FalseAlarm < 1 && c.FalsePass > 0 && c.FalsePass < 1):
		return nil, errors.Errorf("ebmtest: InvarianceCheck: FalseAlarm and FalsePass are probabilities, got %g and %g", c.FalseAlarm, c.FalsePass)
	}
	sampler, err := ebm.NewSampler(b, nil, c.Energy, c.Kernel)
	if err != nil {
		return nil, err
	}
	defer sampler.Finalize()
	draws, err := c.draw(pilot, math.MaxUint64)
	if err != nil {
		return nil, err
	}
	names, directions, err := c.statistics(draws)
	if err != nil {
		return nil, err
	}
	pilots, err := c.values(b, draws, directions)
	if err != nil {
		return nil, err
	}
	if len(seeds) == 0 {
		seeds = []uint64{1}
	}
	var reports []InvarianceReport
	for _, seed := range seeds {
		start, err := c.draw(c.Chains, seed)
		if err != nil {
			return nil, err
		}
		out, err := sampler.Sample(ctx, ebm.Options{Start: start, Steps: c.Steps, Seed: seed})
		if err != nil {
			return nil, err
		}
		r := c.report(seed, out.Accept, names)
		if r.NonFinite, err = nonFinite(out.X); err != nil {
			return nil, err
		}
		if r.NonFinite == 0 {
			before, err := c.values(b, start, directions)
			if err != nil {
				return nil, err
			}
			after, err := c.values(b, out.X, directions)
			if err != nil {
				return nil, err
			}
			r.compare(pilots, before, after)
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// Invariance fails the test where the kernel does not leave its target invariant, with the report as the message.
func Invariance(t testing.TB, b compute.Backend, c InvarianceCheck, seeds ...uint64) {
	t.Helper()
	reports, err := c.Run(t.Context(), b, seeds...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for _, r := range reports {
		if !r.Passed() {
			t.Errorf("%v", r)
		} else {
			t.Log(r.Verdict())
		}
	}
}

func (c InvarianceCheck) withDefaults() InvarianceCheck {
	c.Chains = orDefault(c.Chains, 50_000)
	c.Steps = orDefault(c.Steps, 1)
	c.Projections = orDefault(c.Projections, 100)
	c.FalseAlarm = orDefault(c.FalseAlarm, 1e-6)
	c.FalsePass = orDefault(c.FalsePass, 1e-6)
	c.MinMove = orDefault(c.MinMove, 0.1)
	c.DType = orDefault(c.DType, dtypes.Float32)
	if own, ok := c.Energy.(ExactSampler); ok && c.Exact == nil {
		c.Exact = own
	}
	return c
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// draw puts n exact draws into a tensor.
func (c InvarianceCheck) draw(n int, seed uint64) (*tensors.Tensor, error) {
	d := 1
	for _, size := range c.Event {
		d *= size
	}
	rows, err := c.Exact.SampleExact(rand.New(rand.NewPCG(seed, 0)), n, d)
	if err != nil {
		return nil, err
	}
	dims, flat := append([]int{n}, c.Event...), slices.Concat(rows...)
	if c.DType == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(flat, dims...), nil
	}
	single := make([]float32, len(flat))
	for i, v := range flat {
		single[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(single, dims...), nil
}

// statistics are linear functions of an event, one direction each: the numbers themselves, then projections of the
// event whitened by the draws' covariance. The energy comes after them.
func (c InvarianceCheck) statistics(draws *tensors.Tensor) (names []string, directions [][]float64, err error) {
	flat, d, err := matrix(draws)
	if err != nil {
		return nil, nil, err
	}
	x := mat.NewDense(pilot, d, flat)
	var covariance mat.SymDense
	stat.CovarianceMatrix(&covariance, x, nil)
	var chol mat.Cholesky
	if !chol.Factorize(&covariance) {
		return nil, nil, errors.Errorf("ebmtest: InvarianceCheck: the covariance of %d exact draws is singular", pilot)
	}
	for i := range d {
		unit := make([]float64, d)
		unit[i] = 1
		names, directions = append(names, "x"+subscript(i)), append(directions, unit)
	}
	var lower mat.TriDense
	chol.LTo(&lower)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range c.Projections {
		u := mat.NewVecDense(d, nil)
		for j := range d {
			u.SetVec(j, rng.NormFloat64())
		}
		u.ScaleVec(1/mat.Norm(u, 2), u)
		var direction mat.VecDense
		if err := direction.SolveVec(lower.T(), u); err != nil {
			return nil, nil, errors.Errorf("ebmtest: InvarianceCheck: whitening: %v", err)
		}
		names, directions = append(names, "projection"+subscript(i)), append(directions, direction.RawVector().Data)
	}
	return append(names, "energy"), directions, nil
}

// values computes every statistic of every chain.
func (c InvarianceCheck) values(b compute.Backend, x *tensors.Tensor, directions [][]float64) ([][]float64, error) {
	energy, err := ebm.Evaluate(b, nil, c.Energy, x)
	if err != nil {
		return nil, err
	}
	flat, d, err := matrix(x)
	if err != nil {
		return nil, err
	}
	values := make([][]float64, len(directions), len(directions)+1)
	inParallel(len(directions), func(i int) { values[i] = project(flat, d, directions[i]) })
	return append(values, energy), nil
}

// matrix copies [n, event...] to the host, as n rows of d numbers.
func matrix(x *tensors.Tensor) (flat []float64, d int, err error) {
	d = x.Size() / x.Shape().Dimensions[0]
	if x.DType() == dtypes.Float64 {
		flat, err = tensors.CopyFlatData[float64](x)
		return flat, d, err
	}
	single, err := tensors.CopyFlatData[float32](x)
	flat = make([]float64, len(single))
	for i, v := range single {
		flat[i] = float64(v)
	}
	return flat, d, err
}

// nonFinite counts the chains with a NaN or an infinity.
func nonFinite(x *tensors.Tensor) (count int, err error) {
	flat, d, err := matrix(x)
	for row := range slices.Chunk(flat, d) {
		if slices.ContainsFunc(row, func(v float64) bool { return v-v != 0 }) {
			count++
		}
	}
	return count, err
}

func project(flat []float64, d int, direction []float64) []float64 {
	out := make([]float64, len(flat)/d)
	for i := range out {
		for j, v := range flat[i*d : (i+1)*d] {
			out[i] += v * direction[j]
		}
	}
	return out
}

// inParallel calls fn(0), …, fn(n−1) on all cores.
func inParallel(n int, fn func(i int)) {
	var group sync.WaitGroup
	workers := min(n, runtime.GOMAXPROCS(0))
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				fn(i)
			}
		})
	}
	group.Wait()
}
