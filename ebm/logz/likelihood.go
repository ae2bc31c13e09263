package logz

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
)

// Likelihood is the mean log-likelihood of data under an energy, in nats a point. It prints as a sentence.
type Likelihood struct {
	Mean, StdErr float64
	Lower, Upper float64 // with 95 % probability the mean over all such data is between them
	N            int     // number of points
	Z            Estimate
}

// MeanLogLikelihood is the mean of log p(x) = −E(x) − log Z over data x, [n, event...]. Its standard error has two parts, which are
// independent: that of a mean over n points, and that of log Z; its interval takes log Z's own, which may be longer to one side. An
// error in log Z shifts all points alike, and so cancels where two data sets are compared under one energy.
//
// The weights of the energy are read from store; nil where it has none.
func MeanLogLikelihood(b compute.Backend, store *model.Store, e ebm.Energy, x *tensors.Tensor, z Estimate) (Likelihood, error) {
	if x == nil {
		return Likelihood{}, errors.New("logz: MeanLogLikelihood: x is nil")
	}
	if err := checkSamples("MeanLogLikelihood", x); err != nil {
		return Likelihood{}, err
	}
	if !(z.StdErr >= 0 && z.Lower <= z.LogZ && z.LogZ <= z.Upper) {
		return Likelihood{}, errors.Errorf("logz: MeanLogLikelihood: z must have LogZ between Lower and Upper, got %g, %g and %g", z.Lower, z.LogZ, z.Upper)
	}
	energies, err := ebm.Evaluate(b, store, e, x)
	if err != nil {
		return Likelihood{}, err
	}
	n, sum, squares := float64(len(energies)), 0.0, 0.0
	for i, v := range energies {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return Likelihood{}, errors.Errorf("logz: MeanLogLikelihood: the energy of x in row %d is %g", i, v)
		}
		sum += v
	}
	mean := sum / n
	for _, v := range energies {
		squares += (v - mean) * (v - mean)
	}
	ofMean := math.Sqrt(squares / (n - 1) / n)
	l := Likelihood{Mean: -mean - z.LogZ, StdErr: math.Hypot(ofMean, z.StdErr), N: len(energies), Z: z}
	l.Lower = l.Mean - math.Hypot(deviations*ofMean, z.Upper-z.LogZ)
	l.Upper = l.Mean + math.Hypot(deviations*ofMean, z.LogZ-z.Lower)
	return l, nil
}

// String is the likelihood in a sentence.
func (l Likelihood) String() string {
	return fmt.Sprintf("mean log-likelihood of %d points: %.4f ± %.4f nats, between %.4f and %.4f with 95 %%, by %v", l.N, l.Mean, l.StdErr, l.Lower, l.Upper, l.Z)
}
