package nn

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// normalised is a weight matrix w, [in, out], divided by an estimate of its largest singular value.
func normalised(scope *model.Scope, w *Node) *Node {
	return Div(w, largest(scope, w, shapes.Make(w.DType(), w.Shape().Dimensions[1]),
		func(w, u *Node) *Node { return Dot(w, u).Product() },
		func(w, v, _ *Node) *Node { return Dot(v, w).Product() }))
}

// largest is an estimate of the largest singular value of a linear map A that weights w make: ‖A u‖ for a unit vector u of the given shape.
// Each training graph brings u one power iteration nearer to the singular vector, u ← AᵀA u / ‖AᵀA u‖; weights
// change little from step to step, so u follows. Every other graph reads u as it is.
//
// forward builds A u, and backward AᵀA u up to a positive factor, from v = A u / ‖A u‖.
//
// T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, "Spectral Normalization for Generative Adversarial Networks", 2018,
// arXiv:1802.05957.
func largest(scope *model.Scope, w *Node, shape shapes.Shape, forward func(w, u *Node) *Node, backward func(w, v, u *Node) *Node) *Node {
	g := w.Graph()
	store, path := scope.Store(), model.JoinPath(scope.Scope(), "power")
	start := func(g *Graph, shape shapes.Shape) *Node { return unit(noise(g, store, path).Normal(shape)) }
	power := scope.WithInitializer(start).VariableWithShape("power", shape).SetTrainable(false)

	u := power.NodeValue(g)
	// Once a graph, whatever else has changed the variable: in a compiled loop of training steps it is bound to the loop's state.
	if iterated, _ := model.GetGraphParam(g, path); scope.IsTraining(g) && iterated != any(u) {
		fixed := StopGradient(w)
		u = unit(backward(fixed, unit(forward(fixed, u)), u))
		power.SetNodeValue(u)
		model.SetGraphParam(g, path, u)
	}
	au := forward(w, StopGradient(u))
	return Sqrt(AddScalar(ReduceAllSum(Square(au)), tiny)) // its gradient in A is v uᵀ, that of the singular value
}

// tiny keeps a matrix of zeros from being divided by 0.
const tiny = 1e-12

// unit is a vector divided by its length.
func unit(x *Node) *Node {
	return Div(x, Sqrt(AddScalar(ReduceAllSum(Square(x)), tiny)))
}
