package ebm

import (
	"cmp"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// Mixture is a mixture of K normal distributions,
//
//	E(x) = −log Σₖ wₖ N(x; μₖ, Σₖ),
//
// x is [n, event...] with d numbers an event, as each of Means has. E is normalised: log Z = 0.
//
// It is the standard target with separate modes: everything about it is known, and the distance between modes sets how
// hard it is. Components are isotropic unless Covs is given.
type Mixture struct {
	Means   [][]float64   // μₖ, [K][d]; at least one
	Weights []float64     // wₖ, [K], positive, divided by their sum; default equal
	Std     float64       // where Covs is nil, Σₖ = Std²·I, default 1
	Covs    [][][]float64 // Σₖ, [K][d][d]
}

var (
	_ Energy       = Mixture{}
	_ Normalizer   = Mixture{}
	_ Momenter     = Mixture{}
	_ ExactSampler = Mixture{}
	_ Validator    = Mixture{}
)

// Energy builds E(x), [n].
func (e Mixture) Energy(x *Node, _ ...*Node) *Node {
	chols, err := e.factors()
	check(err)
	check(e.fits(events("Mixture", x)))
	x = flat("Mixture", x)
	n, d, k := x.Shape().Dimensions[0], x.Shape().Dimensions[1], len(e.Means)

	// z are the components' standard coordinates, zₖ = Rₖᵀ(x − μₖ) with RₖRₖᵀ = Σₖ⁻¹.
	var z *Node // [n, K, d]
	constants := e.weights()
	if chols == nil {
		std := cmp.Or(e.Std, 1)
		z = MulScalar(Sub(Reshape(x, n, 1, d), ConstAs(x, [][][]float64{e.Means})), 1/std)
		for i := range constants {
			constants[i] = math.Log(constants[i]) - float64(d)*math.Log(std)
		}
	} else {
		turn, shift := mat.NewDense(d, k*d, nil), mat.NewDense(1, k*d, nil)
		for i, chol := range chols {
			root := whitening(chol)
			turn.Slice(0, d, i*d, (i+1)*d).(*mat.Dense).Copy(root)
			shift.Slice(0, 1, i*d, (i+1)*d).(*mat.Dense).Mul(mat.NewDense(1, d, e.Means[i]), root)
			constants[i] = math.Log(constants[i]) - chol.LogDet()/2
		}
		z = Sub(MatMul(x, ConstAs(x, rowsOf(turn))), ConstAs(x, rowsOf(shift)))
		z = Reshape(z, n, k, d)
	}
	logits := Add(MulScalar(ReduceSum(Square(z), 2), -0.5), ConstAs(x, [][]float64{constants})) // [n, K]
	return AddScalar(Neg(logSumExp(logits)), float64(d)/2*math.Log(2*math.Pi))
}

// logSumExp is log Σₖ exp(xₖ) along the last axis of x, [n, K], with the largest taken out, so that nothing overflows.
func logSumExp(x *Node) *Node {
	largest := StopGradient(ReduceAndKeep(x, ReduceMax, 1)) // [n, 1]
	return Add(Log(ReduceSum(Exp(Sub(x, largest)), 1)), Reshape(largest, x.Shape().Dimensions[0]))
}

// Validate tells whether there are components, all of one size, and their weights and covariances are proper.
func (e Mixture) Validate() error {
	_, err := e.factors()
	return err
}

// factors are Cholesky's factorisations of the covariances, nil where components are isotropic.
func (e Mixture) factors() ([]*mat.Cholesky, error) {
	if len(e.Means) == 0 || len(e.Means[0]) == 0 {
		return nil, errors.Errorf("Mixture: Means must have at least one point, got %v", e.Means)
	}
	d := len(e.Means[0])
	for k, mean := range e.Means {
		if len(mean) != d {
			return nil, errors.Errorf("Mixture: Means must all have %d numbers as the first has, got %d in Means[%d]", d, len(mean), k)
		}
		for i, m := range mean {
			if math.IsNaN(m) || math.IsInf(m, 0) {
				return nil, errors.Errorf("Mixture: Means[%d][%d] must be finite, got %g", k, i, m)
			}
		}
	}
	if e.Weights != nil && len(e.Weights) != len(e.Means) {
		return nil, errors.Errorf("Mixture: there must be a weight for each of %d Means, got %d Weights", len(e.Means), len(e.Weights))
	}
	for k, w := range e.Weights {
		if !(w > 0) || math.IsInf(w, 1) {
			return nil, errors.Errorf("Mixture: Weights[%d] must be positive, got %g", k, w)
		}
	}
	if !(e.Std >= 0) || math.IsInf(e.Std, 1) {
		return nil, errors.Errorf("Mixture: Std must be positive, got %g", e.Std)
	}
	if e.Covs == nil {
		return nil, nil
	}
	if len(e.Covs) != len(e.Means) {
		return nil, errors.Errorf("Mixture: there must be a covariance for each of %d Means, got %d Covs", len(e.Means), len(e.Covs))
	}
	chols := make([]*mat.Cholesky, len(e.Covs))
	for k, cov := range e.Covs {
		if len(cov) != d {
			return nil, errors.Errorf("Mixture: Covs[%d] must be %d×%d, got %d rows", k, d, d, len(cov))
		}
		chol, err := cholesky("Mixture: Covs", cov)
		if err != nil {
			return nil, errors.WithMessagef(err, "Covs[%d]", k)
		}
		chols[k] = chol
	}
	return chols, nil
}

// weights are the weights, which add up to 1.
func (e Mixture) weights() []float64 {
	w := repeated(1, len(e.Means))
	copy(w, e.Weights)
	sum := 0.0
	for _, v := range w {
		sum += v
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// fits refuses events of another size than the means'.
func (e Mixture) fits(dim int) error {
	if d := len(e.Means[0]); d != dim {
		return errors.Errorf("Mixture: events must have %d numbers as Means do, got %d", d, dim)
	}
	return nil
}

// LogZ is 0.
func (e Mixture) LogZ(dim int) (float64, error) {
	if err := e.Validate(); err != nil {
		return 0, err
	}
	return 0, e.fits(dim)
}

// Moments are μ̄ = Σ wₖμₖ and Σ wₖ(Σₖ + (μₖ−μ̄)(μₖ−μ̄)ᵀ).
func (e Mixture) Moments(dim int) (mean []float64, cov [][]float64, err error) {
	if _, err := e.LogZ(dim); err != nil {
		return nil, nil, err
	}
	w := e.weights()
	mean, cov = make([]float64, dim), diagonal(0, dim)
	for k, m := range e.Means {
		for i := range mean {
			mean[i] += w[k] * m[i]
		}
	}
	variance := cmp.Or(e.Std, 1) * cmp.Or(e.Std, 1)
	for k, m := range e.Means {
		for i := range mean {
			for j := range mean {
				c := 0.0
				if e.Covs != nil {
					c = e.Covs[k][i][j]
				} else if i == j {
					c = variance
				}
				cov[i][j] += w[k] * (c + (m[i]-mean[i])*(m[j]-mean[j]))
			}
		}
	}
	return mean, cov, nil
}

// SampleExact draws a component, then a point of it.
func (e Mixture) SampleExact(rng *rand.Rand, n, dim int) ([][]float64, error) {
	if err := checkDraw("Mixture", rng, n, dim); err != nil {
		return nil, err
	}
	chols, err := e.factors()
	if err != nil {
		return nil, err
	}
	if err := e.fits(dim); err != nil {
		return nil, err
	}
	w, std := e.weights(), cmp.Or(e.Std, 1)
	x := make([][]float64, n)
	for i := range x {
		k, u := 0, rng.Float64()
		for u >= w[k] && k < len(w)-1 {
			u -= w[k]
			k++
		}
		x[i] = make([]float64, dim)
		for j := range x[i] {
			x[i][j] = rng.NormFloat64()
			if chols == nil {
				x[i][j] *= std
			}
		}
		if chols == nil {
			affine(x[i], e.Means[k], nil)
		} else {
			affine(x[i], e.Means[k], chols[k])
		}
	}
	return x, nil
}
