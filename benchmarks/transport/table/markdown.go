package table

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Markdown is the table of W2 and normalised path energies, means ± standard deviations over the seeds, with the published in brackets.
func (t *Table) Markdown() string {
	var out strings.Builder
	row := func(cells ...string) { fmt.Fprintf(&out, "| %s |\n", strings.Join(cells, " | ")) }
	setNames := Sets()
	for _, part := range []struct {
		title string
		of    func(*Score) float64
		paper func([3]float64) string
	}{
		{"W2", func(s *Score) float64 { return s.W2 }, func(p [3]float64) string { return fmt.Sprintf(" (%.3f±%.3f)", p[0], p[1]) }},
		{"W2, last weights", func(s *Score) float64 { return s.Last }, func([3]float64) string { return "" }},
		{"W2, averaged weights", func(s *Score) float64 { return s.Averaged }, func([3]float64) string { return "" }},
		{"NPE", func(s *Score) float64 { return s.NPE }, func(p [3]float64) string { return fmt.Sprintf(" (%.3f)", p[2]) }},
		{"training, s", func(s *Score) float64 { return s.Seconds }, func([3]float64) string { return "" }},
	} {
		row(append([]string{part.title}, setNames...)...)
		row(slices.Repeat([]string{"---"}, 1+len(sets))...)
		for _, m := range methods {
			cells := []string{m.name}
			for _, s := range setNames {
				scores := t.Cells[m.name+" on "+s]
				cell := scores.summary(part.of)
				if p, found := published[m.name][s]; found && cell != "" {
					cell += part.paper(p)
				}
				cells = append(cells, cell)
			}
			row(cells...)
		}
		if part.title == "W2" {
			cells := []string{"two true samples"}
			for _, s := range setNames {
				cell := ""
				if p := t.Sets[s]; p != nil {
					cell = fmt.Sprintf("%.3f±%.3f", p.Floor, p.FloorStd)
				}
				cells = append(cells, cell)
			}
			row(cells...)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// summary is "mean±std" over the seeds that did not diverge, and how many did.
func (s Scores) summary(of func(*Score) float64) string {
	var sum, squares, n float64
	for _, r := range s {
		if r.Diverged == "" {
			sum, n = sum+of(r), n+1
		}
	}
	lost := ""
	if failed := len(s) - int(n); failed > 0 {
		lost = fmt.Sprintf(", %d diverged", failed)
	}
	if n == 0 {
		return strings.TrimPrefix(lost, ", ")
	}
	for _, r := range s {
		if r.Diverged == "" {
			squares += math.Pow(of(r)-sum/n, 2)
		}
	}
	if n == 1 {
		return fmt.Sprintf("%.3f", sum) + lost
	}
	return fmt.Sprintf("%.3f±%.3f", sum/n, math.Sqrt(squares/(n-1))) + lost
}
