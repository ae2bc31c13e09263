package losses

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/samplers"
)

// ParallelTemperingCD is persistent contrastive divergence whose chains do not get stuck: beside each chain on the energy run others
// on β·E for a ladder of inverse temperatures 1 = β₁ > β₂ > … > β_K, on which barriers are lower. At each training step every
// chain takes k steps of the kernel, and then neighbours on the ladder trade places, pairs (1, 2), (3, 4), … first and then (2, 3),
// (4, 5), …, each with probability
//
//	min(1, exp((βᵢ − βⱼ)(Eᵢ − Eⱼ)))
//
// which leaves every rung's own density exp(−βE) invariant. Negatives x⁻ are the chains at β = 1:
//
//	L = mean E(x⁺) − mean E(x⁻)
//
// A ladder is kept as a whole in a slot of the replay buffer, with the conditioning that it belongs to; its hot end takes the
// place of the fresh chains of [ContrastiveDivergence]. Choose it where modes are far apart and their weights matter: chains that can't
// cross between modes leave the weights as they began (CD-k) or drive them apart without end (PCD). It costs K times the steps.
// Swap rates tell whether the ladder is fine enough: nothing gets across a pair with a rate near 0. With SwapRate the rungs are moved so
// that each pair has that rate, which brings the hot end closer where K is too few for it. [SwapRates] and [Betas] read both.
//
// Where the energy does not rise far out, hot chains wander off: hold them with the kernel's clamp. x is [n, event...], conditioning
// [n, ...]; it panics on settings out of range. Chains that become NaN or infinite go back to where they were a training step
// before, and are counted in Terms.NonFinite; a swap whose test is NaN is refused. For penalties see [Penalised].
//
// G. Desjardins, A. Courville, Y. Bengio, P. Vincent, O. Delalleau, "Tempered Markov chain Monte Carlo for training of restricted
// Boltzmann machines", AISTATS 2010. R. H. Swendsen, J.-S. Wang, "Replica Monte Carlo simulation of spin-glasses", Phys. Rev. Lett. 57,
// 1986, doi:10.1103/PhysRevLett.57.2607. The moving ladder: B. Miasojedow, E. Moulines, M. Vihola, "An adaptive parallel
// tempering algorithm", J. Comput. Graph. Stat. 22(3), 2013, arXiv:1205.1076.
type ParallelTemperingCD struct {
	Energy ebm.Energy
	Kernel ebm.Kernel // default samplers.Langevin with its defaults; it runs on β·E
	Steps  int        // k, steps of each chain for each training step. Default 10

	Rungs    int       // K. Default 4
	MinBeta  float64   // β_K. Default 0.1; the rungs between are geometric
	Betas    []float64 // the ladder, from 1 down; in place of Rungs and MinBeta
	SwapRate float64   // moves the ladder to this rate of every pair, β_K never going below its start. Default 0: the ladder stays

	Buffer int     // slots, a ladder each. Default 1024, or the batch if that is larger; at most 65536
	Width  float64 // standard deviation of the noise that chains begin from. Default 1, for standardised data
}

var _ ebm.Loss = ParallelTemperingCD{}

const (
	temperingScope = "/parallel_tempering" // where the store holds chains, ladder and swap rates
	swapMemory     = 100                   // training steps that the swap rates in the store are means of
	ladderGain     = 0.05                  // by which a training step moves the logarithm of a spacing, for a rate that is off by 1
)

