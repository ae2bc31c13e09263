package losses

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
)

// NoiseContrastive is noise-contrastive estimation: the energy learns to tell the data from noise of known density pₙ, of which there
// are ν points for each point of the data,
//
//	L = mean ζ(−G(x)) + ν·mean ζ(G(y)),   y ~ pₙ,   G(u) = −E(u) − log Z − log pₙ(u) − log ν,   ζ(a) = log(1 + exp(a))
//
// It is least where exp(−E)/Z is the data's density, Z being a number that is learned like a weight: so it gives a normalised density,
// by no Markov chain. Choose it where likelihoods are wanted, and noise can be had that overlaps with the data: with all of it,
// since nothing is learned where noise does not reach, and closely, since noise that is told from the data at a glance teaches nothing.
// That keeps it to few dimensions.
//
// x is [n, event...], conditioning [n, ...], of which noise takes that of its point; a step evaluates the energy at n·(1+ν) points.
// With conditioning, Z would depend on it: fix it at LogZ 0 and let the energy normalise itself. It panics on settings out of range. An
// energy of +∞ at noise is as good as any; at the data, or a NaN anywhere, it makes the loss non-finite, on which the doctor
// stops training. Noise is no sample of the energy: Terms has no Negatives.
//
// M. Gutmann, A. Hyvärinen, "Noise-contrastive estimation: a new estimation principle for unnormalized statistical models", AISTATS
// 2010; "… with applications to natural image statistics", JMLR 13, 2012.
type NoiseContrastive struct {
	Energy ebm.Energy
	Noise  Noise    // pₙ. Default: independent normals with the mean and the spread of the first batch, kept in the store
	Ratio  int      // ν. Default 10
	LogZ   *float64 // fixes log Z; default nil: it is learned, from 0 on, and kept in the store
}

// Noise is a distribution to contrast data with. Both methods build graphs.
type Noise interface {
	// Draw draws points of the given shape, [m, event...].
	Draw(rng *ebm.Rand, shape shapes.Shape) *Node
	// LogDensity is log pₙ(y), [m], with its normalising constant.
	LogDensity(y *Node) *Node
}

var _ ebm.Loss = NoiseContrastive{}

// contrastScope is where the store holds log Z and the noise's parameters.
const contrastScope = "/noise_contrastive"

// Loss builds the loss of a batch.
func (l NoiseContrastive) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms {
	l = l.withDefaults()
	noise := l.Noise
	if noise == nil {
		noise = firstBatch(x)
	}
	n, nu, dims := x.Shape().Dimensions[0], l.Ratio, x.Shape().Dimensions
	y := noise.Draw(rng, shapes.Make(x.DType(), append([]int{n * nu}, dims[1:]...)...))
	all := Concatenate([]*Node{x, StopGradient(y)}, 0)
	labels := make([]*Node, len(cond))
	for i, c := range eachRow(cond, nu) {
		labels[i] = Concatenate([]*Node{cond[i], c}, 0)
	}
	energies := l.Energy.Energy(all, labels...)
	logZ := l.logZ(x)
	g := Neg(AddScalar(Add(Add(energies, StopGradient(noise.LogDensity(all))), logZ), math.Log(float64(nu)))) // [n·(1+ν)]
	real, fake := Slice(g, AxisRange(0, n)), Slice(g, AxisRange(n))
	loss := Add(ReduceAllMean(softplus(Neg(real))), MulScalar(ReduceAllMean(softplus(fake)), nu))
	return ebm.Terms{Loss: loss, Data: Slice(energies, AxisRange(0, n))}
}

func (l NoiseContrastive) withDefaults() NoiseContrastive {
	l.Ratio = cmp.Or(l.Ratio, 10)
	switch {
	case l.Energy == nil:
		exceptions.Panicf("NoiseContrastive: Energy is nil")
	case l.Ratio < 1:
		exceptions.Panicf("NoiseContrastive: Ratio must be positive, got %d", l.Ratio)
	case l.LogZ != nil && (math.IsNaN(*l.LogZ) || math.IsInf(*l.LogZ, 0)):
		exceptions.Panicf("NoiseContrastive: LogZ must be finite, got %g", *l.LogZ)
	}
	return l
}

// logZ is log Z, a scalar of x's type.
func (l NoiseContrastive) logZ(x *Node) *Node {
	if l.LogZ != nil {
		return Scalar(x.Graph(), x.DType(), *l.LogZ)
	}
	return storeOf(x.Graph(), "NoiseContrastive: a log Z that is learned needs").VariableWithShape(contrastScope+"/log_z", shapes.Make(x.DType()), zeros).NodeValue(x.Graph())
}

// LearnedLogZ reads the log Z that noise-contrastive estimation has learned, so that log p(x) = −E(x) − log Z.
func LearnedLogZ(store *model.Store) (float64, error) {
	values, err := read(store, contrastScope+"/log_z")
	if err != nil {
		return 0, errors.WithMessage(err, "losses: LearnedLogZ")
	}
	return values[0], nil
}

// softplus is ζ(a) = log(1 + exp(a)), for large a too.
func softplus(a *Node) *Node {
	return Add(MaxScalar(a, 0), Log1P(Exp(Neg(Abs(a)))))
}
