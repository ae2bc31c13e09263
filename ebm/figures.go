package ebm

import (
	"math"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/metric"
)

// figures is the trainer's metric: all that is watched, packed into one vector, so that a step moves one small tensor to the host.
type figures struct{ t *training }

var _ metric.Interface = figures{}

func (figures) Name() string                         { return "figures" }
func (figures) ShortName() string                    { return "figures" }
func (figures) ScopeName() string                    { return "figures" }
func (figures) MetricType() string                   { return "figures" }
func (figures) PrettyPrint(v *tensors.Tensor) string { return v.String() }
func (figures) Reset(*model.Scope)                   {}

// UpdateGraph builds the vector: loss, energies of data and negatives, norm of the gradient, spread, non-finite chains,
// swap rate.
func (f figures) UpdateGraph(*model.Scope, []*Node, []*Node) *Node {
	terms, batch := f.t.terms, f.t.batch
	dtype := dtypes.Float32
	unknown := Const(batch.Graph(), float32(math.NaN()))
	mean := func(x *Node) *Node {
		if x == nil {
			return unknown
		}
		return ConvertDType(ReduceAllMean(x), dtype)
	}
	spread, bad := unknown, unknown
	if terms.Samples != nil {
		spread = ConvertDType(Sqrt(Div(scatter(terms.Samples), scatter(batch))), dtype)
	}
	if terms.NonFinite != nil {
		bad = ConvertDType(terms.NonFinite, dtype)
	}
	return Stack([]*Node{mean(terms.Loss), mean(terms.Data), mean(terms.Negatives), ConvertDType(f.t.guard.norm, dtype), spread, bad, mean(terms.SwapRate)}, 0)
}

// scatter is the mean squared distance of the rows from their mean.
func scatter(x *Node) *Node {
	return ReduceAllMean(Square(Sub(x, ReduceAndKeep(x, ReduceMean, 0))))
}

// window sums rows of figures.
type window struct {
	sum   [7]float64
	steps int
}

func (w *window) add(v []float32) {
	for i, x := range v {
		w.sum[i] += float64(x)
	}
	w.steps++
}

// figuresOf turns a window into a row and empties it.
func (t *training) figuresOf(w *window) TrainProgress {
	n := float64(w.steps)
	p := TrainProgress{Step: t.step, Steps: t.last, Elapsed: time.Since(t.began),
		Loss: w.sum[0] / n, Data: w.sum[1] / n, Negatives: w.sum[2] / n, GradNorm: w.sum[3] / n, Spread: w.sum[4] / n, NonFinite: w.sum[5] / n,
		SwapRate: w.sum[6] / n}
	if t.seeker != nil {
		p.Epoch = t.step / t.seeker.PerEpoch()
	}
	if done := t.step - t.beganAt; done > 0 && t.last > 0 {
		p.Left = time.Duration(float64(p.Elapsed) / float64(done) * float64(t.last-t.step))
	}
	*w = window{}
	return p
}