// Loss builds the loss of a batch; see the type.
func (l ParallelTemperingCD) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	l, ladder := l.withDefaults(x)
	g, n, k, event := x.Graph(), x.Shape().Dimensions[0], len(ladder), x.Shape().Dimensions[1:]
	store := storeOf(g, "ParallelTemperingCD: persistent chains need")
	betas := ConstAs(x, ladder)
	if l.SwapRate > 0 {
		betas = rungs(store, x.DType(), ladder).NodeValue(g)
	}

	// The buffer's chains are whole ladders, [n, K, event...]; the kernel sees their n·K rows.
	buffer := replayBuffer{scope: temperingScope, slots: l.Buffer, width: l.Width}
	from := buffer.draw("ParallelTemperingCD", g, shapes.Make(x.DType(), append([]int{n, k}, event...)...), rng.Fold(), cond)
	labels := eachRow(from.cond, k)
	beta := Reshape(BroadcastToDims(ExpandAxes(betas, 0), n, k), n*k)
	starts := Reshape(from.starts, append([]int{n * k}, event...)...)
	ends, bad := run(tempered{l.Energy}, l.Kernel, l.Steps, starts, rng.Fold(), append(labels, beta))

	energies := StopGradient(Reshape(l.Energy.Energy(ends, labels...), n, k))
	u := rng.Fold().Uniform(shapes.Make(x.DType(), n, k-1))
	chains, rates := swap(Reshape(ends, append([]int{n, k}, event...)...), energies, betas, u)
	from.back(chains)
	keepRates(store, rates)
	if l.SwapRate > 0 {
		rungs(store, x.DType(), ladder).SetNodeValue(moveLadder(betas, rates, l.SwapRate, ladder[k-1]))
	}

	samples := Reshape(Slice(chains, AxisRange(), AxisRange(0, 1)), x.Shape().Dimensions...)
	data, negatives := l.Energy.Energy(x, cond...), l.Energy.Energy(samples, from.cond...)
	return ebm.Terms{Loss: Sub(ReduceAllMean(data), ReduceAllMean(negatives)), Data: data, Negatives: negatives,
		Samples: samples, SampleCond: from.cond, NonFinite: bad, SwapRate: ReduceAllMin(rates)}
}

// tempered is β·E, where β, one for each row, is the last conditioning.
type tempered struct{ of ebm.Energy }

func (e tempered) Energy(x *Node, cond ...*Node) *Node {
	last := len(cond) - 1
	return Mul(e.of.Energy(x, cond[:last]...), cond[last])
}

// swap lets neighbours on each ladder trade places: x is [n, K, event...], their energies [n, K], the inverse temperatures [K], u are
// uniforms [n, K−1], one a pair. It returns the chains and each pair's mean probability of acceptance, [K−1].
func swap(x, energies, betas, u *Node) (chains, rates *Node) {
	n, k := energies.Shape().Dimensions[0], energies.Shape().Dimensions[1]
	column := func(v *Node, i int) *Node { // [n, K, …] → [n, …]
		part := Slice(v, AxisRange(), AxisRange(i, i+1))
		return Reshape(part, append([]int{n}, v.Shape().Dimensions[2:]...)...)
	}
	rung := func(i int) *Node { return Reshape(Slice(betas, AxisRange(i, i+1))) }
	at, e, rate := make([]*Node, k), make([]*Node, k), make([]*Node, k-1)
	for i := range k {
		at[i], e[i] = column(x, i), column(energies, i)
	}
	for first := range 2 {
		for i := first; i+1 < k; i += 2 {
			j := i + 1
			gain := Mul(Sub(rung(i), rung(j)), Sub(e[i], e[j]))
			accept := Exp(MinScalar(gain, 0))
			accept = Where(IsNaN(accept), ZerosLike(accept), accept)
			take := LessThan(column(u, i), accept)
			all := rows(take, at[i].Shape())
			at[i], at[j] = Where(all, at[j], at[i]), Where(all, at[i], at[j])
			e[i], e[j] = Where(take, e[j], e[i]), Where(take, e[i], e[j])
			rate[i] = ReduceAllMean(accept)
		}
	}
	return Stack(at, 1), Stack(rate, 0)
}

// rungs is the variable of the moving ladder, [K].
func rungs(store *model.Store, dtype dtypes.DType, ladder []float64) *model.Variable {
	begin := func(g *Graph, shape shapes.Shape) *Node { return ConstAsDType(g, shape.DType, ladder) }
	return store.VariableWithShape(temperingScope+"/betas", shapes.Make(dtype, len(ladder)), begin).SetTrainable(false)
}

// moveLadder widens the spacings log βᵢ/βᵢ₊₁ of pairs that swap more often than the target, narrows the others, and shrinks
// them all where the last β would go below the least.
func moveLadder(betas, rates *Node, target, least float64) *Node {
	k, g := betas.Shape().Dimensions[0], betas.Graph()
	logs := Log(betas)
	spacings := Sub(Slice(logs, AxisRange(0, k-1)), Slice(logs, AxisRange(1)))
	spacings = Mul(spacings, Exp(MulScalar(AddScalar(rates, -target), ladderGain)))
	spacings = MaxScalar(spacings, 1e-3) // from 0 there is no way back
	most := Scalar(g, betas.DType(), -math.Log(least))
	spacings = Mul(spacings, MinScalar(Div(most, ReduceAllSum(spacings)), 1))
	below := make([]*Node, k)
	below[0] = ScalarZero(g, betas.DType())
	for i := 1; i < k; i++ {
		below[i] = Add(below[i-1], Reshape(Slice(spacings, AxisRange(i-1, i))))
	}
	return Exp(Neg(Stack(below, 0)))
}

