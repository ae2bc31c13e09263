package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// problems says in words what speaks against the chains.
func (d *Diagnosis) problems(nested bool) (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if d.NonFinite > 0 {
		say("%d of %d draws are not finite: the step is too large, or the energy falls without bound", d.NonFinite, d.Chains*d.Draws)
	}
	if d.Divergences > 0 {
		say("%d draws diverged: their energy is not finite or jumped by more than 1000; make the step smaller", d.Divergences)
	}
	worst := func(limit float64, bad func(c Coordinate) float64) (w Coordinate, value float64, count int) {
		for _, c := range d.Coordinates {
			// bad is to be at most limit; NaN is no evidence either way
			if v := bad(c); v > limit {
				if count++; count == 1 || v > value {
					w, value = c, v
				}
			}
		}
		return w, value, count
	}
	if c, _, n := worst(0, func(c Coordinate) float64 {
		if c.Constant {
			return 1
		}
		return 0
	}); n > 0 {
		say("%s never moves%s", c.Name, others(n))
	}
	if nested {
		if c, v, n := worst(maxRHat, func(c Coordinate) float64 { return c.NestedRHat }); n > 0 {
			say("nested R̂ of %s is %.3f%s, want at most %g: the chains remember where they started, run them longer", c.Name, v, others(n), maxRHat)
		}
	} else {
		if c, v, n := worst(maxRHat, func(c Coordinate) float64 { return c.RHat }); n > 0 {
			say("R̂ of %s is %.3f%s, want at most %g: the chains do not agree, run them longer", c.Name, v, others(n), maxRHat)
		}
		if c, v, n := worst(-minESS, func(c Coordinate) float64 { return -c.ESSBulk }); n > 0 {
			say("bulk ESS of %s is %.0f%s, want at least %d: its mean is uncertain", c.Name, -v, others(n), minESS)
		}
		if c, v, n := worst(-minESS, func(c Coordinate) float64 { return -c.ESSTail }); n > 0 {
			say("tail ESS of %s is %.0f%s, want at least %d: its tails are uncertain", c.Name, -v, others(n), minESS)
		}
	}
	if low, n := d.lowEBFMI(); n > 0 {
		say("E-BFMI is below %g in %d of %d chains, %.2f at worst: the energy moves slowly, so tails may be missed", minEBFMI, n, d.Chains, low)
	}
	if d.Chains == 1 {
		say("one chain cannot tell whether it found every mode: run at least 4 from different starts")
	}
	return out
}

func others(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" (%d coordinates, this one worst)", n)
}

func (d *Diagnosis) lowEBFMI() (least float64, low int) {
	least = math.Inf(1)
	for _, v := range d.EBFMI {
		if v < minEBFMI {
			low++
		}
		if v < least {
			least = v
		}
	}
	return least, low
}

// Verdict is the diagnosis in words.
func (d *Diagnosis) Verdict() string {
	var b strings.Builder
	if len(d.Problems) == 0 {
		fmt.Fprintf(&b, "Nothing speaks against these %d chains of %d draws.\n", d.Chains, d.Draws)
	} else {
		fmt.Fprintf(&b, "Do not trust these %s of %d draws yet:\n", plural(d.Chains, "chain"), d.Draws)
		for _, p := range d.Problems {
			fmt.Fprintf(&b, "- %s.\n", p)
		}
	}
	if d.Divergences < 0 {
		b.WriteString("Divergences and E-BFMI: unknown, no energies given.")
	} else if least, _ := d.lowEBFMI(); math.IsInf(least, 1) {
		fmt.Fprintf(&b, "Divergences: %d. E-BFMI: none, no chain's energies are finite and change.", d.Divergences)
	} else {
		fmt.Fprintf(&b, "Divergences: %d. E-BFMI: %.2f at least.", d.Divergences, least)
	}
	if !math.IsNaN(d.Accept) {
		fmt.Fprintf(&b, " Acceptance: %.2f.", d.Accept)
	}
	return b.String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// String is the verdict above a table of the coordinates, of the 20 with the largest R̂ where there are more than 40.
func (d *Diagnosis) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, d.Verdict())
	rows := d.Coordinates
	if len(rows) > 40 {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(a, c Coordinate) int { return cmp.Compare(rank(c), rank(a)) })
		fmt.Fprintf(&b, "The 20 of %d coordinates with the largest R̂:\n", len(rows))
		rows = rows[:20]
	}
	nested := slices.ContainsFunc(rows, func(c Coordinate) bool { return !math.IsNaN(c.NestedRHat) })
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := "\tmean\tsd\t5%\t50%\t95%\tmcse mean\tmcse sd\tmcse 5%\tmcse 95%\tess bulk\tess tail\tρ₁\tR̂\t"
	if nested {
		head += "nested R̂\t"
	}
	fmt.Fprintln(w, head)
	for _, c := range rows {
		fmt.Fprintf(w, "%s\t", c.Name)
		for _, v := range []float64{c.Mean, c.Std, c.Q05, c.Median, c.Q95, c.MCSEMean, c.MCSEStd, c.MCSEQ05, c.MCSEQ95} {
			fmt.Fprintf(w, "%s\t", cell("%.3g", v))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t", cell("%.0f", c.ESSBulk), cell("%.0f", c.ESSTail), cell("%.2f", c.Lag1), cell("%.3f", c.RHat))
		if nested {
			fmt.Fprintf(w, "%s\t", cell("%.3f", c.NestedRHat))
		}
		fmt.Fprintln(w)
	}
	w.Flush() // into a strings.Builder, which does not fail
	return strings.TrimRight(b.String(), "\n")
}

// rank orders coordinates from good to bad: those without an R̂ come last.
func rank(c Coordinate) float64 {
	if math.IsNaN(c.RHat) {
		return math.Inf(1)
	}
	return c.RHat
}

func cell(format string, v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf(format, v)
}
