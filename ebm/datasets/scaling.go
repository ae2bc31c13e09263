package datasets

import (
	"math"

	"github.com/pkg/errors"
)

// Scaling is an affine change of units, coordinate by coordinate: z = (x − Mean)/Std.
type Scaling struct {
	Mean, Std []float64 // one entry a coordinate
}

// Standardize shifts and scales every coordinate to mean 0 and standard deviation 1 (dividing by n, not n−1). The scaling
// it returns brings samples back (Invert) and other data, such as a held-out part, to the same units (Apply).
// A coordinate that is constant has no scale and is an error.
func (d *Data) Standardize() (*Data, Scaling, error) {
	if err := d.Validate(); err != nil {
		return nil, Scaling{}, err
	}
	n := float64(d.Len())
	s := Scaling{Mean: make([]float64, d.Dim), Std: make([]float64, d.Dim)}
	for i, v := range d.X {
		s.Mean[i%d.Dim] += float64(v) / n
	}
	for i, v := range d.X {
		dev := float64(v) - s.Mean[i%d.Dim]
		s.Std[i%d.Dim] += dev * dev / n
	}
	for j := range s.Std {
		s.Std[j] = math.Sqrt(s.Std[j])
		if s.Std[j] <= 1e-7*math.Abs(s.Mean[j]) { // float32 resolves no more than that
			return nil, Scaling{}, errors.Errorf("Data.Standardize: coordinate %d%s is constant (mean %g, std %g)", j, d.columnName(j), s.Mean[j], s.Std[j])
		}
	}
	out, err := s.Apply(d)
	return out, s, err
}

// Apply gives the data in scaled units; d is not changed.
func (s Scaling) Apply(d *Data) (*Data, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if err := s.check(d.Dim); err != nil {
		return nil, err
	}
	out := *d
	out.X = make([]float32, len(d.X))
	for i, v := range d.X {
		j := i % d.Dim
		out.X[i] = float32((float64(v) - s.Mean[j]) / s.Std[j])
	}
	return &out, nil
}

// Invert takes points [n, d], flat and row-major, from scaled units back to the original ones; x is not changed.
func (s Scaling) Invert(x []float32) ([]float32, error) {
	dim := len(s.Mean)
	if err := s.check(dim); err != nil {
		return nil, err
	}
	if len(x)%dim != 0 {
		return nil, errors.Errorf("Scaling.Invert: x has %d values, which is no multiple of %d coordinates", len(x), dim)
	}
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(float64(v)*s.Std[i%dim] + s.Mean[i%dim])
	}
	return out, nil
}

func (s Scaling) check(dim int) error {
	if dim < 1 || len(s.Mean) != dim || len(s.Std) != dim {
		return errors.Errorf("Scaling: Mean has %d and Std %d entries for %d coordinates", len(s.Mean), len(s.Std), dim)
	}
	for j, v := range s.Std {
		if !(v > 0) || math.IsInf(v, 1) {
			return errors.Errorf("Scaling: Std[%d] = %g, want a positive number", j, v)
		}
	}
	return nil
}

func (d *Data) columnName(j int) string {
	if j < len(d.Columns) {
		return " (" + d.Columns[j] + ")"
	}
	return ""
}
