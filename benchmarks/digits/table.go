package main

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
)

// auroc is the probability that a number of odd is above one of normal; equal ones count half.
func auroc(normal, odd []float64) (p float64) {
	sorted := slices.Sorted(slices.Values(normal))
	for _, v := range odd {
		below := sort.SearchFloat64s(sorted, v)
		equal := sort.Search(len(sorted), func(i int) bool { return sorted[i] > v }) - below
		p += (float64(below) + float64(equal)/2) / float64(len(sorted)*len(odd))
	}
	return p
}

// table is the Markdown of what r has: means over the seeds and, in brackets, the worst.
func (r *Results) table() string {
	var out strings.Builder
	out.WriteString("| model | seeds | named right | Fréchet | sliced W₂ | MMD | descent, steps | AUROC of halves | training, s |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, model := range []struct{ name, title string }{{"flow", "flow matching"}, {"equilibrium", "equilibrium matching"}, {"energy", "convolutional energy, PCD"}} {
		var done []*Figures
		stopped := 0
		for _, f := range r.Runs[model.name] {
			if f.Stopped != "" {
				stopped++
				continue
			}
			done = append(done, f)
		}
		if len(done) == 0 {
			continue
		}
		cell := func(format string, high bool, of func(*Figures) float64) string {
			mean, worst := 0., of(done[0])
			for _, f := range done {
				v := of(f)
				mean += v / float64(len(done))
				if high == (v < worst) {
					worst = v
				}
			}
			if mean == 0 {
				return ""
			}
			return fmt.Sprintf(format+" ("+format+")", mean, worst)
		}
		seeds := fmt.Sprint(len(done))
		if stopped > 0 {
			seeds += fmt.Sprintf(", and %d that the doctor stopped", stopped)
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", model.title, seeds,
			cell("%.1f", true, func(f *Figures) float64 { return 100 * f.Right }), cell("%.1f", false, func(f *Figures) float64 { return f.Frechet }),
			cell("%.4f", false, func(f *Figures) float64 { return f.SlicedW2 }), cell("%.4f", false, func(f *Figures) float64 { return f.MMD }),
			cell("%.1f", false, func(f *Figures) float64 { return f.Steps }), cell("%.3f", true, func(f *Figures) float64 { return f.AUROC["halves"] }),
			cell("%.0f", false, func(f *Figures) float64 { return f.Seconds }))
	}
	f, s, m := r.Floors["frechet"], r.Floors["sliced_w2"], r.Floors["mmd"]
	fmt.Fprintf(&out, "| real digits | | %.1f | %.1f (%.1f) | %.4f (%.4f) | %.4f (%.4f) | | | |\n", 100*r.Judge, f.Mean, f.Max, s.Mean, s.Max, m.Mean, m.Max)
	for _, name := range []string{"uniform", "shuffled", "turned"} {
		least := math.Inf(1)
		for _, f := range r.Runs["energy"] {
			if f.AUROC != nil {
				least = min(least, f.AUROC[name])
			}
		}
		if !math.IsInf(least, 1) {
			fmt.Fprintf(&out, "\nAUROC of the energy, %s against held-out digits, the least of all seeds: %.4f.", name, least)
		}
	}
	return out.String() + "\n"
}
