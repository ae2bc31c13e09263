package plots

import (
	"image"
	"math"

	"github.com/pkg/errors"
)

// Figure is a picture of one or more panels in rows.
type Figure struct {
	panels    []*Panel
	cols      int
	title     string
	name      string
	sameScale bool
	err       error
}

// Panels sets panels in rows of cols.
func Panels(cols int, panels ...*Panel) *Figure {
	f := &Figure{panels: panels, cols: min(cols, len(panels))}
	switch {
	case len(panels) == 0:
		f.err = errors.New("Panels: no panels")
	case cols < 1:
		f.err = errors.Errorf("Panels: cols is %d, want at least 1", cols)
	}
	for i, p := range panels {
		if f.err != nil {
			break
		}
		if p == nil {
			f.err = errors.Errorf("Panels: panel %d is nil", i)
		} else if p.err != nil {
			f.err = errors.WithMessagef(p.err, "panel %d", i)
		}
	}
	return f
}

// Title is written above all panels.
func (f *Figure) Title(s string) *Figure {
	f.title = s
	f.err = firstError(f.err, checkText("Title", s))
	return f
}

// Name is the file name, without ending, that Show writes to outside a notebook; by default made from the title.
func (f *Figure) Name(s string) *Figure { f.name = s; return f }

// ShareColors gives all panels with a colour scale one and the same, so that equal colours mean equal heights; the
// colour bar stands at the end of each row.
func (f *Figure) ShareColors() *Figure { f.sameScale = true; return f }

// Sizes in points.
const (
	tickSize, labelSize, titleSize, headSize = 9., 10.5, 11.5, 13.
	tickLength                               = 3.5
	barGap, barWidth                         = 9., 10.
)

// cell is a panel's place: the margins that its texts need and its data area, in points.
type cell struct {
	region                   Region
	w, h                     float64
	left, right, top, bottom float64
	bar                      *scale
}

// measure finds the size of a panel that is about width inches wide.
func (f *Figure) measure(pg *page, p *Panel, width float64, bar bool) (c cell, err error) {
	if len(p.layers) == 0 {
		return c, errors.New("panel: no layers to draw")
	}
	if p.surface() != nil && len(p.layers) > 1 {
		return c, errors.Errorf("Surface: it is one of %d layers, want it alone on its panel", len(p.layers))
	}
	if t := p.table(); t != nil && len(p.layers) > 1 {
		return c, errors.Errorf("%s: it is one of %d layers, want it alone on its panel", t.names().caller, len(p.layers))
	}
	if c.region, err = p.region(); err != nil {
		return c, err
	}
	c.w, c.h = 72*width, 72*width*.68
	aspect := (c.region.Y1 - c.region.Y0) / (c.region.X1 - c.region.X0)
	equal := p.isPlanar() && !p.logX && !p.logY
	if equal && p.equal == nil && (aspect > 3 || aspect < 1./3) {
		equal, c.h = false, c.w*.85
	}
	if p.equal != nil {
		equal = *p.equal
	}
	if equal {
		c.w, c.h = 72*width*.9, 72*width*.9*aspect
		if most := 72 * width; c.h > most {
			c.w, c.h = c.w*most/c.h, most
		}
	}
	if p.width > 0 {
		c.w, c.h = 72*p.width, 72*p.height
	}
	if p.title != "" {
		c.top += 6 + letters{size: titleSize}.height(p.title)
	}
	if p.surface() != nil {
		if p.width == 0 {
			c.w, c.h = 72*width, 72*width*.74
		}
	} else if t := p.table(); t != nil {
		t.names().margins(&c, pg)
	} else {
		c.axisMargins(pg, p)
	}
	for _, l := range p.layers {
		if s, ok := l.(coloured); ok && bar && s.bar() && c.bar == nil {
			c.bar = s.scale()
			widest := 0.
			for _, t := range c.bar.tickLabels {
				widest = math.Max(widest, pg.width(letters{size: tickSize}, t))
			}
			c.right = math.Max(c.right, barGap+barWidth+tickLength+3+widest+5+labelSize)
		}
	}
	return c, nil
}

