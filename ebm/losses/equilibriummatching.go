package losses

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/flow"
)

// EquilibriumMatching trains a field, or the gradient of an energy, that leads from noise to data by descent. On the path
// x_t = α(t)·x₁ + σ(t)·x₀ between noise x₀ ~ N(0, I) and data x₁, at times t ~ U(0, 1), it is matched to
//
//	loss = mean (f(x_t) − c(t)·(−u_t))²,    u_t = dx_t/dt,
//
// over all numbers of the batch; on the straight path −u_t = x₀ − x₁. So f points from data to noise, and
// x' = x − η·f(x) goes to the data. c(t) falls to 0 at the data, so that f vanishes there and descent comes to rest. f is
// not told the time: it is one field for the whole way, the conditional mean of c(t)·(−u_t) at x.
//
// Either Field is trained, or Energy, whose gradient takes its place; for the energies of a field, [ebm.DotEnergy] and
// [ebm.L2Energy], as for any other, such as nn.MLPEnergy. Training through a gradient takes more work. A field is a
// gradient only approximately, and has no value; an energy has one.
//
// Sample from noise N(0, I) with package samplers on the energy, which for a field is [ebm.ImplicitEnergy]:
//
//   - GradientDescent or Nesterov within samplers.StopAt, each chain until ‖f‖ is small. Choose the threshold by a distance
//     to the data: where f is learnt imperfectly it has few zeros, and chains that go on to the end pile up there.
//   - Langevin, which adds noise.
//   - Euler's method for dx/dt = −f(x): N steps over a time T are N of GradientDescent with the step size T/N.
//   - HMC on an explicit energy; with Leapfrog 1 and the step √(2η) it is Langevin's step η with a Metropolis test (MALA).
//     Its acceptance, Samples.Accept, tells how far Langevin with that η is from exp(−E): near it where nearly all is
//     accepted. On an ImplicitEnergy, which has no value, nothing is.
//
// The samples of descent are the data's in so far as f leads each noise there; exp(−E) is another density.
//
// With TimeDependent the field is followed in time, x' = x − f(x, k/N)/N for k = 0, …, N−1 with Decay flow.Constant{Scale: 1}
// (the second example): the energies of a field take it at time 0 only.
//
// Building panics where both or none of Field and Energy are given, where TimeDependent or Dispersion come with an Energy, and
// on what the parts refuse. A loss that is not finite stays so, for the doctor to find.
//
// R. Wang, Y. Du, "Equilibrium Matching: generative modeling with implicit energy-based models", 2025, arXiv:2510.02300.
type EquilibriumMatching struct {
	Field  ebm.Field
	Energy ebm.Energy

	Interpolant   flow.Interpolant // α and σ, default flow.Linear
	Decay         flow.Decay       // c, default flow.Truncated: 4 until t = 0.8, then down to 0
	TimeDependent bool             // give Field the time t (nn.MLPField heeds it if Timed); by default 0, one field all the way
	Dispersion    *Dispersion      // spreads out the field's features, which must be an ebm.Featured. Default nil: none
}

var _ ebm.Loss = EquilibriumMatching{}

// Loss builds the loss of a batch, x [n, event...].
func (l EquilibriumMatching) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	noise := rng.Normal(x.Shape())
	t := rng.Uniform(shapes.Make(x.DType(), x.Shape().Dimensions[0]))
	return ebm.Terms{Loss: l.match(noise, x, t, cond)}
}

// match is the loss for given noise x0 [n, event...], data x1 and times t [n].
func (l EquilibriumMatching) match(x0, x1, t *Node, cond []*Node) *Node {
	l.check()
	if l.Interpolant == nil {
		l.Interpolant = flow.Linear{}
	}
	if l.Decay == nil {
		l.Decay = flow.Truncated{}
	}
	path := l.Interpolant.At(t)
	x := path.Point(x0, x1)
	target := Neg(Mul(path.Velocity(x0, x1), flow.AlongRows(l.Decay.At(t), x)))

	var f, penalty *Node
	if l.Energy != nil {
		_, f = ebm.ValueGrad(l.Energy, x, cond...)
	} else {
		if !l.TimeDependent {
			t = ebm.ZeroTime(x)
		}
		f, penalty = l.field(x, t, cond)
	}
	loss := ReduceAllMean(Square(Sub(f, target)))
	if penalty != nil {
		loss = Add(loss, penalty)
	}
	return loss
}

// field builds the field, and what Dispersion makes of its features.
func (l EquilibriumMatching) field(x, t *Node, cond []*Node) (f, penalty *Node) {
	if l.Dispersion == nil {
		return ebm.FieldAt(l.Field, x, t, cond...), nil
	}
	f, features := l.Field.(ebm.Featured).FieldFeatures(x, t, cond...)
	return f, l.Dispersion.Penalty(features)
}

func (l EquilibriumMatching) check() {
	_, featured := l.Field.(ebm.Featured)
	switch {
	case (l.Field == nil) == (l.Energy == nil):
		exceptions.Panicf("EquilibriumMatching: give either Field or Energy, got %T and %T", l.Field, l.Energy)
	case l.TimeDependent && l.Energy != nil:
		exceptions.Panicf("EquilibriumMatching: TimeDependent needs a Field: the Energy %T is not told the time", l.Energy)
	case l.Dispersion != nil && !featured:
		exceptions.Panicf("EquilibriumMatching: Dispersion needs a Field that is an ebm.Featured, got %T", l.Field)
	}
}
