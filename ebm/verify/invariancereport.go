package verify

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"
)

// InvarianceReport is what [Invariance] found. It prints as a sentence and a table.
type InvarianceReport struct {
	Kernel, Energy string // their types
	Chains, Steps  int
	Seed           uint64
	Accept         float64 // mean acceptance; NaN where the kernel accepts everything
	NonFinite      int     // chains that ended with a NaN or an infinity
	Moved          float64 // mean distance that a chain moved along a random direction, in standard deviations
	MinMove        float64
	Statistics     []Statistic // marginals, then projections, then the energy

	FalseAlarm float64 // the probability, at most, that a correct kernel fails
	Distance   float64 // the largest Distance that passes
	Z          float64 // the largest Mean or Second, in absolute value, that passes
	FalsePass  float64
	Detectable float64 // a distribution function off by more than this fails but for a probability of FalsePass

	projections int // how many of the statistics, before the last
}

// Statistic compares one number of each chain before and after.
type Statistic struct {
	Name     string
	Distance float64 // sup |F − F'|
	Mean     float64 // change of the mean, in standard errors
	Second   float64 // change of the second moment about the start's mean, in standard errors
}

// report has the limits of the check and, yet, nothing that was found.
func (c Invariance) report(seed uint64, accept float64, names []string) InvarianceReport {
	n, m := float64(c.Chains), float64(len(names))
	r := InvarianceReport{
		Kernel: fmt.Sprintf("%T", c.Kernel), Energy: fmt.Sprintf("%T", c.Energy),
		Chains: c.Chains, Steps: c.Steps, Seed: seed, Accept: accept, MinMove: c.MinMove, projections: c.Projections,
		Statistics: make([]Statistic, len(names)), FalseAlarm: c.FalseAlarm, FalsePass: c.FalsePass,
	}
	for i, name := range names {
		r.Statistics[i].Name = name
	}
	// α/2 to the distances: 2m samples, each beyond ε with probability 2exp(−2nε²).
	r.Distance = 2 * math.Sqrt(math.Log(8*m/c.FalseAlarm)/(2*n))
	r.Detectable = r.Distance + 2*math.Sqrt(math.Log(4/c.FalsePass)/(2*n))
	// α/2 to the moments: 2m of them, each beyond z with probability 2exp(−z²/2).
	r.Z = math.Sqrt(2 * math.Log(8*m/c.FalseAlarm))
	return r
}

// compare fills in what was found; the pilots give the centre and the scale of each statistic.
func (r *InvarianceReport) compare(pilots, before, after [][]float64) {
	inParallel(len(r.Statistics), func(i int) {
		a, b := before[i], after[i]
		centre, deviation := stat.MeanStdDev(pilots[i], nil)
		change := func(f func(v float64) float64) float64 {
			sum, squares := 0.0, 0.0
			for j := range a {
				delta := f(b[j]) - f(a[j])
				sum, squares = sum+delta, squares+delta*delta
			}
			if squares == 0 {
				return 0 // nothing moved, which Moved tells
			}
			return sum / math.Sqrt(squares)
		}
		s := &r.Statistics[i]
		s.Mean = change(func(v float64) float64 { return v })
		s.Second = change(func(v float64) float64 { return (v - centre) * (v - centre) })
		s.Distance = distance(a, b, centre, deviation)
	})
	energy := len(before) - 1
	for p := energy - r.projections; p < energy; p++ {
		for chain := range before[p] {
			r.Moved += math.Abs(after[p][chain]-before[p][chain]) / float64(r.Chains*r.projections)
		}
	}
}

// Passed tells whether everything is as it is for a kernel that leaves the target invariant.
func (r InvarianceReport) Passed() bool { return len(r.failures()) == 0 }

