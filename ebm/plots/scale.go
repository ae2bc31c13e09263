package plots

import (
	"image/color"
	"math"
	"sort"

	"github.com/pkg/errors"
)

// ColorScale says how heights become colours. The zero value spreads the palette over all the heights.
type ColorScale struct {
	Palette Palette    // default Viridis
	Range   [2]float64 // heights of the first and the last colour; default {0, 0}: from the data
	Depth   float64    // show only this much above the lowest height, what is higher in one colour; default 0: everything
	FromMin bool       // subtract the lowest height: landscapes equal but for a constant look the same
	Log     bool       // colours by the logarithm of the height above the lowest (above 0 if all are positive)
	Label   string     // label of the colour bar; default "energy"
	NoBar   bool       // leave out the colour bar
}

func (c ColorScale) check(caller string) error {
	if c.Palette < 0 || int(c.Palette) >= len(paletteHex) {
		return errors.Errorf("%s: Palette is %d, want Viridis, Magma or Cividis", caller, c.Palette)
	}
	if c.Range != [2]float64{} && (!finite(c.Range[0]) || !finite(c.Range[1]) || c.Range[0] >= c.Range[1]) {
		return errors.Errorf("%s: Range is [%v, %v], want a first number below the second", caller, c.Range[0], c.Range[1])
	}
	return nonNegative(caller, "Depth", c.Depth)
}

// extent is what a scale needs to know of the heights: their ends, and the end below which only a hundredth lies.
type extent struct{ lo, low, hi float64 }

func extentOf(z []float64, fromMin bool) extent {
	v := make([]float64, 0, len(z))
	for _, x := range z {
		if finite(x) {
			v = append(v, x)
		}
	}
	sort.Float64s(v)
	e := extent{v[0], v[len(v)/100], v[len(v)-1]}
	if fromMin {
		return extent{0, e.low - e.lo, e.hi - e.lo}
	}
	return e
}

