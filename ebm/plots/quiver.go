package plots

import (
	"image/color"
	"math"

	"github.com/pkg/errors"
)

// QuiverStyle says how a vector field is drawn.
type QuiverStyle struct {
	Label string      // in the legend
	Color color.Color // default white on a map, black on paper
	N     int         // arrows on each side; default 20
	Scale float64     // length of an arrow in data units for a vector of length 1; default: the 95th percentile fills a cell
	Width float64     // of the shaft in points; default 0.9
	Power float64     // arrows grow as this power of the vector, 0 to 1: 0.5 shows small ones beside large; default 1
	Unit  bool        // all arrows equally long: directions only
}

type quiver struct {
	box   Region
	pts   []float32
	vecs  []float64
	style QuiverStyle
}

// Quiver draws the vector field f over the box as N×N arrows, each centred on its point.
func (p *Panel) Quiver(f VectorFunc, box Region, style ...QuiverStyle) *Panel {
	s, err := one("Quiver", style)
	if err = firstError(err, box.check("Quiver"), nonNegative("Quiver", "Scale", s.Scale), nonNegative("Quiver", "Width", s.Width), nonNegative("Quiver", "Power", s.Power),
		checkText("Quiver: Label", s.Label)); err != nil {
		return p.fail(err)
	}
	if f == nil {
		return p.fail(errors.New("Quiver: f is nil"))
	}
	if s.N == 0 {
		s.N = 20
	}
	if s.N < 1 || s.N > 200 {
		return p.fail(errors.Errorf("Quiver: N is %d, want 1 to 200, or 0 for the default", s.N))
	}
	if s.Width == 0 {
		s.Width = .9
	}
	if s.Power == 0 {
		s.Power = 1
	}
	q := &quiver{box: box, style: s}
	for j := range s.N {
		for i := range s.N {
			q.pts = append(q.pts, float32(box.X0+(box.X1-box.X0)*(float64(i)+.5)/float64(s.N)), float32(box.Y0+(box.Y1-box.Y0)*(float64(j)+.5)/float64(s.N)))
		}
	}
	q.vecs, err = f(append([]float32{}, q.pts...))
	switch {
	case err != nil:
		err = errors.WithMessage(err, "Quiver: f")
	case len(q.vecs) != len(q.pts):
		err = errors.Errorf("Quiver: f returned %d numbers for %d points, want 2 a point", len(q.vecs), len(q.pts)/2)
	}
	for i, v := range q.vecs {
		if err == nil && !finite(v) {
			err = errors.Errorf("Quiver: f is %v at (%.4g, %.4g)", v, q.pts[i&^1], q.pts[i|1])
		}
	}
	return p.add(q, err)
}

func (q *quiver) planar()               {}
func (q *quiver) bounds() Region        { return q.box }
func (q *quiver) samples() [][2]float64 { return nil }

func (q *quiver) colour(p *Panel) color.Color {
	if q.style.Color != nil {
		return q.style.Color
	}
	if p.onMap() {
		return White
	}
	return Black
}

func (q *quiver) draw(pg *page, a *axes) {
	n := len(q.vecs) / 2
	// Lengths in cells, so that arrows do not overlap whatever the units of the axes.
	cw, ch := (q.box.X1-q.box.X0)/float64(q.style.N), (q.box.Y1-q.box.Y0)/float64(q.style.N)
	lengths := make([]float64, n)
	for k := range n {
		lengths[k] = math.Pow(math.Hypot(q.vecs[2*k]/cw, q.vecs[2*k+1]/ch), q.style.Power)
	}
	scale := q.style.Scale
	if scale == 0 {
		if long := percentile(lengths, .95); long > 0 {
			scale = .95 / long
		}
	}
	for k := range n {
		if lengths[k] == 0 {
			continue
		}
		cells := scale * lengths[k]
		if q.style.Unit {
			cells = .8
		} else if q.style.Scale == 0 {
			cells = math.Min(cells, 1.15)
		}
		by := cells / math.Pow(lengths[k], 1/q.style.Power)
		dx, dy := q.vecs[2*k]*by/2, q.vecs[2*k+1]*by/2
		x, y := float64(q.pts[2*k]), float64(q.pts[2*k+1])
		q.arrow(pg, a, q.colour(a.panel), a.x(x-dx), a.y(y-dy), a.x(x+dx), a.y(y+dy))
	}
}

// arrow draws a shaft and a head that shrinks with a short shaft.
func (q *quiver) arrow(pg *page, a *axes, c color.Color, x0, y0, x1, y1 float64) {
	length := math.Hypot(x1-x0, y1-y0)
	head := math.Min(pg.px(q.style.Width*4.5), length*.55)
	if length < pg.px(.4) {
		return
	}
	ux, uy := (x1-x0)/length, (y1-y0)/length
	bx, by := x1-head*ux, y1-head*uy
	width := math.Min(q.style.Width, length*72/pg.dpi*.25)
	pg.strokeWithin(a.rect, pen{c, width, nil}, [][2]float64{{x0, y0}, {bx + .2*head*ux, by + .2*head*uy}})
	pg.fillWithin(a.rect, c, [][2]float64{{x1, y1}, {bx - .42*head*uy, by + .42*head*ux}, {bx + .25*head*ux, by + .25*head*uy}, {bx + .42*head*uy, by - .42*head*ux}})
}

func (q *quiver) entry() (legendEntry, bool) {
	return legendEntry{label: q.style.Label, draw: func(pg *page, a *axes, x, y float64) {
		whole := *a
		whole.rect = pg.img.Rect
		q.arrow(pg, &whole, q.colour(a.panel), x-pg.px(8), y, x+pg.px(8), y)
	}}, q.style.Label != ""
}
