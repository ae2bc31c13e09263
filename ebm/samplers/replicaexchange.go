package samplers

import (
	"cmp"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// ReplicaExchange is parallel tempering around any kernel: every chain has K replicas at temperatures 1 = T₁ < … < T_K, of
// which the k-th samples exp(−β_k·E), β_k = 1/T_k. A step moves all replicas by Between steps of the kernel, then
// tries to swap neighbours, pairs (1, 2), (3, 4), … at even steps and (2, 3), (4, 5), … at odd ones, each with probability
//
//	min(1, exp((β_k − β_{k+1})·(E_k − E_{k+1})))
//
// which leaves the product of all laws invariant. Hot replicas cross barriers, and what they find comes down the ladder. To alternate
// between even and odd pairs carries a replica along the ladder faster than pairs chosen at random.
//
// The kernel sees a replica in the coordinates x/√T, where E(x)/T has the curvature that E has at x: one step size serves the
// whole ladder, and hot replicas go √T times as far. It begins at Init at each step, so that momenta are drawn anew and a kernel with
// caches takes one more gradient. A wrapper that knows places ([Clamped], [Reflected]) must not be inside; [ebm.InBox] can hold the energy.
//
// The state is the position at T = 1, [n, event...], the others' [n, K−1, event...], and [n, K] Float64: the number of steps,
// then the sum of the swap probabilities of each pair of neighbours, tried or not; [ReplicaExchange.SwapRates] reads it. Rates of 0.2 to 0.6
// are good; where one is lower, put a temperature between. Info is that of T = 1.
//
// Choose it for separated modes. It costs K times the kernel. Building panics on a nil kernel, a negative Between, and temperatures
// that do not rise from 1.
//
// Swendsen and Wang, Replica Monte Carlo simulation of spin glasses, PRL 57 (1986), doi:10.1103/PhysRevLett.57.2607; Syed,
// Bouchard-Côté, Deligiannidis and Doucet, Non-reversible parallel tempering, J. R. Stat. Soc. B 84 (2022), arXiv:1905.02939.
type ReplicaExchange struct {
	Kernel       ebm.Kernel
	Temperatures []float64 // 1 = T₁ < T₂ < … < T_K, K ≥ 2, default 1, 2, 4, 8; see [GeometricLadder]
	Between      int       // steps of Kernel before each swap, default 1
}

var _ Tunable = ReplicaExchange{}

// GeometricLadder is k temperatures from 1 to the hottest, each the same multiple of the one before.
func GeometricLadder(k int, hottest float64) ([]float64, error) {
	if k < 2 {
		return nil, errors.Errorf("GeometricLadder: k must be at least 2, got %d", k)
	}
	if !(hottest > 1) || math.IsInf(hottest, 1) {
		return nil, errors.Errorf("GeometricLadder: hottest must be a finite number above 1, got %g", hottest)
	}
	out := make([]float64, k)
	for i := range out {
		out[i] = math.Pow(hottest, float64(i)/float64(k-1))
	}
	return out, nil
}

func (k ReplicaExchange) withDefaults() ReplicaExchange {
	if k.Temperatures == nil {
		k.Temperatures = []float64{1, 2, 4, 8}
	}
	k.Between = cmp.Or(k.Between, 1)
	switch t := k.Temperatures; {
	case k.Kernel == nil:
		exceptions.Panicf("ReplicaExchange: Kernel is nil")
	case k.Between < 0:
		exceptions.Panicf("ReplicaExchange: Between must be positive, got %d", k.Between)
	case len(t) < 2 || t[0] != 1:
		exceptions.Panicf("ReplicaExchange: Temperatures must be at least two, the first of them 1, got %v", t)
	default:
		for i := 1; i < len(t); i++ {
			if !(t[i] > t[i-1]) || math.IsInf(t[i], 1) {
				exceptions.Panicf("ReplicaExchange: Temperatures must rise and be finite, got %v", t)
			}
		}
	}
	return k
}

// WithStepSize is the exchange between replicas of its kernel with another step size.
func (k ReplicaExchange) WithStepSize(s ebm.Schedule) ebm.Kernel {
	k.Kernel = tunable("ReplicaExchange", k.Kernel).WithStepSize(s)
	return k
}

// Init starts all replicas of a chain at its x, [n, event...].
func (k ReplicaExchange) Init(_ ebm.Env, x *Node) ebm.State {
	k = k.withDefaults()
	n := x.Shape().Dimensions[0]
	hot := append([]int{n, len(k.Temperatures) - 1}, x.Shape().Dimensions[1:]...)
	return ebm.State{x, BroadcastToDims(ExpandAxes(x, 1), hot...), Zeros(x.Graph(), shapes.Make(dtypes.Float64, n, len(k.Temperatures)))}
}

// Step moves every replica, then swaps.
func (k ReplicaExchange) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	k = k.withDefaults()
	x, energy, accept := k.move(env, Concatenate([]*Node{ExpandAxes(s[0], 1), s[1]}, 1))
	return k.swap(env, x, energy, s[2], k.logRatio(energy), accept)
}

