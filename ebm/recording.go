package ebm

import (
	"math"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// recorder gathers a trajectory from a loop that writes positions into a buffer of a few rows a chain as it goes: one call for
// many rows, where a call for each would cost more than its steps.
type recorder struct {
	run         *run
	since, thin int // the steps done before the first row; steps a row
	rows        int // complete
	kept        *tensors.Tensor
}

// record makes a recorder of what follows, one row for every thin steps.
func (u *run) record(thin int) *recorder {
	dims := append([]int{u.x.Dimensions[0], u.Steps / thin}, u.x.Dimensions[1:]...)
	return &recorder{run: u, since: u.step, thin: thin, kept: tensors.FromShape(shapes.Make(u.x.DType, dims...))}
}

// idle is for steps of which nothing is kept: they all write over the same row.
func (u *run) idle() *recorder { return &recorder{run: u, since: u.step, thin: math.MaxInt32} }

// origin is the number of the step with which the row under way begins.
func (r *recorder) origin() int { return r.since + r.rows*r.thin }

// limit is how many of n steps the buffer has room for.
func (r *recorder) limit(n int) int {
	room := int64(r.run.engine.room()) * int64(r.thin)
	return int(min(int64(n), int64(r.origin())+room-int64(r.run.step)))
}

// take copies the rows that the loop completed.
func (r *recorder) take(buffer *tensors.Tensor) error {
	defer release([]*tensors.Tensor{buffer})
	if r.kept == nil {
		return nil
	}
	done := (r.run.step - r.since) / r.thin
	err := copyRows(r.kept, r.rows, buffer, done-r.rows)
	r.rows = done
	return err
}

// trajectory is what was kept: nil where that is nothing.
func (r *recorder) trajectory() (*tensors.Tensor, error) {
	dims := slices.Clone(r.kept.Shape().Dimensions)
	switch r.rows {
	case 0:
		return nil, nil
	case dims[1]:
		return r.kept, nil
	}
	dims[1] = r.rows
	short := tensors.FromShape(shapes.Make(r.kept.DType(), dims...))
	return short, copyRows(short, 0, r.kept, r.rows)
}

// copyRows copies the first n rows of every chain of one [chains, rows, event...] to another, where they begin at row `at`.
func copyRows(to *tensors.Tensor, at int, from *tensors.Tensor, n int) error {
	chains, room := to.Shape().Dimensions[0], to.Shape().Dimensions[1]
	width := int(to.Shape().ByteSize()) / (chains * room)
	have := from.Shape().Dimensions[1]
	var err error
	e := to.MutableBytes(func(to []byte) {
		err = from.ConstBytes(func(from []byte) {
			for c := range chains {
				copy(to[(c*room+at)*width:][:n*width], from[c*have*width:])
			}
		})
	})
	if e != nil {
		return e
	}
	return err
}

// room is the number of rows in the loop's buffer: as many as 8 MiB hold, up to 256.
func (e *engine) room() int {
	return max(1, min(256, 8<<20/int(e.x.ByteSize())))
}

// buffer builds the empty rows, [n, room, event...]. Const is not cached in the graph as the zeros are that the loop's body may use.
func (e *engine) buffer(g *Graph) *Node {
	dims := append([]int{e.x.Dimensions[0], e.room()}, e.x.Dimensions[1:]...)
	return BroadcastToDims(ConstAsDType(g, e.x.DType, 0), dims...)
}

// writeRow puts positions into the row of the buffer that a step belongs to.
func writeRow(buffer, x, step, origin, thin *Node) *Node {
	dims := x.Shape().Dimensions
	at := make([]*Node, buffer.Rank())
	for i := range at {
		at[i] = Const(x.Graph(), int32(0))
	}
	at[1] = Div(Sub(step, origin), thin)
	return DynamicUpdateSlice(buffer, Reshape(x, append([]int{dims[0], 1}, dims[1:]...)...), at)
}
