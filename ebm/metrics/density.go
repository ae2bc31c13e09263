package metrics

import (
	"math"

	"github.com/pkg/errors"
)

// Normalizer is an estimate of log Z, Z = ∫ exp(−E(x)) dx, by importance sampling.
type Normalizer struct {
	LogZ   float64
	StdErr float64 // of LogZ, by the delta method; trust it only for an ESS in the hundreds
	ESS    float64 // (Σw)²/Σw² of the n weights: how many independent draws the estimate is worth
}

// ImportanceLogZ estimates log Z of a model from its energies at independent draws xᵢ of a known density p, and log p there:
//
//	log Z ≈ log mean_i wᵢ,   wᵢ = exp(−E(xᵢ) − log p(xᵢ)).
//
// Z is unbiased where p covers the model; model mass where p has no draws is missed, and LogZ is then too low with a small StdErr.
// With p the density that the model was trained on it is the recipe of the reference, exact for a model that has learnt p.
//
// T. Schröder et al. (2023), Energy discrepancies: a score-independent loss for energy-based models, NeurIPS, arXiv:2307.06431.
func ImportanceLogZ(energies []float32, logDensities []float64) (Normalizer, error) {
	if err := checkDensities("ImportanceLogZ", energies, logDensities); err != nil {
		return Normalizer{}, err
	}
	n := float64(len(energies))
	largest := math.Inf(-1)
	for i, e := range energies {
		largest = max(largest, -float64(e)-logDensities[i])
	}
	var sum, squares float64
	for i, e := range energies {
		w := math.Exp(-float64(e) - logDensities[i] - largest)
		sum += w
		squares += w * w
	}
	out := Normalizer{LogZ: largest + math.Log(sum/n), ESS: sum * sum / squares, StdErr: math.NaN()}
	if n > 1 {
		// Var(w)/(n·mean²) = (n/ESS − 1)/(n − 1)
		out.StdErr = math.Sqrt(max(0, (n/out.ESS-1)/(n-1)))
	}
	return out, nil
}

// DensityMSE is the mean squared error of a model's log-density, mean_i (−E(xᵢ) − log Z − log p(xᵢ))², from its energies at points
// xᵢ, the true log-densities there and its log Z, which ImportanceLogZ estimates. The points are the reader's choice: draws of p weigh
// the error by p, a grid weighs all places alike. The units are nats².
func DensityMSE(energies []float32, logDensities []float64, logZ float64) (float64, error) {
	if err := checkDensities("DensityMSE", energies, logDensities); err != nil {
		return 0, err
	}
	if math.IsNaN(logZ) || math.IsInf(logZ, 0) {
		return 0, errors.Errorf("DensityMSE: logZ = %g, want a finite number", logZ)
	}
	var sum float64
	for i, e := range energies {
		off := -float64(e) - logZ - logDensities[i]
		sum += off * off / float64(len(energies))
	}
	return sum, nil
}

func checkDensities(kind string, energies []float32, logDensities []float64) error {
	if err := checkPoints(kind, "energies", energies, 1); err != nil {
		return err
	}
	if len(energies) != len(logDensities) {
		return errors.Errorf("%s: energies has %d values and logDensities %d, want as many", kind, len(energies), len(logDensities))
	}
	for i, v := range logDensities {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errors.Errorf("%s: logDensities[%d] is %g, want a finite number", kind, i, v)
		}
	}
	return nil
}