// move takes the replicas, [n, K, event...], through Between steps, and gives their energies [n, K] and, where
// the kernel tells, the mean acceptance at T = 1.
func (k ReplicaExchange) move(env ebm.Env, x *Node) (moved, energy, accept *Node) {
	n, rungs, dims := x.Shape().Dimensions[0], len(k.Temperatures), x.Shape().Dimensions
	flat := append([]int{n * rungs}, dims[2:]...)
	temperature := k.perReplica(x, func(t float64) float64 { return t })
	root := k.perReplica(x, math.Sqrt)
	unscaled := func(y *Node) *Node { return Mul(y, alongRows(root, y)) }

	inner := ebm.Env{Step: env.Step, Rand: env.Rand.Fold()}
	for _, c := range env.Cond {
		to := append([]int{n, rungs}, c.Shape().Dimensions[1:]...)
		inner.Cond = append(inner.Cond, Reshape(BroadcastToDims(ExpandAxes(c, 1), to...), append([]int{n * rungs}, to[2:]...)...))
	}
	inner.Energy = ebm.EnergyFunc(func(y *Node, cond ...*Node) *Node {
		return Div(env.Energy.Energy(unscaled(y), cond...), temperature)
	})
	x = Reshape(x, flat...)
	state := k.Kernel.Init(inner, Div(x, alongRows(root, x)))
	var info ebm.Info
	for range k.Between {
		inner.Rand = env.Rand.Fold()
		state, info = k.Kernel.Step(inner, state)
		if info.Accept != nil {
			own := Reshape(Slice(Reshape(info.Accept, n, rungs), AxisRange(), AxisElem(0)), n)
			if accept != nil {
				own = Add(accept, own)
			}
			accept = own
		}
	}
	if accept != nil {
		accept = MulScalar(accept, 1/float64(k.Between))
	}
	if energy = info.Energy; energy == nil {
		energy = inner.Energy.Energy(state[0], inner.Cond...)
	}
	return Reshape(unscaled(state[0]), dims...), Reshape(Mul(energy, temperature), n, rungs), accept
}

// perReplica is f(T) for each row of the kernel's batch, [n·K].
func (k ReplicaExchange) perReplica(x *Node, f func(t float64) float64) *Node {
	n, rungs := x.Shape().Dimensions[0], len(k.Temperatures)
	values := make([]float64, rungs)
	for i, t := range k.Temperatures {
		values[i] = f(t)
	}
	return Reshape(BroadcastToDims(Reshape(ConstAsDType(x.Graph(), x.DType(), values), 1, rungs), n, rungs), n*rungs)
}

