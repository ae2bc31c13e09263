package ebm

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// affine turns z into μ + Lz, in place.
func affine(z, mean []float64, chol *mat.Cholesky) {
	if chol != nil {
		var l mat.TriDense
		chol.LTo(&l)
		v := mat.NewVecDense(len(z), z)
		v.MulVec(&l, v)
	}
	for i := range z {
		z[i] += mean[i]
	}
}

// cholesky factorises a covariance matrix, or says what keeps it from being one.
func cholesky(name string, cov [][]float64) (*mat.Cholesky, error) {
	d := len(cov)
	if d == 0 {
		return nil, errors.Errorf("%s must not be empty", name)
	}
	sym := mat.NewSymDense(d, nil)
	for i, row := range cov {
		if len(row) != d {
			return nil, errors.Errorf("%s must be square, got %d rows and %d numbers in row %d", name, d, len(row), i)
		}
		for j, c := range row {
			if math.IsNaN(c) || math.IsInf(c, 0) {
				return nil, errors.Errorf("%s[%d][%d] must be finite, got %g", name, i, j, c)
			}
			if j < i && math.Abs(c-cov[j][i]) > 1e-9*math.Sqrt(math.Abs(cov[i][i]*cov[j][j])) {
				return nil, errors.Errorf("%s must be symmetric, got %g at [%d][%d] and %g at [%d][%d]",
					name, c, i, j, cov[j][i], j, i)
			}
			sym.SetSym(i, j, c)
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(sym) {
		var eig mat.EigenSym
		if !eig.Factorize(sym, false) {
			return nil, errors.Errorf("%s must be positive definite, got %v", name, cov)
		}
		return nil, errors.Errorf("%s must be positive definite, got one whose smallest eigenvalue is %.3g", name, eig.Values(nil)[0])
	}
	if c := chol.Cond(); c > mat.ConditionTolerance {
		return nil, errors.Errorf("%s must be positive definite, got one that is singular in float64 (condition number %.2g)", name, c)
	}
	return &chol, nil
}

// precision is the inverse of a factorised covariance.
func precision(chol *mat.Cholesky) [][]float64 {
	var inverse mat.SymDense
	check(chol.InverseTo(&inverse)) // fails on a bad condition number alone, and cholesky has refused that
	return rowsOf(&inverse)
}

// whitening is an upper triangular R with RRᵀ = Σ⁻¹, so that Rᵀ(x − μ) is standard normal.
func whitening(chol *mat.Cholesky) *mat.TriDense {
	var u, r mat.TriDense
	chol.UTo(&u)
	check(r.InverseTri(&u)) // fails on a bad condition number alone, and cholesky has refused that
	return &r
}

// rowsOf is a matrix as a slice of rows.
func rowsOf(m mat.Matrix) [][]float64 {
	n, _ := m.Dims()
	out := make([][]float64, n)
	for i := range out {
		out[i] = mat.Row(nil, i, m)
	}
	return out
}
