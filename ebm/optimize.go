package ebm

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// gradientOptimizer is what GoMLX's optimizers offer beside optimizer.Interface.
type gradientOptimizer interface {
	optimizer.Interface
	UpdateGraphWithGradients(scope *model.Scope, grads []*Node, lossDType dtypes.DType)
}

// guarded is an optimizer behind a learning-rate schedule, a clip by global norm, and a guard: a gradient that is not
// finite counts as zero, so that it can be reported before it has spoilt the weights.
type guarded struct {
	gradientOptimizer
	rate     float64
	schedule Schedule // overrides rate
	clip     float64  // 0: no clipping
	norm     *Node    // of the gradient, set while a graph is built
}

// UpdateGraph builds the update of all trainable weights.
func (o *guarded) UpdateGraph(scope *model.Scope, g *Graph, loss *Node) {
	grads := scope.BuildTrainableVariablesGradientsGraph(loss)
	sum := ScalarZero(g, loss.DType())
	for _, grad := range grads {
		sum = Add(sum, ReduceAllSum(Square(ConvertDType(grad, loss.DType()))))
	}
	o.norm = Sqrt(sum)
	finite := And(IsFinite(o.norm), IsFinite(loss))
	scale := ScalarOne(g, loss.DType())
	if o.clip > 0 {
		scale = Min(scale, Div(Scalar(g, loss.DType(), o.clip), Max(o.norm, Scalar(g, loss.DType(), 1e-12))))
	}
	for i, grad := range grads {
		safe := Where(finite, grad, ZerosLike(grad))
		grads[i] = Mul(safe, ConvertDType(Where(finite, scale, ScalarZero(g, loss.DType())), grad.DType()))
	}
	rate := optimizer.LearningRateVarWithValue(scope, loss.DType(), o.rate)
	if o.schedule != nil {
		rate.SetNodeValue(o.schedule.At(trainStep(g), loss.DType()))
	}
	o.UpdateGraphWithGradients(scope, grads, loss.DType())
}

// trainStep is the number of training steps done, an Int32 scalar: GoMLX's global step before this step's increment.
func trainStep(g *Graph) *Node {
	return ConvertDType(optimizer.GetGlobalStepVar(model.GetStore(g)).NodeValue(g), dtypes.Int32)
}
