package samplers

import (
	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// gradientsAt computes ∇E at all points of a trajectory, [n, kept, event...], in the same order. Each draw of all chains is one call,
// so that conditioning keeps its rows.
func gradientsAt(b compute.Backend, store *model.Store, e ebm.Energy, out *ebm.Samples) (gradients []float64, err error) {
	thrown := exceptions.TryCatch[error](func() { gradients, err = gradientRows(b, store, e, out) })
	if thrown != nil {
		err = thrown
	}
	return gradients, err
}

func gradientRows(b compute.Backend, store *model.Store, e ebm.Energy, out *ebm.Samples) ([]float64, error) {
	if store == nil {
		store = model.NewStore()
	}
	exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
		_, grad := ebm.ValueGrad(e, in[0], in[1:]...)
		return []*Node{Identity(grad)}
	})
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	flat, err := host.Floats(out.Trajectory)
	if err != nil {
		return nil, err
	}
	dims := out.X.Shape().Dimensions
	n, kept := dims[0], out.Trajectory.Shape().Dimensions[1]
	d := len(flat) / (n * kept)
	gradients, at := make([]float64, len(flat)), make([]float64, n*d)
	for j := range kept {
		for i := range n {
			copy(at[i*d:(i+1)*d], flat[(i*kept+j)*d:])
		}
		args := []any{host.Tensor(out.X.DType(), at, dims...)}
		for _, c := range out.Checkpoint.Cond {
			args = append(args, c)
		}
		grad, err := exec.Call1(args...)
		if err != nil {
			return nil, err
		}
		values, err := host.Floats(grad)
		if err != nil {
			return nil, err
		}
		for i := range n {
			copy(gradients[(i*kept+j)*d:(i*kept+j+1)*d], values[i*d:])
		}
		if err := grad.FinalizeAll(); err != nil {
			return nil, err
		}
	}
	return gradients, nil
}
