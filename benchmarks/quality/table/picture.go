package table

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

const (
	nameWidth  = 2.9 * vg.Centimeter
	cellWidth  = 3.7 * vg.Centimeter
	cellHeight = 1.25 * vg.Centimeter
	headHeight = 2.9 * vg.Centimeter
	margin     = 0.4 * vg.Centimeter
	dpi        = 144
)

// Draw writes the table as a PNG picture: a cell has the worst of its seeds, and a colour for how many floors away the samples are.
func (t *Table) Draw(to io.Writer) error {
	width := nameWidth + cellWidth*vg.Length(len(sets)) + 2*margin
	height := headHeight + cellHeight*vg.Length(len(methods)) + 2*margin
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	c := draw.New(canvas)
	top := height - margin
	write := func(size float64, bold bool, align text.XAlignment, x, y vg.Length, fill color.Color, words string) {
		f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
		if bold {
			f.Weight = 3 // golang.org/x/image/font.WeightBold
		}
		c.FillText(text.Style{Font: f, Color: fill, Handler: plot.DefaultTextHandler, XAlign: align, YAlign: draw.YCenter}, vg.Point{X: x, Y: y}, words)
	}
	ink := color.Gray{Y: 0x28}
	write(13, true, draw.XLeft, margin, top-vg.Points(7), ink, "Every loss on six densities: how far are the samples, how wrong is the density?")
	write(8.5, false, draw.XLeft, margin, top-vg.Points(24), ink,
		"Large: sliced W2 of 5000 samples to held-out data; its colour, from green to red, is that over the distance of two true samples (1 to 20 and more).")
	write(8.5, false, draw.XLeft, margin, top-vg.Points(36), ink,
		"Below: mean squared error of log p in nats², modes hit, seconds of training (median). Where there are several seeds, the worst of them.")
	for i, s := range sets {
		x := margin + nameWidth + cellWidth*(vg.Length(i)+.5)
		write(10, true, draw.XCenter, x, height-headHeight+vg.Points(16), ink, s.name)
		write(8, false, draw.XCenter, x, height-headHeight+vg.Points(4), ink, fmt.Sprintf("true samples: %.3f", t.Floors[s.name].Mean))
	}
	colors := moreland.SmoothGreenRed()
	colors.SetMin(0)
	colors.SetMax(math.Log(20))
	for j, m := range methods {
		high := height - headHeight - cellHeight*vg.Length(j) - vg.Points(4)
		write(10, true, draw.XRight, margin+nameWidth-vg.Points(8), high-cellHeight/2, ink, m.name)
		for i, s := range sets {
			left := margin + nameWidth + cellWidth*vg.Length(i)
			right, low := left+cellWidth-vg.Points(2), high-cellHeight+vg.Points(2)
			cell := t.at(m.name, s.name)
			fill, large, small := color.Color(color.Gray{Y: 0xee}), "not run", ""
			if len(cell.Seeds) > 0 {
				fill, large, small = color.Gray{Y: 0xc8}, "diverged", fmt.Sprintf("%d of %d seeds", cell.diverged(), len(cell.Seeds))
			}
			if all := cell.figures(func(r *Score) *float64 { return &r.SlicedW2 }); len(all) > 0 {
				w2 := slices.Max(all)
				shade, err := colors.At(min(max(math.Log(w2/t.Floors[s.name].Mean), 0), math.Log(20)))
				if err != nil {
					return err
				}
				fill, large, small = lighter(shade), fmt.Sprintf("%.3f", w2), cell.details()
			}
			c.FillPolygon(fill, []vg.Point{{X: left, Y: low}, {X: right, Y: low}, {X: right, Y: high}, {X: left, Y: high}})
			write(12, true, draw.XCenter, (left+right)/2, low+(high-low)*.66, ink, large)
			write(7.5, false, draw.XCenter, (left+right)/2, low+(high-low)*.25, ink, small)
		}
	}
	_, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(to)
	return err
}

// lighter mixes a colour with as much white, for text to be read on it.
func lighter(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	mix := func(v uint32) uint8 { return uint8((v>>8 + 255) / 2) }
	return color.RGBA{mix(r), mix(g), mix(b), 255}
}

// details are the small figures of a cell.
func (c *Cell) details() string {
	words := ""
	if mse := c.figures(func(r *Score) *float64 { return r.MSE }); len(mse) > 0 {
		words += fmt.Sprintf("MSE %.2g · ", slices.Max(mse))
	}
	if hit := c.figures(func(r *Score) *float64 {
		if r.Hit == nil {
			return nil
		}
		h := float64(*r.Hit)
		return &h
	}); len(hit) > 0 {
		words += fmt.Sprintf("%g modes · ", slices.Min(hit))
	}
	seconds := c.figures(func(r *Score) *float64 { return &r.Seconds })
	slices.Sort(seconds)
	words += fmt.Sprintf("%.0f s", seconds[len(seconds)/2])
	if n := c.diverged(); n > 0 {
		words += fmt.Sprintf(" · %d diverged", n)
	}
	return words
}

// figures are those of the seeds that have them.
func (c *Cell) figures(figure func(r *Score) *float64) (values []float64) {
	for _, r := range c.Seeds {
		if v := figure(r); r.Diverged == "" && v != nil {
			values = append(values, *v)
		}
	}
	return values
}

// diverged is the number of seeds that training broke off with.
func (c *Cell) diverged() int {
	n := 0
	for _, r := range c.Seeds {
		if r.Diverged != "" {
			n++
		}
	}
	return n
}
