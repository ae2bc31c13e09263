package nn

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// normalised is a weight matrix w, [in, out], divided by an estimate of its largest singular value, ‖w u‖ for a unit
// vector u. Each training graph brings u one power iteration nearer to the singular vector, u ← wᵀw u / ‖wᵀw u‖; weights
// change little from step to step, so u follows. Every other graph reads u as it is.
//
// T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, "Spectral Normalization for Generative Adversarial Networks", 2018,
// arXiv:1802.05957.
func normalised(scope *model.Scope, w *Node) *Node {
	g, out := w.Graph(), w.Shape().Dimensions[1]
	store, path := scope.Store(), model.JoinPath(scope.Scope(), "power")
	start := func(g *Graph, shape shapes.Shape) *Node { return unit(noise(g, store, path).Normal(shape)) }
	power := scope.WithInitializer(start).VariableWithShape("power", shapes.Make(w.DType(), out)).SetTrainable(false)

	u := power.NodeValue(g)
	// Once a graph, whatever else has changed the variable: in a compiled loop of training steps it is bound to the loop's state.
	if iterated, _ := model.GetGraphParam(g, path); scope.IsTraining(g) && iterated != any(u) {
		fixed := StopGradient(w)
		v := unit(Dot(fixed, u).Product()) // [in]
		u = unit(Dot(v, fixed).Product())  // [out]
		power.SetNodeValue(u)
		model.SetGraphParam(g, path, u)
	}
	wu := Dot(w, StopGradient(u)).Product()
	sigma := Sqrt(AddScalar(ReduceAllSum(Square(wu)), tiny)) // its gradient is v uᵀ, that of the singular value
	return Div(w, sigma)
}

// tiny keeps a matrix of zeros from being divided by 0.
const tiny = 1e-12

// unit is a vector divided by its length.
func unit(x *Node) *Node {
	return Div(x, Sqrt(AddScalar(ReduceAllSum(Square(x)), tiny)))
}
