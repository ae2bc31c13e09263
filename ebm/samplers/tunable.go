package samplers

import (
	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Tunable is a kernel whose step size something around it may set, as [DualAveraging] does. Only the schedule changes:
// the state of the kernel without it is one of the kernel with it.
type Tunable interface {
	ebm.Kernel
	WithStepSize(ebm.Schedule) ebm.Kernel
}

// Preconditioned is a kernel whose mass matrix may be set too, as [WarmUp] does. Neither may be part of the state.
type Preconditioned interface {
	Tunable
	WithMass(Mass) Tunable
}

// tunable is a wrapper's kernel as one whose step size can be set.
func tunable(wrapper string, k ebm.Kernel) Tunable {
	t, ok := k.(Tunable)
	if !ok {
		exceptions.Panicf("%s: Kernel must be Tunable to have its step size set, got %T", wrapper, k)
	}
	return t
}

// computed is the schedule of a number that the graph computes, at whatever step it is asked for.
type computed struct{ value *Node }

// At is the number, a scalar.
func (c computed) At(_ *Node, dtype dtypes.DType) *Node { return ConvertDType(c.value, dtype) }

// everyRow carries a number that all chains have in common, a scalar, as a state entry: [n], all equal.
func everyRow(v *Node, n int) *Node { return BroadcastToDims(Reshape(v, 1), n) }

// common reads such an entry: the largest of equal numbers, which is exact however the rows are spread over devices.
func common(entry *Node) *Node { return ReduceAllMax(entry) }
