package metrics

import (
	"math"

	"github.com/pkg/errors"
)

// ESS is the bulk effective sample size of every coordinate of the chains x [chains, draws, dim]: how many independent draws
// would give the middle of the distribution with the same precision,
//
//	ESS = M·N/τ,   τ = −1 + 2·Σ_{k<K} (ρ_2k + ρ_2k+1) + max(0, ρ_2K),
//
// for the M half chains of N draws, after rank normalisation. The autocorrelations ρ_t = 1 − (W − mean_m s²_m ρ_t,m)/V̂ combine
// all chains, so that chains which disagree lower the ESS; the sum runs over Geyer's initial monotone sequence: K pairs, as long
// as they are positive, none larger than the one before. ESS above M·N is real for antithetic chains, and is limited to
// M·N·log₁₀(M·N). ESS above 400 makes this and the other figures reliable. At least 4 draws a chain; all draws equal is an error.
// The values are ArviZ's, except below 10 draws a chain, where ArviZ looks at no autocorrelation and returns the limit.
//
// A. Vehtari et al. (2021), Rank-normalization, folding, and localization: an improved R̂, Bayesian Analysis 16,
// arXiv:1903.08008; C. J. Geyer (1992), Practical Markov chain Monte Carlo, Statistical Science 7.
func ESS(x []float32, chains, dim int) ([]float64, error) {
	return perCoordinate("ESS", x, chains, dim, essBulk)
}

// ESSTail is the effective sample size in the tails of every coordinate, the smaller of ESSQuantile at 5% and 95%: it is low where
// chains agree in the middle but reach their tails rarely, as in a funnel. Draws so tied that neither quantile parts them are an
// error. x [chains, draws, dim] as for ESS, and the same reference.
func ESSTail(x []float32, chains, dim int) ([]float64, error) {
	out, err := perCoordinate("ESSTail", x, chains, dim, func(parts [][]float64) float64 { return essTail(parts, sorted(parts)) })
	for j, v := range out {
		if math.IsNaN(v) {
			return nil, errors.Errorf("ESSTail: coordinate %d has no draw above its 0.95 quantile nor above its 0.05 quantile", j)
		}
	}
	return out, err
}

// ESSQuantile is the effective sample size for the q-quantile of every coordinate, 0 < q < 1: that of the indicators
// "draw ≤ quantile". Draws so tied that none lies above their quantile are an error. x [chains, draws, dim] as for ESS.
func ESSQuantile(x []float32, chains, dim int, q float64) ([]float64, error) {
	if !(q > 0 && q < 1) {
		return nil, errors.Errorf("ESSQuantile: q = %g, want a number between 0 and 1", q)
	}
	out, err := perCoordinate("ESSQuantile", x, chains, dim, func(parts [][]float64) float64 {
		return essBelow(parts, quantile(sorted(parts), q))
	})
	for j, v := range out {
		if math.IsNaN(v) {
			return nil, errors.Errorf("ESSQuantile: coordinate %d has no draw above its %g quantile", j, q)
		}
	}
	return out, err
}

func essBulk(parts [][]float64) float64 { return effective(rankNormal(halves(parts))) }

// essMean is the effective sample size for the mean: of the draws themselves, without ranks.
func essMean(parts [][]float64) float64 { return effective(halves(parts)) }

// essBelow is NaN where all draws lie below: indicators that are all 1 say nothing of how well the quantile is known.
func essBelow(parts [][]float64, threshold float64) float64 {
	below := mapped(parts, func(v float64) float64 {
		if v <= threshold {
			return 1
		}
		return 0
	})
	if constant(below) {
		return math.NaN()
	}
	return effective(halves(below))
}

func essTail(parts [][]float64, sorted []float64) float64 {
	low, high := essBelow(parts, quantile(sorted, 0.05)), essBelow(parts, quantile(sorted, 0.95))
	if math.IsNaN(high) {
		return low
	}
	return min(low, high)
}

func effective(parts [][]float64) float64 {
	n := len(parts[0])
	size := float64(len(parts) * n)
	if constant(parts) {
		return size // a middle draw that halving left out was the only one to differ
	}
	within, between := variances(parts)
	total := within*float64(n-1)/float64(n) + between // V̂
	acov := meanAutocovariance(parts)
	rho := func(t int) float64 {
		switch {
		case t == 0:
			return 1
		case t >= n:
			return 0
		}
		return 1 - (within-acov[t])/total
	}
	end := n - 2 // the last lags rest on one or two products
	if n < 5 {
		end = n + 1 // all there is
	}
	tau, last := -1.0, math.Inf(1)
	for t := 0; ; t += 2 {
		pair := rho(t) + rho(t+1)
		if pair <= 0 {
			tau += max(0, rho(t))
			break
		}
		if t+2 >= end {
			tau += rho(t)
			break
		}
		last = min(last, pair)
		tau += 2 * last
	}
	return size / max(tau, 1/math.Log10(size))
}
