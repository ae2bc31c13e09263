// Package host moves floating-point numbers between tensors and the host, whatever their precision there.
package host

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Floats copies the numbers of a Float32 or Float64 tensor.
func Floats(t *tensors.Tensor) ([]float64, error) {
	if t.DType() == dtypes.Float64 {
		return tensors.CopyFlatData[float64](t)
	}
	out := make([]float64, t.Size())
	err := tensors.ConstFlatData(t, func(flat []float32) {
		for i, v := range flat {
			out[i] = float64(v)
		}
	})
	return out, err
}

// Tensor is the way back: a tensor of dtype, Float32 or Float64, with the given dimensions.
func Tensor(dtype dtypes.DType, flat []float64, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(flat, dims...)
	}
	single := make([]float32, len(flat))
	for i, v := range flat {
		single[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(single, dims...)
}
