package metrics

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
)

// Modes are the known modes of a distribution, for how well samples cover them.
type Modes struct {
	Centres []float32 // [modes, dim]
	Std     float64   // of a mode in each coordinate, in the units of the data; must be set
	Within  float64   // a sample is good within so many Std of its nearest centre. Default 3
	Weights []float64 // of the modes; need not sum to 1. Default equal
}

// Coverage is how samples fall on the modes.
type Coverage struct {
	Modes, Hit int       // a mode is hit by one good sample
	Good       float64   // share of the samples that is good
	Shares     []float64 // of the samples, by nearest centre
	KL         float64   // of the shares s from the weights w, Σ s·log(s/w); +Inf for samples at a mode of weight 0
	KLFloor    float64   // what KL is on average for as many true samples: about (modes − 1)/2n
}

// String is "24 of 25 modes hit, 93.1% of the samples good, KL of the weights 0.031 (0.012 by chance)".
func (c *Coverage) String() string {
	return fmt.Sprintf("%d of %d modes hit, %.1f%% of the samples good, KL of the weights %.3f (%.3f by chance)",
		c.Hit, c.Modes, 100*c.Good, c.KL, c.KLFloor)
}

// Cover counts samples x [n, dim] on the modes, each to its nearest centre. In d dimensions a Gaussian mode has the share
// P(χ²_d ≤ Within²) of its own samples good: 98.9% in the plane for 3, so look at what true samples give beside the result. One good
// sample in many thousands hits a mode; KL is what sees that it is too few.
//
// A. Srivastava et al. (2017), VEEGAN: reducing mode collapse in GANs using implicit variational learning, NeurIPS,
// arXiv:1705.07761; Z. Lin et al. (2018), PacGAN: the power of two samples in generative adversarial networks, NeurIPS,
// arXiv:1712.04086.
func (m Modes) Cover(x []float32, dim int) (*Coverage, error) {
	if err := checkPoints("Modes", "Centres", m.Centres, dim); err != nil {
		return nil, err
	}
	if err := checkPoints("Modes", "x", x, dim); err != nil {
		return nil, err
	}
	if m.Within == 0 {
		m.Within = 3
	}
	radius := m.Std * m.Within
	switch {
	case !(m.Std > 0) || math.IsInf(m.Std, 1):
		return nil, errors.Errorf("Modes: Std = %g, want a positive number", m.Std)
	case !(m.Within > 0) || math.IsInf(m.Within, 1):
		return nil, errors.Errorf("Modes: Within = %g, want a positive number", m.Within)
	}
	modes, n := len(m.Centres)/dim, len(x)/dim
	weights, err := m.weights(modes)
	if err != nil {
		return nil, err
	}
	nearest, good := make([]int, n), make([]bool, n)
	parallel(n, func(i int) {
		best := math.Inf(1)
		for k := range modes {
			if d2 := squared(x, m.Centres, i, k, dim); d2 < best {
				best, nearest[i] = d2, k
			}
		}
		good[i] = best <= radius*radius
	})
	out := &Coverage{Modes: modes, Shares: make([]float64, modes), KLFloor: float64(modes-1) / float64(2*n)}
	hit := make([]bool, modes)
	for i, k := range nearest {
		out.Shares[k] += 1 / float64(n)
		if good[i] {
			out.Good += 1 / float64(n)
			hit[k] = true
		}
	}
	for k, share := range out.Shares {
		if hit[k] {
			out.Hit++
		}
		if share > 0 {
			out.KL += share * math.Log(share/weights[k])
		}
	}
	out.KL = max(0, out.KL) // 0 but for rounding
	return out, nil
}

// weights that sum to 1.
func (m Modes) weights(modes int) ([]float64, error) {
	out := make([]float64, modes)
	if m.Weights == nil {
		for k := range out {
			out[k] = 1 / float64(modes)
		}
		return out, nil
	}
	if len(m.Weights) != modes {
		return nil, errors.Errorf("Modes: Weights has %d values, want one for each of %d centres", len(m.Weights), modes)
	}
	var sum float64
	for k, w := range m.Weights {
		if !(w >= 0) || math.IsInf(w, 1) {
			return nil, errors.Errorf("Modes: Weights[%d] = %g, want a finite number, not negative", k, w)
		}
		sum += w
	}
	if !(sum > 0) || math.IsInf(sum, 1) {
		return nil, errors.Errorf("Modes: Weights sum to %g, want a positive number", sum)
	}
	for k, w := range m.Weights {
		out[k] = w / sum
	}
	return out, nil
}
