package plots

import (
	"image/color"
	"math"
	"sort"

	"github.com/pkg/errors"
)

// ScatterStyle says how points are drawn.
type ScatterStyle struct {
	Label  string      // in the legend
	Color  color.Color // default: white, then red, on a map; blue, then other colours, on paper
	Size   float64     // diameter in points; default 4.5 for few points, down to 2 for thousands
	Alpha  float64     // opacity, 0 to 1; default 0.9 for few points, down to 0.5 for thousands
	Labels []int       // one number a point: each number gets a colour of its own
	Names  []string    // legend texts of the numbers 0, 1, …; default none
	Edge   float64     // width of a thin dark rim in points; default 0.3 on maps, 0 on paper; negative: none
}

type scatter struct {
	pts   [][2]float64
	style ScatterStyle
	nth   int // which scatter of its panel, for its colour
}

// Scatter starts a panel with [Panel.Scatter].
func Scatter(points any, style ...ScatterStyle) *Panel { return New().Scatter(points, style...) }

// Scatter draws points [n, 2].
func (p *Panel) Scatter(points any, style ...ScatterStyle) *Panel {
	s, err := one("Scatter", style)
	pts, ptsErr := pointsOf("Scatter", "points", points)
	if err = firstError(err, ptsErr, nonNegative("Scatter", "Size", s.Size), nonNegative("Scatter", "Alpha", s.Alpha),
		checkText("Scatter: Label", s.Label)); err != nil {
		return p.fail(err)
	}
	if s.Labels != nil && len(s.Labels) != len(pts) {
		return p.fail(errors.Errorf("Scatter: %d Labels for %d points", len(s.Labels), len(pts)))
	}
	for i, k := range s.Labels {
		if k < 0 || (s.Names != nil && k >= len(s.Names)) {
			return p.fail(errors.Errorf("Scatter: Labels[%d] is %d, want 0 or more, below the number of Names (%d)", i, k, len(s.Names)))
		}
	}
	for _, n := range s.Names {
		if err := checkText("Scatter: Names", n); err != nil {
			return p.fail(err)
		}
	}
	nth := 0
	for _, l := range p.layers {
		if _, ok := l.(*scatter); ok {
			nth++
		}
	}
	return p.add(&scatter{pts: pts, style: s, nth: nth}, nil)
}

func (s *scatter) planar()               {}
func (s *scatter) bounds() Region        { return boundsOf(s.pts) }
func (s *scatter) samples() [][2]float64 { return s.pts }

// many falls from 1 for a hundred points to 0 for five thousand.
func (s *scatter) many() float64 {
	return math.Max(0, math.Min(1-math.Log(float64(len(s.pts))/100)/math.Log(50), 1))
}

func (s *scatter) resolved(p *Panel) ScatterStyle {
	r := s.style
	onMap := p.onMap()
	if r.Color == nil {
		r.Color = cycle(s.nth)
		if onMap {
			r.Color = [...]color.Color{White, Red, Orange, Sky}[s.nth%4]
		}
	}
	if r.Size == 0 {
		r.Size = 2 + 2.5*s.many()
	}
	if r.Alpha == 0 {
		r.Alpha = .5 + .4*s.many()
		if onMap {
			r.Alpha = .75 + .25*s.many()
		}
	}
	if r.Edge == 0 && onMap {
		r.Edge = .3
	}
	r.Edge = math.Max(r.Edge, 0)
	return r
}

func (s *scatter) draw(pg *page, a *axes) {
	r := s.resolved(a.panel)
	rim := fade(Black, r.Alpha*.8)
	for i, q := range s.pts {
		face := r.Color
		if r.Labels != nil {
			face = cycle(r.Labels[i])
		}
		pg.disc(a.rect, a.x(q[0]), a.y(q[1]), pg.px(r.Size)/2, pg.px(r.Edge), fade(face, r.Alpha), rim)
	}
}

func (s *scatter) entry() (legendEntry, bool) {
	return legendEntry{label: s.style.Label, draw: func(pg *page, a *axes, x, y float64) {
		r := s.resolved(a.panel)
		pg.disc(pg.img.Rect, x, y, pg.px(math.Max(r.Size, 4))/2, pg.px(r.Edge), fade(r.Color, 1), Black)
	}}, s.style.Label != ""
}

// entries of the labels' colours.
func (s *scatter) entries() []legendEntry {
	if s.style.Labels == nil || s.style.Names == nil {
		return nil
	}
	used := map[int]bool{}
	for _, k := range s.style.Labels {
		used[k] = true
	}
	var ks []int
	for k := range used {
		ks = append(ks, k)
	}
	sort.Ints(ks)
	var out []legendEntry
	for _, k := range ks {
		out = append(out, legendEntry{label: s.style.Names[k], draw: func(pg *page, _ *axes, x, y float64) {
			pg.disc(pg.img.Rect, x, y, pg.px(2.2), 0, fade(cycle(k), 1), Black)
		}})
	}
	return out
}
