package ebmtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"
)

// InvarianceReport is what an [InvarianceCheck] found.
type InvarianceReport struct {
	Chains, Steps int
	Seed          uint64
	Accept        float64 // mean acceptance; NaN where the kernel accepts everything
	NonFinite     int     // chains that ended with a NaN or an infinity
	Moved         float64 // mean distance that a chain moved along a random direction, in standard deviations
	MinMove       float64
	Statistics    []InvarianceStatistic

	FalseAlarm float64 // the probability, at most, that a correct kernel fails
	Distance   float64 // the largest Distance that passes
	Z          float64 // the largest Mean or Second, in absolute value, that passes
	FalsePass  float64
	Detectable float64 // a distribution function off by more than this fails but for a probability of FalsePass

	projections int // how many of the statistics, before the last
}

// InvarianceStatistic compares one number of each chain before and after.
type InvarianceStatistic struct {
	Name     string
	Distance float64 // sup |F − F'|
	Mean     float64 // change of the mean, in standard errors
	Second   float64 // change of the second moment about the start's mean, in standard errors
}

// report has the limits of the check and, yet, nothing that was found.
func (c InvarianceCheck) report(seed uint64, accept float64, names []string) InvarianceReport {
	n, m := float64(c.Chains), float64(len(names))
	r := InvarianceReport{
		Chains: c.Chains, Steps: c.Steps, Seed: seed, Accept: accept, MinMove: c.MinMove, projections: c.Projections,
		Statistics: make([]InvarianceStatistic, len(names)), FalseAlarm: c.FalseAlarm, FalsePass: c.FalsePass,
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

// grid is the number of values at which distribution functions are compared.
const grid = 1 << 14

// distance is sup|F − F'| of the empirical distribution functions of two samples of one size, over a grid that is
// finest at the centre and has cells of about 10⁻⁴ standard deviations there. The grid can only make it smaller,
// by less than the probability of a cell; it saves sorting.
func distance(a, b []float64, centre, deviation float64) float64 {
	var count [grid + 1]int
	cell := func(v float64) int {
		u := (v - centre) / deviation
		return int((u/(1+math.Abs(u)) + 1) * (grid / 2))
	}
	for i := range a {
		count[cell(a[i])]++
		count[cell(b[i])]--
	}
	largest, below := 0, 0
	for _, c := range count {
		below += c
		largest = max(largest, below, -below)
	}
	return float64(largest) / float64(len(a))
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
	text := fmt.Sprintf("%s (%d exact draws, then %d steps, seed %d", verdict, r.Chains, r.Steps, r.Seed)
	if !math.IsNaN(r.Accept) {
		text += fmt.Sprintf(", acceptance %.2f", r.Accept)
	}
	worst := r.worst()
	return text + fmt.Sprintf("; chains moved %.2f sd; largest distance %.4f, limit %.4f; largest change of a moment %.1f standard errors, limit %.1f; "+
		"false alarm %.0e; a distance of %.3f is missed with probability %.0e)",
		r.Moved, worst.Distance, r.Distance, max(math.Abs(worst.Mean), math.Abs(worst.Second)), r.Z, r.FalseAlarm, r.Detectable, r.FalsePass)
}

// worst has the largest of each column.
func (r InvarianceReport) worst() (w InvarianceStatistic) {
	for _, s := range r.Statistics {
		w.Distance = max(w.Distance, s.Distance)
		w.Mean = max(w.Mean, math.Abs(s.Mean))
		w.Second = max(w.Second, math.Abs(s.Second))
	}
	return w
}

// String is the sentence and, below it, a table of the ten statistics that changed most.
func (r InvarianceReport) String() string {
	var text strings.Builder
	text.WriteString(r.Verdict())
	rows := slices.Clone(r.Statistics)
	share := func(s InvarianceStatistic) float64 {
		return max(s.Distance/r.Distance, math.Abs(s.Mean)/r.Z, math.Abs(s.Second)/r.Z)
	}
	slices.SortStableFunc(rows, func(a, b InvarianceStatistic) int {
		return cmp.Compare(share(b), share(a))
	})
	fmt.Fprintf(&text, "\n%-16s%14s%14s%14s", "statistic", "distance", "mean (s.e.)", "second (s.e.)")
	for _, s := range rows[:min(10, len(rows))] {
		fmt.Fprintf(&text, "\n%-16s%14.4f%14.1f%14.1f", s.Name, s.Distance, s.Mean, s.Second)
	}
	return text.String()
}

// subscript writes a number in subscript digits.
func subscript(i int) string {
	return strings.Map(func(digit rune) rune { return digit - '0' + '₀' }, fmt.Sprint(i))
}
