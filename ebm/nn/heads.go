package nn

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// AdaLNZeroHead is the last layer of a network of [AdaLNZeroBlock] or [AdaLNZeroMLPBlock]: for h, [n, width] or [n, tokens, width], and a vector c
// a row,
//
//	W(LN(h)(1+s) + b) + b₀,    (b, s) = W'·SiLU(c) + b'.
//
// All its weights start at 0, and so does what comes out.
type AdaLNZeroHead struct {
	Scope *model.Scope // where the weights live
	Width int          // of what comes out
}

// Apply builds the head on h and c: h's shape with Width at the end.
func (e AdaLNZeroHead) Apply(h, c *Node) *Node {
	if e.Scope == nil || e.Width < 1 || h.Rank() != 2 && h.Rank() != 3 {
		exceptions.Panicf("AdaLNZeroHead: want a Scope, a Width of at least 1 and h [n, width] or [n, tokens, width], got %v, %d and %s", e.Scope != nil, e.Width, h.Shape())
	}
	m := modulation(e.Scope, c, h, 2)
	return linear(e.Scope.At("projection"), modulate(h, m[0], m[1]), e.Width, zero)
}
