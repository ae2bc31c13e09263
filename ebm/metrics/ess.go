package metrics

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/dsp/fourier"
)

// ESS is the bulk effective sample size of every coordinate of the chains x [chains, draws, dim]: how many independent draws
// would give the mean with the same precision,
//
//	ESS = M·N/τ,   τ = −1 + 2·Σ_{k<K} (ρ_2k + ρ_2k+1),
//
// for the M half chains of N draws, after rank normalisation. The autocorrelations ρ_t = 1 − (W − mean_m s²_m ρ_t,m)/V̂ combine
// all chains, so that chains which disagree lower the ESS; the sum runs over Geyer's initial monotone sequence: pairs as long as
// they are positive, none larger than the one before. ESS above M·N is real for antithetic chains, and is limited to
// M·N·log₁₀(M·N). At least 100 for each chain is a common demand. At least 4 draws a chain; all draws equal is an error.
//
// A. Vehtari et al. (2021), Rank-normalization, folding, and localization: an improved R̂, Bayesian Analysis 16,
// arXiv:1903.08008; C. J. Geyer (1992), Practical Markov chain Monte Carlo, Statistical Science 7.
func ESS(x []float32, chains, dim int) ([]float64, error) {
	draws, err := checkChains("ESS", x, chains, dim)
	if err != nil {
		return nil, err
	}
	out := make([]float64, dim)
	for j := range out {
		parts := splitChains(x, chains, draws, dim, j)
		if constant(parts) {
			return nil, errors.Errorf("ESS: x is constant in coordinate %d", j)
		}
		out[j] = effective(rankNormal(parts))
	}
	return out, nil
}

func effective(parts [][]float64) float64 {
	n := len(parts[0])
	within, between := variances(parts)
	total := within*float64(n-1)/float64(n) + between // V̂
	acov := meanAutocovariance(parts)
	rho := func(t int) float64 { return 1 - (within-acov[t])/total }
	tau, last := -1.0, math.Inf(1)
	for t := 0; t+1 < n; t += 2 {
		pair := rho(t) + rho(t+1)
		if t == 0 {
			pair = 1 + rho(1) // ρ₀ is 1 by definition
		}
		if pair <= 0 {
			break
		}
		last = min(last, pair)
		tau += 2 * last
	}
	size := float64(len(parts) * n)
	return size / max(tau, 1/math.Log10(size))
}

// meanAutocovariance of the chains at lags 0 … n−1, dividing by n at every lag. The FFT is padded to 2n, so that the ends do not
// wrap around.
func meanAutocovariance(parts [][]float64) []float64 {
	n := len(parts[0])
	fft := fourier.NewFFT(2 * n)
	padded, freq := make([]float64, 2*n), make([]complex128, n+1)
	power := make([]complex128, n+1)
	for _, part := range parts {
		mean, _ := meanVar(part)
		for t, v := range part {
			padded[t] = v - mean
		}
		for k, c := range fft.Coefficients(freq, padded) {
			power[k] += complex(real(c)*real(c)+imag(c)*imag(c), 0)
		}
	}
	acov := fft.Sequence(nil, power)[:n]
	for t := range acov {
		acov[t] /= float64(2*n) * float64(n) * float64(len(parts))
	}
	return acov
}