// keepRates moves the mean swap rates in the store towards those of this training step.
func keepRates(store *model.Store, rates *Node) {
	g := rates.Graph()
	means := kept(store, temperingScope+"/swap_rates", rates.DType(), rates.Shape().Dimensions...)
	count := kept(store, temperingScope+"/swap_steps", dtypes.Int32)
	steps := MinScalar(AddScalar(count.NodeValue(g), 1), swapMemory)
	old := means.NodeValue(g)
	means.SetNodeValue(Add(old, Div(Sub(rates, old), ConvertDType(steps, rates.DType()))))
	count.SetNodeValue(steps)
}

// SwapRates reads how often neighbours on the ladder of [ParallelTemperingCD] swapped: a rate for each pair from β = 1 on, the mean of
// the last 100 training steps or so.
func SwapRates(store *model.Store) ([]float64, error) {
	rates, err := read(store, temperingScope+"/swap_rates")
	return rates, errors.WithMessage(err, "losses: SwapRates")
}

// Betas reads the ladder of a [ParallelTemperingCD] that moves it to a SwapRate.
func Betas(store *model.Store) ([]float64, error) {
	betas, err := read(store, temperingScope+"/betas")
	return betas, errors.WithMessage(err, "losses: Betas")
}

func (l ParallelTemperingCD) withDefaults(x *Node) (ParallelTemperingCD, []float64) {
	n := x.Shape().Dimensions[0]
	if l.Energy == nil {
		exceptions.Panicf("ParallelTemperingCD: Energy is nil")
	}
	if l.Kernel == nil {
		l.Kernel = samplers.Langevin{}
	}
	l.Steps, l.Width = cmp.Or(l.Steps, 10), cmp.Or(l.Width, 1)
	l.Buffer = cmp.Or(l.Buffer, max(defaultBuffer, n))
	switch {
	case l.Steps < 1:
		exceptions.Panicf("ParallelTemperingCD: Steps must be positive, got %d", l.Steps)
	case l.Buffer < n || l.Buffer > 1<<16:
		exceptions.Panicf("ParallelTemperingCD: Buffer must be from the batch size %d to 65536, got %d", n, l.Buffer)
	case !(l.Width > 0) || math.IsInf(l.Width, 1):
		exceptions.Panicf("ParallelTemperingCD: Width must be a finite number and positive, got %g", l.Width)
	case !(l.SwapRate >= 0 && l.SwapRate < 1):
		exceptions.Panicf("ParallelTemperingCD: SwapRate must be in [0, 1), got %g", l.SwapRate)
	}
	return l, l.ladder()
}

// ladder is where the inverse temperatures begin.
func (l ParallelTemperingCD) ladder() []float64 {
	if l.Betas == nil {
		k, last := cmp.Or(l.Rungs, 4), cmp.Or(l.MinBeta, 0.1)
		if k < 2 || !(last > 0 && last < 1) {
			exceptions.Panicf("ParallelTemperingCD: Rungs must be at least 2 and MinBeta in (0, 1), got %d and %g", k, last)
		}
		betas := make([]float64, k)
		for i := range betas {
			betas[i] = math.Pow(last, float64(i)/float64(k-1))
		}
		return betas
	}
	good := len(l.Betas) >= 2 && l.Betas[0] == 1 && l.Betas[len(l.Betas)-1] > 0
	for i := 1; i < len(l.Betas); i++ {
		good = good && l.Betas[i] < l.Betas[i-1]
	}
	if !good || l.Rungs != 0 || l.MinBeta != 0 {
		exceptions.Panicf("ParallelTemperingCD: Betas must go down from 1 and stay positive, with Rungs and MinBeta left out, got %v, %d and %g",
			l.Betas, l.Rungs, l.MinBeta)
	}
	return l.Betas
}
