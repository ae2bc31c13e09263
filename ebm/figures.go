package ebm

import (
	"math"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// numFigures is how many numbers are watched.
const numFigures = 7

// figures packs all that is watched into one vector, so that a step moves one small tensor to the host: loss, energies of data and
// negatives, norm of the gradient, spread, non-finite chains, swap rate.
func figures(terms Terms, batch, norm *Node) *Node {
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
	return Stack([]*Node{mean(terms.Loss), mean(terms.Data), mean(terms.Negatives), ConvertDType(norm, dtype), spread, bad, mean(terms.SwapRate)}, 0)
}

// scatter is the mean squared distance of the rows from their mean.
func scatter(x *Node) *Node {
	return ReduceAllMean(Square(Sub(x, ReduceAndKeep(x, ReduceMean, 0))))
}

// window sums rows of figures.
type window struct {
	sum   [numFigures]float64
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
