package samplers

import (
	"cmp"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// EllipticalSlice is elliptical slice sampling, for targets that are a normal distribution N(μ, Σ) times something,
// exp(−E(x)) = N(x; μ, Σ)·exp(−V(x)). With ν ~ N(0, Σ) it looks on the ellipse
//
//	x(θ) = μ + (x−μ)cos θ + ν sin θ
//
// for a point of V(x(θ)) < V(x) − log u, u ~ U(0, 1): first at θ ~ U(0, 2π), then, after each miss, at a θ uniform in the
// bracket that the misses leave around θ = 0, where x is. A chain that has missed Tries times stays where it is.
//
// The target is exactly invariant, for any number of tries: a run of misses that ends at x' is as likely from x as the same
// run, its angles measured from x', is from x' to x; so runs of each length keep detailed balance by themselves.
//
// A step takes Tries energies and no gradient; the state is x [n, event...] and E(x). Info has Energy and, as Accept, 1
// where the chain moved, else 0. Choose it where the normal part is strong, as for Gaussian processes. Any μ and Σ are
// right, with V whatever is left of E; near the target's own they are good. Building panics on a Prior that does not fit.
//
// Murray, Adams and MacKay, Elliptical slice sampling, AISTATS 2010, arXiv:1001.0175.
type EllipticalSlice struct {
	Prior ebm.Gaussian // N(μ, Σ), default N(0, I)
	Tries int          // default 8
}

var _ ebm.Kernel = EllipticalSlice{}

// Init starts at x, [n, event...].
func (k EllipticalSlice) Init(env ebm.Env, x *Node) ebm.State {
	if k.Tries < 0 {
		exceptions.Panicf("EllipticalSlice: Tries must be at least 1, or 0 for the default of 8, got %d", k.Tries)
	}
	return ebm.State{x, env.Energy.Energy(x, env.Cond...)}
}

// Step looks for a new point for every chain.
func (k EllipticalSlice) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, energy := s[0], s[1]
	tries, n := cmp.Or(k.Tries, 8), x.Shape().Dimensions[0]
	u := env.Rand.Uniform(shapes.Make(x.DType(), n, 1+tries))
	draw := func(i int) *Node { return Reshape(Slice(u, AxisRange(), AxisElem(i)), n) }
	rest := func(energy, x *Node) *Node { return Sub(energy, k.Prior.Energy(x)) } // V
	level := Sub(rest(energy, x), Log(draw(0)))

	nu, mean := env.Rand.Normal(x.Shape()), ZerosLike(x)
	if k.Prior.Cov != nil {
		root, err := NewDenseMass(k.Prior.Cov)
		if err != nil {
			exceptions.Panicf("EllipticalSlice: Prior: %v", err)
		}
		nu = root.Momentum(nu)
	}
	if k.Prior.Mean != nil {
		mean = BroadcastToShape(Reshape(ConstAs(x, k.Prior.Mean), append([]int{1}, x.Shape().Dimensions[1:]...)...), x.Shape())
	}
	high := MulScalar(draw(1), 2*math.Pi)
	theta, low := high, AddScalar(high, -2*math.Pi)
	newX, newEnergy, found := x, energy, Const(x.Graph(), make([]bool, n))
	for i := range tries {
		if i > 0 {
			theta = Add(low, Mul(Sub(high, low), draw(i+1)))
		}
		// Behind barriers, since XLA would else fuse try into try, and compile for long.
		at := OptimizationBarrier(Add(mean, Add(Mul(Sub(x, mean), alongRows(Cos(theta), x)), Mul(nu, alongRows(Sin(theta), x)))))
		value := OptimizationBarrier(env.Energy.Energy(at, env.Cond...))
		hit := LogicalAnd(LogicalNot(found), LessThan(rest(value, at), level)) // not where the value is NaN
		newX, newEnergy, found = Where(hit, at, newX), Where(hit, value, newEnergy), LogicalOr(found, hit)
		below := LessThan(theta, ZerosLike(theta))
		low, high = OptimizationBarrier(Where(below, theta, low)), OptimizationBarrier(Where(below, high, theta))
	}
	return ebm.State{newX, newEnergy}, ebm.Info{Accept: ConvertDType(found, x.DType()), Energy: newEnergy}
}
