package metrics

import (
	"fmt"
	"math"
	"slices"

	"github.com/pkg/errors"
)

// Evidence is what Diagnose can use beside the chains. All of it may be left out.
type Evidence struct {
	Names       []string  // of the coordinates, default x[0], x[1], …
	Energies    []float32 // [chains, draws], for E-BFMI and divergences; see EBFMI on which energy
	Accept      float64   // mean acceptance rate, printed only; 0 and NaN stand for unknown
	Superchains int       // for NestedRHat, whose demand on the starting points holds; 0: without
}

// Coordinate is the row of one coordinate in a Diagnosis. A figure that does not exist is NaN: all of a coordinate that has a
// draw which is not finite, those of its chains where it is constant.
type Coordinate struct {
	Name              string
	Mean, Std         float64
	Q05, Median, Q95  float64 // quantiles
	MCSEMean, MCSEStd float64
	MCSEQ05, MCSEQ95  float64
	ESSBulk, ESSTail  float64
	RHat              float64
	NestedRHat        float64 // NaN without superchains
	Lag1              float64 // autocorrelation of successive draws
	NonFinite         int     // draws that are NaN or infinite
	Constant          bool
}

// Diagnosis says whether chains can be believed. Its String is a verdict in words above a table with a row for each coordinate.
type Diagnosis struct {
	Chains, Draws int
	Coordinates   []Coordinate
	NonFinite     int       // draws with a coordinate that is NaN or infinite
	Divergences   int       // as the function of that name counts, −1 without energies
	EBFMI         []float64 // of every chain, NaN where its energies are constant or not finite; nil without energies
	Accept        float64   // as given, NaN if unknown
	Problems      []string  // what is wrong, in words; empty when nothing is
}

// The demands of Diagnose: Vehtari et al. (2021) for R̂ and ESS, Betancourt (2016) for E-BFMI.
const (
	maxRHat  = 1.01
	minESS   = 400
	minEBFMI = 0.3
)

// Diagnose judges the chains x [chains, draws, dim] by all that this package knows of chains: mean, standard deviation and quantiles
// with their standard errors, bulk and tail ESS, R̂, autocorrelation, and from the evidence E-BFMI, divergences and nested R̂.
// A problem is R̂ or nested R̂ above 1.01, bulk or tail ESS below 400, E-BFMI below 0.3, any divergence or draw that is not finite,
// a coordinate that stands still, and a single chain. With superchains nested R̂ takes the place of R̂ and ESS, which chains of
// few draws cannot satisfy. Draws that are not finite are reported, not an error; at least 4 draws a chain.
func Diagnose(x []float32, chains, dim int, e Evidence) (*Diagnosis, error) {
	if dim < 1 || len(x) == 0 || len(x)%dim != 0 {
		return nil, checkPoints("Diagnose", "x", x, dim)
	}
	draws, err := checkDraws("Diagnose", x, chains, dim, 4)
	switch {
	case err != nil:
		return nil, err
	case e.Names != nil && len(e.Names) != dim:
		return nil, errors.Errorf("Diagnose: Names has %d names, want dim = %d", len(e.Names), dim)
	case e.Energies != nil && len(e.Energies) != chains*draws:
		return nil, errors.Errorf("Diagnose: Energies has %d values, want chains·draws = %d·%d", len(e.Energies), chains, draws)
	case e.Superchains != 0 && (e.Superchains < 2 || chains%e.Superchains != 0):
		return nil, errors.Errorf("Diagnose: Superchains = %d, want at least 2 and a divisor of chains = %d", e.Superchains, chains)
	case e.Accept < 0 || e.Accept > 1:
		return nil, errors.Errorf("Diagnose: Accept = %g, want 0 to 1", e.Accept)
	}
	d := &Diagnosis{Chains: chains, Draws: draws, Coordinates: make([]Coordinate, dim), Divergences: -1, Accept: e.Accept}
	if d.Accept == 0 {
		d.Accept = math.NaN()
	}
	parallel(dim, func(j int) {
		d.Coordinates[j] = diagnoseCoordinate(column(x, chains, draws, dim, j), e.Superchains)
		if d.Coordinates[j].Name = fmt.Sprintf("x[%d]", j); e.Names != nil {
			d.Coordinates[j].Name = e.Names[j]
		}
	})
	for i := 0; i < len(x); i += dim {
		if slices.ContainsFunc(x[i:i+dim], func(v float32) bool { return !finite(v) }) {
			d.NonFinite++
		}
	}
	if e.Energies != nil {
		counts, err := Divergences(e.Energies, chains, 0)
		if err != nil {
			return nil, err
		}
		d.Divergences = 0
		for c, n := range counts {
			d.Divergences += n
			d.EBFMI = append(d.EBFMI, ebfmi(e.Energies[c*draws:(c+1)*draws]))
		}
	}
	d.Problems = d.problems(e.Superchains > 0)
	return d, nil
}

func diagnoseCoordinate(parts [][]float64, superchains int) Coordinate {
	nan := math.NaN()
	c := Coordinate{
		Mean: nan, Std: nan, Q05: nan, Median: nan, Q95: nan, MCSEMean: nan, MCSEStd: nan, MCSEQ05: nan, MCSEQ95: nan,
		ESSBulk: nan, ESSTail: nan, RHat: nan, NestedRHat: nan, Lag1: nan,
	}
	all := sorted(parts)
	for _, v := range all {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			c.NonFinite++
		}
	}
	if c.NonFinite > 0 {
		return c
	}
	mean, variance := meanVar(all)
	c.Mean, c.Std = mean, math.Sqrt(variance)
	c.Q05, c.Median, c.Q95 = quantile(all, 0.05), quantile(all, 0.5), quantile(all, 0.95)
	if c.Constant = all[0] == all[len(all)-1]; c.Constant {
		return c
	}
	c.MCSEMean, c.MCSEStd = mcseMean(parts), mcseStd(parts)
	c.MCSEQ05, c.MCSEQ95 = mcseQuantile(parts, all, 0.05), mcseQuantile(parts, all, 0.95)
	c.ESSBulk, c.ESSTail = essBulk(parts), essTail(parts, all)
	c.RHat = rankRHat(parts)
	if superchains > 0 {
		c.NestedRHat = rankNestedRHat(parts, superchains)
	}
	acov := meanAutocovariance(parts)
	c.Lag1 = acov[1] / acov[0] // NaN where no chain moves
	return c
}
