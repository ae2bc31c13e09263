package metrics

import (
	"math"
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mathext"
)

// MCSEMean is the Monte Carlo standard error of the mean of every coordinate of the chains x [chains, draws, dim]: s/√ESS, with s
// the standard deviation of all draws and the ESS of the draws themselves. It has the units of x, and says how many digits of the
// mean to print. Without a finite variance it means nothing; take MCSEQuantile. At least 4 draws a chain; all draws equal is an
// error.
//
// A. Vehtari et al. (2021), Rank-normalization, folding, and localization: an improved R̂, Bayesian Analysis 16, arXiv:1903.08008.
func MCSEMean(x []float32, chains, dim int) ([]float64, error) {
	return perCoordinate("MCSEMean", x, chains, dim, mcseMean)
}

// MCSEStd is the Monte Carlo standard error of the standard deviation of every coordinate: for d = (x − x̄)², by the delta method,
//
//	√( (mean d² − (mean d)²) / (4·mean d·ESS(d)) ).
//
// It needs a finite fourth moment. x as for MCSEMean. ArviZ 0.23 and posterior have this value; arviz-stats 0.8 puts ESS(x)
// for ESS(d), which is another quantity.
func MCSEStd(x []float32, chains, dim int) ([]float64, error) {
	return perCoordinate("MCSEStd", x, chains, dim, mcseStd)
}

// MCSEQuantile is the Monte Carlo standard error of the q-quantile of every coordinate, 0 < q < 1: half the distance between the
// draws at the 16% and 84% points of Beta(n·q + 1, n·(1 − q) + 1), for n = ESSQuantile. It needs no moments. x as for MCSEMean.
// Draws so tied that none lies above their quantile are an error.
func MCSEQuantile(x []float32, chains, dim int, q float64) ([]float64, error) {
	if !(q > 0 && q < 1) {
		return nil, errors.Errorf("MCSEQuantile: q = %g, want a number between 0 and 1", q)
	}
	out, err := perCoordinate("MCSEQuantile", x, chains, dim, func(parts [][]float64) float64 {
		return mcseQuantile(parts, sorted(parts), q)
	})
	for j, v := range out {
		if math.IsNaN(v) {
			return nil, errors.Errorf("MCSEQuantile: coordinate %d has no draw above its %g quantile", j, q)
		}
	}
	return out, err
}

func mcseMean(parts [][]float64) float64 {
	_, variance := meanVar(slices.Concat(parts...))
	return math.Sqrt(variance / essMean(parts))
}

func mcseStd(parts [][]float64) float64 {
	mean, _ := meanVar(slices.Concat(parts...))
	squares := mapped(parts, func(v float64) float64 { return (v - mean) * (v - mean) })
	second, variance := meanVar(slices.Concat(squares...))
	n := float64(len(parts) * len(parts[0]))
	return math.Sqrt(variance * (n - 1) / n / (4 * second * essMean(squares)))
}

func mcseQuantile(parts [][]float64, sorted []float64, q float64) float64 {
	ess := essBelow(parts, quantile(sorted, q))
	if math.IsNaN(ess) {
		return ess
	}
	size := float64(len(sorted))
	at := func(p float64) float64 { return mathext.InvRegIncBeta(ess*q+1, ess*(1-q)+1, p)*size - 1 }
	low := sorted[int(math.Floor(max(at(0.1586553), 0)))] // Φ(−1)
	high := sorted[int(math.Ceil(min(at(0.8413447), size-1)))]
	return (high - low) / 2
}
