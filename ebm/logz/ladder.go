package logz

import (
	"math"

	"github.com/pkg/errors"
)

// A ladder is the inverse temperatures 0 = β₀ < β₁ < … < β_T = 1 of [AIS]. Every function makes one of T steps, T+1 numbers.

// LinearLadder is βₜ = t/T.
func LinearLadder(steps int) []float64 {
	return ladder(steps, func(u float64) float64 { return u })
}

// SigmoidLadder is finest at both ends,
//
//	βₜ = (σ(δ(2t/T − 1)) − σ(−δ))/(σ(δ) − σ(−δ)),   σ(u) = 1/(1 + exp(−u)),  δ = 4.
//
// It is the default: near β = 0 the target's walls appear, near β = 1 its modes become separate.
//
// As in R. B. Grosse, S. Ancha, D. M. Roy, Measuring the reliability of MCMC inference with bidirectional Monte Carlo, 2016,
// arXiv:1606.02275.
func SigmoidLadder(steps int) []float64 {
	const delta = 4
	sigma := func(u float64) float64 { return 1 / (1 + math.Exp(-u)) }
	return ladder(steps, func(u float64) float64 {
		return (sigma(delta*(2*u-1)) - sigma(-delta)) / (sigma(delta) - sigma(-delta))
	})
}

// GeometricLadder is 0, then T numbers in a constant ratio from first to 1: for a target that is far narrower than the base.
func GeometricLadder(steps int, first float64) []float64 {
	return ladder(steps, func(u float64) float64 {
		if u == 0 {
			return 0
		}
		t := float64(steps) * u
		return math.Pow(first, (float64(steps)-t)/max(1, float64(steps)-1))
	})
}

// ladder evaluates β at 0, 1/T, …, 1; its ends are exact. It is nil for T < 1, which [AIS] refuses.
func ladder(steps int, beta func(u float64) float64) []float64 {
	if steps < 1 {
		return nil
	}
	betas := make([]float64, steps+1)
	for t := range betas {
		betas[t] = beta(float64(t) / float64(steps))
	}
	betas[0], betas[steps] = 0, 1
	return betas
}

// checkLadder wants 0 = β₀ < … < β_T = 1.
func checkLadder(betas []float64) error {
	last := len(betas) - 1
	if last < 1 {
		return errors.Errorf("logz: AIS.Betas must have at least two numbers, got %v", betas)
	}
	if betas[0] != 0 || betas[last] != 1 {
		return errors.Errorf("logz: AIS.Betas must go from 0 to 1, got %g to %g", betas[0], betas[last])
	}
	for t := range last {
		if !(betas[t] < betas[t+1]) {
			return errors.Errorf("logz: AIS.Betas must increase, got %g and then %g at %d", betas[t], betas[t+1], t+1)
		}
	}
	return nil
}
