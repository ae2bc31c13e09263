package metrics

import (
	"math"

	"github.com/pkg/errors"
)

// Divergences counts, for every chain of energies [chains, draws], the draws whose energy is not finite, or higher than that of
// the draw before by more than limit (0 stands for 1000, Stan's bound on the error of a trajectory). A chain that stays at NaN
// counts at every draw.
//
// It sees what the draws show. That is all there is for unadjusted samplers such as Langevin, whose divergences stay in the chain; a
// Metropolis test rejects them, so for HMC or MALA they show as a low acceptance rate and chains that stand still instead.
func Divergences(energies []float32, chains int, limit float64) ([]int, error) {
	draws, err := checkEnergies("Divergences", energies, chains)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = 1000
	}
	if !(limit > 0) {
		return nil, errors.Errorf("Divergences: limit = %g, want a positive number", limit)
	}
	out := make([]int, chains)
	for i, e := range energies {
		if !finite(e) || i%draws > 0 && float64(e)-float64(energies[i-1]) > limit {
			out[i/draws]++
		}
	}
	return out, nil
}

func finite(v float32) bool { return !math.IsInf(float64(v), 0) && v == v }
