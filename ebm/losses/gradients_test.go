package losses_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/nn"
)

// tiny is a network in a store of its own, whose weights are those of a seed.
func tiny(t *testing.T) (*model.Store, nn.MLP) {
	t.Helper()
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(1); err != nil {
		t.Fatal(err)
	}
	return store, nn.MLP{Scope: store.Scope("/energy"), Widths: []int{4}}
}

// gradientsAgreeWithDifferences compares a loss's gradient with respect to each trainable number of the store with the central
// difference of step 10⁻⁵, in Float64, under the same noise and from the same state. It returns how many numbers it compared.
func gradientsAgreeWithDifferences(t *testing.T, b compute.Backend, store *model.Store, l ebm.Loss, x any, cond ...any) int {
	t.Helper()
	var weights []*model.Variable
	exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
		g := in[0].Graph()
		loss := l.Loss(in[0], ebm.NewRand(Const(g, []uint32{1, 2}), Const(g, int32(3))), in[1:]...).Loss
		weights = nil
		for v := range store.IterVariables() {
			if v.Trainable && v.InUseByGraph(g) {
				weights = append(weights, v)
			}
		}
		return append([]*Node{loss}, scope.BuildTrainableVariablesGradientsGraph(loss)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	state := map[*model.Variable]*tensors.Tensor{}
	call := func() []*tensors.Tensor {
		for v, value := range state { // chains, ladders and rates go on from call to call
			if err := v.SetValue(clone(t, value)); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Call(append([]any{x}, cond...)...)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		return out
	}
	call()
	for v := range store.IterVariables() {
		state[v] = clone(t, v.MustValue())
	}
	out, count := call(), 0
	const h = 1e-5
	for i, v := range weights {
		start := state[v]
		for j, got := range tensors.MustCopyFlatData[float64](out[1+i]) {
			at := func(step float64) float64 {
				flat := tensors.MustCopyFlatData[float64](start)
				flat[j] += step
				state[v] = tensors.FromFlatDataAndDimensions(flat, start.Shape().Dimensions...)
				return tensors.ToScalar[float64](call()[0])
			}
			if want := (at(h) - at(-h)) / (2 * h); !(math.Abs(got-want) <= 1e-7*max(1, math.Abs(want))) {
				t.Errorf("%s[%d]: gradient %.10g, differences give %.10g", v.Path(), j, got, want)
			}
			count++
		}
		state[v] = start
	}
	return count
}

func clone(t *testing.T, x *tensors.Tensor) *tensors.Tensor {
	t.Helper()
	y, err := x.LocalClone()
	if err != nil {
		t.Fatal(err)
	}
	return y
}
