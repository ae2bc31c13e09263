package metrics

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Frechet is the squared Fréchet distance between the normal distributions that have the samples' means and covariances,
//
//	d² = ‖μ_x − μ_y‖² + tr(Σ_x + Σ_y − 2(Σ_x Σ_y)^½),
//
// which is their squared W₂, in squared units of the data. With the features of a classifier for points it is the Fréchet inception distance of the field,
// here of whatever network gave the features: values compare only under the same one, and for the same numbers of points, since the distance of
// finite samples is too large by a part that falls as 1/n. Two points a side at least; time n·dim² + dim³. It sees nothing but means and covariances.
//
// M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017, arXiv:1706.08500; D. C. Dowson, B. V. Landau,
// "The Fréchet distance between multivariate normal distributions", 1982, doi:10.1016/0047-259X(82)90077-X.
type Frechet struct{}

var _ Distance = Frechet{}

// Between is d² of x [n, dim] and y [m, dim].
func (Frechet) Between(x, y []float32, dim int) (float64, error) {
	if err := checkPair("Frechet", x, y, dim); err != nil {
		return 0, err
	}
	if n, m := len(x)/dim, len(y)/dim; n < 2 || m < 2 {
		return 0, errors.Errorf("Frechet: a covariance needs two points, got %d in x and %d in y", n, m)
	}
	meanX, covX := moments(x, dim)
	meanY, covY := moments(y, dim)
	var d2 float64
	for i := range meanX {
		d2 += (meanX[i] - meanY[i]) * (meanX[i] - meanY[i])
	}
	// tr (Σ_x Σ_y)^½ = tr (R Σ_y R)^½ with R = Σ_x^½: of a symmetric matrix, so that no root is complex.
	root, err := squareRoot(covX)
	if err != nil {
		return 0, err
	}
	var product, symmetric mat.Dense
	product.Mul(root, covY)
	symmetric.Mul(&product, root)
	inner := mat.NewSymDense(dim, nil)
	for i := range dim {
		for j := i; j < dim; j++ {
			inner.SetSym(i, j, (symmetric.At(i, j)+symmetric.At(j, i))/2)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(inner, false) {
		return 0, errors.New("Frechet: the eigenvalues of the covariances did not converge")
	}
	d2 += mat.Trace(covX) + mat.Trace(covY)
	for _, v := range eigen.Values(nil) {
		d2 -= 2 * math.Sqrt(max(0, v))
	}
	return max(0, d2), nil // rounding may leave −1e-15
}

// moments are the mean and the covariance, divided by n − 1.
func moments(x []float32, dim int) ([]float64, *mat.SymDense) {
	n := len(x) / dim
	points := mat.NewDense(n, dim, nil)
	for i, v := range x {
		points.Set(i/dim, i%dim, float64(v))
	}
	mean := make([]float64, dim)
	for j := range mean {
		mean[j] = stat.Mean(mat.Col(nil, j, points), nil)
	}
	cov := mat.NewSymDense(dim, nil)
	stat.CovarianceMatrix(cov, points, nil)
	return mean, cov
}

// squareRoot of a positive semidefinite matrix.
func squareRoot(a *mat.SymDense) (*mat.Dense, error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(a, true) {
		return nil, errors.New("Frechet: the eigenvalues of a covariance did not converge")
	}
	roots := eigen.Values(nil)
	for i, v := range roots {
		roots[i] = math.Sqrt(max(0, v))
	}
	var vectors, scaled, root mat.Dense
	eigen.VectorsTo(&vectors)
	scaled.Mul(&vectors, mat.NewDiagDense(len(roots), roots))
	root.Mul(&scaled, vectors.T())
	return &root, nil
}
