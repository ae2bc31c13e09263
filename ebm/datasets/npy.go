package datasets

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pkg/errors"
	"github.com/sbinet/npyio/npy"
)

// ReadNPY reads points from a NumPy array file: shape [n, event...], or [n] for points of one coordinate. Any real dtype of 1
// to 8 bytes, C or Fortran order, either byte order; the values become float32. There are no labels.
//
// A header that disagrees with the file's size, a dtype that is not a real number, and a value that is not finite or does not
// fit in float32 are errors that name the file, and the row and column (counted from 0, as NumPy does). Memory stays within a
// small multiple of the file's size.
func ReadNPY(path string) (*Data, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	d, err := readNPY(content, path)
	if err != nil {
		return nil, err
	}
	d.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return d, nil
}

func readNPY(content []byte, name string) (d *Data, err error) {
	defer func() { // npyio indexes a malformed header without checking it
		if p := recover(); p != nil {
			d, err = nil, errors.Errorf("%s: malformed NPY header (%v)", name, p)
		}
	}()
	if err := checkPreamble(content, name); err != nil {
		return nil, err
	}
	rest := bytes.NewReader(content)
	r, err := npy.NewReader(rest)
	if err != nil {
		return nil, errors.Wrapf(err, "%s: NPY header", name)
	}
	header := r.Header.Descr
	shape := header.Shape
	if len(shape) == 0 {
		return nil, errors.Errorf("%s: shape () is a single number, want [n, event...]", name)
	}
	n := shape[0]
	event := shape[1:]
	if len(event) == 0 {
		event = []int{1}
	}
	kind := npy.TypeFrom(header.Type)
	if kind == nil || kind.Kind() == reflect.String || kind.Kind() == reflect.Complex64 || kind.Kind() == reflect.Complex128 {
		return nil, errors.Errorf("%s: dtype %.40q, want a real number of 1 to 8 bytes", name, header.Type)
	}
	dim := 1
	for _, s := range append([]int{n}, event...) {
		if s < 1 {
			return nil, errors.Errorf("%s: shape %v has no elements", name, shape)
		}
		if s > len(content)/dim { // a value takes at least a byte; this also keeps the product from overflowing
			return nil, errors.Errorf("%s: shape %v is larger than the file of %d bytes", name, shape, len(content))
		}
		dim *= s
	}
	total := dim
	dim /= n
	if want := total * int(kind.Size()); rest.Len() != want { // npyio takes a file that ends early as zeros
		return nil, errors.Errorf("%s: %d bytes of data, want %d for shape %v of %s", name, rest.Len(), want, shape, kind)
	}
	values, err := readValues(r, name, kind)
	if err != nil {
		return nil, err
	}
	x := make([]float32, total)
	for i, v := range values {
		at := i
		if header.Fortran {
			at = rowMajor(i, shape)
		}
		if x[at] = float32(v); math.IsNaN(v) || math.IsInf(float64(x[at]), 0) {
			why := "is not finite"
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				why = "does not fit in float32"
			}
			return nil, errors.Errorf("%s: row %d, column %d: %g %s", name, at/dim, at%dim, v, why)
		}
	}
	d = &Data{X: x, Dim: dim}
	if len(event) > 1 {
		d.Event = event
	}
	return d, d.Validate()
}

// checkPreamble looks at what npyio trusts: the magic, the version and the length of the header, which it allocates at once.
func checkPreamble(content []byte, name string) error {
	if len(content) < 12 || !bytes.Equal(content[:6], npy.Magic[:]) {
		return errors.Errorf("%s: not an NPY file", name)
	}
	length := int64(binary.LittleEndian.Uint16(content[8:]))
	switch content[6] {
	case 1:
	case 2:
		length = int64(binary.LittleEndian.Uint32(content[8:]))
	default:
		return errors.Errorf("%s: NPY version %d.%d, want 1 or 2", name, content[6], content[7])
	}
	if length > int64(len(content)) {
		return errors.Errorf("%s: NPY header of %d bytes in a file of %d", name, length, len(content))
	}
	return nil
}

// readValues decodes the elements in the order of the file.
func readValues(r *npy.Reader, name string, kind reflect.Type) ([]float64, error) {
	switch kind.Kind() {
	case reflect.Bool:
		var v []bool
		err := r.Read(&v)
		out := make([]float64, len(v))
		for i, b := range v {
			if b {
				out[i] = 1
			}
		}
		return out, errors.Wrap(err, name)
	case reflect.Int8:
		return decode[int8](r, name)
	case reflect.Int16:
		return decode[int16](r, name)
	case reflect.Int32:
		return decode[int32](r, name)
	case reflect.Int64:
		return decode[int64](r, name)
	case reflect.Uint8:
		return decode[uint8](r, name)
	case reflect.Uint16:
		return decode[uint16](r, name)
	case reflect.Uint32:
		return decode[uint32](r, name)
	case reflect.Uint64:
		return decode[uint64](r, name)
	case reflect.Float32:
		return decode[float32](r, name)
	}
	return decode[float64](r, name)
}

func decode[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64](r *npy.Reader, name string) ([]float64, error) {
	var v []T
	if err := r.Read(&v); err != nil {
		return nil, errors.Wrap(err, name)
	}
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out, nil
}

// rowMajor is the row-major position of element i of a Fortran-ordered array.
func rowMajor(i int, shape []int) int {
	at, stride := 0, 1
	strides := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		strides[a] = stride
		stride *= shape[a]
	}
	for a, s := range shape { // the first index runs fastest
		at += i % s * strides[a]
		i /= s
	}
	return at
}
