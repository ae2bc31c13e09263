package samplers

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// MassRule says how [WarmUp] makes a mass matrix of the draws of a window, those of all chains together:
// [DiagonalFromDraws], [DenseFromDraws] or [DiagonalFromGradients].
type MassRule interface {
	// mass is M from N draws and, where asked for, the gradients ∇E there, [N, d] each.
	mass(draws, gradients *mat.Dense) (Mass, error)
	dense() bool         // whether M is dense
	needsGradient() bool // whether gradients are asked for
}

// DiagonalFromDraws is the inverse variance of each number, the variance s² of N draws drawn a little towards 10⁻³ as Stan
// does: 1/M_ii = (N·s²_i + 5·10⁻³)/(N + 5). The default, right where numbers have different scales.
type DiagonalFromDraws struct{}

// DenseFromDraws is the inverse covariance, M⁻¹ = (N·S + 5·10⁻³·I)/(N + 5). For numbers that are strongly correlated, some hundred
// at most: a leapfrog step then costs a product with a d×d matrix for each chain.
type DenseFromDraws struct{}

// DiagonalFromGradients is 1/M_ii = √(var xᵢ / var ∂ᵢE). On a Gaussian of covariance Σ that is √(Σ_ii/(Σ⁻¹)_ii), between the variance of
// a number and its variance given all others: of all diagonals the one that makes draws and gradients look alike, and from fewer draws.
//
// Seyboldt, Carlson and Carpenter, Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence, 2026, arXiv:2603.18845 (nutpie).
type DiagonalFromGradients struct{}

var _ = []MassRule{DiagonalFromDraws{}, DenseFromDraws{}, DiagonalFromGradients{}}

func (DiagonalFromDraws) dense() bool             { return false }
func (DiagonalFromDraws) needsGradient() bool     { return false }
func (DenseFromDraws) dense() bool                { return true }
func (DenseFromDraws) needsGradient() bool        { return false }
func (DiagonalFromGradients) dense() bool         { return false }
func (DiagonalFromGradients) needsGradient() bool { return true }

// Stan's prior of the covariance: prior·I, with the weight of this many draws.
const priorWeight, prior = 5, 1e-3

func (DiagonalFromDraws) mass(draws, _ *mat.Dense) (Mass, error) {
	n, d := draws.Dims()
	out := make(DiagonalMass, d)
	for i, v := range variances(draws) {
		out[i] = float64(n+priorWeight) / (float64(n)*v + priorWeight*prior)
	}
	return out, nil
}

func (DenseFromDraws) mass(draws, _ *mat.Dense) (Mass, error) {
	n, d := draws.Dims()
	var cov mat.SymDense
	stat.CovarianceMatrix(&cov, draws, nil)
	cov.ScaleSym(float64(n)/float64(n+priorWeight), &cov)
	for i := range d {
		cov.SetSym(i, i, cov.At(i, i)+priorWeight*prior/float64(n+priorWeight))
	}
	var chol mat.Cholesky
	if !chol.Factorize(&cov) {
		return nil, errors.New("the covariance of the draws is not positive definite")
	}
	var inverse mat.SymDense
	if err := chol.InverseTo(&inverse); err != nil {
		return nil, errors.Errorf("the covariance of the draws is singular to working precision: %v", err)
	}
	return NewDenseMass(rows(&inverse))
}

func (DiagonalFromGradients) mass(draws, gradients *mat.Dense) (Mass, error) {
	out := DiagonalMass(variances(gradients))
	for i, v := range variances(draws) {
		if !(v > 0 && out[i] > 0) {
			return nil, errors.Errorf("number %d of an event has variance %g in the draws and %g in their gradients: both must be positive", i, v, out[i])
		}
		out[i] = math.Sqrt(out[i] / v)
	}
	return out, nil
}

// variances of the columns.
func variances(x *mat.Dense) []float64 {
	n, d := x.Dims()
	out, column := make([]float64, d), make([]float64, n)
	for i := range out {
		mat.Col(column, i, x)
		out[i] = stat.Variance(column, nil)
	}
	return out
}
