package verify

import (
	"runtime"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// matrix copies [n, event...] to the host, as n rows of d numbers; counts and truths too, these as 0 and 1.
func matrix(x *tensors.Tensor) (flat []float64, d int, err error) {
	d = x.Size() / x.Shape().Dimensions[0]
	accessed := x.ConstFlatData(func(data any) {
		switch data := data.(type) {
		case []float64:
			flat = slices.Clone(data)
		case []float32:
			flat = asFloats(data, func(v float32) float64 { return float64(v) })
		case []int32:
			flat = asFloats(data, func(v int32) float64 { return float64(v) })
		case []bool:
			flat = asFloats(data, func(v bool) float64 { return map[bool]float64{true: 1}[v] })
		default:
			err = errors.Errorf("verify: a state entry must be Float32, Float64, Int32 or Bool, got %s", x.Shape())
		}
	})
	if accessed != nil {
		err = accessed
	}
	return flat, d, err
}

func asFloats[T any](data []T, float func(T) float64) []float64 {
	out := make([]float64, len(data))
	for i, v := range data {
		out[i] = float(v)
	}
	return out
}

// inParallel calls fn(0), …, fn(n−1) on all cores.
func inParallel(n int, fn func(i int)) {
	var group sync.WaitGroup
	workers := min(n, runtime.GOMAXPROCS(0))
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				fn(i)
			}
		})
	}
	group.Wait()
}

// call builds a graph, runs it once and frees it. Whatever building it panics with is returned as an error.
func call(b compute.Backend, store *model.Store, fn func(in []*graph.Node) []*graph.Node, args ...any) (out []*tensors.Tensor, err error) {
	if store == nil {
		store = model.NewStore()
	}
	defer recovered(&err)
	exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*graph.Node) (out []*graph.Node) {
		// On a panic with anything but an error GoMLX leaves the compilation pending, and hangs when finalized.
		if err := func() (err error) { defer recovered(&err); out = fn(in); return nil }(); err != nil {
			panic(err)
		}
		for i := range out {
			out[i] = graph.Identity(out[i]) // the Go backend fails where the last node needed precedes an unused parameter
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	return exec.Call(args...)
}

// recovered makes an error of a panic; it is to be deferred.
func recovered(err *error) {
	switch thrown := recover().(type) {
	case nil:
	case error:
		*err = thrown
	default:
		*err = errors.Errorf("verify: %v", thrown)
	}
}
