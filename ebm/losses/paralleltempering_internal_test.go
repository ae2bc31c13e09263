package losses

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/verify"
)

// The swaps against the same in plain Go, pair after pair; infinite energies go to the hot end, a NaN stays where it is.
func TestSwapAgainstBruteForce(t *testing.T) {
	const n, k, d = 40, 5, 2
	betas := []float64{1, .7, .4, .25, .1}
	rng := rand.New(rand.NewPCG(1, 2))
	x, e, u := make([][][]float64, n), make([][]float64, n), make([][]float64, n)
	for i := range n {
		for range k {
			x[i] = append(x[i], []float64{rng.NormFloat64(), rng.NormFloat64()})
			e[i] = append(e[i], 4*rng.NormFloat64())
		}
		for range k - 1 {
			u[i] = append(u[i], rng.Float64())
		}
	}
	e[0][1], e[1][0], e[2][0], e[2][1], e[3][4] = math.NaN(), math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)

	want, rates := make([][][]float64, n), make([]float64, k-1)
	for i := range n {
		want[i] = append(want[i], x[i]...)
		energy := append([]float64{}, e[i]...)
		for _, pair := range []int{0, 2, 1, 3} {
			p := min(1, math.Exp((betas[pair]-betas[pair+1])*(energy[pair]-energy[pair+1])))
			if math.IsNaN(p) {
				p = 0
			}
			rates[pair] += p / n
			if u[i][pair] < p {
				want[i][pair], want[i][pair+1] = want[i][pair+1], want[i][pair]
				energy[pair], energy[pair+1] = energy[pair+1], energy[pair]
			}
		}
	}
	moved := 0
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out, err := CallOnceN(b, func(in []*Node) []*Node {
			chains, rates := swap(in[0], in[1], in[2], in[3])
			return []*Node{chains, rates}
		}, x, e, betas, u)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		for i, ladder := range out[0].Value().([][][]float64) {
			for j := range ladder {
				for c := range d {
					if ladder[j][c] != want[i][j][c] {
						t.Fatalf("ladder %d, rung %d: got %v, want %v", i, j, ladder[j], want[i][j])
					}
				}
				if want[i][j][0] != x[i][j][0] {
					moved++
				}
			}
		}
		for i, rate := range out[1].Value().([]float64) {
			if math.Abs(rate-rates[i]) > 1e-12 {
				t.Errorf("pair %d: rate %.15g, want %.15g", i, rate, rates[i])
			}
		}
	})
	if moved < n {
		t.Errorf("only %d chains moved: what was compared?", moved)
	}
}

// rungsOf are ladders of Gaussians: the chain at βᵢ is N(0, I/βᵢ). An event is a whole ladder, [K, 2].
type rungsOf []float64

func (r rungsOf) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	x := make([][]float64, n)
	for i := range x {
		x[i] = make([]float64, dim)
		for j := range x[i] {
			x[i][j] = rng.NormFloat64() / math.Sqrt(r[j*len(r)/dim])
		}
	}
	return x, nil
}

// Energy is the sum of βᵢ·½‖xᵢ‖², [n].
func (r rungsOf) Energy(x *Node, _ ...*Node) *Node {
	return ReduceSum(Mul(r.rung(x), ConstAs(x, [][]float64{r})), 1)
}

// rung is ½‖xᵢ‖² of each rung, [n, K].
func (r rungsOf) rung(x *Node) *Node { return MulScalar(ReduceSum(Square(x), 2), .5) }

// swapping is a kernel that does nothing but swap.
type swapping struct {
	rungsOf
	swap func(x, energies, betas, u *Node) (chains, rates *Node)
}

func (k swapping) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }
func (k swapping) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	energies := k.rung(s[0])
	u := env.Rand.Uniform(Slice(energies, AxisRange(), AxisRange(1)).Shape())
	chains, _ := k.swap(s[0], energies, ConstAs(energies, []float64(k.rungsOf)), u)
	return ebm.State{chains}, ebm.Info{}
}

// Swaps leave the chains of every temperature in its own density; with the sign of the test turned, or without the test, they do not.
func TestSwapLeavesEveryTemperatureInvariant(t *testing.T) {
	ladder := rungsOf{1, .5, .2}
	twin := func(betas func(b *Node) *Node) func(x, energies, b, u *Node) (chains, rates *Node) {
		return func(x, energies, b, u *Node) (chains, rates *Node) { return swap(x, energies, betas(b), u) }
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		check := verify.Invariance{Backend: b, Energy: ladder, Exact: ladder, Event: []int{len(ladder), 2}, Steps: 2}
		check.Kernel = swapping{ladder, swap}
		ebmtest.Invariance(t, b, check)
		for name, broken := range map[string]func(x, energies, b, u *Node) (chains, rates *Node){
			"sign turned": twin(Neg),
			"no test":     twin(ZerosLike),
			"half of Δβ":  twin(func(b *Node) *Node { return MulScalar(b, .5) }),
		} {
			check.Kernel = swapping{ladder, broken}
			report, err := check.Run(t.Context())
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			if report.Passed() || report.Moved < report.MinMove {
				t.Errorf("%s: the mistake was not found: %v", name, report)
			}
		}
	})
}

// The moving ladder against the same in plain Go, within its limit and beyond it.
func TestMoveLadderAgainstBruteForce(t *testing.T) {
	betas, rates := []float64{1, .5, .2, .15}, []float64{.9, .1, .4}
	for _, hottest := range []float64{.01, .15} {
		want, total := []float64{0}, 0.0
		for i, rate := range rates {
			spacing := math.Log(betas[i]/betas[i+1]) * math.Exp(ladderGain*(rate-.3))
			total += spacing
			want = append(want, total)
		}
		shrink := min(1, -math.Log(hottest)/total)
		ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
			out, err := CallOnce(b, func(betas, rates *Node) *Node { return moveLadder(betas, rates, .3, hottest) }, betas, rates)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			for i, beta := range out.Value().([]float64) {
				if want := math.Exp(-want[i] * shrink); math.Abs(beta-want) > 1e-14 {
					t.Errorf("hottest %g: β%d is %.15g, want %.15g", hottest, i+1, beta, want)
				}
			}
		})
	}
}
