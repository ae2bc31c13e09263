package flow

import (
	"slices"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/goebm/goebm/ebm/internal/passes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// divergence builds f(x, t), like x, [n, event...] with d numbers each, and ∇·f, [n]: the trace of the Jacobian, exact, by one backward pass for
// each axis; or, given probes v, [n, k, d], Hutchinson's estimate of it, the mean of vᵀJv, by one for each probe. Few are taken one by one on
// the same f, which is the least work; beyond, x is repeated for each, and one pass through all rows does it, so that graphs stay short.
//
// M. F. Hutchinson, A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines, Commun. Stat. Simul.
// Comput. 19 (1990), doi:10.1080/03610919008812866; W. Grathwohl et al., "FFJORD: free-form continuous dynamics for scalable reversible
// generative models", 2018, arXiv:1810.01367.
func divergence(field ebm.Field, x, t, probes *Node, cond []*Node) (f, div *Node) {
	n := x.Shape().Dimensions[0]
	d := x.Shape().Size() / n
	k := d
	if probes != nil {
		k = probes.Shape().Dimensions[1]
	}
	if k > passes.OneByOne {
		return divergenceAtOnce(field, x, t, probes, cond, k)
	}
	f = ebm.FieldAt(field, x, t, cond...)
	for i := range k {
		var term *Node
		if probes == nil {
			grad := Gradient(ReduceAllSum(column(Reshape(f, n, d), i)), x)[0]
			term = column(Reshape(grad, n, d), i)
		} else {
			v := Squeeze(Slice(probes, AxisRange(), AxisElem(i)), 1) // [n, d]
			grad := Gradient(ReduceAllSum(Mul(Reshape(f, n, d), v)), x)[0]
			term = ReduceSum(Mul(Reshape(grad, n, d), v), 1)
		}
		if div == nil {
			div = term
		} else {
			div = Add(div, term)
		}
	}
	if probes != nil && k > 1 {
		div = DivScalar(div, float64(k))
	}
	return f, div
}

// divergenceAtOnce is divergence by one pass through k·n rows, the k-th n for the k-th axis or probe.
func divergenceAtOnce(field ebm.Field, x, t, probes *Node, cond []*Node, k int) (f, div *Node) {
	n := x.Shape().Dimensions[0]
	d := x.Shape().Size() / n
	var v *Node // [k, n, d]
	if probes == nil {
		v = BroadcastToDims(passes.Axes(x.Graph(), x.DType(), d), k, n, d)
	} else {
		v = Transpose(probes, 0, 1)
	}
	again := make([]*Node, len(cond))
	for i, c := range cond {
		again[i] = passes.Repeated(c, k)
	}
	many := passes.Repeated(x, k)
	f = ebm.FieldAt(field, many, passes.Repeated(t, k), again...)
	grad := Gradient(ReduceAllSum(Mul(Reshape(f, k, n, d), v)), many)[0]
	div = ReduceSum(Mul(Reshape(grad, k, n, d), v), 0, 2)
	if probes != nil {
		div = DivScalar(div, float64(k))
	}
	return Slice(f, AxisRange(0, n)), div
}

// withDensity is a velocity as a field on points together with their log density, [n, d+1]: along the flow d log p/dt = −∇·v. The first conditioning
// are probes, [n, k, event...], which tell the points' event in any case.
type withDensity struct {
	velocity ebm.Field
	exact    bool // whether the divergence is
}

// Field builds (v, −∇·v), [n, d+1], at z = (x, log p).
func (w withDensity) Field(z, t *Node, cond ...*Node) *Node {
	probes, cond := cond[0], cond[1:]
	n, d := z.Shape().Dimensions[0], z.Shape().Dimensions[1]-1
	dims := probes.Shape().Dimensions
	x := Reshape(Slice(z, AxisRange(), AxisRange(0, d)), append([]int{n}, dims[2:]...)...)
	if w.exact {
		probes = nil
	} else {
		probes = Reshape(probes, n, dims[1], d)
	}
	v, div := divergence(w.velocity, x, t, probes, cond)
	return Concatenate([]*Node{Reshape(v, n, d), Reshape(Neg(div), n, 1)}, 1)
}

// join puts log densities beside their points, [n, event...], as [n, d+1].
func join(x, logp *tensors.Tensor) (*tensors.Tensor, error) {
	points, err := host.Floats(x)
	if err != nil {
		return nil, err
	}
	last, err := host.Floats(logp)
	if err != nil {
		return nil, err
	}
	n := len(last)
	d := len(points) / n
	out := make([]float64, 0, n*(d+1))
	for i, v := range last {
		out = append(append(out, points[i*d:(i+1)*d]...), v)
	}
	return host.Tensor(x.DType(), out, n, d+1), nil
}

// split takes points, as [..., event...], from beside their log densities, of z [..., d+1].
func split(z *tensors.Tensor, event []int) (*tensors.Tensor, []float64, error) {
	all, err := host.Floats(z)
	if err != nil {
		return nil, nil, err
	}
	dims := z.Shape().Dimensions
	d := dims[len(dims)-1] - 1
	var points, logp []float64
	for ; len(all) > 0; all = all[d+1:] {
		points, logp = append(points, all[:d]...), append(logp, all[d])
	}
	return host.Tensor(z.DType(), points, append(slices.Clone(dims[:len(dims)-1]), event...)...), logp, nil
}
