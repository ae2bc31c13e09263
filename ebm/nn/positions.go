package nn

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// SinCosPositions are fixed embeddings of the places on a grid, [rows·columns, width], in the order of reading. Half of the numbers tell the
// column and half the row, each half by sines and then cosines of the place p at width/4 frequencies,
//
//	sin(p·ωₖ), cos(p·ωₖ),    ωₖ = 10000^(−4k/width).
//
// They are computed in float64. It panics where 4 does not divide the width.
//
// W. Peebles, S. Xie, "Scalable diffusion models with transformers", 2022, arXiv:2212.09748, after K. He et al., "Masked autoencoders are
// scalable vision learners", 2021, arXiv:2111.06377.
func SinCosPositions(g *Graph, dtype dtypes.DType, rows, columns, width int) *Node {
	if rows < 1 || columns < 1 || width < 4 || width%4 != 0 {
		exceptions.Panicf("SinCosPositions: want a grid with places and a width that 4 divides, got %d×%d and %d", rows, columns, width)
	}
	quarter := width / 4
	table := make([][]float64, 0, rows*columns)
	for r := range rows {
		for c := range columns {
			at := make([]float64, width)
			for k := range quarter {
				omega := math.Pow(10000, -float64(k)/float64(quarter))
				at[k], at[quarter+k] = math.Sincos(float64(c) * omega)
				at[2*quarter+k], at[3*quarter+k] = math.Sincos(float64(r) * omega)
			}
			table = append(table, at)
		}
	}
	return ConstAsDType(g, dtype, table)
}
