package ebm

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// The gradient of a convolution turns its kernel around with Reverse, for which GoMLX 0.28.1 has no gradient in turn: no loss of ∇E
// could train a convolutional energy. The transpose of a reversal is the same reversal.
func init() {
	if _, ok := VJPRegistration[NodeTypeReverse]; !ok {
		VJPRegistration[NodeTypeReverse] = func(node *Node, v []*Node, _ shapes.Shape) []*Node {
			return []*Node{node.CloneWithInputs(v[0])}
		}
	}
}
