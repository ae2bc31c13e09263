package metrics

import (
	"math"

	"github.com/pkg/errors"
)

// EBFMI is the estimated Bayesian fraction of missing information of every chain, from its energies [chains, draws]:
//
//	E-BFMI = Σ_t (E_t − E_{t−1})² / Σ_t (E_t − Ē)².
//
// With the Hamiltonian H = E(x) + kinetic energy after each draw of the momentum it compares the step in energy that a new momentum
// gives with the spread of energies to be covered: below 0.3 HMC walks through the energies at random, and misses tails. Given the
// energies E(x) of the draws instead it is 2·(1 − ρ₁), 2 for independent draws, and low where the energy moves slowly.
// At least 2 draws; a chain whose energy never changes is an error.
//
// M. Betancourt (2016), Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo, arXiv:1604.00695.
func EBFMI(energies []float32, chains int) ([]float64, error) {
	draws, err := checkEnergies("EBFMI", energies, chains)
	if err != nil {
		return nil, err
	}
	for i, e := range energies {
		if !finite(e) {
			return nil, errors.Errorf("EBFMI: energies at chain %d, draw %d is %g, want a finite number", i/draws, i%draws, e)
		}
	}
	out := make([]float64, chains)
	for c := range out {
		if out[c] = ebfmi(energies[c*draws : (c+1)*draws]); math.IsNaN(out[c]) {
			return nil, errors.Errorf("EBFMI: the energy of chain %d never changes", c)
		}
	}
	return out, nil
}

// ebfmi of one chain, NaN where its energy is constant or not finite.
func ebfmi(energies []float32) float64 {
	var mean, steps, spread float64
	for _, e := range energies {
		mean += float64(e) / float64(len(energies))
	}
	for t, e := range energies {
		spread += (float64(e) - mean) * (float64(e) - mean)
		if t > 0 {
			steps += (float64(e) - float64(energies[t-1])) * (float64(e) - float64(energies[t-1]))
		}
	}
	if steps == 0 {
		return math.NaN()
	}
	return steps / spread
}

// checkEnergies returns the number of draws a chain, at least 2. It does not look at the values.
func checkEnergies(kind string, energies []float32, chains int) (draws int, err error) {
	switch {
	case len(energies) == 0:
		return 0, errors.Errorf("%s: energies is empty", kind)
	case chains < 1 || len(energies)%chains != 0:
		return 0, errors.Errorf("%s: energies has %d values, which is no multiple of chains = %d", kind, len(energies), chains)
	case len(energies) == chains:
		return 0, errors.Errorf("%s: energies has 1 draw a chain, want at least 2", kind)
	}
	return len(energies) / chains, nil
}
