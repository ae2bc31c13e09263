package metrics

import (
	"context"
	"encoding/binary"
	"math"
	"testing"
)

// Whatever it is given, no function panics, and what it returns without an error is no NaN, except where NaN is documented.
func FuzzNoPanic(f *testing.F) {
	bytes := func(x []float32) (out []byte) {
		for _, v := range x {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
		return out
	}
	f.Add(bytes(normals(48, 1)), 2, 2, 3, 0.5)
	f.Add(bytes(make([]float32, 16)), 2, 1, 2, 0.1)
	f.Add(bytes([]float32{1, 2, float32(math.NaN()), float32(math.Inf(1))}), 1, 1, 0, math.NaN())
	f.Add(bytes([]float32{math.MaxFloat32, -math.MaxFloat32, math.MaxFloat32, 0, 1, 2, 3, 4}), 2, 1, 2, -1.0)
	f.Add(bytes([]float32{1e-45, 0, 1e-45, 0, 0, 0, 0, 0}), 1, 1, 1, math.Inf(1))
	f.Add([]byte{}, math.MaxInt, math.MaxInt, math.MinInt, 0.99)
	f.Add(bytes(ar1(4, 7, 0.9, 1)), 4, 1, 1<<62, 1e-300)
	f.Fuzz(func(t *testing.T, data []byte, chains, dim, k int, q float64) {
		x := make([]float32, min(len(data)/4, 256))
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		sound := func(what string, err error, values ...float64) {
			for _, v := range values {
				if err == nil && math.IsNaN(v) {
					t.Errorf("%s gives NaN without an error for %v, chains %d, dim %d, k %d, q %g", what, x, chains, dim, k, q)
				}
			}
		}
		for name, figures := range map[string]func([]float32, int, int) ([]float64, error){
			"ESS": ESS, "ESSTail": ESSTail, "RHat": RHat, "MCSEMean": MCSEMean, "MCSEStd": MCSEStd,
		} {
			v, err := figures(x, chains, dim)
			sound(name, err, v...)
		}
		for name, figures := range map[string]func([]float32, int, int, float64) ([]float64, error){
			"ESSQuantile": ESSQuantile, "MCSEQuantile": MCSEQuantile,
		} {
			v, err := figures(x, chains, dim, q)
			sound(name, err, v...)
		}
		v, err := NestedRHat(x, chains, k, dim)
		sound("NestedRHat", err, v...)
		v, err = EBFMI(x, chains)
		sound("EBFMI", err, v...)
		_, _ = Divergences(x, chains, q)
		acf, err := Autocorrelation(x, chains, dim, k)
		for _, v := range acf {
			sound("Autocorrelation", err, v...)
		}
		for _, e := range []Evidence{{Accept: q}, {Superchains: k}, {Energies: x, Accept: 0.5}} {
			if d, err := Diagnose(x, chains, dim, e); err == nil {
				_ = d.String()
			}
		}

		n := 0
		if dim > 0 {
			n = len(x) / dim / 2 * dim
		}
		y := x[n:]
		for name, d := range map[string]Distance{
			"SlicedWasserstein": SlicedWasserstein{Projections: 3}, "Wasserstein": Wasserstein{}, "EnergyDistance": EnergyDistance{},
			"MMD": MMD{}, "MMD one σ": MMD{Bandwidths: []float64{q}},
		} {
			v, err := d.Between(x[:n], y, dim)
			sound(name, err, v)
			p, err := PermutationTest{Distance: d, Permutations: 3}.Between(context.Background(), x[:n], y, dim)
			if err == nil {
				sound("PermutationTest of "+name, err, p.Distance, p.PValue, p.Null.Mean)
			}
		}
		c, err := Modes{Centres: x[:n], Std: q, Weights: nil}.Cover(y, dim)
		if err == nil {
			sound("Modes", err, c.KL, c.Good)
			_ = c.String()
		}
		logp := make([]float64, len(y))
		for i := range logp {
			logp[i] = q * float64(i)
		}
		z, err := ImportanceLogZ(y, logp)
		sound("ImportanceLogZ", err, z.LogZ, z.ESS)
		mse, err := DensityMSE(y, logp, q)
		sound("DensityMSE", err, mse)
	})
}
