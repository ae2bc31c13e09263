package ebm

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Loss builds what training minimises: x is a batch of data, [n, event...], cond its conditioning. The noise is that
// of the training step; a loss that runs chains takes a key of its own from it with Fold.
type Loss interface {
	Loss(x *Node, rng *Rand, cond ...*Node) Terms
}

// Terms is a loss and what it knows of its parts, for the progress bar, the doctor and penalties. All but Loss may be nil.
type Terms struct {
	Loss       *Node   // scalar
	Data       *Node   // [n], energies of the data
	Negatives  *Node   // [m], energies of the negatives
	Samples    *Node   // [m, event...], the negatives: samples, more or less, of the energy as it stands
	SampleCond []*Node // their conditioning, m rows each
	Weights    *Node   // [m], what each of them counts; nil: all alike
	NonFinite  *Node   // scalar Int32: chains that became NaN or infinite and were begun anew
	SwapRate   *Node   // scalar: the share of swaps accepted between the two neighbouring temperatures where it is smallest
}
