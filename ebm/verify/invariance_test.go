package verify_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/verify"
)

// move is a kernel without a state of its own.
type move func(env ebm.Env, x *Node) *Node

func (m move) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }
func (m move) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	return ebm.State{m(env, s[0])}, ebm.Info{}
}

// Moves whose effect on N(0, I) is known.
var (
	stay     = move(func(_ ebm.Env, x *Node) *Node { return x })
	redraw   = move(func(env ebm.Env, x *Node) *Node { return env.Rand.Normal(x.Shape()) })
	overflow = move(func(_ ebm.Env, x *Node) *Node { return Div(x, ZerosLike(x)) })
	// refresh keeps N(0, 1) exactly: √(1−a²)·x + a·z.
	refresh = func(shrink float64) move {
		return func(env ebm.Env, x *Node) *Node {
			return Add(MulScalar(x, 0.8*shrink), MulScalar(env.Rand.Normal(x.Shape()), 0.6))
		}
	}
)

func TestInvarianceVerdicts(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			name   string
			kernel ebm.Kernel
			want   []string
		}{
			{"fresh draws", redraw, []string{"verify_test.move on ebm.Gaussian: the target is invariant (20000 exact draws, then one step, seed ", "\n2 marginals ", "\n100 projections ", "\nenergy ", "\nlimit "}},
			{"half-fresh draws", refresh(1), []string{"the target is invariant"}},
			{"5 % too narrow", refresh(0.95), []string{"the target is NOT invariant", "another mean or second moment", "\nchanged most:\n"}},
			{"no move", stay, []string{"chains moved 0 standard deviations"}},
			{"division by zero", overflow, []string{"20000 of 20000 chains are not finite"}},
		} {
			check := verify.Invariance{Backend: b, Energy: ebm.Gaussian{}, Kernel: c.kernel, Event: []int{2, 1}, Chains: 20_000, Steps: 1}
			reports, err := check.RunSeeds(t.Context(), 1, 2)
			if err != nil {
				t.Fatalf("%s: %+v", c.name, err)
			}
			if len(reports) != 2 {
				t.Fatalf("%s: %d reports for 2 seeds", c.name, len(reports))
			}
			for _, r := range reports {
				text := r.String()
				for _, want := range c.want {
					if !strings.Contains(text, want) {
						t.Errorf("%s: want %q, got %s", c.name, want, text)
					}
				}
				if r.Passed() != strings.Contains(text, "the target is invariant") {
					t.Errorf("%s: passed is %t, the report %s", c.name, r.Passed(), text)
				}
			}
		}
	})
}

// The user's own sampler, of a law that the energy does not know it has: ½x² is N(0, I).
func TestInvarianceOwnSampler(t *testing.T) {
	half := ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return MulScalar(ReduceSum(Square(x), -1), 0.5) })
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for scale, want := range map[float64]bool{1: true, 1.1: false} {
			exact := verify.ExactFunc(func(rng *rand.Rand, n, dim int) ([][]float64, error) {
				rows, err := ebm.Gaussian{}.SampleExact(rng, n, dim)
				for _, row := range rows {
					for i := range row {
						row[i] *= scale
					}
				}
				return rows, err
			})
			r, err := verify.Invariance{Backend: b, Energy: half, Kernel: refresh(1), Exact: exact, DType: dtypes.Float64, Steps: 1}.Run(t.Context())
			if err != nil {
				t.Fatalf("%+v", err)
			}
			if r.Passed() != want {
				t.Errorf("draws %g times as wide as the target: %v", scale, r)
			}
		}
	})
}

