package samplers

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// Mass is the mass matrix M of Hamiltonian dynamics: momenta are drawn from N(0, M), the kinetic energy is
// ½pᵀM⁻¹p. The nearer M⁻¹ is to the covariance of the target, the longer the steps can be.
type Mass interface {
	Momentum(z *Node) *Node // p = Lz with LLᵀ = M, of z's shape [n, event...]
	Velocity(p *Node) *Node // M⁻¹p, of p's shape [n, event...]
}

// ScalarMass is M = m·I. Building panics where m is not positive.
type ScalarMass float64

// DiagonalMass is a diagonal M: one mass for each number of an event, in row-major order. Building panics where
// one is not positive or their number is not the event's.
type DiagonalMass []float64

// DenseMass is a full M over an event's numbers, in row-major order; [NewDenseMass] makes one.
type DenseMass struct{ cholesky, inverse [][]float64 }

var _ = []Mass{ScalarMass(1), DiagonalMass{}, DenseMass{}}

// Momentum is √m·z.
func (m ScalarMass) Momentum(z *Node) *Node {
	checkMass("ScalarMass", float64(m))
	if m == 1 {
		return z
	}
	return MulScalar(z, math.Sqrt(float64(m)))
}

// Velocity is p/m.
func (m ScalarMass) Velocity(p *Node) *Node {
	if m == 1 {
		return p
	}
	return MulScalar(p, 1/float64(m))
}

// Momentum is √mᵢ·zᵢ.
func (m DiagonalMass) Momentum(z *Node) *Node { return m.scale(z, math.Sqrt) }

// Velocity is pᵢ/mᵢ.
func (m DiagonalMass) Velocity(p *Node) *Node {
	return m.scale(p, func(mass float64) float64 { return 1 / mass })
}

// scale multiplies the i-th number of every row of x by f(mᵢ).
func (m DiagonalMass) scale(x *Node, f func(mass float64) float64) *Node {
	checkLength("DiagonalMass", "masses", len(m), x)
	factors := make([]float64, len(m))
	for i, mass := range m {
		checkMass("DiagonalMass", mass)
		factors[i] = f(mass)
	}
	event := x.Shape().Dimensions[1:]
	return Mul(x, Reshape(ConstAsDType(x.Graph(), x.DType(), factors), append([]int{1}, event...)...))
}

// NewDenseMass checks and factors a mass matrix, given by its rows. It returns an error where the matrix is not
// square, not finite, not symmetric (to 1e-10 of its largest entry) or not positive definite.
func NewDenseMass(mass [][]float64) (DenseMass, error) {
	d := len(mass)
	if d == 0 {
		return DenseMass{}, errors.New("NewDenseMass: mass has no rows")
	}
	sym := mat.NewSymDense(d, nil)
	largest := 0.0
	for i, row := range mass {
		if len(row) != d {
			return DenseMass{}, errors.Errorf("NewDenseMass: mass must be square, got %d rows and row %d of %d numbers", d, i, len(row))
		}
		for j, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return DenseMass{}, errors.Errorf("NewDenseMass: mass must be finite, got mass[%d][%d] = %g", i, j, v)
			}
			largest = max(largest, math.Abs(v))
		}
	}
	for i, row := range mass {
		for j, v := range row[:i+1] {
			if math.Abs(v-mass[j][i]) > 1e-10*largest {
				return DenseMass{}, errors.Errorf("NewDenseMass: mass must be symmetric, got mass[%d][%d] = %g and mass[%d][%d] = %g", i, j, v, j, i, mass[j][i])
			}
			sym.SetSym(i, j, v)
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(sym) {
		var eigen mat.EigenSym
		eigen.Factorize(sym, false)
		return DenseMass{}, errors.Errorf("NewDenseMass: mass must be positive definite, its smallest eigenvalue is %g", eigen.Values(nil)[0])
	}
	var lower mat.TriDense
	chol.LTo(&lower)
	var inverse mat.SymDense
	if err := chol.InverseTo(&inverse); err != nil {
		return DenseMass{}, errors.Errorf("NewDenseMass: mass is singular to working precision: %v", err)
	}
	return DenseMass{cholesky: rows(&lower), inverse: rows(&inverse)}, nil
}

// Momentum is Lz, L the Cholesky factor of M.
func (m DenseMass) Momentum(z *Node) *Node { return m.multiply(z, m.cholesky) }

// Velocity is M⁻¹p.
func (m DenseMass) Velocity(p *Node) *Node { return m.multiply(p, m.inverse) }

// multiply every row of x, as one flat vector, by a matrix.
func (m DenseMass) multiply(x *Node, matrix [][]float64) *Node {
	checkLength("DenseMass", "rows", len(matrix), x)
	return multiplyRows(x, ConstAsDType(x.Graph(), x.DType(), matrix))
}

// multiplyRows multiplies every row of x, as one flat vector of d numbers, by the matrix a, [d, d].
func multiplyRows(x, a *Node) *Node {
	shape := x.Shape()
	flat := Reshape(x, shape.Dimensions[0], shape.Size()/shape.Dimensions[0])
	return Reshape(EinsumAxes(flat, a, [][2]int{{1, 1}}, nil), shape.Dimensions...)
}

func rows(m mat.Matrix) [][]float64 {
	r, _ := m.Dims()
	out := make([][]float64, r)
	for i := range out {
		out[i] = mat.Row(nil, i, m)
	}
	return out
}

func checkMass(kind string, mass float64) {
	if !(mass > 0) || math.IsInf(mass, 0) {
		exceptions.Panicf("%s: a mass must be positive and finite, got %g", kind, mass)
	}
}

func checkLength(kind, what string, got int, x *Node) {
	if want := x.Shape().Size() / x.Shape().Dimensions[0]; got != want {
		exceptions.Panicf("%s: want %d %s, one for each number of an event of x %s, got %d", kind, want, what, x.Shape(), got)
	}
}
