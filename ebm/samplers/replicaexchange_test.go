package samplers

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// joint shows all replicas of a chain as one position, [n, K, event...], so that the law of them together can be checked.
type joint struct {
	ReplicaExchange
	single    ebm.Energy // of one replica
	wrongSign bool
}

// tempered is the energy of all replicas together, Σ E(x_k)/T_k.
func (k joint) tempered(e ebm.Energy) ebm.EnergyFunc {
	return func(x *Node, _ ...*Node) *Node {
		n, rungs := x.Shape().Dimensions[0], len(k.Temperatures)
		flat := Reshape(x, append([]int{n * rungs}, x.Shape().Dimensions[2:]...)...)
		return ReduceSum(Reshape(Div(e.Energy(flat), k.perReplica(x, func(t float64) float64 { return t })), n, rungs), 1)
	}
}

func (k joint) Init(env ebm.Env, x *Node) ebm.State {
	tally := k.ReplicaExchange.Init(env, Squeeze(SliceAxis(x, 1, AxisElem(0)), 1))[2]
	return ebm.State{x, tally}
}

func (k joint) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	env.Energy = k.single
	x, energy, accept := k.move(env, s[0])
	ratio := k.logRatio(energy)
	if k.wrongSign {
		ratio = Neg(ratio)
	}
	next, info := k.swap(env, x, energy, s[1], ratio, accept)
	return ebm.State{Concatenate([]*Node{ExpandAxes(next[0], 1), next[1]}, 1), next[2]}, info
}

// ladder draws each replica from its own law.
type ladder []ebm.ExactSampler

func (l ladder) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	out := make([][]float64, n)
	for _, rung := range l {
		draws, err := rung.SampleExact(rng, n, dim/len(l))
		if err != nil {
			return nil, err
		}
		for i := range out {
			out[i] = append(out[i], draws[i]...)
		}
	}
	return out, nil
}

func TestReplicaExchangeInvariance(t *testing.T) {
	temperatures := []float64{1, 2, 5}
	covariance := func(t float64) ebm.Gaussian { return ebm.Gaussian{Cov: [][]float64{{t, 0.8 * t}, {0.8 * t, t}}} }
	well := func(t float64) ebm.DoubleWell { return ebm.DoubleWell{BarrierHeight: 2 / t} }
	gaussians, wells := ladder{}, ladder{}
	for _, t := range temperatures {
		gaussians, wells = append(gaussians, covariance(t)), append(wells, well(t))
	}
	hmc := HMC{StepSize: ebm.Fixed(0.4), Leapfrog: 2}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			name   string
			energy ebm.Energy
			exact  ladder
			kernel ebm.Kernel
		}{
			{"Gaussian", covariance(1), gaussians, hmc},
			{"double well", well(1), wells, hmc},
		} {
			kernel := joint{ReplicaExchange: ReplicaExchange{Kernel: c.kernel, Temperatures: temperatures}, single: c.energy}
			check := verify.Invariance{Energy: kernel.tempered(c.energy), Event: []int{3, 2}, Exact: c.exact, Steps: 4}
			t.Run(c.name, func(t *testing.T) {
				check.Kernel = kernel
				mustPass(t, b, check)
			})
			t.Run(c.name+", swaps with the wrong sign", func(t *testing.T) {
				kernel.wrongSign = true
				check.Kernel = kernel
				mustFail(t, b, check)
			})
		}
	})
}

// Two modes eight standard deviations of a mode from the saddle: HMC stays where it began, replicas find the weights 0.3 and 0.7.
func TestReplicaExchangeBalance(t *testing.T) {
	eye := [][]float64{{0.25, 0}, {0, 0.25}}
	mixture := ebm.Mixture{Means: [][]float64{{-4, 0}, {4, 0}}, Weights: []float64{0.3, 0.7}, Covs: [][][]float64{eye, eye}}
	temperatures, err := GeometricLadder(6, 64)
	if err != nil {
		t.Fatal(err)
	}
	const chains, weight = 1000, 0.7
	start := make([]float64, 2*chains)
	for i := range chains {
		start[2*i] = -4
	}
	hmc := HMC{StepSize: ebm.Fixed(0.4), Leapfrog: 2}
	right := func(t *testing.T, b compute.Backend, k ebm.Kernel, steps int) (float64, *ebm.Samples) {
		out := sample(t, b, mixture, k, ebm.Options{Start: host.Tensor(dtypes.Float32, start, chains, 2), Steps: steps, Seed: 1})
		count := 0
		for i, v := range onHost(t, out.X) {
			if i%2 == 0 && v > 0 {
				count++
			}
		}
		return float64(count) / chains, out
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		alone, _ := right(t, b, hmc, 300*len(temperatures))
		kernel := ReplicaExchange{Kernel: hmc, Temperatures: temperatures}
		together, out := right(t, b, kernel, 300)
		rates, err := kernel.SwapRates(out.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		limit := 5 * math.Sqrt(weight*(1-weight)/chains)
		t.Logf("in the mode of weight %g: HMC alone %.3f, %d replicas %.3f ± %.3f; swap rates %.2f", weight, alone, len(temperatures), together, limit/5, rates)
		if math.Abs(alone-weight) < limit {
			t.Errorf("HMC alone has %.3f of its chains in the mode of weight %g: this test shows nothing", alone, weight)
		}
		if math.Abs(together-weight) > limit {
			t.Errorf("%.3f of the chains are in the mode of weight %g, want it to %.3f", together, weight, limit)
		}
	})
}

