package samplers

import (
	"math"
	"slices"

	"github.com/goebm/goebm/ebm"
	. "github.com/gomlx/gomlx/core/graph"
)

// massed is a kernel whose mass is the last entry of its state, so that a new mass needs no new graph: the numbers of
// [massNumbers], spread over the rows of [n, c] and filled up with zeros.
type massed struct {
	kernel   Preconditioned
	stepSize ebm.Schedule
	dense    bool
}

var _ Tunable = massed{}

func (k massed) WithStepSize(s ebm.Schedule) ebm.Kernel { k.stepSize = s; return k }

// Init starts at x with the mass 1.
func (k massed) Init(env ebm.Env, x *Node) ebm.State {
	n := x.Shape().Dimensions[0]
	d := x.Shape().Size() / n
	unit := slices.Repeat([]float64{1}, 2*d)
	if k.dense {
		unit = make([]float64, 2*d*d)
		for i := range d {
			unit[i*d+i], unit[d*d+i*d+i] = 1, 1
		}
	}
	state := k.kernel.WithStepSize(k.stepSize).Init(env, x)
	return append(state, Reshape(ConstAsDType(x.Graph(), x.DType(), spread(unit, n)), n, -1))
}

// Step moves every chain once.
func (k massed) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, held := s[0], s[len(s)-1]
	shape := x.Shape()
	d := shape.Size() / shape.Dimensions[0]
	half, dims := d, append([]int{1}, shape.Dimensions[1:]...)
	if k.dense {
		half, dims = d*d, []int{d, d}
	}
	flat := Reshape(held, held.Shape().Size())
	part := func(from int) *Node { return Reshape(Slice(flat, AxisRange(from, from+half)), dims...) }
	kernel := k.kernel.WithMass(stateMass{part(0), part(half), k.dense}).WithStepSize(k.stepSize)
	next, info := kernel.Step(env, s[:len(s)-1])
	return append(next[:len(next):len(next)], held), info
}

// stateMass is a mass made of nodes.
type stateMass struct {
	momentum, velocity *Node // [1, event...] factors, or [d, d] matrices
	dense              bool
}

func (m stateMass) Momentum(z *Node) *Node { return m.apply(z, m.momentum) }
func (m stateMass) Velocity(p *Node) *Node { return m.apply(p, m.velocity) }

func (m stateMass) apply(x, by *Node) *Node {
	if m.dense {
		return multiplyRows(x, by)
	}
	return Mul(x, by)
}

// massNumbers are what a mass multiplies by: √m and 1/m of a diagonal one, the Cholesky factor and the inverse of a dense one.
func massNumbers(m Mass) []float64 {
	switch m := m.(type) {
	case DiagonalMass:
		out := make([]float64, 2*len(m))
		for i, v := range m {
			out[i], out[len(m)+i] = math.Sqrt(v), 1/v
		}
		return out
	case DenseMass:
		return append(slices.Concat(m.cholesky...), slices.Concat(m.inverse...)...)
	}
	return nil // a MassRule makes no other
}

// spread fills numbers up with zeros to the next multiple of n.
func spread(numbers []float64, n int) []float64 {
	short := (n - len(numbers)%n) % n
	return append(slices.Clone(numbers), make([]float64, short)...)
}
