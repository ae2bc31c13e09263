// Package gaussian measures score-and-flow matching on a Schrödinger bridge that is known in closed form: from N(−a, I) to N(a, I) with
// Brownian motion of strength σ as the reference. The setting is that of DSBM's table 3, a = 0.1 and σ = 1.
//
// Y. Shi, V. De Bortoli, A. Campbell, A. Doucet, "Diffusion Schrödinger bridge matching", 2023, arXiv:2303.16852.
package gaussian

import (
	"math"

	"github.com/pkg/errors"
)

const (
	shift = 0.1 // a
	sigma = 1   // σ
)

// marginal is the bridge's density at the time t, N(mean, variance·I), each number of mean the same:
//
//	mean = (2t − 1)a,    variance = t² + (1−t)² + t(1−t)·√(4 + σ⁴).
//
// Its ends have the covariance c = (√(4 + σ⁴) − σ²)/2 (A. Mallasto, A. Gerolin, H. Q. Minh, "Entropy-regularized 2-Wasserstein
// distance between Gaussian measures", 2020, arXiv:2006.03416), and the bridge between two points adds σ²t(1−t).
func marginal(t float64) (mean, variance float64) {
	return (2*t - 1) * shift, t*t + (1-t)*(1-t) + t*(1-t)*math.Sqrt(4+math.Pow(sigma, 4))
}

// KL are divergences from a Gaussian that is fitted to points to the true one.
type KL struct {
	Full     float64 `json:"full"`     // with all covariances: (d + d(d+1)/2)/2n of it is that of n points of the truth
	Diagonal float64 `json:"diagonal"` // without those between numbers: d/n
}

// divergence is the KL of points [n, dim] at the time t.
func divergence(x []float64, dim int, t float64) (KL, error) {
	n := len(x) / dim
	mean, variance := marginal(t)
	at, cov := make([]float64, dim), make([]float64, dim*dim)
	for i, v := range x {
		at[i%dim] += v / float64(n)
	}
	for p := range n {
		row := x[p*dim : (p+1)*dim]
		for i := range dim {
			for j := range i + 1 {
				cov[i*dim+j] += (row[i] - at[i]) * (row[j] - at[j]) / float64(n-1) / variance
			}
		}
	}
	var common, diagonal float64 // terms of both, and log-determinants
	for i := range dim {
		common += cov[i*dim+i] - 1 + (at[i]-mean)*(at[i]-mean)/variance
		diagonal += math.Log(cov[i*dim+i])
	}
	full, err := logDet(cov, dim)
	return KL{(common - full) / 2, (common - diagonal) / 2}, err
}

// logDet is log|a| of a symmetric matrix, of which the lower half is given, by Cholesky's decomposition in its place.
func logDet(a []float64, n int) (log float64, err error) {
	for i := range n {
		for j := range i + 1 {
			sum := a[i*n+j]
			for k := range j {
				sum -= a[i*n+k] * a[j*n+k]
			}
			if i == j {
				if !(sum > 0) {
					return 0, errors.Errorf("the covariance of %d numbers is not positive", n)
				}
				a[i*n+i] = math.Sqrt(sum)
				log += math.Log(sum)
			} else {
				a[i*n+j] = sum / a[j*n+j]
			}
		}
	}
	return log, nil
}