func (r InvarianceReport) failures() []string {
	var out []string
	if r.NonFinite > 0 {
		return []string{fmt.Sprintf("%d of %d chains are not finite", r.NonFinite, r.Chains)}
	}
	if r.Moved < r.MinMove {
		out = append(out, fmt.Sprintf("chains moved %.3g standard deviations, want at least %.3g", r.Moved, r.MinMove))
	}
	distances, moments := 0, 0
	for _, s := range r.Statistics {
		if s.Distance > r.Distance {
			distances++
		}
		if math.Abs(s.Mean) > r.Z || math.Abs(s.Second) > r.Z {
			moments++
		}
	}
	if distances > 0 {
		out = append(out, fmt.Sprintf("%d of %d distributions changed", distances, len(r.Statistics)))
	}
	if moments > 0 {
		out = append(out, fmt.Sprintf("%d of %d statistics have another mean or second moment", moments, len(r.Statistics)))
	}
	return out
}

// Verdict is the report in a sentence.
func (r InvarianceReport) Verdict() string {
	verdict := "the target is invariant"
	if f := r.failures(); len(f) > 0 {
		verdict = "the target is NOT invariant: " + strings.Join(f, "; ")
	}
	steps := "one step"
	if r.Steps > 1 {
		steps = fmt.Sprintf("%d steps", r.Steps)
	}
	text := fmt.Sprintf("%s on %s: %s (%d exact draws, then %s, seed %d", r.Kernel, r.Energy, verdict, r.Chains, steps, r.Seed)
	if !math.IsNaN(r.Accept) {
		text += fmt.Sprintf(", acceptance %.2f", r.Accept)
	}
	if r.NonFinite == 0 {
		text += fmt.Sprintf("; chains moved %.2f sd", r.Moved)
	}
	return text + fmt.Sprintf("; a correct kernel fails with probability %.0e at most, one that is off by %.3f in a distribution function passes with probability %.0e at most)",
		r.FalseAlarm, r.Detectable, r.FalsePass)
}

// String is the sentence and, below it, a table: the largest change among the marginals, among the projections and of the energy,
// over the limit of each column (for the distances, that of Dvoretzky, Kiefer, Wolfowitz and Massart). Where the check failed,
// the five statistics that changed most follow.
func (r InvarianceReport) String() string {
	var text strings.Builder
	text.WriteString(r.Verdict())
	if r.NonFinite > 0 {
		return text.String()
	}
	row := func(s Statistic) {
		fmt.Fprintf(&text, "\n%-17s%12.4f%14.1f%16.1f", s.Name, s.Distance, s.Mean, s.Second)
	}
	fmt.Fprintf(&text, "\n%-17s%12s%14s%16s", "largest change", "sup|F−F′|", "mean [s.e.]", "2nd mom. [s.e.]")
	energy := len(r.Statistics) - 1
	marginals := energy - r.projections
	row(worst(fmt.Sprintf("%d marginals", marginals), r.Statistics[:marginals]))
	row(worst(fmt.Sprintf("%d projections", r.projections), r.Statistics[marginals:energy]))
	row(worst("energy", r.Statistics[energy:]))
	row(Statistic{"limit", r.Distance, r.Z, r.Z})
	if r.Passed() {
		return text.String()
	}
	rows := slices.Clone(r.Statistics)
	share := func(s Statistic) float64 {
		return max(s.Distance/r.Distance, math.Abs(s.Mean)/r.Z, math.Abs(s.Second)/r.Z)
	}
	slices.SortStableFunc(rows, func(a, b Statistic) int { return cmp.Compare(share(b), share(a)) })
	text.WriteString("\nchanged most:")
	for _, s := range rows[:min(5, len(rows))] {
		row(s)
	}
	return text.String()
}

// worst has the largest of each column.
func worst(name string, statistics []Statistic) Statistic {
	w := Statistic{Name: name}
	for _, s := range statistics {
		w.Distance = max(w.Distance, s.Distance)
		w.Mean = max(w.Mean, math.Abs(s.Mean))
		w.Second = max(w.Second, math.Abs(s.Second))
	}
	return w
}
