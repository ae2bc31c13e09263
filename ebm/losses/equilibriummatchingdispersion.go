package losses

import (
	"cmp"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Dispersion spreads the points of a batch out among their features z, [n, d] when flattened:
//
//	weight · log mean exp(−‖zᵢ − zⱼ‖²/(τd)),
//
// over all n² pairs, those of a point with itself included, so that it lies between −weight·log n, all far apart, and 0, all
// at one point. It needs no second view of a point and no other network; the features come from a layer of the network
// that is trained.
//
// Building panics on features without a row a point and on a weight or temperature that is not positive.
//
// R. Wang, K. He, "Diffuse and Disperse: image generation with representation regularization", 2025, arXiv:2506.09027.
type Dispersion struct {
	Weight      float64 // default 0.5
	Temperature float64 // τ, default 1
}

// Penalty builds the term, a scalar, of features z, [n, ...].
func (d Dispersion) Penalty(z *Node) *Node {
	weight, temperature := cmp.Or(d.Weight, 0.5), cmp.Or(d.Temperature, 1)
	if !(weight > 0 && temperature > 0) || math.IsInf(weight, 1) || math.IsInf(temperature, 1) {
		exceptions.Panicf("Dispersion: Weight and Temperature must be positive and finite, got %g and %g", weight, temperature)
	}
	if z.Rank() < 2 || !z.DType().IsFloat() {
		exceptions.Panicf("Dispersion: features must be [n, ...] of floating-point numbers, got %s", z.Shape())
	}
	n := z.Shape().Dimensions[0]
	z = Reshape(z, n, -1)
	squares := ReduceSum(Square(z), 1)
	products := MatMul(z, Transpose(z, 0, 1))
	distances := Sub(Add(ExpandAxes(squares, 1), ExpandAxes(squares, 0)), MulScalar(products, 2)) // ‖zᵢ − zⱼ‖², [n, n]
	similar := Exp(DivScalar(Neg(MaxScalar(distances, 0)), temperature*float64(z.Shape().Dimensions[1])))
	return MulScalar(Log(ReduceAllMean(similar)), weight)
}
