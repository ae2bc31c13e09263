package metrics

import (
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/dsp/fourier"
)

// Autocorrelation is ρ₀ = 1, ρ₁ … ρ_lags of every coordinate of the chains x [chains, draws, dim], as [dim][lags + 1]:
//
//	ρ_t = Σ_m γ_m(t) / Σ_m γ_m(0),   γ_m(t) = 1/N·Σ_i (x_i − x̄_m)(x_{i+t} − x̄_m),
//
// each chain about its own mean. How slowly it falls says how much to thin and which coordinate is the slow one; how far the
// chains are apart it does not see, RHat does. One chain gives ArviZ's autocorr. 0 ≤ lags < draws; a coordinate in which no chain
// moves is an error. Time draws·log(draws).
func Autocorrelation(x []float32, chains, dim, lags int) ([][]float64, error) {
	draws, err := checkChains("Autocorrelation", x, chains, dim, 2)
	if err != nil {
		return nil, err
	}
	if lags < 0 || lags >= draws {
		return nil, errors.Errorf("Autocorrelation: lags = %d, want 0 to %d, one less than the draws a chain", lags, draws-1)
	}
	out := make([][]float64, dim)
	parallel(dim, func(j int) {
		acov := meanAutocovariance(column(x, chains, draws, dim, j))
		for t := lags; t >= 0; t-- {
			acov[t] /= acov[0]
		}
		out[j] = acov[:lags+1]
	})
	for j := range out {
		if v := out[j][0]; v != 1 {
			return nil, errors.Errorf("Autocorrelation: no chain moves in coordinate %d", j)
		}
	}
	return out, nil
}

// meanAutocovariance of the chains at lags 0 … n−1, dividing by n at every lag. The FFT is padded to 2n at least, so that the
// ends do not wrap around.
func meanAutocovariance(parts [][]float64) []float64 {
	n := len(parts[0])
	size := fastLength(2 * n)
	fft := fourier.NewFFT(size)
	padded, freq := make([]float64, size), make([]complex128, size/2+1)
	power := make([]complex128, size/2+1)
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
		acov[t] /= float64(size) * float64(n) * float64(len(parts))
	}
	return acov
}

// fastLength is the least length from n on without a prime factor above 5: a large one makes the FFT quadratic.
func fastLength(n int) int {
	for {
		rest := n
		for _, p := range [3]int{2, 3, 5} {
			for rest%p == 0 {
				rest /= p
			}
		}
		if rest == 1 {
			return n
		}
		n++
	}
}
