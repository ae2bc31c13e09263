package ebm_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/samplers"
)

// The energies against the double sum, and the gradient against that of the sum of all.
func TestInteraction(t *testing.T) {
	x := [][]float64{{0.5, -1}, {1.2, 0.3}, {100, 102}, {-0.4, 0.9}, {0.1, 1.7}}
	const s, w, k = 0.3, 1.7, 2.5
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		e := ebm.Interaction{Of: ebm.Harmonic{K: k}, Strength: s, Width: w}
		out, err := CallOnceN(b, func(x *Node) []*Node {
			value, grad := ebm.ValueGrad(e, x)
			return []*Node{Identity(value), grad}
		}, x)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		values, grads := out[0].Value().([]float64), out[1].Value().([][]float64)
		for i, p := range x {
			want, push := k/2*(p[0]*p[0]+p[1]*p[1]), [2]float64{}
			for _, q := range x {
				want -= s / (2 * w * w) * ((p[0]-q[0])*(p[0]-q[0]) + (p[1]-q[1])*(p[1]-q[1]))
				for c := range 2 {
					push[c] += 2 * s / (w * w) * (p[c] - q[c]) // each pair twice
				}
			}
			if math.Abs(values[i]-want) > 1e-9*math.Abs(want) {
				t.Errorf("E(x%d) = %.15g, want %.15g", i, values[i], want)
			}
			for c := range 2 {
				if want := k*p[c] - push[c]; math.Abs(grads[i][c]-want) > 1e-9*max(1, math.Abs(want)) {
					t.Errorf("∂E/∂x%d[%d] = %.15g, want %.15g", i, c, grads[i][c], want)
				}
			}
		}
	})
}

// Descent of n points on a spring: about their centre they feel the spring constant k − 2sn/w², and the centre feels k. Sharding changes nothing.
func TestInteractionAcrossDevices(t *testing.T) {
	const n, k, s, eta = 64, 1.0, 0.004, 0.1
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		start := make([]float32, n)
		for i := range start {
			start[i] = float32(i%7) + 1
		}
		mean := 0.0
		for _, v := range start {
			mean += float64(v) / n
		}
		for _, devices := range []int{1, 2} {
			if devices > b.NumDevices() || devices > 1 && b.Name() != "xla" {
				continue
			}
			sampler, err := ebm.NewSampler(b, nil, ebm.Interaction{Of: ebm.Harmonic{K: k}, Strength: s}, samplers.GradientDescent{StepSize: ebm.Fixed(eta)})
			if err != nil {
				t.Fatal(err)
			}
			out, err := sampler.Sample(context.Background(), ebm.Options{Start: tensors.FromFlatDataAndDimensions(start, n, 1), Steps: 20, Devices: devices})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			for i, v := range tensors.MustCopyFlatData[float32](out.X) {
				want := mean*math.Pow(1-eta*k, 20) + (float64(start[i])-mean)*math.Pow(1-eta*(k-2*s*n), 20)
				if math.Abs(float64(v)-want) > 1e-4 {
					t.Fatalf("%d devices: point %d is at %g, want %g", devices, i, v, want)
				}
			}
			sampler.Finalize()
		}
	})
}

func TestInteractionBadSettings(t *testing.T) {
	for want, e := range map[string]ebm.Interaction{
		"Interaction: Strength must be finite, got NaN":            {Of: ebm.Harmonic{}, Strength: math.NaN()},
		"Interaction: Width must be positive and finite, got -1":   {Of: ebm.Harmonic{}, Width: -1},
		"Interaction: Width must be positive and finite, got +Inf": {Of: ebm.Harmonic{}, Width: math.Inf(1)},
		"Interaction: Of": {},
	} {
		if err := e.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want one with %q", err, want)
		}
	}
}