func (c *cell) axisMargins(pg *page, p *Panel) {
	tick := letters{size: tickSize}
	xt, _, xl := ticksOf(c.region.X0, c.region.X1, p.logX, c.xTicks())
	_, _, yl := ticksOf(c.region.Y0, c.region.Y1, p.logY, c.yTicks())
	widest := 0.
	for _, s := range yl {
		widest = math.Max(widest, pg.width(tick, s))
	}
	c.left = math.Max(c.left, tickLength+3+widest)
	if _, y := p.labels(); y != "" {
		c.left += 5 + letters{size: labelSize}.height(y)
	}
	c.bottom = tickLength + 4 + tickSize
	if x, _ := p.labels(); x != "" {
		c.bottom += 4 + letters{size: labelSize}.height(x)
	}
	c.top = math.Max(c.top, tickSize/2)
	for i, s := range xl {
		half, at := pg.width(tick, s)/2, share(xt[i], c.region.X0, c.region.X1, p.logX)*c.w
		c.left, c.right = math.Max(c.left, half-at), math.Max(c.right, at+half-c.w)
	}
	c.right = math.Max(c.right, 3)
}

func (c *cell) xTicks() int { return max(2, int(c.w/46)) }
func (c *cell) yTicks() int { return max(2, int(c.h/46)) }

// labels are the panel's axis labels, with the defaults of the plane.
func (p *Panel) labels() (x, y string) {
	x, y = p.xlabel, p.ylabel
	if p.isPlanar() {
		if x == "" {
			x = "x₁"
		}
		if y == "" {
			y = "x₂"
		}
	}
	return x, y
}

// render draws the figure.
func (f *Figure) render(dpi float64) (*image.RGBA, error) {
	if f.err != nil {
		return nil, f.err
	}
	if f.sameScale {
		defer shareColors(f.panels)()
	}
	ruler := newPage(1, 1, dpi)
	width := [...]float64{5, 3.9, 3.2, 2.6}[min(f.cols, 4)-1]
	cells := make([]cell, len(f.panels))
	rows := (len(f.panels) + f.cols - 1) / f.cols
	type track struct{ before, size, after float64 }
	xs, ys := make([]track, f.cols), make([]track, rows)
	for i, p := range f.panels {
		// Panels that share their colours share the bar at the end of the row.
		bar := !f.sameScale || i%f.cols == f.cols-1 || i == len(f.panels)-1
		c, err := f.measure(ruler, p, width, bar)
		if err != nil {
			if len(f.panels) > 1 {
				err = errors.WithMessagef(err, "panel %d", i)
			}
			return nil, err
		}
		cells[i] = c
		x, y := &xs[i%f.cols], &ys[i/f.cols]
		x.before, x.size, x.after = math.Max(x.before, c.left), math.Max(x.size, c.w), math.Max(x.after, c.right)
		y.before, y.size, y.after = math.Max(y.before, c.top), math.Max(y.size, c.h), math.Max(y.after, c.bottom)
	}
	const edge, gap = 7., 14.
	total := func(t []track) float64 {
		sum := 2*edge + gap*float64(len(t)-1)
		for _, v := range t {
			sum += v.before + v.size + v.after
		}
		return sum
	}
	w, h, head := total(xs), total(ys), 0.
	if f.title != "" {
		head = letters{size: headSize}.height(f.title) + 9
		w = math.Max(w, ruler.width(letters{size: headSize, bold: true}, f.title)+2*edge)
	}
	for _, p := range f.panels {
		w = math.Max(w, ruler.width(letters{size: titleSize}, p.title)+2*edge)
	}
	pg := newPage(int(math.Ceil(ruler.px(w))), int(math.Ceil(ruler.px(h+head))), dpi)
	if f.title != "" {
		pg.text(letters{size: headSize, bold: true}, pg.px(w/2), pg.px(edge), centre, top, f.title)
	}
	y := edge + head
	for r := range rows {
		x := edge + (w-total(xs))/2
		for k := range f.cols {
			if i := r*f.cols + k; i < len(f.panels) {
				c := cells[i]
				x0, y0 := x+xs[k].before+(xs[k].size-c.w)/2, y+ys[r].before+(ys[r].size-c.h)/2
				// Whole pixels: a map and the points on it then agree exactly.
				px := func(pt float64) int { return int(math.Round(pg.px(pt))) }
				rect := image.Rect(px(x0), px(y0), px(x0)+px(c.w), px(y0)+px(c.h))
				f.panels[i].draw(pg, c, rect)
			}
			x += xs[k].before + xs[k].size + xs[k].after + gap
		}
		y += ys[r].before + ys[r].size + ys[r].after + gap
	}
	return pg.img, nil
}