// percentile is the value below which the share q of all values lies.
func percentile(v []float64, q float64) float64 {
	s := append([]float64{}, v...)
	sort.Float64s(s)
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

func (e extent) union(o extent) extent {
	return extent{math.Min(e.lo, o.lo), math.Min(e.low, o.low), math.Max(e.hi, o.hi)}
}

// scale maps heights to positions in [0, 1] and those to colours.
type scale struct {
	palette     Palette
	log         bool
	base        float64   // subtracted before the logarithm
	lo, hi      float64   // heights at positions 0 and 1
	over, under bool      // heights beyond the ends exist
	edges       []float64 // positions of the borders between bands, with 0 and 1; nil for continuous colours
	ticks       []float64 // positions of the ticks of the bar
	tickLabels  []string
	label       string
}

// newScale lays colours over an extent; bands is the wished number of bands, 0 for continuous colours.
func newScale(c ColorScale, e extent, bands int) scale {
	s := scale{palette: c.Palette, log: c.Log, lo: e.lo, hi: e.hi, label: c.Label}
	if s.label == "" {
		s.label = "energy"
	}
	if c.Depth > 0 && e.lo+c.Depth < e.hi {
		s.hi = e.lo + c.Depth
	}
	if c.Range != [2]float64{} {
		s.lo, s.hi = c.Range[0], c.Range[1]
	}
	if s.hi-s.lo <= 1e-9*math.Max(math.Abs(s.lo), math.Abs(s.hi)) || s.hi-s.lo < 1e-90 {
		pad := math.Max(1e-3*math.Abs(s.lo), .5) // a flat landscape
		s.lo, s.hi = s.lo-pad, s.hi+pad
		s.log = false
	}
	if s.log {
		s.logLimits(c, e)
	}
	var levels []float64
	switch {
	case s.log:
		major, minor := logTicks(s.lo-s.base, s.hi-s.base, max(bands, 6))
		ticks := major
		if bands > 0 && len(major)+len(minor) <= bands+4 {
			major = append(major, minor...)
			sort.Float64s(major)
		}
		for _, v := range major {
			levels = append(levels, v+s.base)
		}
		s.setTicks(ticks, s.base)
	case bands > 0:
		step := niceStep(s.hi-s.lo, bands)
		clipped := s.hi < e.hi || c.Range != [2]float64{}
		if c.Range == [2]float64{} {
			s.lo = math.Floor(s.lo/step+1e-9) * step
		}
		if !clipped {
			s.lo, s.hi = math.Floor(s.lo/step+1e-9)*step, math.Ceil(s.hi/step-1e-9)*step
		}
		levels = niceTicks(s.lo, s.hi, bands)
		ticks := levels
		for len(ticks) > 9 {
			ticks = everySecond(ticks, 2*step)
			step *= 2
		}
		s.setTicks(ticks, 0)
	default:
		if step := niceStep(s.hi-s.lo, 6); c.Range == [2]float64{} && s.lo-math.Floor(s.lo/step)*step < .06*(s.hi-s.lo) {
			s.lo = math.Floor(s.lo/step) * step // begin at a tick that is near
		}
		s.setTicks(niceTicks(s.lo, s.hi, 6), 0)
	}
	s.over = e.hi > s.hi+1e-9*(s.hi-s.lo)
	s.under = e.lo < s.lo-1e-9*(s.hi-s.lo) && !s.log
	if bands > 0 {
		s.edges = []float64{0}
		for _, v := range levels {
			if p := s.pos(v); p > s.edges[len(s.edges)-1]+1e-3 && p < 1-1e-3 {
				s.edges = append(s.edges, p)
			}
		}
		s.edges = append(s.edges, 1)
	}
	return s
}

// logLimits finds where a logarithmic scale begins: at the height under which a hundredth of the picture lies, and no
// more than six decades under its end.
func (s *scale) logLimits(c ColorScale, e extent) {
	if e.lo <= 0 || c.FromMin {
		s.base = e.lo
		if math.Abs(e.lo) < 1e-3*(s.hi-e.lo) {
			s.base = math.Min(0, e.lo) // the grid missed a minimum at 0 by a little
		}
	}
	if c.Range != [2]float64{} && s.lo > s.base {
		return
	}
	top := s.hi - s.base
	low := math.Max(math.Max(e.low, e.lo)-s.base, top*1e-6)
	s.lo = s.base + math.Min(math.Pow(10, math.Floor(math.Log10(low)+.3)), top/10)
	if s.base != 0 && !c.FromMin {
		s.label += " − min"
	}
}

func everySecond(ticks []float64, step float64) []float64 {
	var out []float64
	for _, v := range ticks {
		if k := v / step; math.Abs(k-math.Round(k)) < 1e-6 {
			out = append(out, v)
		}
	}
	return out
}

func (s *scale) setTicks(ticks []float64, base float64) {
	s.tickLabels = formatTicks(ticks, s.log)
	for _, v := range ticks {
		s.ticks = append(s.ticks, s.pos(v+base))
	}
}

// pos is where a height lies between the ends of the scale: 0 to 1, beyond for heights outside.
func (s *scale) pos(v float64) float64 {
	if s.log {
		u := math.Max(v-s.base, 1e-3*(s.lo-s.base))
		return math.Log(u/(s.lo-s.base)) / math.Log((s.hi-s.base)/(s.lo-s.base))
	}
	return (v - s.lo) / (s.hi - s.lo)
}

// colour is the colour at a position; with bands, the band's.
func (s *scale) colour(p float64) color.RGBA {
	if s.edges != nil {
		n := len(s.edges) - 1
		last := float64(n - 1)
		if s.over {
			last++ // one more colour, for what is higher
		}
		k := sort.SearchFloat64s(s.edges, p) - 1
		k = max(0, k)
		if k >= n && !s.over {
			k = n - 1
		}
		p = 0
		if last > 0 {
			p = float64(k) / last
		}
	}
	return s.palette.At(p)
}
