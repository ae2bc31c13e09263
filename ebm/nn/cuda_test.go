package nn_test

import (
	"testing"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

// A GPU gives the field and the gradients that the pure Go backend does, with every option.
func TestCUDA(t *testing.T) {
	if !ebmtest.HasCUDA() {
		t.Skip("no NVIDIA GPU here, or no XLA plugin for one: `ebm install cuda`")
	}
	gpu, err := backend.Open("xla:cuda")
	noError(t, err)
	t.Cleanup(gpu.Finalize)
	// Tensors belong to one backend, so each has a store of its own.
	on := func(b compute.Backend, change func(*nn.ConditionalTransformer2D)) []float64 {
		store := seeded(t, 3)
		net := nn.ConditionalTransformer2D{Scope: store.Scope("/net"), Width: 32, Depth: 1, Heads: 2}
		change(&net)
		gradients(t, b, store, net, false, squares(8, 4))
		spread(t, store, "/net")
		return flat(gradients(t, b, store, net, false, squares(8, 4)))
	}
	want := on(pureGo(t), func(*nn.ConditionalTransformer2D) {})
	for name, c := range map[string]struct {
		change func(*nn.ConditionalTransformer2D)
		off    float64
	}{
		"float32":   {func(*nn.ConditionalTransformer2D) {}, 5e-3}, // a GPU's products may be TF32
		"recompute": {func(net *nn.ConditionalTransformer2D) { net.Recompute = true }, 5e-3},
		"bfloat16":  {func(net *nn.ConditionalTransformer2D) { net.Compute = dtypes.BFloat16 }, 3e-2},
	} {
		if e := apart(on(gpu, c.change), want); !(e < c.off) {
			t.Errorf("%s: %g apart, want %g", name, e, c.off)
		}
	}
}