func TestInvarianceBadInput(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		draws := func(rows ...[]float64) ebm.ExactSampler {
			return verify.ExactFunc(func(_ *rand.Rand, n, _ int) ([][]float64, error) {
				if rows == nil {
					return nil, errors.New("no draws today")
				}
				return slices.Repeat(rows, n/len(rows)), nil
			})
		}
		good := verify.Invariance{Backend: b, Energy: ebm.Gaussian{}, Kernel: redraw}
		for want, spoil := range map[string]func(c *verify.Invariance){
			"verify: Invariance.Backend is nil":                                 func(c *verify.Invariance) { c.Backend = nil },
			"verify: Invariance.Energy is nil":                                  func(c *verify.Invariance) { c.Energy = nil },
			"verify: Invariance.Kernel is nil":                                  func(c *verify.Invariance) { c.Kernel = nil },
			"verify: Invariance.Exact is nil and ebm.Ackley has no SampleExact": func(c *verify.Invariance) { c.Energy = ebm.Ackley{} },
			"verify: Invariance.Chains must be at least 100, got 10":            func(c *verify.Invariance) { c.Chains = 10 },
			"verify: Invariance.Steps must be at least 1, got -1":               func(c *verify.Invariance) { c.Steps = -1 },
			"verify: Invariance.Projections must be at least 1, got -5":         func(c *verify.Invariance) { c.Projections = -5 },
			"verify: Invariance.FalseAlarm must be a probability, got 2":        func(c *verify.Invariance) { c.FalseAlarm = 2 },
			"verify: Invariance.FalsePass must be a probability, got -1":        func(c *verify.Invariance) { c.FalsePass = -1 },
			"verify: Invariance.MinMove must not be negative, got NaN":          func(c *verify.Invariance) { c.MinMove = math.NaN() },
			"verify: Invariance.Event must hold positive sizes, got [2 0]":      func(c *verify.Invariance) { c.Event = []int{2, 0} },
			"verify: Invariance.DType must be Float32 or Float64, got Int32":    func(c *verify.Invariance) { c.DType = dtypes.Int32 },
			"exact draws: no draws today":                                       func(c *verify.Invariance) { c.Exact = draws() },
			"Invariance.Exact gave 3 draws, asked for 10000":                    func(c *verify.Invariance) { c.Exact = few{} },
			"gave a draw of 1 numbers, asked for 2 (row 0)":                     func(c *verify.Invariance) { c.Exact = draws([]float64{1}) },
			"the covariance of 10000 exact draws is singular":                   func(c *verify.Invariance) { c.Exact = draws([]float64{1, 2}) },
			"events must have 3 numbers as Mean and Cov do, got 2":              func(c *verify.Invariance) { c.Energy = ebm.Gaussian{Mean: []float64{1, 2, 3}} },
		} {
			c := good
			spoil(&c)
			if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
		if _, err := good.RunSeeds(t.Context()); err == nil || !strings.Contains(err.Error(), "at least one seed, got none") {
			t.Errorf("no seeds: got the error %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := good.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled context: got the error %v", err)
		}
	})
}

// few is a sampler that gives 3 draws, however many it is asked for.
type few struct{}

func (few) SampleExact(rng *rand.Rand, _, dim int) ([][]float64, error) {
	return ebm.Gaussian{}.SampleExact(rng, 3, dim)
}

// The distance against its definition, and its limit against a sample that is off by just what is detectable.
func TestDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	draw := func(n int, shift float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64() + shift
		}
		return x
	}
	a, b := draw(500, 0), draw(500, 0.3)
	b[0], b[1] = math.MaxFloat64, -math.MaxFloat64
	want := 0.0
	for _, at := range slices.Concat(a, b) {
		below := func(x []float64) (count float64) {
			for _, v := range x {
				if v <= at {
					count++
				}
			}
			return count / float64(len(x))
		}
		want = max(want, math.Abs(below(a)-below(b)))
	}
	if got := verify.Distance(a, b, 0, 1); math.Abs(got-want) > 1.0/500 || got > want+1e-12 {
		t.Errorf("distance is %g, by its definition %g", got, want)
	}

	r := verify.Invariance{}.Limits(make([]string, 111))
	shift := 2 * math.Sqrt2 * math.Erfinv(r.Detectable) // Φ(s/2) − Φ(−s/2) = erf(s/2√2)
	for range 20 {
		if d := verify.Distance(draw(r.Chains, 0), draw(r.Chains, shift), 0, 1); d <= r.Distance {
			t.Errorf("a distribution function off by %.4f has the distance %.4f, below the limit of %.4f", r.Detectable, d, r.Distance)
		}
		if d := verify.Distance(draw(r.Chains, 0), draw(r.Chains, 0), 0, 1); d > r.Distance {
			t.Errorf("two samples of one distribution have the distance %.4f, above the limit of %.4f", d, r.Distance)
		}
	}
}
