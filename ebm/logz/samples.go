package logz

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/host"
)

// FitGaussian is the normal distribution with the mean and the covariance of samples, [n, event...]: a base for [AIS], and the
// one that [Bridge] takes by itself. It is an error where there are not more samples than numbers in an event, or they lie in a plane.
func FitGaussian(x *tensors.Tensor) (ebm.Gaussian, error) {
	if x == nil {
		return ebm.Gaussian{}, errors.New("logz: FitGaussian: x is nil")
	}
	if err := checkSamples("FitGaussian", x); err != nil {
		return ebm.Gaussian{}, err
	}
	flat, err := host.Floats(x)
	if err != nil {
		return ebm.Gaussian{}, err
	}
	n := x.Shape().Dimensions[0]
	d := len(flat) / n
	if n <= d {
		return ebm.Gaussian{}, errors.Errorf("logz: FitGaussian: %d samples are too few for events of %d numbers", n, d)
	}
	points := mat.NewDense(n, d, flat)
	var cov mat.SymDense
	stat.CovarianceMatrix(&cov, points, nil)
	g := ebm.Gaussian{Mean: make([]float64, d), Cov: make([][]float64, d)}
	for j := range d {
		g.Mean[j] = stat.Mean(mat.Col(nil, j, points), nil)
		g.Cov[j] = mat.Row(nil, j, &cov)
	}
	return g, errors.WithMessage(g.Validate(), "logz: FitGaussian")
}

// checkSamples wants two rows or more of floating-point numbers.
func checkSamples(what string, x *tensors.Tensor) error {
	if !x.Ok() {
		return errors.Errorf("logz: %s: the samples are a tensor that was finalized", what)
	}
	if (x.DType() != dtypes.Float32 && x.DType() != dtypes.Float64) || x.Rank() < 2 || x.Size() == 0 || x.Shape().Dimensions[0] < 2 {
		return errors.Errorf("logz: %s: the samples must be Float32 or Float64 [n, event...] with at least two rows, got %s", what, x.Shape())
	}
	return nil
}

// halves cuts samples in two.
func halves(x *tensors.Tensor) (first, second *tensors.Tensor, err error) {
	flat, err := host.Floats(x)
	if err != nil {
		return nil, nil, err
	}
	dims := x.Shape().Dimensions
	n := dims[0]
	part := func(from, to int) *tensors.Tensor {
		row := len(flat) / n
		return host.Tensor(x.DType(), flat[from*row:to*row], append([]int{to - from}, dims[1:]...)...)
	}
	return part(0, n/2), part(n/2, n), nil
}
