package plots

import (
	"image/color"
	"math"
)

// TrajectoryStyle says how a path is drawn.
type TrajectoryStyle struct {
	Label string      // in the legend
	Color color.Color // default red
	Width float64     // of the line in points; default 1
	Alpha float64     // opacity of the line, 0 to 1; default 0.85
	Dots  bool        // mark every point, not only the first and the last
}

type trajectory struct {
	pts   [][2]float64
	style TrajectoryStyle
}

// Trajectory draws the path through points [n, 2], of one chain or one particle in time order, with its start as a
// circle and its end as a square.
func (p *Panel) Trajectory(points any, style ...TrajectoryStyle) *Panel {
	s, err := one("Trajectory", style)
	pts, ptsErr := pointsOf("Trajectory", "points", points)
	if err = firstError(err, ptsErr, nonNegative("Trajectory", "Width", s.Width), nonNegative("Trajectory", "Alpha", s.Alpha),
		checkText("Trajectory: Label", s.Label)); err != nil {
		return p.fail(err)
	}
	if s.Color == nil {
		s.Color = Red
	}
	if s.Width == 0 {
		s.Width = 1
	}
	if s.Alpha == 0 {
		s.Alpha = .85
	}
	return p.add(&trajectory{pts, s}, nil)
}

func (t *trajectory) planar()               {}
func (t *trajectory) bounds() Region        { return boundsOf(t.pts) }
func (t *trajectory) samples() [][2]float64 { return t.pts }

func (t *trajectory) draw(pg *page, a *axes) {
	line := make([][2]float64, len(t.pts))
	for i, q := range t.pts {
		line[i] = [2]float64{a.x(q[0]), a.y(q[1])}
	}
	pg.strokeWithin(a.rect, pen{fade(t.style.Color, t.style.Alpha), t.style.Width, nil}, line)
	if t.style.Dots {
		for _, q := range line {
			pg.disc(a.rect, q[0], q[1], pg.px(t.style.Width)*1.3, 0, fade(t.style.Color, 1), Black)
		}
	}
	t.start(pg, a, line[0][0], line[0][1])
	t.end(pg, a, line[len(line)-1][0], line[len(line)-1][1])
}

func (t *trajectory) start(pg *page, a *axes, x, y float64) {
	pg.disc(a.rect, x, y, pg.px(3.2), pg.px(1), White, fade(t.style.Color, 1))
	pg.disc(a.rect, x, y, pg.px(3.8), pg.px(.4), color.NRGBA{}, Black)
}

func (t *trajectory) end(pg *page, a *axes, x, y float64) {
	if x < float64(a.rect.Min.X) || x > float64(a.rect.Max.X) || y < float64(a.rect.Min.Y) || y > float64(a.rect.Max.Y) {
		return
	}
	square := func(r float64) [][2]float64 {
		return [][2]float64{{x - r, y - r}, {x + r, y - r}, {x + r, y + r}, {x - r, y + r}}
	}
	pg.fill(Black, square(pg.px(3.9))...)
	pg.fill(White, square(pg.px(3.4))...)
	pg.fill(fade(t.style.Color, 1), square(pg.px(2.8))...)
}

func (t *trajectory) entry() (legendEntry, bool) {
	return legendEntry{label: t.style.Label, draw: func(pg *page, _ *axes, x, y float64) {
		pg.stroke(pen{t.style.Color, math.Max(t.style.Width, 1), nil}, [2]float64{x - pg.px(8), y}, [2]float64{x + pg.px(8), y})
	}}, t.style.Label != ""
}

// entries name the marks, once a panel.
func (t *trajectory) entries() []legendEntry {
	whole := func(pg *page, a *axes) *axes { b := *a; b.rect = pg.img.Rect; return &b }
	return []legendEntry{
		{label: "start", draw: func(pg *page, a *axes, x, y float64) { t.start(pg, whole(pg, a), x, y) }},
		{label: "end", draw: func(pg *page, a *axes, x, y float64) { t.end(pg, whole(pg, a), x, y) }},
	}
}
