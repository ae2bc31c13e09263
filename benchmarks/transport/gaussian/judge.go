package gaussian

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/flow"
)

const times = 20 // and the start

// judge is the mean divergence along a kernel's way of so many steps from the test points.
func judge(ctx context.Context, b compute.Backend, store *model.Store, k ebm.Kernel, steps int, test *datasets.Data, seed uint64) (mean KL, err error) {
	start, err := test.Tensor(dtypes.Float32)
	if err != nil {
		return mean, err
	}
	sampler, err := ebm.NewSampler(b, store, flow.NoEnergy, k)
	if err != nil {
		return mean, err
	}
	defer sampler.Finalize()
	out, err := sampler.Sample(ctx, ebm.Options{Start: start, Steps: steps, Thin: steps / times, Seed: seed, Trajectory: true})
	if err != nil {
		return mean, err
	}
	path, err := tensors.CopyFlatData[float32](out.Trajectory) // [n, times, dim]
	if err != nil {
		return mean, err
	}
	dim := test.Dim
	x := make([]float64, len(test.X))
	for i := range times + 1 {
		for p := range test.Len() {
			row := test.Row(p)
			if i > 0 {
				row = path[(p*times+i-1)*dim : (p*times+i)*dim]
			}
			for k, v := range row {
				x[p*dim+k] = float64(v)
			}
		}
		if err := mean.add(x, dim, float64(i)/times); err != nil {
			return mean, err
		}
	}
	return mean, nil
}

// truth is the same for independent points of the bridge.
func truth(n, dim int, rng *rand.Rand) (mean KL, err error) {
	x := make([]float64, n*dim)
	for i := range times + 1 {
		t := float64(i) / times
		m, variance := marginal(t)
		for j, v := range cloud(n, dim, m, math.Sqrt(variance), rng).X {
			x[j] = float64(v)
		}
		if err := mean.add(x, dim, t); err != nil {
			return mean, err
		}
	}
	return mean, nil
}

// add adds one time's share to a mean.
func (k *KL) add(x []float64, dim int, t float64) error {
	kl, err := divergence(x, dim, t)
	k.Full, k.Diagonal = k.Full+kl.Full/(times+1), k.Diagonal+kl.Diagonal/(times+1)
	return err
}
