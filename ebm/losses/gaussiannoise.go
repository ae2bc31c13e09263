package losses

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/host"
)

// GaussianNoise is the normal distribution N(μ, Σ) as noise to contrast data with. Its density is that of [ebm.Gaussian], which also
// says what is wrong with the parameters. [FitNoise] fits one to data.
type GaussianNoise struct {
	Mean []float64   // μ, default 0
	Cov  [][]float64 // Σ, default the identity
}

var _ Noise = GaussianNoise{}

// Draw draws μ + Lz, with LLᵀ = Σ and z ~ N(0, I).
func (d GaussianNoise) Draw(rng *ebm.Rand, shape shapes.Shape) *Node {
	y := Reshape(rng.Normal(shape), shape.Dimensions[0], -1) // [m, d]
	d.logZ(y)
	if d.Cov != nil {
		dim := len(d.Cov)
		sigma := mat.NewSymDense(dim, nil)
		for i := range dim {
			for j := range i + 1 {
				sigma.SetSym(i, j, d.Cov[i][j])
			}
		}
		var chol mat.Cholesky
		chol.Factorize(sigma) // ebm.Gaussian has checked that it can be
		var root mat.TriDense
		chol.UTo(&root)
		turn := make([][]float64, dim) // Lᵀ
		for i := range turn {
			turn[i] = mat.Row(nil, i, &root)
		}
		y = MatMul(y, ConstAs(y, turn))
	}
	if d.Mean != nil {
		y = Add(y, ConstAs(y, [][]float64{d.Mean}))
	}
	return Reshape(y, shape.Dimensions...)
}

// LogDensity is log N(y; μ, Σ), [m].
func (d GaussianNoise) LogDensity(y *Node) *Node {
	return Neg(AddScalar(ebm.Gaussian(d).Energy(y), d.logZ(y)))
}

// logZ is the log normalising constant, and a panic where the parameters are wrong.
func (d GaussianNoise) logZ(y *Node) float64 {
	logZ, err := ebm.Gaussian(d).LogZ(y.Shape().Size() / y.Shape().Dimensions[0])
	if err != nil {
		exceptions.Panicf("GaussianNoise: %v", err)
	}
	return logZ
}

// FitNoise fits a normal distribution to data, [rows, event...] Float32 or Float64: it has their mean and covariance.
func FitNoise(data *tensors.Tensor) (GaussianNoise, error) {
	switch {
	case data == nil || !data.Ok():
		return GaussianNoise{}, errors.New("losses: FitNoise: the data is nil or was finalized")
	case data.DType() != dtypes.Float32 && data.DType() != dtypes.Float64 || data.Rank() < 2 || data.Size() == 0:
		return GaussianNoise{}, errors.Errorf("losses: FitNoise: the data must be [rows, event...] of Float32 or Float64, got %s", data.Shape())
	}
	flat, err := host.Floats(data)
	if err != nil {
		return GaussianNoise{}, errors.WithMessage(err, "losses: FitNoise")
	}
	n := data.Shape().Dimensions[0]
	dim := len(flat) / n
	x := mat.NewDense(n, dim, flat)
	noise := GaussianNoise{Mean: make([]float64, dim), Cov: make([][]float64, dim)}
	var sigma mat.SymDense
	stat.CovarianceMatrix(&sigma, x, nil)
	for i := range dim {
		noise.Mean[i] = stat.Mean(mat.Col(nil, i, x), nil)
		noise.Cov[i] = mat.Row(nil, i, &sigma)
	}
	if err := ebm.Gaussian(noise).Validate(); err != nil {
		return GaussianNoise{}, errors.WithMessagef(err, "losses: FitNoise: %d points of %d numbers", n, dim)
	}
	return noise, nil
}

// batchNoise are independent normals with given means and standard deviations, [1, d].
type batchNoise struct{ mean, std *Node }

// firstBatch is the noise with the mean and the spread of the first batch that was seen, which the store keeps. A coordinate that
// does not vary there gets a standard deviation of 1.
func firstBatch(x *Node) batchNoise {
	g, flat := x.Graph(), Reshape(x, x.Shape().Dimensions[0], -1)
	store, dim := storeOf(g, "NoiseContrastive: noise fitted to the first batch needs"), flat.Shape().Dimensions[1]
	means, stds := kept(store, contrastScope+"/noise_mean", x.DType(), 1, dim), kept(store, contrastScope+"/noise_std", x.DType(), 1, dim)
	mean := ReduceAndKeep(flat, ReduceMean, 0)
	std := Sqrt(ReduceAndKeep(Square(Sub(flat, mean)), ReduceMean, 0))
	std = Where(GreaterThan(std, ZerosLike(std)), std, OnesLike(std))
	known := GreaterThan(stds.NodeValue(g), ZerosLike(std))
	d := batchNoise{StopGradient(Where(known, means.NodeValue(g), mean)), StopGradient(Where(known, stds.NodeValue(g), std))}
	means.SetNodeValue(d.mean)
	stds.SetNodeValue(d.std)
	return d
}

// Draw draws mean + std·z.
func (d batchNoise) Draw(rng *ebm.Rand, shape shapes.Shape) *Node {
	z := Reshape(rng.Normal(shape), shape.Dimensions[0], -1)
	return Reshape(Add(Mul(z, d.std), d.mean), shape.Dimensions...)
}

// LogDensity is the sum of the coordinates' log densities.
func (d batchNoise) LogDensity(y *Node) *Node {
	z := Div(Sub(Reshape(y, y.Shape().Dimensions[0], -1), d.mean), d.std)
	constant := AddScalar(ReduceAllSum(Log(d.std)), float64(d.std.Shape().Size())/2*math.Log(2*math.Pi))
	return Neg(Add(MulScalar(ReduceSum(Square(z), 1), 0.5), constant))
}
