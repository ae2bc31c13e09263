package ebm

import (
	"cmp"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Temperature heats a sampler up from nothing: with t = From + (To − From)·min(n/N, 1),
//
//	ε(t) = 0 for t < τ,    ε_max (t − τ)/(1 − τ) for τ ≤ t < 1,    ε_max for t ≥ 1;    v(n) = √ε(t).
//
// √ε is what [samplers.Langevin] takes as its noise: first it only descends the energy, then it samples at temperature ε.
//
// M. Balcerak et al., "Energy Matching: Unifying Flow Matching and Energy-Based Models for Generative Modeling", 2025,
// arXiv:2504.10612.
//
// [samplers.Langevin]: https://pkg.go.dev/github.com/goebm/goebm/ebm/samplers#Langevin
type Temperature struct {
	Max      float64 // ε_max, default 0.15
	Tau      float64 // τ, the time at which heating begins, less than 1, default 0.8
	Steps    int     // N, default 200
	From, To float64 // the times of step 0 and of step N, default 0 and 1 (the latter where both are 0)
	Epsilon  bool    // v(n) = ε(t), not its root
}

var _ Schedule = Temperature{}

// At builds v(step).
func (s Temperature) At(step *Node, dtype dtypes.DType) *Node {
	largest, tau, to := cmp.Or(s.Max, 0.15), cmp.Or(s.Tau, 0.8), s.To
	if s.From == 0 && s.To == 0 {
		to = 1
	}
	if !(largest > 0) {
		exceptions.Panicf("Temperature: Max must be positive, got %g", s.Max)
	}
	if !(tau < 1) {
		exceptions.Panicf("Temperature: Tau must be less than 1, got %g", s.Tau)
	}
	t := AddScalar(MulScalar(progress("Temperature", step, s.Steps, 200), to-s.From), s.From)
	share := DivScalar(AddScalar(t, -tau), 1-tau)
	v := MulScalar(ClipScalar(share, 0, 1), largest)
	if !s.Epsilon {
		v = Sqrt(v)
	}
	return ConvertDType(v, dtype)
}
