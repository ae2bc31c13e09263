package plots

import (
	"image/color"
	"math"

	"github.com/pkg/errors"
)

// HistStyle says how a histogram is drawn.
type HistStyle struct {
	Label        string                  // in the legend
	Color        color.Color             // default: blue, vermilion, green, …
	Bins         int                     // default: by Freedman and Diaconis' rule, 8 to 120
	Range        [2]float64              // of the bins; default {0, 0}: from the values
	Density      func(x float64) float64 // the exact density, drawn as a line over the bars; default none
	DensityLabel string                  // in the legend; default "exact"
}

type histogram struct {
	edges, heights []float64
	exact          [][2]float64
	style          HistStyle
}

// Hist starts a panel with [Panel.Hist].
func Hist(values any, style ...HistStyle) *Panel { return New().Hist(values, style...) }

// Hist draws a histogram of the values. Its area is the share of the values that lie in Range, so that it can be
// compared with an exact density.
//
// Default bins: D. Freedman, P. Diaconis, "On the histogram as a density estimator: L₂ theory", 1981,
// doi:10.1007/BF01025868.
func (p *Panel) Hist(values any, style ...HistStyle) *Panel {
	s, err := one("Hist", style)
	v, vErr := seriesOf("Hist", "values", values)
	if err = firstError(err, vErr, checkText("Hist: Label", s.Label), checkText("Hist: DensityLabel", s.DensityLabel)); err != nil {
		return p.fail(err)
	}
	if s.Bins < 0 || s.Bins > 10000 {
		return p.fail(errors.Errorf("Hist: Bins is %d, want 1 to 10000, or 0 for the default", s.Bins))
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, x := range v {
		lo, hi = math.Min(lo, x), math.Max(hi, x)
	}
	if hi-lo <= 1e-12*math.Max(math.Abs(lo), math.Abs(hi)) || hi-lo < 1e-90 {
		lo, hi = lo-.5, hi+.5
	}
	if s.Range != [2]float64{} {
		if lo, hi = s.Range[0], s.Range[1]; !finite(lo) || !finite(hi) || hi-lo < 1e-90 {
			return p.fail(errors.Errorf("Hist: Range is [%v, %v], want a first number below the second", lo, hi))
		}
	}
	if s.Bins == 0 {
		width := 2 * (percentile(v, .75) - percentile(v, .25)) / math.Cbrt(float64(len(v)))
		s.Bins = 120
		if width > 0 {
			s.Bins = int(math.Max(8, math.Min(math.Ceil((hi-lo)/width), 120)))
		}
	}
	if s.Color == nil {
		s.Color = p.coloured(LineStyle{}, false).Color
	}
	h := &histogram{heights: make([]float64, s.Bins), style: s}
	for i := range s.Bins + 1 {
		h.edges = append(h.edges, lo+(hi-lo)*float64(i)/float64(s.Bins))
	}
	each := float64(s.Bins) / ((hi - lo) * float64(len(v)))
	inside := false
	for _, x := range v {
		if x >= lo && x <= hi {
			h.heights[min(int((x-lo)/(hi-lo)*float64(s.Bins)), s.Bins-1)] += each
			inside = true
		}
	}
	if !inside {
		return p.fail(errors.Errorf("Hist: none of the %d values lies in Range [%v, %v]", len(v), lo, hi))
	}
	if s.Density != nil {
		for i := range 400 {
			x := lo + (hi-lo)*float64(i)/399
			y := s.Density(x)
			if !finite(y) || y < 0 {
				return p.fail(errors.Errorf("Hist: Density is %v at %v", y, x))
			}
			h.exact = append(h.exact, [2]float64{x, y})
		}
	}
	return p.add(h, nil)
}

func (h *histogram) bounds() Region {
	r := Region{h.edges[0], h.edges[len(h.edges)-1], 0, 0}
	for _, y := range h.heights {
		r.Y1 = math.Max(r.Y1, y)
	}
	for _, q := range h.exact {
		r.Y1 = math.Max(r.Y1, q[1])
	}
	return r
}

func (h *histogram) samples() [][2]float64 {
	out := append([][2]float64{}, h.exact...)
	for i, y := range h.heights {
		for k := range 5 {
			out = append(out, [2]float64{(h.edges[i] + h.edges[i+1]) / 2, y * float64(k+1) / 5})
		}
	}
	return out
}

func (h *histogram) draw(pg *page, a *axes) {
	y0 := float64(a.rect.Max.Y)
	outline := [][2]float64{{a.x(h.edges[0]), y0}}
	for i, y := range h.heights {
		outline = append(outline, [2]float64{a.x(h.edges[i]), a.y(y)}, [2]float64{a.x(h.edges[i+1]), a.y(y)})
	}
	outline = append(outline, [2]float64{a.x(h.edges[len(h.edges)-1]), y0})
	pg.fillWithin(a.rect, fade(h.style.Color, .35), outline)
	pg.strokeWithin(a.rect, pen{h.style.Color, .7, nil}, outline)
	exact := make([][2]float64, len(h.exact))
	for i, q := range h.exact {
		exact[i] = [2]float64{a.x(q[0]), a.y(q[1])}
	}
	if len(exact) > 0 {
		pg.strokeWithin(a.rect, pen{Black, 1.4, nil}, exact)
	}
}

func (h *histogram) entry() (legendEntry, bool) {
	return legendEntry{label: h.style.Label, draw: func(pg *page, _ *axes, x, y float64) {
		box := [][2]float64{{x - pg.px(7), y - pg.px(3)}, {x + pg.px(7), y - pg.px(3)}, {x + pg.px(7), y + pg.px(3)}, {x - pg.px(7), y + pg.px(3)}}
		pg.fill(fade(h.style.Color, .35), box...)
		pg.strokePath(pen{h.style.Color, .7, nil}, true, box)
	}}, h.style.Label != ""
}

func (h *histogram) entries() []legendEntry {
	if h.exact == nil {
		return nil
	}
	label := h.style.DensityLabel
	if label == "" {
		label = "exact"
	}
	return []legendEntry{{label: label, draw: func(pg *page, _ *axes, x, y float64) {
		pg.stroke(pen{Black, 1.4, nil}, [2]float64{x - pg.px(8), y}, [2]float64{x + pg.px(8), y})
	}}}
}
