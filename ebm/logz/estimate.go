package logz

import (
	"fmt"
	"math"
	"strings"

	"github.com/pkg/errors"
)

// Estimate is an estimate of log Z. It prints as a sentence.
type Estimate struct {
	Method       string
	LogZ, StdErr float64
	Lower, Upper float64 // with 95 % probability log Z is between them

	N          int       // number of weights
	ESS        float64   // how many equal weights they are worth, (Σw)²/Σw²
	Accept     float64   // mean acceptance of the kernel; NaN where there is none
	LogWeights []float64 // of annealed importance sampling, [N], each an estimate of log Z that is too low (forward) or too high (reverse) on average

	Warnings []string // why the standard error is not to be trusted; usually none
}

// deviations is how many standard errors an interval of 95 % goes to either side.
const deviations = 1.959963984540054

// fewest is the effective number of weights below which their variance, and so the standard error, is not to be trusted.
const fewest = 30

// String is the estimate in a sentence.
func (e Estimate) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "log Z = %.4f ± %.4f, between %.4f and %.4f with 95 %% (%s, %d weights worth %.0f", e.LogZ, e.StdErr, e.Lower, e.Upper, e.Method, e.N, e.ESS)
	if !math.IsNaN(e.Accept) {
		fmt.Fprintf(&text, ", acceptance %.2f", e.Accept)
	}
	text.WriteString(")")
	for _, w := range e.Warnings {
		text.WriteString("; CAUTION: " + w)
	}
	return text.String()
}

// interval fills in Lower and Upper, and warns of few effective weights.
func (e *Estimate) interval() {
	e.Lower, e.Upper = e.LogZ-deviations*e.StdErr, e.LogZ+deviations*e.StdErr
	if e.ESS < fewest {
		e.Warnings = append(e.Warnings, fmt.Sprintf("the %d weights of %s are worth %.1f, fewer than %d: the standard error is too small", e.N, e.Method, e.ESS, fewest))
	}
}

// meanExp is log (1/n)Σexp(vᵢ), its standard error by the delta method, √(Var w/n)/mean w, and the effective number of weights.
func meanExp(method string, v []float64) (value, stdErr, ess float64, err error) {
	largest, bad := math.Inf(-1), 0
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 1) {
			bad++
		}
		largest = max(largest, x)
	}
	if bad > 0 {
		return 0, 0, 0, errors.Errorf("logz: %s: %d of %d log weights are NaN or infinite: the energies of some points are", method, bad, len(v))
	}
	if math.IsInf(largest, -1) {
		return 0, 0, 0, errors.Errorf("logz: %s: all %d weights are 0: the energy is infinite wherever the base puts points", method, len(v))
	}
	n, sum, squares := float64(len(v)), 0.0, 0.0
	for _, x := range v {
		w := math.Exp(x - largest)
		sum, squares = sum+w, squares+w*w
	}
	ess = sum * sum / squares
	return largest + math.Log(sum/n), math.Sqrt(max(0, n/ess-1) / (n - 1)), ess, nil
}
