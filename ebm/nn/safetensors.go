package nn

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
)

// ReadSafetensors reads the tensors of a file in the safetensors format, in which PyTorch's models come, by their names there.
//
// Errors tell of a file that is cut off or contradicts itself, and of types other than floats of 16, 32 and 64 bits and integers of
// 32 and 64.
//
// The format: https://github.com/huggingface/safetensors#format.
func ReadSafetensors(r io.Reader) (map[string]*tensors.Tensor, error) {
	const most = 1 << 27 // of the header, in bytes
	var size uint64
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return nil, errors.Wrap(err, "ReadSafetensors: the header's length")
	}
	if size > most {
		return nil, errors.Errorf("ReadSafetensors: a header of %d bytes, want at most %d", size, most)
	}
	head := make([]byte, size)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, errors.Wrap(err, "ReadSafetensors: the header")
	}
	entries := map[string]json.RawMessage{}
	if err := json.Unmarshal(head, &entries); err != nil {
		return nil, errors.Wrap(err, "ReadSafetensors: the header")
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, errors.Wrap(err, "ReadSafetensors: the data")
	}
	out := map[string]*tensors.Tensor{}
	for name, raw := range entries {
		if name == "__metadata__" {
			continue
		}
		if out[name], err = safetensor(raw, data); err != nil {
			return nil, errors.WithMessagef(err, "ReadSafetensors: %q", name)
		}
	}
	return out, nil
}

var safetensorTypes = map[string]dtypes.DType{"F64": dtypes.Float64, "F32": dtypes.Float32, "F16": dtypes.Float16, "BF16": dtypes.BFloat16, "I64": dtypes.Int64, "I32": dtypes.Int32}

// safetensor is one entry.
func safetensor(raw json.RawMessage, data []byte) (*tensors.Tensor, error) {
	var entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw, &entry); err != nil {
		return nil, err
	}
	dtype, ok := safetensorTypes[entry.DType]
	if !ok {
		return nil, errors.Errorf("the type %q is none of F64, F32, F16, BF16, I64 and I32", entry.DType)
	}
	size := dtype.Size()
	for _, d := range entry.Shape {
		if d < 1 || size > len(data)/d {
			return nil, errors.Errorf("the shape %v is not positive, or larger than the file", entry.Shape)
		}
		size *= d
	}
	begin, end := entry.Offsets[0], entry.Offsets[1]
	if begin < 0 || end > len(data) || end-begin != size {
		return nil, errors.Errorf("%s %v takes %d bytes, but its place is %v of %d", entry.DType, entry.Shape, size, entry.Offsets, len(data))
	}
	t := tensors.FromShape(shapes.Make(dtype, slices.Clone(entry.Shape)...))
	return t, t.MutableBytes(func(to []byte) { copy(to, data[begin:end]) })
}
