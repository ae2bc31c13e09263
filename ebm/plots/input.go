package plots

import (
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
)

// pointsOf reads points in the plane, as rows of x and y; caller and arg name the argument in errors.
func pointsOf(caller, arg string, v any) ([][2]float64, error) {
	var out [][2]float64
	row := func(i, n int, x, y func() float64) error {
		if n != 2 {
			return errors.Errorf("%s: %s[%d] has %d coordinates, want 2", caller, arg, i, n)
		}
		out = append(out, [2]float64{x(), y()})
		return nil
	}
	var err error
	switch v := v.(type) {
	case *tensors.Tensor:
		if v == nil || !v.Ok() {
			return nil, errors.Errorf("%s: %s is a nil or finalized tensor", caller, arg)
		}
		if d := v.Shape().Dimensions; len(d) != 2 || d[1] != 2 {
			return nil, errors.Errorf("%s: %s has shape %v, want [n 2]", caller, arg, d)
		}
		var flat []float64
		if flat, err = flatOf(caller, arg, v); err == nil {
			for i := 0; i+1 < len(flat); i += 2 {
				out = append(out, [2]float64{flat[i], flat[i+1]})
			}
		}
	case [][]float32:
		for i, p := range v {
			if err == nil {
				err = row(i, len(p), func() float64 { return float64(p[0]) }, func() float64 { return float64(p[1]) })
			}
		}
	case [][]float64:
		for i, p := range v {
			if err == nil {
				err = row(i, len(p), func() float64 { return p[0] }, func() float64 { return p[1] })
			}
		}
	case [][2]float32:
		for _, p := range v {
			out = append(out, [2]float64{float64(p[0]), float64(p[1])})
		}
	case [][2]float64:
		out = append(out, v...)
	default:
		return nil, errors.Errorf("%s: %s is a %T, want a tensor [n 2], [][]float32, [][]float64, [][2]float32 or [][2]float64", caller, arg, v)
	}
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, errors.Errorf("%s: %s is empty", caller, arg)
	}
	for i, p := range out {
		if !finite(p[0]) || !finite(p[1]) {
			return nil, errors.Errorf("%s: %s[%d] is (%v, %v), want numbers within ±1e100", caller, arg, i, p[0], p[1])
		}
	}
	return out, nil
}

// seriesOf reads a row of finite numbers.
func seriesOf(caller, arg string, v any) ([]float64, error) {
	var out []float64
	switch v := v.(type) {
	case *tensors.Tensor:
		if v == nil || !v.Ok() {
			return nil, errors.Errorf("%s: %s is a nil or finalized tensor", caller, arg)
		}
		if v.Shape().Rank() != 1 {
			return nil, errors.Errorf("%s: %s has shape %v, want [n]", caller, arg, v.Shape().Dimensions)
		}
		flat, err := flatOf(caller, arg, v)
		if err != nil {
			return nil, err
		}
		out = flat
	case []float32:
		out = widen(v)
	case []float64:
		out = append(out, v...)
	case []int:
		out = widen(v)
	default:
		return nil, errors.Errorf("%s: %s is a %T, want a tensor [n], []float32, []float64 or []int", caller, arg, v)
	}
	if len(out) == 0 {
		return nil, errors.Errorf("%s: %s is empty", caller, arg)
	}
	for i, x := range out {
		if !finite(x) {
			return nil, errors.Errorf("%s: %s[%d] is %v, want a number within ±1e100", caller, arg, i, x)
		}
	}
	return out, nil
}

// flatOf copies a tensor's numbers.
func flatOf(caller, arg string, t *tensors.Tensor) (flat []float64, err error) {
	accessErr := t.ConstFlatData(func(data any) {
		switch data := data.(type) {
		case []float32:
			flat = widen(data)
		case []float64:
			flat = append(flat, data...)
		case []int32:
			flat = widen(data)
		case []int64:
			flat = widen(data)
		default:
			err = errors.Errorf("%s: %s has dtype %s, want Float32, Float64, Int32 or Int64", caller, arg, t.DType())
		}
	})
	if accessErr != nil {
		return nil, errors.WithMessagef(accessErr, "%s: %s", caller, arg)
	}
	return flat, err
}

func widen[T float32 | int | int32 | int64](v []T) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// finite leaves out what would overflow in sums and products too.
func finite(x float64) bool { return math.Abs(x) <= 1e100 }

// one returns the only style given, or its zero value.
func one[S any](caller string, styles []S) (s S, err error) {
	if len(styles) > 1 {
		return s, errors.Errorf("%s: style given %d times, want at most once", caller, len(styles))
	}
	if len(styles) == 1 {
		s = styles[0]
	}
	return s, nil
}

// nonNegative checks a size; 0 asks for the default.
func nonNegative(caller, arg string, v float64) error {
	if !finite(v) || v < 0 {
		return errors.Errorf("%s: %s is %v, want a finite number ≥ 0", caller, arg, v)
	}
	return nil
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
