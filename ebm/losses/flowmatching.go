package losses

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/flow"
)

// FlowMatching trains a field f(x, t) to be the velocity at which a path's densities flow from noise to data: on
// x_t = α(t)·x₁ + σ(t)·x₀ between noise x₀ and data x₁, at random times,
//
//	loss = mean w·λ(t)·(f(x_t, t) − u_t)²,    u_t = α̇(t)·x₁ + σ̇(t)·x₀,
//
// over all numbers of the batch. The best f is E[u_t | x_t = x], and dx/dt = f(x, t) from noise at t = 0 leads to a sample at t = 1.
//
// Predict asks the field for another quantity of the path in place of the velocity; [flow.Coeffs.Convert] makes one of another.
//
//	flow.Velocity   (f − u_t)²
//	flow.Score      (σf + x₀)², which is σ²(f − s)² for the score s = −x₀/σ, and finite at the data
//	flow.Noise      (f − x₀)²
//	flow.Data       (f − x₁)²
//
// Noise is N(0, I), independent of the data, unless Paired: then the data come from a [flow.Paired], and with them the noise that a coupling
// has joined to each, and the weights w. Only independent noise has a score, for other couplings predict anything else.
//
// The field is told the time, which nn.MLPField heeds if Timed. On [flow.VariancePreserving] the velocity's mean square is infinite: let
// Times end before 1, or predict the noise.
//
// Choose it for sampling in few steps, from a field that has no energy; losses.EquilibriumMatching learns one field for all times, and
// energies.
//
// Building panics where Field is nil, on an unknown Predict, on inputs that are not those of a [flow.Paired] where Paired, and on what the parts
// refuse. A loss that is not finite stays so, for the doctor to find.
//
// Y. Lipman, R. T. Q. Chen, H. Ben-Hamu, M. Nickel, M. Le, "Flow matching for generative modeling", 2022, arXiv:2210.02747;
// A. Tong et al., "Improving and generalizing flow-based generative models with minibatch optimal transport", 2023, arXiv:2302.00482.
type FlowMatching struct {
	Field ebm.Field

	Interpolant flow.Interpolant                      // α and σ, default flow.Linear
	Predict     flow.Quantity                         // what Field learns, default flow.Velocity
	Times       flow.Times                            // default flow.UniformTimes: all of (0, 1)
	Weight      func(t *Node, path flow.Coeffs) *Node // λ of the rows' times, [n] to [n]. Default 1
	Paired      bool                                  // whether the conditioning begins with noise and weights, from flow.Paired
}

var _ ebm.Loss = FlowMatching{}

// Loss builds the loss of a batch, x [n, event...].
func (l FlowMatching) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	if l.Times == nil {
		l.Times = flow.UniformTimes{}
	}
	n := x.Shape().Dimensions[0]
	var noise, weights *Node
	if l.Paired {
		noise, weights, cond = unpair("FlowMatching", x, cond)
	} else {
		noise = rng.Normal(x.Shape())
	}
	t := l.Times.Draw(rng, shapes.Make(x.DType(), n))
	return ebm.Terms{Loss: l.match(noise, x, t, weights, cond)}
}

// match is the loss for given noise x0 [n, event...], data x1, times t [n] and weights [n], or nil.
func (l FlowMatching) match(x0, x1, t, weights *Node, cond []*Node) *Node {
	if l.Field == nil {
		exceptions.Panicf("FlowMatching: Field is nil")
	}
	if l.Interpolant == nil {
		l.Interpolant = flow.Linear{}
	}
	path := l.Interpolant.At(t)
	x := path.Point(x0, x1)
	f := ebm.FieldAt(l.Field, x, t, cond...)
	var miss *Node
	switch l.Predict {
	case flow.Velocity:
		miss = Sub(f, path.Velocity(x0, x1))
	case flow.Score:
		miss = Add(Mul(f, flow.AlongRows(path.Sigma, x)), x0)
	case flow.Noise:
		miss = Sub(f, x0)
	case flow.Data:
		miss = Sub(f, x1)
	default:
		exceptions.Panicf("FlowMatching: Predict must be flow.Velocity, Score, Noise or Data, got %d", int(l.Predict))
	}
	squares := Square(miss)
	if l.Weight != nil {
		squares = Mul(squares, flow.AlongRows(l.Weight(t, path), x))
	}
	if weights != nil {
		squares = Mul(squares, flow.AlongRows(weights, x))
	}
	return ReduceAllMean(squares)
}

// unpair takes the inputs of a flow.Paired apart: noise like x, weights [n], and what is left for conditioning. name is that of the loss.
func unpair(name string, x *Node, cond []*Node) (noise, weights *Node, rest []*Node) {
	if len(cond) < 2 || !cond[0].Shape().Equal(x.Shape()) || !cond[1].Shape().Equal(shapes.Make(x.DType(), x.Shape().Dimensions[0])) {
		exceptions.Panicf("%s: Paired needs noise like the data, %s, and a weight for each row, as flow.Paired gives them, got %s",
			name, x.Shape(), inputShapes(cond))
	}
	return cond[0], cond[1], cond[2:]
}

func inputShapes(nodes []*Node) (out []shapes.Shape) {
	for _, node := range nodes {
		out = append(out, node.Shape())
	}
	return out
}
