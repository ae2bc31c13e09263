package losses

import (
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/flow"
)

// ScoreFlowMatching ([SF]²M) trains two fields on Brownian bridges of strength σ between noise x₀ and data x₁ (either may be any
// distribution), at random times,
//
//	x_t = t·x₁ + (1−t)·x₀ + σ√(t(1−t))·ε,    ε ~ N(0, I),
//
// to be the velocity v(x, t) of the bridges' density p_t and its drift of noise s(x, t) = ½σ²∇log p_t(x):
//
//	loss = mean w·(v − u)² + ScoreWeight·mean w·(2√(t(1−t))/σ·s + ε)²,    u = x₁ − x₀ + σ(1−2t)/(2√(t(1−t)))·ε,
//
// over all numbers of the batch. From x₀, all of these have the density p_t at the time t, and so lead to the data:
//
//	dx = v dt                   flow.FixedSteps of Velocity
//	dx = (v + s) dt + σ dW      Forward
//
// and from data back to noise the ODE from 1 to 0, and Backward. No process is simulated in training.
//
// If the pairs are those of optimal transport with entropy, flow.Sinkhorn with Epsilon 2σ², then Forward is the Schrödinger bridge: of
// all processes between the two distributions the one closest to Brownian motion σW, in the sense of KL. Pairs of batches are an
// approximation of it, and flow.ExactOT of batches is one where σ is small beside the distances; independent pairs give a process from noise
// to data too, but another one. Paired, the data come from a [flow.Paired] with such a coupling; else noise is N(0, I) and independent.
//
// The mean square of u is infinite, if barely, over all of (0, 1), so the default Times stay off the ends by 0.001.
//
// Choose it for sampling with noise on the way, and for how one set of points becomes another; losses.FlowMatching where a velocity is
// enough. Without a Score the velocity alone is learnt (SB-CFM).
//
// Building panics where Velocity is nil, where Sigma or ScoreWeight are not positive and finite, on inputs that are not those of a
// [flow.Paired] where Paired, and on what the parts refuse. A loss that is not finite stays so, for the doctor to find.
//
// A. Tong et al., "Simulation-free Schrödinger bridges via score and flow matching", 2023, arXiv:2307.03672.
type ScoreFlowMatching struct {
	Velocity ebm.Field // v
	Score    ebm.Field // s; nil: not learnt

	Sigma       float64    // σ, default 1
	ScoreWeight float64    // what the score's part of the loss counts, default 1
	Times       flow.Times // default flow.UniformTimes from 0.001 to 0.999
	Paired      bool       // whether the conditioning begins with noise and weights, from flow.Paired
}

var _ ebm.Loss = ScoreFlowMatching{}

// Loss builds the loss of a batch, x [n, event...].
func (l ScoreFlowMatching) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	if l.Times == nil {
		l.Times = flow.UniformTimes{From: 1e-3, To: 1 - 1e-3}
	}
	x0, weights, cond := sides("ScoreFlowMatching", l.Paired, x, rng, cond)
	t := l.Times.Draw(rng, shapes.Make(x.DType(), x.Shape().Dimensions[0]))
	return ebm.Terms{Loss: l.match(x0, x, t, rng.Normal(x.Shape()), weights, cond)}
}

// match is the loss for given ends x0 and x1, [n, event...], times t [n], noise eps like x1, and weights [n], or nil.
func (l ScoreFlowMatching) match(x0, x1, t, eps, weights *Node, cond []*Node) *Node {
	if l.Velocity == nil {
		exceptions.Panicf("ScoreFlowMatching: Velocity is nil")
	}
	sigma := l.positive("Sigma", l.Sigma)
	width := Sqrt(Mul(t, OneMinus(t))) // √(t(1−t))
	along := func(v, x *Node) *Node { return Mul(flow.AlongRows(v, x1), x) }
	x := Add(flow.Linear{}.At(t).Point(x0, x1), along(MulScalar(width, sigma), eps))
	squares := func(miss *Node) *Node {
		if weights == nil {
			return ReduceAllMean(Square(miss))
		}
		return ReduceAllMean(along(weights, Square(miss)))
	}
	slope := MulScalar(Div(OneMinus(MulScalar(t, 2)), width), sigma/2)
	u := Add(Sub(x1, x0), along(slope, eps))
	loss := squares(Sub(ebm.FieldAt(l.Velocity, x, t, cond...), u))
	if l.Score == nil {
		return loss
	}
	miss := Add(along(MulScalar(width, 2/sigma), ebm.FieldAt(l.Score, x, t, cond...)), eps)
	return Add(loss, MulScalar(squares(miss), l.positive("ScoreWeight", l.ScoreWeight)))
}

// Forward is the kernel of the SDE from noise to data, dx = (v + s) dt + σ dW, in so many steps (0: 250) of Euler and Maruyama.
// Give the sampler flow.NoEnergy, points x₀ as its Start, and as many Steps. It panics where there is no Score.
func (l ScoreFlowMatching) Forward(steps int) flow.NoisySteps {
	return l.process(steps, func(x, t *Node, cond []*Node) *Node {
		return Add(ebm.FieldAt(l.Velocity, x, t, cond...), ebm.FieldAt(l.Score, x, t, cond...))
	})
}

// Backward is the kernel of the same process seen from its end: dx = (−v + s) dr + σ dW in r = 1 − t, from data at r = 0 to noise at r = 1.
func (l ScoreFlowMatching) Backward(steps int) flow.NoisySteps {
	return l.process(steps, func(x, r *Node, cond []*Node) *Node {
		t := OneMinus(r)
		return Sub(ebm.FieldAt(l.Score, x, t, cond...), ebm.FieldAt(l.Velocity, x, t, cond...))
	})
}

func (l ScoreFlowMatching) process(steps int, drift func(x, t *Node, cond []*Node) *Node) flow.NoisySteps {
	if l.Velocity == nil || l.Score == nil {
		exceptions.Panicf("ScoreFlowMatching: the SDE needs Velocity and Score, got %T and %T", l.Velocity, l.Score)
	}
	sigma := l.positive("Sigma", l.Sigma)
	return flow.NoisySteps{
		Drift:     ebm.FieldFunc(func(x, t *Node, cond ...*Node) *Node { return drift(x, t, cond) }),
		Diffusion: func(_, t *Node, _ ...*Node) *Node { return MulScalar(OnesLike(t), sigma) },
		Steps:     steps,
	}
}

// positive is a setting with its default of 1, checked.
func (l ScoreFlowMatching) positive(name string, v float64) float64 {
	if v == 0 {
		v = 1
	}
	if !(v > 0) || math.IsInf(v, 1) {
		exceptions.Panicf("ScoreFlowMatching: %s must be positive and finite, got %g", name, v)
	}
	return v
}
