package ebm

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Cosine goes from Start to End along half a cosine, slowly at both ends, and stays there,
//
//	v(n) = End + (Start − End)·½(1 + cos(π·min(n/N, 1))).
//
// I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, arXiv:1608.03983.
type Cosine struct {
	Start, End float64 // taken as they are, default 0
	Steps      int     // N, default 100
}

var _ Schedule = Cosine{}

// At builds v(step).
func (s Cosine) At(step *Node, dtype dtypes.DType) *Node {
	wave := Cos(MulScalar(progress("Cosine", step, s.Steps, 100), math.Pi))
	return ConvertDType(AddScalar(MulScalar(AddScalar(wave, 1), (s.Start-s.End)/2), s.End), dtype)
}
