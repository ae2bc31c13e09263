package plots

import (
	"image"
	"image/color"
	"math"
)

// legendEntry is a line of the legend; draw puts its mark about (x, y) in pixels.
type legendEntry struct {
	label string
	draw  func(pg *page, a *axes, x, y float64)
}

// drawLegend puts the legend into the corner with the fewest data.
func (p *Panel) drawLegend(pg *page, a *axes) {
	var entries []legendEntry
	seen := map[string]bool{}
	add := func(e legendEntry) {
		if !seen[e.label] {
			seen[e.label] = true
			entries = append(entries, e)
		}
	}
	for _, l := range p.layers {
		if e, ok := l.entry(); ok {
			add(e)
		}
		if more, ok := l.(interface{ entries() []legendEntry }); ok {
			for _, e := range more.entries() {
				add(e)
			}
		}
	}
	if len(entries) == 0 {
		return
	}
	text := letters{size: tickSize}
	const pad, mark, row = 5., 22., 13.
	widest := 0.
	for _, e := range entries {
		widest = math.Max(widest, pg.width(text, e.label))
	}
	w, h := int(pg.px(2*pad+mark+widest)), int(pg.px(2*pad+row*float64(len(entries))-3))
	inset := int(pg.px(5))
	in := a.rect.Inset(inset)
	corners := []image.Point{{in.Max.X - w, in.Min.Y}, {in.Min.X, in.Min.Y}, {in.Max.X - w, in.Max.Y - h}, {in.Min.X, in.Max.Y - h}}
	best, fewest := 0, math.Inf(1)
	for k, c := range corners {
		hit := 0.
		r := image.Rectangle{Min: c, Max: c.Add(image.Pt(w, h))}.Inset(-inset)
		for _, l := range p.layers {
			pts := l.samples()
			for _, q := range pts {
				if (image.Point{X: int(a.x(q[0])), Y: int(a.y(q[1]))}).In(r) {
					hit += 1 / float64(len(pts))
				}
			}
		}
		if hit < fewest-1e-12 {
			best, fewest = k, hit
		}
	}
	x, y := float64(corners[best].X), float64(corners[best].Y)
	box := [][2]float64{{x, y}, {x + float64(w), y}, {x + float64(w), y + float64(h)}, {x, y + float64(h)}}
	paper, ink, rim := color.NRGBA{255, 255, 255, 225}, Black, color.NRGBA{190, 190, 190, 255}
	if p.onMap() { // where white marks are common
		paper, ink, rim = color.NRGBA{38, 38, 48, 215}, White, color.NRGBA{90, 90, 100, 255}
	}
	pg.fill(paper, box...)
	pg.strokePath(pen{rim, .5, nil}, true, box)
	text.colour = ink
	for i, e := range entries {
		yc := y + pg.px(pad+row*(float64(i)+.5)-1.5)
		e.draw(pg, a, x+pg.px(pad+9), yc)
		pg.text(text, x+pg.px(pad+mark), yc, left, centre, e.label)
	}
}

// drawBar draws the colour bar right of the data area, with ticks and label; a pointed end says that something is
// higher or lower.
func drawBar(pg *page, s *scale, rect image.Rectangle) {
	x0 := rect.Max.X + int(pg.px(barGap))
	x1 := x0 + int(pg.px(barWidth))
	y0, y1 := rect.Min.Y, rect.Max.Y
	tip := int(pg.px(barWidth * .9))
	middle := float64(x0+x1) / 2
	outline := [][2]float64{{float64(x0), float64(y0)}, {float64(x1), float64(y0)}, {float64(x1), float64(y1)}, {float64(x0), float64(y1)}}
	if s.over {
		y0 += tip
		outline = append([][2]float64{{float64(x0), float64(y0)}, {middle, float64(y0 - tip)}, {float64(x1), float64(y0)}}, outline[2:]...)
		pg.fill(s.colour(1.01), outline[:3]...)
	}
	if s.under {
		y1 -= tip
		outline = append(outline[:len(outline)-2], [2]float64{float64(x1), float64(y1)}, [2]float64{middle, float64(y1 + tip)}, [2]float64{float64(x0), float64(y1)})
		pg.fill(s.colour(-.01), outline[len(outline)-3:]...)
	}
	for y := y0; y < y1; y++ {
		c := s.colour((float64(y1-y) - .5) / float64(y1-y0))
		for x := x0; x < x1; x++ {
			pg.img.SetRGBA(x, y, c)
		}
	}
	pg.strokePath(pen{Black, .7, nil}, true, outline)
	text := letters{size: tickSize}
	widest := 0.
	for i, t := range s.ticks {
		if t < -1e-6 || t > 1+1e-6 {
			continue
		}
		y := float64(y1) - t*float64(y1-y0)
		pg.stroke(pen{Black, .7, nil}, [2]float64{float64(x1), y}, [2]float64{float64(x1) + pg.px(tickLength), y})
		pg.text(text, float64(x1)+pg.px(tickLength+3), y, left, centre, s.tickLabels[i])
		widest = math.Max(widest, pg.width(text, s.tickLabels[i]))
	}
	label := letters{size: labelSize, turned: true}
	pg.text(label, float64(x1)+pg.px(tickLength+3+widest+5), float64(rect.Min.Y+rect.Max.Y)/2, centre, top, s.label)
}
