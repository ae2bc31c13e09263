package plots

import (
	"image"
	"image/color"
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// LineStyle says how a curve is drawn.
type LineStyle struct {
	X     any         // horizontal coordinates, as long as y; default 0, 1, 2, …
	Label string      // in the legend
	Color color.Color // default: blue, vermilion, green, …
	Width float64     // in points; default 1.5
	Dash  []float64   // lengths of strokes and gaps in points; default solid
	Marks bool        // mark each point
}

type line struct {
	pts   [][2]float64
	style LineStyle
	lower []float64 // of a band: the line is then its upper edge
	only  int       // a line across the panel: 'h' or 'v'
}

// Line starts a panel with [Panel.Line].
func Line(y any, style ...LineStyle) *Panel { return New().Line(y, style...) }

// Line draws the series y against 0, 1, 2, … or LineStyle.X.
func (p *Panel) Line(y any, style ...LineStyle) *Panel { return p.line("Line", y, nil, style) }

// Band fills between the series lower and upper, as a spread over repetitions. LineStyle.X are its horizontal coordinates.
func (p *Panel) Band(lower, upper any, style ...LineStyle) *Panel {
	low, err := seriesOf("Band", "lower", lower)
	if err != nil {
		return p.fail(err)
	}
	return p.line("Band", upper, low, style)
}

func (p *Panel) line(caller string, y any, lower []float64, style []LineStyle) *Panel {
	s, err := one(caller, style)
	arg := "y"
	if lower != nil {
		arg = "upper"
	}
	ys, yErr := seriesOf(caller, arg, y)
	if err = firstError(err, yErr, s.check(caller)); err != nil {
		return p.fail(err)
	}
	if lower != nil && len(lower) != len(ys) {
		return p.fail(errors.Errorf("%s: lower has %d numbers, upper has %d", caller, len(lower), len(ys)))
	}
	xs := make([]float64, len(ys))
	for i := range xs {
		xs[i] = float64(i)
	}
	if s.X != nil {
		if xs, err = seriesOf(caller, "X", s.X); err != nil {
			return p.fail(err)
		}
		if len(xs) != len(ys) {
			return p.fail(errors.Errorf("%s: X has %d numbers, %s has %d", caller, len(xs), arg, len(ys)))
		}
	}
	l := &line{style: p.coloured(s, lower != nil), lower: lower}
	for i := range xs {
		l.pts = append(l.pts, [2]float64{xs[i], ys[i]})
	}
	return p.add(l, nil)
}

// Curve draws the function f from lo to hi, at 400 points.
func (p *Panel) Curve(f func(x float64) float64, lo, hi float64, style ...LineStyle) *Panel {
	s, err := one("Curve", style)
	switch {
	case err != nil:
	case f == nil:
		err = errors.New("Curve: f is nil")
	case !finite(lo) || !finite(hi) || lo >= hi:
		err = errors.Errorf("Curve: ends are %v and %v, want a first number below the second", lo, hi)
	case s.X != nil:
		err = errors.New("Curve: X is given, but a curve chooses its own")
	default:
		err = s.check("Curve")
	}
	if err != nil {
		return p.fail(err)
	}
	l := &line{style: p.coloured(s, false)}
	for i := range 400 {
		x := lo + (hi-lo)*float64(i)/399
		y := f(x)
		if !finite(y) {
			return p.fail(errors.Errorf("Curve: f is %v at %v", y, x))
		}
		l.pts = append(l.pts, [2]float64{x, y})
	}
	return p.add(l, nil)
}

// HLine draws a level across the panel, such as a floor that no result can beat.
func (p *Panel) HLine(y float64, style ...LineStyle) *Panel {
	return p.across("HLine", "y", 'h', y, style)
}

// VLine draws a vertical line across the panel.
func (p *Panel) VLine(x float64, style ...LineStyle) *Panel {
	return p.across("VLine", "x", 'v', x, style)
}

func (p *Panel) across(caller, arg string, only int, v float64, style []LineStyle) *Panel {
	s, err := one(caller, style)
	if !finite(v) {
		err = errors.Errorf("%s: %s is %v, want a finite number", caller, arg, v)
	}
	if err = firstError(err, s.check(caller)); err != nil {
		return p.fail(err)
	}
	if s.Color == nil {
		s.Color = Grey
	}
	if s.Dash == nil {
		s.Dash = []float64{4, 3}
	}
	if s.Width == 0 {
		s.Width = 1
	}
	return p.add(&line{pts: [][2]float64{{v, v}}, style: s, only: only}, nil)
}

func (s LineStyle) check(caller string) error {
	for _, d := range s.Dash {
		if !finite(d) || d <= 0 {
			return errors.Errorf("%s: Dash is %v, want lengths above 0", caller, s.Dash)
		}
	}
	return firstError(nonNegative(caller, "Width", s.Width), checkText(caller+": Label", s.Label))
}

// coloured fills in the defaults; a band takes the colour that the next line will have.
func (p *Panel) coloured(s LineStyle, band bool) LineStyle {
	if s.Color == nil {
		n := 0
		for _, l := range p.layers {
			switch l := l.(type) {
			case *line:
				if l.only == 0 && l.lower == nil {
					n++
				}
			case *histogram:
				n++
			}
		}
		s.Color = cycle(n)
	}
	if s.Width == 0 {
		s.Width = 1.5
	}
	return s
}

func (l *line) bounds() Region {
	b := boundsOf(l.pts)
	switch l.only {
	case 'h':
		b.X0, b.X1 = math.NaN(), math.NaN()
	case 'v':
		b.Y0, b.Y1 = math.NaN(), math.NaN()
	}
	for _, y := range l.lower {
		b.Y0, b.Y1 = math.Min(b.Y0, y), math.Max(b.Y1, y)
	}
	return b
}

func (l *line) samples() [][2]float64 {
	if l.only != 0 {
		return nil
	}
	return l.pts
}

func (l *line) draw(pg *page, a *axes) {
	n := pen{l.style.Color, l.style.Width, l.style.Dash}
	x0, x1, y0, y1 := float64(a.rect.Min.X), float64(a.rect.Max.X), float64(a.rect.Min.Y), float64(a.rect.Max.Y)
	switch l.only {
	case 'h':
		pg.strokeWithin(a.rect, n, [][2]float64{{x0, a.y(l.pts[0][1])}, {x1, a.y(l.pts[0][1])}})
		return
	case 'v':
		pg.strokeWithin(a.rect, n, [][2]float64{{a.x(l.pts[0][0]), y0}, {a.x(l.pts[0][0]), y1}})
		return
	}
	path := make([][2]float64, 0, 2*len(l.pts))
	for _, q := range l.pts {
		path = append(path, [2]float64{a.x(q[0]), a.y(q[1])})
	}
	if l.lower != nil {
		for i := len(l.lower) - 1; i >= 0; i-- {
			path = append(path, [2]float64{a.x(l.pts[i][0]), a.y(l.lower[i])})
		}
		pg.fillWithin(a.rect, fade(l.style.Color, .22), path)
		return
	}
	pg.strokeWithin(a.rect, n, path)
	if l.style.Marks || len(path) == 1 {
		for _, q := range path {
			pg.disc(a.rect, q[0], q[1], pg.px(l.style.Width)*1.6, 0, fade(l.style.Color, 1), Black)
		}
	}
}

func (l *line) entry() (legendEntry, bool) {
	return legendEntry{label: l.style.Label, draw: func(pg *page, _ *axes, x, y float64) {
		if l.lower != nil {
			pg.fill(fade(l.style.Color, .22), [2]float64{x - pg.px(8), y - pg.px(3)}, [2]float64{x + pg.px(8), y - pg.px(3)},
				[2]float64{x + pg.px(8), y + pg.px(3)}, [2]float64{x - pg.px(8), y + pg.px(3)})
			return
		}
		pg.stroke(pen{l.style.Color, l.style.Width, l.style.Dash}, [2]float64{x - pg.px(8), y}, [2]float64{x + pg.px(8), y})
		if l.style.Marks {
			pg.disc(pg.img.Rect, x, y, pg.px(l.style.Width)*1.6, 0, fade(l.style.Color, 1), Black)
		}
	}}, l.style.Label != ""
}

// clipper is the gonum canvas whose clipping is that of a data area.
func (p *page) clipper(rect image.Rectangle) draw.Canvas {
	return draw.Canvas{Canvas: p.vg, Rectangle: vg.Rectangle{
		Min: p.point(float64(rect.Min.X), float64(rect.Max.Y)), Max: p.point(float64(rect.Max.X), float64(rect.Min.Y))}}
}

func (p *page) points(pts [][2]float64) []vg.Point {
	out := make([]vg.Point, len(pts))
	for i, q := range pts {
		// The rasterizer does not end on places far beyond the page.
		x, y := math.Max(-1e6, math.Min(q[0], 1e6)), math.Max(-1e6, math.Min(q[1], 1e6))
		out[i] = p.point(x, y)
	}
	return out
}

// strokeWithin draws the part of a line inside rect.
func (p *page) strokeWithin(rect image.Rectangle, n pen, pts [][2]float64) {
	c := p.clipper(rect)
	dash := make([]vg.Length, len(n.dash))
	for i, d := range n.dash {
		dash[i] = vg.Length(d)
	}
	c.StrokeLines(draw.LineStyle{Color: n.colour, Width: vg.Length(n.width), Dashes: dash}, c.ClipLinesXY(p.points(pts))...)
}

// fillWithin fills the part of a polygon inside rect.
func (p *page) fillWithin(rect image.Rectangle, colour color.Color, pts [][2]float64) {
	c := p.clipper(rect)
	c.FillPolygon(colour, c.ClipPolygonXY(p.points(pts)))
}