// shareColors gives all coloured layers the union of their extents, until restore is called.
func shareColors(panels []*Panel) (restore func()) {
	var all []coloured
	var own []extent
	for _, p := range panels {
		for _, l := range p.layers {
			if c, ok := l.(coloured); ok && (c.bar() || p.surface() != nil) {
				all, own = append(all, c), append(own, c.extent())
			}
		}
	}
	for i, c := range all {
		e := own[i]
		for k := range own {
			e = e.union(own[k])
		}
		c.share(e)
	}
	return func() {
		for i, c := range all {
			c.share(own[i])
		}
	}
}

// draw draws the panel with its data area in rect.
func (p *Panel) draw(pg *page, c cell, rect image.Rectangle) {
	a := &axes{Region: c.region, logX: p.logX, logY: p.logY, rect: rect, panel: p}
	for _, l := range p.layers {
		l.draw(pg, a)
	}
	middle := float64(rect.Min.X+rect.Max.X) / 2
	if p.title != "" {
		above := 6.
		if t := p.table(); t != nil {
			above += t.names().height()
		}
		pg.text(letters{size: titleSize}, middle, float64(rect.Min.Y)-pg.px(above), centre, bottom, p.title)
	}
	if p.surface() == nil && p.table() == nil {
		p.drawAxes(pg, a, &c)
	}
	if c.bar != nil {
		drawBar(pg, c.bar, rect)
	}
	if !p.noLegend {
		p.drawLegend(pg, a)
	}
}

// drawAxes draws the frame, the ticks and the labels.
func (p *Panel) drawAxes(pg *page, a *axes, c *cell) {
	x0, x1, y0, y1 := float64(a.rect.Min.X), float64(a.rect.Max.X), float64(a.rect.Min.Y), float64(a.rect.Max.Y)
	line := pen{colour: Black, width: .8}
	tick := letters{size: tickSize}
	major, minor, labels := ticksOf(a.X0, a.X1, p.logX, c.xTicks())
	for i, v := range major {
		pg.stroke(line, [2]float64{a.x(v), y1}, [2]float64{a.x(v), y1 + pg.px(tickLength)})
		pg.text(tick, a.x(v), y1+pg.px(tickLength+4), centre, top, labels[i])
	}
	for _, v := range minor {
		pg.stroke(pen{Black, .5, nil}, [2]float64{a.x(v), y1}, [2]float64{a.x(v), y1 + pg.px(tickLength*.6)})
	}
	major, minor, labels = ticksOf(a.Y0, a.Y1, p.logY, c.yTicks())
	widest := 0.
	for i, v := range major {
		pg.stroke(line, [2]float64{x0, a.y(v)}, [2]float64{x0 - pg.px(tickLength), a.y(v)})
		pg.text(tick, x0-pg.px(tickLength+3), a.y(v), right, centre, labels[i])
		widest = math.Max(widest, pg.width(tick, labels[i]))
	}
	for _, v := range minor {
		pg.stroke(pen{Black, .5, nil}, [2]float64{x0, a.y(v)}, [2]float64{x0 - pg.px(tickLength*.6), a.y(v)})
	}
	pg.strokePath(line, true, [][2]float64{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}})
	label := letters{size: labelSize}
	xl, yl := p.labels()
	pg.text(label, (x0+x1)/2, y1+pg.px(tickLength+4+tickSize+3), centre, top, xl)
	label.turned = true
	pg.text(label, x0-pg.px(tickLength+3+widest+6), (y0+y1)/2, centre, bottom, yl)
}
