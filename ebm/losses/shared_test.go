package losses

import (
	"context"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/goebm/goebm/ebm"
)

// refused checks that the graph of each loss, on a batch of one point, is an error with the text that it goes by.
func refused[L ebm.Loss](t *testing.T, b compute.Backend, losses map[string]L) {
	t.Helper()
	for want, l := range losses {
		exec, err := model.NewExec(b, model.NewStore(), func(_ *model.Scope, in []*Node) []*Node {
			return []*Node{l.Loss(in[0], ebm.NewRand(Const(in[0].Graph(), []uint32{1, 2}), Const(in[0].Graph(), int32(3)))).Loss}
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = exec.Call([][]float64{{1, 2}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want one with %q", err, want)
		}
		exec.Finalize()
	}
}

// fitsInLoop checks that nothing in a loss of data, [8, 2], keeps training from taking many steps in one loop on XLA. The conditioning has the
// shapes of a flow.Paired, where it is paired.
func fitsInLoop(t *testing.T, b compute.Backend, l ebm.Loss, paired bool) {
	t.Helper()
	g := NewGraph(b, "loss")
	defer g.Finalize()
	x, w := Parameter(g, "", shapes.Make(dtypes.Float32, 8, 2)), Parameter(g, "", shapes.Make(dtypes.Float32, 8))
	var cond []*Node
	if paired {
		cond = []*Node{x, w}
	}
	l.Loss(x, ebm.NewRand(Const(g, []uint32{1, 2}), Const(g, int32(3))), cond...)
	for _, node := range g.Nodes() {
		switch node.Type() {
		case NodeTypeWhile, NodeTypeIf, NodeTypeSort, NodeTypeCall:
			t.Errorf("the loss has a node of type %s", node.Type())
		}
	}
}

// trainedTo gives the weights after a training with checkpoints in dir that was stopped after each number of steps but the last, each part
// with a store, a loss and data of its own.
func trainedTo(t *testing.T, b compute.Backend, parts func(store *model.Store) (ebm.Loss, train.Dataset), dir string, steps ...int) (weights []float32) {
	t.Helper()
	var store *model.Store
	for _, n := range steps {
		store = model.NewStore()
		l, data := parts(store)
		if _, err := ebm.Train(context.Background(), b, store, l, data, ebm.TrainOptions{Steps: n, Seed: 3, Checkpoint: dir}); err != nil {
			t.Fatalf("%+v", err)
		}
	}
	for v := range store.IterVariables() {
		if v.Trainable {
			weights = append(weights, tensors.MustCopyFlatData[float32](v.MustValue())...)
		}
	}
	return weights
}
