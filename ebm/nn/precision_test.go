package nn_test

import (
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// spread gives every weight under a scope a value of its own, of variance 1/inputs, so that gates are open and units near 1.
func spread(t *testing.T, store *model.Store, scope string) {
	t.Helper()
	k := 0.0
	for v := range store.Scope(scope).IterVariables() {
		dims := v.Shape().Dimensions
		scale := 0.1
		if len(dims) > 1 {
			scale = math.Sqrt(2 / float64(dims[0]))
		}
		flat := make([]float64, v.Shape().Size())
		for i := range flat {
			k++
			flat[i] = scale * math.Sin(k*k)
		}
		noError(t, v.SetValue(host.Tensor(v.Shape().DType, flat, dims...)))
	}
}

// squares are n pictures of side×side pixels, [n, side, side, 1].
func squares(n, side int) *tensors.Tensor {
	flat := make([]float32, n*side*side)
	for i := range flat {
		flat[i] = float32(1.5 * math.Sin(float64(i*i)))
	}
	return tensors.FromFlatDataAndDimensions(flat, n, side, side, 1)
}

// gradients are a field's values and the gradients of their mean square by x and by all weights under /net; and, with twice, the gradient
// by all weights of the squared gradient by x of the field's dot energy.
func gradients(t *testing.T, b compute.Backend, store *model.Store, net ebm.Field, twice bool, in ...any) [][]float64 {
	t.Helper()
	out := call(t, b, store, true, func(in []*Node) []*Node {
		weights := func() (w []*Node) {
			for v := range store.Scope("/net").IterVariables() {
				w = append(w, v.NodeValue(in[0].Graph()))
			}
			return w
		}
		if twice {
			_, slope := ebm.ValueGrad(ebm.DotEnergy{Of: net}, in[0])
			return Gradient(ReduceAllSum(Square(slope)), weights()...)
		}
		f := net.Field(in[0], AddScalar(ebm.ZeroTime(in[0]), 0.3))
		return append([]*Node{f}, Gradient(ReduceAllMean(Square(f)), append(weights(), in[0])...)...)
	}, in...)
	values := make([][]float64, len(out))
	for i, o := range out {
		v, err := host.Floats(o)
		noError(t, err)
		values[i] = v
	}
	return values
}

// apart is |a − b| / |b|.
func apart(a, b []float64) float64 {
	var d, s float64
	for i := range a {
		d += (a[i] - b[i]) * (a[i] - b[i])
		s += b[i] * b[i]
	}
	return math.Sqrt(d / s)
}

// flat is all of them in one.
func flat(parts [][]float64) (all []float64) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// The insides of blocks that gradients build again give the gradients that kept ones do, and the gradients of gradients.
func TestRecompute(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store, x := seeded(t, 3), squares(3, 4)
		kept := nn.ConditionalTransformer2D{Scope: store.Scope("/net"), Width: 8, Depth: 1, Heads: 2, HeadWidth: 12, HeadDepth: 1}
		gradients(t, b, store, kept, false, x)
		spread(t, store, "/net")
		built := kept
		built.Recompute = true
		for _, twice := range []bool{false, true} {
			if twice && b.Name() == "xla" { // the graph is the same, and XLA compiles it for long
				continue
			}
			want, got := gradients(t, b, store, kept, twice, x), gradients(t, b, store, built, twice, x)
			if e := apart(flat(got), flat(want)); !(e < 1e-5) {
				t.Errorf("gradients, twice %v: %g apart", twice, e)
			}
		}
	})
}

// Products of bfloat16 leave the field and its gradients within their rounding of those of float32, weights float32, and training as it is.
func TestCompute(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store, x := seeded(t, 3), squares(8, 4)
		for name, nets := range map[string][2]ebm.Field{
			"transformer": {nn.ConditionalTransformer2D{Scope: store.Scope("/net"), Width: 32, Depth: 1, Heads: 2},
				nn.ConditionalTransformer2D{Scope: store.Scope("/net"), Width: 32, Depth: 1, Heads: 2, Compute: dtypes.BFloat16}},
			"MLP": {nn.TimeConditionedMLP{Scope: store.Scope("/net/mlp"), Width: 32, Depth: 2},
				nn.TimeConditionedMLP{Scope: store.Scope("/net/mlp"), Width: 32, Depth: 2, Compute: dtypes.BFloat16}},
			"MLP, concat": {nn.TimeConditionedMLP{Scope: store.Scope("/net/concat"), Width: 32, Depth: 2, Concat: true},
				nn.TimeConditionedMLP{Scope: store.Scope("/net/concat"), Width: 32, Depth: 2, Concat: true, Compute: dtypes.BFloat16}},
		} {
			if b.Name() == "xla" && name != "transformer" { // to save time
				continue
			}
			gradients(t, b, store, nets[0], false, x)
			spread(t, store, "/net")
			want, got := gradients(t, b, store, nets[0], false, x), gradients(t, b, store, nets[1], false, x)
			field, gradient := apart(got[0], want[0]), apart(flat(got[1:]), flat(want[1:]))
			t.Logf("%s: the field is %.2g off, its gradients %.2g", name, field, gradient)
			if !(field < 2e-2 && gradient < 3e-2 && field > 1e-5) {
				t.Errorf("%s: the field is %g off, its gradients %g", name, field, gradient)
			}
		}
		for v := range store.Scope("/net").IterVariables() {
			if v.Shape().DType != dtypes.Float32 {
				t.Errorf("the weight %s is %s", v.Name(), v.Shape())
			}
		}
	})
	bad := nn.TimeConditionedMLP{Scope: model.NewStore().Scope("/net"), Compute: dtypes.Int32}
	if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), "Compute must be a type of floating-point numbers") {
		t.Errorf("Compute Int32: %v", err)
	}
}

// Training with products of bfloat16 lowers the loss as far as with those of float32.
func TestComputeTraining(t *testing.T) {
	b := pureGo(t)
	digits, err := datasets.Digits()
	noError(t, err)
	last := map[dtypes.DType]float64{}
	for _, compute := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		store := seeded(t, 1)
		net := nn.ConditionalTransformer2D{Scope: store.Scope("/net"), Width: 16, Depth: 1, Heads: 2, Compute: compute}
		data := &datasets.Batches{Data: digits, Size: 64, Seed: 1}
		report, err := ebm.Train(t.Context(), b, store, losses.FlowMatching{Field: net}, data, ebm.TrainOptions{Epochs: 3, LearningRate: 5e-3, Seed: 1})
		noError(t, err)
		first := report.History[0].Loss
		last[compute] = report.History[len(report.History)-1].Loss
		t.Logf("%s: loss %.4f in the first epoch, %.4f in the last", compute, first, last[compute])
		if !(last[compute] < 0.8*first) {
			t.Errorf("%s: the loss falls from %g to %g only", compute, first, last[compute])
		}
	}
	if a, b := last[dtypes.BFloat16], last[dtypes.Float32]; !(math.Abs(a-b) < 0.02*b) {
		t.Errorf("the loss is %g with bfloat16, %g with float32", a, b)
	}
}