// logRatio is (β_k − β_{k+1})·(E_k − E_{k+1}) for each pair of neighbours, [n, K−1].
func (k ReplicaExchange) logRatio(energy *Node) *Node {
	last := len(k.Temperatures) - 1
	gap := make([]float64, last)
	for i := range gap {
		gap[i] = 1/k.Temperatures[i] - 1/k.Temperatures[i+1]
	}
	fall := Sub(Slice(energy, AxisRange(), AxisRange(0, last)), Slice(energy, AxisRange(), AxisRange(1)))
	return Mul(fall, Reshape(ConstAsDType(energy.Graph(), energy.DType(), gap), 1, last))
}

// swap exchanges neighbours among the replicas x, [n, K, event...].
func (k ReplicaExchange) swap(env ebm.Env, x, energy, tally, logRatio, accept *Node) (ebm.State, ebm.Info) {
	g, n, pairs := x.Graph(), x.Shape().Dimensions[0], len(k.Temperatures)-1
	chance := Where(Equal(logRatio, logRatio), Exp(MinScalar(logRatio, 0)), ZerosLike(logRatio)) // NaN: never
	turn := BitwiseAnd(Add(Iota(g, shapes.Make(dtypes.Int32, n, pairs), 1), env.Step), Const(g, int32(1)))
	tried := Where(Equal(turn, ZerosLike(turn)), chance, ZerosLike(chance))
	taken := ConvertDType(LessThan(env.Rand.Uniform(chance.Shape()), tried), dtypes.Int32) // [n, K−1]

	none := Zeros(g, shapes.Make(dtypes.Int32, n, 1))
	one := OnesLike(none)
	// exchange gives every replica its own row of v, the hotter neighbour's or the colder one's.
	exchange := func(v *Node) *Node {
		shifted := func(from, to, edge int) *Node {
			part := SliceAxis(v, 1, AxisRange(from, to))
			end := SliceAxis(v, 1, AxisRange(edge, edge+1))
			if edge == 0 {
				return Concatenate([]*Node{end, part}, 1)
			}
			return Concatenate([]*Node{part, end}, 1)
		}
		withHotter := Equal(Concatenate([]*Node{taken, none}, 1), BroadcastToDims(one, n, pairs+1))
		withColder := Equal(Concatenate([]*Node{none, taken}, 1), BroadcastToDims(one, n, pairs+1))
		return Where(withHotter, shifted(1, pairs+1, pairs), Where(withColder, shifted(0, pairs, 0), v))
	}
	x, energy = exchange(x), exchange(energy)
	first := func(v *Node) *Node { return Squeeze(SliceAxis(v, 1, AxisElem(0)), 1) }
	tally = Add(tally, Concatenate([]*Node{ConvertDType(one, dtypes.Float64), ConvertDType(chance, dtypes.Float64)}, 1))
	return ebm.State{first(x), SliceAxis(x, 1, AxisRange(1)), tally}, ebm.Info{Accept: accept, Energy: first(energy)}
}

// SwapRates is, for each pair of neighbouring temperatures, the mean probability with which they would swap, over the chains and
// all steps of the run that left the checkpoint, burn-in and the runs before it included.
func (k ReplicaExchange) SwapRates(c *ebm.Checkpoint) ([]float64, error) {
	rungs := len(k.Temperatures)
	if k.Temperatures == nil {
		rungs = 4
	}
	if c == nil || len(c.State) != 3 || !c.State[2].Ok() || c.State[2].DType() != dtypes.Float64 || c.State[2].Rank() != 2 || c.State[2].Shape().Dimensions[1] != rungs {
		return nil, errors.New("ReplicaExchange: SwapRates wants the checkpoint of a run of this kernel")
	}
	tally, err := tensors.CopyFlatData[float64](c.State[2])
	if err != nil {
		return nil, err
	}
	rates, steps := make([]float64, rungs-1), 0.0
	for i, v := range tally {
		if i%rungs == 0 {
			steps += v
		} else {
			rates[i%rungs-1] += v
		}
	}
	for i := range rates {
		rates[i] /= steps
	}
	return rates, nil
}
