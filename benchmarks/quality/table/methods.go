package table

import (
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// method is a way to train an energy, with one group of settings for all sets; lengths are multiples of a set's own.
type method struct {
	name  string
	steps int     // of training, on the larger network twice as many
	clip  float64 // of the gradient's norm; default: none
	build func(n network, s set) (ebm.Loss, ebm.Energy)
	// chains is set where samples come by the method's own sampler from N(0, σ²I): kernel, steps, σ. Else they are drawn from the density.
	chains func(s set) (kernel ebm.Kernel, steps int, std float64)
	// noDensity says that the energy's density is not what was trained.
	noDensity bool
}

// network makes the network of a training.
type network struct {
	store  *model.Store
	widths []int
}

func (n network) energy() nn.MLP { return nn.MLPEnergy(n.store.Scope("/energy"), n.widths...) }
func (n network) field() nn.MLPField {
	return nn.MLPField{Scope: n.store.Scope("/field"), Widths: n.widths}
}

var methods = []method{
	{name: "CD", steps: 5000, clip: 1, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		e := n.energy()
		return losses.ContrastiveDivergence{Energy: e, Kernel: langevin(s), Steps: 10, EnergyL2: .3}, e
	}},
	{name: "PCD", steps: 5000, clip: 1, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		e := n.energy()
		return losses.ContrastiveDivergence{Energy: e, Kernel: langevin(s), Steps: 10, Persistent: true, Buffer: 512, Width: s.unit, EnergyL2: .1}, e
	}},
	{name: "PT-CD", steps: 5000, clip: 1, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		e := n.energy()
		k := langevin(s)
		k.StepSize = ebm.Fixed(s.fine * s.fine / 4) // the hot chains go where it is steep
		cd := losses.ParallelTemperingCD{Energy: e, Kernel: k, Steps: 10, Rungs: 4, MinBeta: .1, Buffer: 1024, Width: s.unit}
		return losses.Penalised{Of: cd, Energy: e, Penalties: []losses.Penalty{losses.EnergyL2{Weight: .001}}}, e
	}},
	{name: "exact SM", steps: 5000, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		e := n.energy()
		return losses.ScoreMatching{Energy: e}, e
	}},
	{name: "sliced SM", steps: 5000, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		e := n.energy()
		return losses.SlicedScoreMatching{Energy: e, VarianceReduced: true}, e
	}},
	{name: "DSM", steps: 8000, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		e := n.energy()
		return losses.DenoisingScoreMatching{Energy: e, Sigma: s.fine / 2}, e
	}},
	{name: "DSM, ladder", steps: 8000, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		e := ebm.Preconditioned{Of: n.energy(), Std: s.unit}
		return losses.MultiscaleDenoising{Energy: e, Ladder: ladder(s)}, ebm.AtNoise{Of: e, Sigma: ladder(s).End}
	}, chains: func(s set) (ebm.Kernel, int, float64) {
		l := ladder(s)
		return samplers.AnnealedLangevin{Ladder: l, StepSize: ebm.Fixed(l.End * l.End / 4)}, l.Levels * l.Steps, l.Start
	}},
	{name: "DSM + heights", steps: 8000, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		e := ebm.Preconditioned{Of: n.energy(), Std: s.unit}
		return losses.MultiscaleDenoising{Energy: e, Ladder: ladder(s), Heights: .1}, ebm.AtNoise{Of: e, Sigma: ladder(s).End}
	}},
	{name: "ED", steps: 5000, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		e := n.energy()
		return losses.EnergyDiscrepancy{Energy: e, Time: s.unit * s.unit / 4}, e
	}},
	{name: "NCE", steps: 5000, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		e := n.energy()
		return losses.NoiseContrastive{Energy: e, Ratio: 16}, e
	}},
	{name: "EqM", steps: 8000, build: func(n network, s set) (ebm.Loss, ebm.Energy) {
		f := n.field()
		return losses.EquilibriumMatching{Field: f}, ebm.ImplicitEnergy{Of: f}
	}, chains: func(set) (ebm.Kernel, int, float64) {
		return samplers.GradientDescent{StepSize: ebm.Fixed(.01)}, 30, 1 // time 0.3: ∫ dt/c(t) from noise to t = 0.973
	}, noDensity: true},
}

// langevin has a step size for the finest feature of a set.
func langevin(s set) samplers.Langevin {
	reach := 1.2 * s.reach
	return samplers.Langevin{StepSize: ebm.Fixed(s.fine * s.fine / 2), Clamp: &[2]float64{-reach, reach}}
}

// ladder goes from the whole set down to half its finest feature.
func ladder(s set) ebm.Ladder {
	return ebm.Ladder{Start: 2 * s.unit, End: s.fine / 2, Levels: 12, Steps: 50}
}
