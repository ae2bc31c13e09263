package samplers

import (
	"cmp"
	"context"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// ChEES fits the path length τ of [HMC], and with it the step size, by the change in the estimator of the expected square:
// it climbs
//
//	ChEES(τ) = ¼·E[(‖x' − E x'‖² − ‖x − E x‖²)²]
//
// the mean square change, over a path from x to x', of the squared distance from the centre. What is slowest to forget is how far out a chain
// is, and a path of a quarter of the slowest period forgets it; longer ones come back. After each path, with a_i the acceptance, v_i the velocity at
// its end and t_i = ε·L·u_i the length of chain i's path (u from HMC.Jitter),
//
//	∂ChEES/∂log τ ≈ Σᵢ a_i·t_i·(‖x'_i − x̄'‖² − ‖x_i − x̄‖²)·⟨x'_i − x̄', v_i⟩ / Σᵢ a_i
//
// moves log τ by one step of Adam (β₁ = 0, β₂ = 0.95), and dual averaging the step size (see [DualAveraging]). Means are over chains: let there be 50 at
// least, better some hundreds. Paths have L leapfrog steps, ⌊τ/ε + U(0, 1)⌋ and at least 1. The compiled loop advances one leapfrog step at a time, and all chains
// end their paths together, so that L is no part of the graph: it is compiled once, whatever lengths are tried.
//
// Fit the mass first ([WarmUp]), give it in the kernel, and begin where that ended. Then the path length averaged over iterations, divided by the step
// size, is HMC.Leapfrog.
//
// Hoffman, Radul and Sountsov, An Adaptive-MCMC Scheme for Setting Trajectory Lengths in Hamiltonian Monte Carlo, AISTATS 2021, PMLR 130.
type ChEES struct {
	Target float64 // acceptance to reach, in (0, 1), default 0.8
	Start  float64 // first step size and path length, default 0.1
	Rate   float64 // Adam's step in log τ, default 0.025
	Most   int     // leapfrog steps of a path at most, default 1000
}

// ChEESReport is what the adaptation found.
type ChEESReport struct {
	StepSize   float64
	Path       float64 // τ
	Leapfrog   int
	Paths      int             // how many paths each chain took
	X          *tensors.Tensor // [Chains, event...]: the last positions
	Checkpoint *ebm.Checkpoint // for Options.Resume with the tuned kernel: it goes on from here
}

// Run takes o.Steps leapfrog steps, of one gradient each, and returns the kernel with StepSize and Leapfrog set, its mass kept, and a
// Jitter of 0.3 where it had none. Paths begin with one leapfrog step and grow by a factor of 1 + Rate at most, so that some thousand are wanted.
// Of o it takes Chains, Dim, Event, DType, Start, Data, Cond, Steps, Seed, Devices and Progress; the others must be left out.
func (c ChEES) Run(ctx context.Context, b compute.Backend, store *model.Store, e ebm.Energy, kernel HMC, o ebm.Options) (HMC, *ChEESReport, error) {
	c.Target, c.Start = cmp.Or(c.Target, 0.8), cmp.Or(c.Start, 0.1)
	c.Rate, c.Most = cmp.Or(c.Rate, 0.025), cmp.Or(c.Most, 1000)
	kernel.Jitter = cmp.Or(kernel.Jitter, 0.3)
	if err := c.check(o); err != nil {
		return HMC{}, nil, err
	}
	sampler, err := ebm.NewSampler(b, store, e, paths{kernel, c})
	if err != nil {
		return HMC{}, nil, err
	}
	defer sampler.Finalize()
	out, err := sampler.Sample(ctx, o)
	if err != nil {
		return HMC{}, nil, errors.WithMessage(err, "ChEES")
	}
	found := map[int]float64{}
	for _, i := range []int{pathMean, pathEntries + 2, pathEntries + 4} {
		values, err := tensors.CopyFlatData[float64](out.Checkpoint.State[i])
		if err != nil {
			return HMC{}, nil, err
		}
		found[i] = values[0]
	}
	report := &ChEESReport{X: out.X, Checkpoint: out.Checkpoint}
	report.Path, report.StepSize, report.Paths = math.Exp(found[pathMean]), math.Exp(found[pathEntries+2]), int(found[pathEntries+4])
	if report.Paths < 10 {
		return HMC{}, nil, errors.Errorf("ChEES: Options.Steps = %d were enough for %d paths only, want some hundreds", o.Steps, report.Paths)
	}
	report.Leapfrog = min(c.Most, max(1, int(math.Round(report.Path/report.StepSize))))
	report.Checkpoint.State = report.Checkpoint.State[:3] // position, energy and gradient: what HMC carries
	kernel.StepSize, kernel.Leapfrog = ebm.Fixed(report.StepSize), report.Leapfrog
	return kernel, report, nil
}

func (c ChEES) check(o ebm.Options) error {
	chains := o.Chains
	if o.Start != nil && o.Start.Ok() && o.Start.Rank() > 0 {
		chains = o.Start.Shape().Dimensions[0]
	}
	switch {
	case !(c.Target > 0 && c.Target < 1):
		return errors.Errorf("ChEES: Target must be in (0, 1), got %g", c.Target)
	case !(c.Start > 0) || math.IsInf(c.Start, 1):
		return errors.Errorf("ChEES: Start must be a finite number and positive, got %g", c.Start)
	case !(c.Rate > 0 && c.Rate <= 1):
		return errors.Errorf("ChEES: Rate must be in (0, 1], got %g", c.Rate)
	case c.Most < 1:
		return errors.Errorf("ChEES: Most must be positive, got %d", c.Most)
	case chains < 10:
		return errors.Errorf("ChEES: the criterion is a mean over chains and wants at least 10, got %d", chains)
	}
	return noMore("ChEES", o)
}

// paths is HMC that advances one leapfrog step at a time and adapts. Its state: x, E and ∇E as HMC has them; the moving position, momentum and gradient; the kinetic
// energy that the path began with and u, [n]; then, common to all chains, steps left and steps of the path, log τ, Adam's second moment, log τ averaged, and dual averaging's numbers.
type paths struct {
	hmc HMC
	by  ChEES
}

// Coupled says that all chains adapt one path together.
func (k paths) Coupled() string { return "ChEES adapts one path length and step size to all chains" }

const (
	pathLeft = 8 + iota
	pathLength
	pathLog
	pathSquare
	pathMean
	pathEntries
)

// Init starts at x, [n, event...].
func (k paths) Init(env ebm.Env, x *Node) ebm.State {
	state := k.hmc.WithStepSize(ebm.Fixed(k.by.Start)).Init(env, x)
	n := x.Shape().Dimensions[0]
	perChain := Zeros(x.Graph(), shapes.Make(x.DType(), n))
	state = append(state, x, ZerosLike(x), ZerosLike(x), perChain, perChain)
	start := math.Log(k.by.Start)
	for _, v := range append([]float64{0, 0, start, 0, start}, averagingFrom(k.by.Start)...) {
		state = append(state, everyRow(Const(x.Graph(), v), n))
	}
	return state
}

// Step begins a path where the last has ended, advances it, and ends it where no step is left.
func (k paths) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, energy, grad := s[0], s[1], s[2]
	n := x.Shape().Dimensions[0]
	mass := k.hmc.Mass
	if mass == nil {
		mass = ScalarMass(1)
	}
	perChain := shapes.Make(x.DType(), n)
	z, u, stretch := env.Rand.Normal(x.Shape()), env.Rand.Uniform(perChain), env.Rand.Uniform(perChain)
	dither := Reshape(env.Rand.Uniform(shapes.Make(dtypes.Float64, 1)))
	left, length, tau, square, mean := common(s[pathLeft]), common(s[pathLength]), common(s[pathLog]), common(s[pathSquare]), common(s[pathMean])
	a := readAveraging(s[pathEntries:])
	zero := ZerosLike(left)

	begins := Equal(left, zero)
	ask := Floor(Add(Exp(Sub(tau, a.log)), dither))
	length = Where(begins, MinScalar(MaxScalar(ask, 1), float64(k.by.Most)), length)
	left = AddScalar(Where(begins, length, left), -1)
	first := BroadcastToDims(begins, n)
	q, p, gradient := Where(first, x, s[3]), Where(first, mass.Momentum(z), s[4]), Where(first, grad, s[5])
	kinetic := Where(first, MulScalar(sumEvent(Square(z)), 0.5), s[6])
	stretch = Where(first, AddScalar(MulScalar(stretch, 2*k.hmc.Jitter), 1-k.hmc.Jitter), s[7])

	h := Mul(alongRows(stretch, x), ConvertDType(Exp(a.log), x.DType()))
	q, p, newEnergy, newGrad := Leapfrog(env.ValueGrad, mass, q, p, gradient, h, 1)

	ends := Equal(left, zero)
	velocity := mass.Velocity(p)
	lost := Sub(kinetic, MulScalar(sumEvent(Mul(p, velocity)), 0.5))
	finite := IsFinite(Add(Add(newEnergy, lost), sumEvent(q)))
	accept := Where(finite, Exp(MinScalar(Add(Sub(energy, newEnergy), lost), 0)), ZerosLike(lost))
	slope := cheesSlope(x, Where(finite, q, x), Where(finite, velocity, ZerosLike(x)), accept, stretch)
	slope = Mul(slope, Mul(length, Exp(a.log)))
	slope = Where(IsFinite(slope), slope, zero)

	take := And(BroadcastToDims(ends, n), LessThan(u, accept))
	a = a.update(accept, k.by.Target, gamma, ends)
	square = Where(ends, Add(MulScalar(square, 0.95), MulScalar(Square(slope), 0.05)), square)
	norm := Sqrt(Div(square, OneMinus(Exp(MulScalar(a.t, math.Log(0.95))))))
	move := Where(And(ends, GreaterThan(norm, zero)), MulScalar(Div(slope, norm), k.by.Rate), zero)
	tau = Max(Min(Add(tau, move), AddScalar(a.log, math.Log(float64(k.by.Most)))), a.log)
	weight := Where(ends, Exp(MulScalar(Log(MaxScalar(a.t, 1)), -0.75)), zero)
	mean = Add(Mul(weight, tau), Mul(OneMinus(weight), mean))

	next := ebm.State{Where(take, q, x), Where(take, newEnergy, energy), Where(take, newGrad, grad), q, p, newGrad, kinetic, stretch}
	for _, v := range []*Node{left, length, tau, square, mean} {
		next = append(next, everyRow(v, n))
	}
	return append(next, a.entries(n)...), ebm.Info{}
}

// cheesSlope is Σ a·u·(‖y − ȳ‖² − ‖x − x̄‖²)·⟨y − ȳ, v⟩ / Σ a for paths from x to y, a Float64 scalar; ȳ is weighted by a too.
func cheesSlope(x, y, v, a, u *Node) *Node {
	total := ReduceAllSum(a)
	centre := func(x, weights *Node) *Node {
		return Sub(x, ExpandAxes(Div(ReduceSum(Mul(x, alongRows(weights, x)), 0), ReduceAllSum(weights)), 0))
	}
	x, y = centre(x, OnesLike(a)), centre(y, a)
	change := Sub(sumEvent(Square(y)), sumEvent(Square(x)))
	each := Mul(Mul(a, u), Mul(change, sumEvent(Mul(y, v))))
	return ConvertDType(Div(ReduceAllSum(each), total), dtypes.Float64)
}
