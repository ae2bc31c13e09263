package nn

import (
	"encoding/binary"
	"hash/fnv"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// noise is a source of random numbers for the start of one variable: a function of the store's seed and of the
// variable's path alone. So the same seed gives the same weights on every backend, and another layer moves no other.
//
// The seed is the state of the store's generator: Store.SetRNGStateFromSeed, or the hyperparameter
// model.ParamInitialSeed, which must be an int64; without either it comes from the operating system.
func noise(g *Graph, store *model.Store, path string) *ebm.Rand {
	state := store.GetVariable(model.JoinPath("/", model.RNGStateVariableName))
	if state == nil || !state.HasValue() {
		if err := store.ResetRNGState(); err != nil {
			panic(err)
		}
		state = store.GetVariable(model.JoinPath("/", model.RNGStateVariableName))
	}
	words, ok := state.MustValue().Value().([]uint64)
	if !ok {
		exceptions.Panicf("nn: the store's generator state must be []uint64, got %s", state.Shape())
	}
	hash := fnv.New64a()
	for _, word := range words {
		hash.Write(binary.LittleEndian.AppendUint64(nil, word))
	}
	hash.Write([]byte(path))
	sum := hash.Sum64()
	return ebm.NewRand(Const(g, []uint32{uint32(sum), uint32(sum >> 32)}), Const(g, int32(0)))
}

// variable is a weight that starts uniformly distributed in ±√(spread/fanIn).
func variable(scope *model.Scope, name string, spread float64, fanIn int, dtype dtypes.DType, dims ...int) *model.Variable {
	bound, path, store := math.Sqrt(spread/float64(fanIn)), model.JoinPath(scope.Scope(), name), scope.Store()
	start := func(g *Graph, shape shapes.Shape) *Node {
		u := noise(g, store, path).Uniform(shape)
		return MulScalar(AddScalar(MulScalar(u, 2), -1), bound)
	}
	return scope.WithInitializer(start).VariableWithShape(name, shapes.Make(dtype, dims...))
}