// The swap rates of a Gaussian in d dimensions are known: E at temperature T is T times a Gamma(d/2) variable.
func TestSwapRates(t *testing.T) {
	const d, draws = 2, 400_000
	temperatures := []float64{1, 2, 8}
	rng := rand.New(rand.NewPCG(1, 2))
	want := make([]float64, 2)
	for k := range want {
		gap := 1/temperatures[k] - 1/temperatures[k+1]
		for range draws { // Gamma(1) is exponential
			want[k] += math.Exp(min(0, gap*(temperatures[k]*rng.ExpFloat64()-temperatures[k+1]*rng.ExpFloat64()))) / draws
		}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		kernel := ReplicaExchange{Kernel: HMC{StepSize: ebm.Fixed(0.5), Leapfrog: 3}, Temperatures: temperatures}
		sampler, err := ebm.NewSampler(b, nil, ebm.Gaussian{}, kernel)
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		const chains, burn, steps = 2000, 50, 50
		before, err := sampler.Sample(t.Context(), ebm.Options{Chains: chains, Dim: d, Steps: burn, Seed: 1})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		after, err := sampler.Sample(t.Context(), ebm.Options{Resume: before.Checkpoint, Steps: steps})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		first, err := kernel.SwapRates(before.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		all, err := kernel.SwapRates(after.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		for k := range want {
			got := (all[k]*(burn+steps) - first[k]*burn) / steps
			limit := 5 * 0.5 * math.Sqrt(1.0/chains+1.0/draws) // a probability has a standard deviation of ½ at most; steps of a chain count as one
			t.Logf("pair %d: rate %.4f, in theory %.4f ± %.4f", k, got, want[k], limit/5)
			if math.Abs(got-want[k]) > limit {
				t.Errorf("pair %d: rate %.4f, want %.4f to %.4f", k, got, want[k], limit)
			}
		}
		if _, err := (ReplicaExchange{}).SwapRates(after.Checkpoint); err == nil || err.Error() != "ReplicaExchange: SwapRates wants the checkpoint of a run of this kernel" {
			t.Errorf("SwapRates with another ladder: error %v", err)
		}
	})
}

// Info is that of the replica at temperature 1, whether the kernel tells its energy (HMC) or not (Langevin), with conditioning.
func TestReplicaExchangeInfo(t *testing.T) {
	energy := ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
		return MulScalar(ReduceSum(Square(Sub(x, cond[0])), -1), 0.5)
	})
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, inner := range []ebm.Kernel{HMC{Leapfrog: 1}, Langevin{StepSize: ebm.Fixed(0.1)}} {
			kernel := ReplicaExchange{Kernel: inner, Between: 2}
			out, err := CallOnceN(b, func(x, c *Node) []*Node {
				env := envAt(x.Graph(), energy, 0)
				env.Cond = []*Node{c}
				s, info := kernel.Step(env, kernel.Init(env, x))
				return []*Node{info.Energy, energy(s[0], c), s[0], s[1]}
			}, [][]float64{{1, 2}, {3, 4}, {5, 6}}, [][]float64{{0, 1}, {4, 4}, {-5, 6}})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			got, want := onHost(t, out[0]), onHost(t, out[1])
			for i := range want {
				if math.Abs(got[i]-want[i]) > 1e-10 {
					t.Errorf("%T: the energy of chain %d is told as %g, and is %g", inner, i, got[i], want[i])
				}
			}
			if shape := fmt.Sprint(out[2].Shape().Dimensions, out[3].Shape().Dimensions); shape != "[3 2] [3 3 2]" {
				t.Errorf("the positions are %s, want [3 2] [3 3 2]", shape)
			}
		}
	})
}

func TestGeometricLadder(t *testing.T) {
	got, err := GeometricLadder(4, 27)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1, 3, 9, 27} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("temperature %d is %g, want %g", i, got[i], want)
		}
	}
	if _, err := GeometricLadder(1, 2); err == nil || err.Error() != "GeometricLadder: k must be at least 2, got 1" {
		t.Errorf("one temperature: error %v", err)
	}
	if _, err := GeometricLadder(3, 1); err == nil || err.Error() != "GeometricLadder: hottest must be a finite number above 1, got 1" {
		t.Errorf("hottest 1: error %v", err)
	}
}
