package main

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/metrics"
)

// judge is the tutorials' classifier: a perceptron of 64-256-256-32-10.
type judge struct{ scope *model.Scope }

func (j judge) layers(x *Node) (features, logits *Node) {
	h := Reshape(x, x.Shape().Dimensions[0], 64)
	for i, width := range []int{256, 256, 32} {
		h = activation.Relu(layers.DenseWithBias(j.scope.At("layer_%d", i), h, width))
	}
	return h, layers.DenseWithBias(j.scope.At("logits"), h, 10)
}

// Loss is the cross-entropy of pictures that have been moved by up to a pixel each way, and have noise on them.
func (j judge) Loss(x *Node, rng *ebm.Rand, labels ...*Node) ebm.Terms {
	x = Add(moved(x, rng), MulScalar(rng.Normal(x.Shape()), .3))
	_, logits := j.layers(x)
	right := OneHot(labels[0], 10, x.DType())
	return ebm.Terms{Loss: Neg(ReduceAllMean(ReduceSum(Mul(right, LogSoftmax(logits, -1)), -1)))}
}

// moved shifts each picture by a random part of a pixel: the mean of nine whole shifts, weighted as bilinear interpolation does.
func moved(x *Node, rng *ebm.Rand) *Node {
	n, one := x.Shape().Dimensions[0], compute.PadAxis{Start: 1, End: 1}
	wide := Pad(x, Scalar(x.Graph(), x.DType(), -1), compute.PadAxis{}, one, one, compute.PadAxis{}) // −1 is no ink
	weights := func() [3]*Node {
		d := AddScalar(MulScalar(rng.Uniform(shapes.Make(x.DType(), n, 1, 1, 1)), 2), -1)
		return [3]*Node{MaxScalar(Neg(d), 0), OneMinus(Abs(d)), MaxScalar(d, 0)}
	}
	down, right, sum := weights(), weights(), ZerosLike(x)
	for i := range 9 {
		part := Slice(wide, AxisRange(), AxisRange(i/3, i/3+8), AxisRange(i%3, i%3+8), AxisRange())
		sum = Add(sum, Mul(part, Mul(down[i/3], right[i%3])))
	}
	return sum
}

// pictures are rows of 64 numbers as pictures.
func pictures(x []float32) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(x, len(x)/64, 8, 8, 1)
}

// trainJudge trains the judge, the same one for all models.
func (e *experiment) trainJudge() error {
	store, steps := model.NewStore(), e.size(3000, 50)
	j := judge{store.Scope("/judge")}
	_, err := ebm.Train(e.ctx, e.backend, store, j, &datasets.Batches{Data: e.train, Size: 128, Labels: true, Seed: 1},
		ebm.TrainOptions{Steps: steps, Seed: 1, WeightDecay: 1e-2, Schedule: ebm.Cosine{Start: 3e-3, End: 1e-5, Steps: steps}})
	if err != nil {
		return err
	}
	e.look, err = model.NewExec(e.backend, store, func(_ *model.Scope, x *Node) (*Node, *Node) { return j.layers(x) })
	if err != nil {
		return err
	}
	e.heldFeatures, _, err = e.looks(e.held.X)
	return err
}

// looks are the judge's features of pictures, and its names for them.
func (e *experiment) looks(x []float32) (features []float32, names []int32, err error) {
	seen, logits, err := e.look.Call2(pictures(x))
	if err != nil {
		return nil, nil, err
	}
	rows, err := tensors.CopyFlatData[float32](logits)
	if err != nil {
		return nil, nil, err
	}
	for row := range slices.Chunk(rows, 10) {
		names = append(names, int32(slices.Index(row, slices.Max(row))))
	}
	features, err = tensors.CopyFlatData[float32](seen)
	return features, names, err
}

// right is the share of pictures that the judge gives their labels.
func (e *experiment) right(x []float32, labels []int32) (float64, error) {
	_, names, err := e.looks(x)
	hits := 0.
	for i := range names {
		if names[i] == labels[i] {
			hits++
		}
	}
	return hits / float64(len(labels)), err
}

// distances writes those of pictures to the held-out digits: Fréchet in the judge's features, sliced W2 and MMD of pixels.
func (e *experiment) distances(f *Figures, x []float32) error {
	features, _, err := e.looks(x)
	if err != nil {
		return err
	}
	if f.Frechet, err = (metrics.Frechet{}).Between(features, e.heldFeatures, 32); err != nil {
		return err
	}
	if f.SlicedW2, err = (metrics.SlicedWasserstein{}).Between(x, e.held.X, 64); err != nil {
		return err
	}
	f.MMD, err = metrics.MMD{}.Between(x, e.held.X, 64)
	return err
}

// judged are the judge's share of held-out digits named right, and the distances between random halves of all digits.
func (e *experiment) judged() (right float64, floors map[string]metrics.Noise, err error) {
	if right, err = e.right(e.held.X, e.held.Labels); err != nil {
		return 0, nil, err
	}
	all := slices.Concat(e.train.X, e.held.X)
	features, _, err := e.looks(all)
	if err != nil {
		return 0, nil, err
	}
	floors = map[string]metrics.Noise{}
	for name, m := range map[string]struct {
		of  metrics.Distance
		x   []float32
		dim int
	}{"frechet": {metrics.Frechet{}, features, 32}, "sliced_w2": {metrics.SlicedWasserstein{}, all, 64}, "mmd": {metrics.MMD{}, all, 64}} {
		if floors[name], err = metrics.FloorOfHalves(m.of, m.x, m.dim, e.size(10, 2), 1); err != nil {
			return 0, nil, err
		}
	}
	return right, floors, nil
}
