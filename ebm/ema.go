package ebm

import (
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// emaScope is where Train keeps the averaged weights.
const emaScope = "/ema"

// updateEMA moves the averages of all trainable weights of this graph towards their new values:
// a ← d·a + (1−d)·w with d = min(decay, (1+t)/(10+t)), so that the start is forgotten soon.
func updateEMA(store *model.Store, g *Graph, decay float64, step *Node) {
	t := ConvertDType(step, dtypes.Float32)
	d := Min(Div(AddScalar(t, 1), AddScalar(t, 10)), Scalar(g, dtypes.Float32, decay))
	for v := range store.IterVariables() {
		if !v.Trainable || !v.InUseByGraph(g) {
			continue
		}
		average := averageOf(store, v)
		w := v.NodeValue(g)
		rate := ConvertDType(d, w.DType())
		average.SetNodeValue(Add(Mul(average.NodeValue(g), rate), Mul(w, OneMinus(rate))))
	}
}

// averageOf is the variable that holds v's average; it begins at v's own start, since d is 1/10 at step 0.
func averageOf(store *model.Store, v *model.Variable) *model.Variable {
	zero := func(g *Graph, shape shapes.Shape) *Node { return Zeros(g, shape) }
	return store.VariableWithShape(emaScope+v.Path(), v.Shape(), zero).SetTrainable(false)
}

// WithEMA calls fn while the store's weights are their exponential moving averages (TrainOptions.EMA), and puts the
// trained weights back after it.
func WithEMA(store *model.Store, fn func() error) error {
	if store == nil {
		return errors.New("ebm: WithEMA: the store is nil")
	}
	swapped := 0
	swap := func() error {
		swapped = 0
		for v := range store.IterVariables() {
			path, ok := strings.CutPrefix(v.Path(), emaScope+"/")
			if !ok {
				continue
			}
			weights := store.GetVariable("/" + path)
			if weights == nil {
				return errors.Errorf("ebm: WithEMA: the average %s has no weights", v.Path())
			}
			if err := exchange(weights, v); err != nil {
				return err
			}
			swapped++
		}
		return nil
	}
	if err := swap(); err != nil {
		return err
	}
	if swapped == 0 {
		return errors.New("ebm: WithEMA: the store holds no averages: train with TrainOptions.EMA > 0")
	}
	err := fn()
	if e := swap(); err == nil {
		err = e
	}
	return err
}

// exchange swaps the values of two variables.
func exchange(a, b *model.Variable) error {
	x, err := a.Value()
	if err != nil {
		return err
	}
	y, err := b.Value()
	if err != nil {
		return err
	}
	if err := a.SetValuePreservingOld(y); err != nil {
		return err
	}
	return b.SetValuePreservingOld(x)
}
