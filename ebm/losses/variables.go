package losses

import (
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// storeOf is the store behind a graph; what names who needs it, and for what.
func storeOf(g *Graph, what string) *model.Store {
	store := model.GetStore(g)
	if store == nil {
		exceptions.Panicf("%s a model.Store: build the loss in a model.Exec or with ebm.Train", what)
	}
	return store
}

// kept is a variable of a loss's own, which starts at 0 and no optimiser touches.
func kept(store *model.Store, path string, dtype dtypes.DType, dims ...int) *model.Variable {
	return store.VariableWithShape(path, shapes.Make(dtype, dims...), zeros).SetTrainable(false)
}

func zeros(g *Graph, shape shapes.Shape) *Node { return Zeros(g, shape) }

// read copies the numbers of a variable, which is there once a loss was trained.
func read(store *model.Store, path string) ([]float64, error) {
	if store == nil {
		return nil, errors.New("the store is nil")
	}
	v := store.GetVariable(path)
	if v == nil || !v.HasValue() {
		return nil, errors.Errorf("the store has no %s: the loss was not trained with it", path)
	}
	value, err := v.Value()
	if err != nil {
		return nil, err
	}
	return host.Floats(value)
}
