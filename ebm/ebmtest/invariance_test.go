package ebmtest

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
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
	Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			name   string
			kernel ebm.Kernel
			want   string
		}{
			{"fresh draws", redraw, "the target is invariant"},
			{"half-fresh draws", refresh(1), "the target is invariant"},
			{"5 % too narrow", refresh(0.95), "another mean or second moment"},
			{"no move", stay, "chains moved 0 standard deviations"},
			{"division by zero", overflow, "20000 of 20000 chains are not finite"},
		} {
			check := InvarianceCheck{Energy: ebm.Gaussian{}, Kernel: c.kernel, Event: []int{2, 1}, Chains: 20_000}
			reports, err := check.Run(t.Context(), b, 1, 2)
			if err != nil {
				t.Fatalf("%s: %+v", c.name, err)
			}
			if len(reports) != 2 {
				t.Fatalf("%s: %d reports for 2 seeds", c.name, len(reports))
			}
			for _, r := range reports {
				if text := r.String(); !strings.Contains(text, c.want) || r.Passed() != (c.want == "the target is invariant") {
					t.Errorf("%s: want %q, got %s", c.name, c.want, text)
				}
			}
		}
	})
}

func TestInvarianceBadSettings(t *testing.T) {
	Backends(t, func(t *testing.T, b compute.Backend) {
		good := InvarianceCheck{Energy: ebm.Gaussian{}, Kernel: redraw, Event: []int{2}}
		for want, spoil := range map[string]func(c *InvarianceCheck){
			"needs Energy, Kernel, Event":           func(c *InvarianceCheck) { c.Kernel = nil },
			"Exact where the energy has no":         func(c *InvarianceCheck) { c.Energy = ebm.EnergyFunc(ripples) },
			"at least 100 Chains":                   func(c *InvarianceCheck) { c.Chains = 10 },
			"got 50000, -1 and 100":                 func(c *InvarianceCheck) { c.Steps = -1 },
			"FalseAlarm and FalsePass are probabil": func(c *InvarianceCheck) { c.FalseAlarm = 2 },
		} {
			c := good
			spoil(&c)
			if _, err := c.Run(t.Context(), b); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}

// distance against the definition, and its limit against a sample that is off by just what is detectable.
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
	if got := distance(a, b, 0, 1); math.Abs(got-want) > 1.0/500 || got > want+1e-12 {
		t.Errorf("distance is %g, by its definition %g", got, want)
	}

	check := InvarianceCheck{}.withDefaults()
	r := check.report(1, 0, make([]string, 111))
	shift := 2 * math.Sqrt2 * math.Erfinv(r.Detectable) // Φ(s/2) − Φ(−s/2) = erf(s/2√2)
	for range 20 {
		if d := distance(draw(check.Chains, 0), draw(check.Chains, shift), 0, 1); d <= r.Distance {
			t.Errorf("a distribution function off by %.4f has the distance %.4f, below the limit of %.4f", r.Detectable, d, r.Distance)
		}
		if d := distance(draw(check.Chains, 0), draw(check.Chains, 0), 0, 1); d > r.Distance {
			t.Errorf("two samples of one distribution have the distance %.4f, above the limit of %.4f", d, r.Distance)
		}
	}
}
