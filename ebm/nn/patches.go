package nn

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Patchify cuts pictures x, [n, height, width, channels], into square patches of size pixels a side, in the order of reading: [n,
// patches, size·size·channels], the numbers of a patch in the order (row, column, channel). It panics where the patches do not fit.
func Patchify(x *Node, size int) *Node {
	rows, columns := patchGrid("Patchify", x, size)
	dims := x.Shape().Dimensions
	n, channels := dims[0], dims[3]
	x = TransposeAllAxes(Reshape(x, n, rows, size, columns, size, channels), 0, 1, 3, 2, 4, 5)
	return Reshape(x, n, rows*columns, size*size*channels)
}

// Unpatchify is the way back: patches, [n, rows·columns, size·size·channels], to pictures, [n, rows·size, columns·size, channels].
func Unpatchify(patches *Node, size, rows, columns int) *Node {
	if size < 1 || patches.Rank() != 3 || patches.Shape().Dimensions[1] != rows*columns || patches.Shape().Dimensions[2]%(size*size) != 0 {
		exceptions.Panicf("Unpatchify: want [n, %d·%d, %d·%d·channels], got %s", rows, columns, size, size, patches.Shape())
	}
	n, channels := patches.Shape().Dimensions[0], patches.Shape().Dimensions[2]/(size*size)
	x := TransposeAllAxes(Reshape(patches, n, rows, columns, size, size, channels), 0, 1, 3, 2, 4, 5)
	return Reshape(x, n, rows*size, columns*size, channels)
}

// patchGrid is how many patches a picture has in a column and in a row.
func patchGrid(kind string, x *Node, size int) (rows, columns int) {
	if x.Rank() != 4 || size < 1 || x.Shape().Dimensions[1]%size != 0 || x.Shape().Dimensions[2]%size != 0 {
		exceptions.Panicf("%s: x must be [n, height, width, channels] with sides that patches of %d divide, got %s", kind, size, x.Shape())
	}
	return x.Shape().Dimensions[1] / size, x.Shape().Dimensions[2] / size
}
