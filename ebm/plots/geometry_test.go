package plots

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"testing"
)

// hill is a landscape given by a formula.
func hill(f func(x, y float64) float64) Func {
	return func(p []float32) ([]float64, error) {
		out := make([]float64, len(p)/2)
		for i := range out {
			out[i] = f(float64(p[2*i]), float64(p[2*i+1]))
		}
		return out, nil
	}
}

func wells(x, y float64) float64 { return 2 * ((x*x-1)*(x*x-1) + y*y) }

// spot is the centre of all pixels that are purely of one colour, where 0 is the left or top border of the picture.
func spot(t *testing.T, img *image.RGBA, c color.NRGBA) (x, y float64) {
	t.Helper()
	n := 0.
	for j := range img.Rect.Dy() {
		for i := range img.Rect.Dx() {
			if img.RGBAAt(i, j) == (color.RGBA{c.R, c.G, c.B, 255}) {
				x, y, n = x+float64(i)+.5, y+float64(j)+.5, n+1
			}
		}
	}
	if n == 0 {
		t.Fatal("the mark was not drawn")
	}
	return x / n, y / n
}

func render(t *testing.T, p *Panel) *image.RGBA {
	t.Helper()
	img, err := p.figure().render(figureDPI)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// dot is a style without anything that would move the centre of a mark.
func dot(c color.Color) ScatterStyle { return ScatterStyle{Color: c, Alpha: 1, Edge: -1, Size: 5} }

// Two marks give the pixels of any data coordinates; colours and borders of maps must be where they say.
func TestMapAndPointsAgree(t *testing.T) {
	f := func(x, y float64) float64 { return x + 3*y }
	for name, box := range map[string]Region{"square": Box(-2, 2), "wide": {-1, 5, 0, 2}} {
		img := render(t, Heat(hill(f), box, HeatStyle{ColorScale: ColorScale{Range: [2]float64{-11, 11}}}).
			Scatter([][2]float64{{box.X0 + .5, box.Y0 + .25}}, dot(Red)).Scatter([][2]float64{{box.X1 - .5, box.Y1 - .25}}, dot(Blue)))
		ax, ay := spot(t, img, Red)
		bx, by := spot(t, img, Blue)
		sx, sy := (bx-ax)/(box.X1-box.X0-1), (by-ay)/(box.Y1-box.Y0-.5)
		if math.Abs(sx+sy) > .01*sx {
			t.Errorf("%s: a unit is %.2f pixels wide and %.2f high, want the same", name, sx, -sy)
		}
		for _, q := range [][2]float64{{.1, .3}, {1, 1}, {.7, 1.4}, {-.2, 1.7}} {
			px, py := ax+(q[0]-box.X0-.5)*sx, ay+(q[1]-box.Y0-.25)*sy
			got := img.RGBAAt(int(px), int(py))
			want := Viridis.At((f(q[0], q[1]) + 11) / 22)
			if distance(rgb{got.R, got.G, got.B}, rgb{want.R, want.G, want.B}) > 9*3*3 {
				t.Errorf("%s: colour at %v is %v, want %v", name, q, got, want)
			}
		}
	}
}

func TestContourLineIsAtItsLevel(t *testing.T) {
	style := ContourStyle{ColorScale: ColorScale{Range: [2]float64{-2, 2}}, Levels: 4, LineColor: Black, LineWidth: 1, Alpha: 1}
	img := render(t, Contour(hill(func(x, _ float64) float64 { return x }), Box(-2, 2), style).Scatter([][2]float64{{1, 0}}, dot(Red)))
	x, y := spot(t, img, Red)
	row := int(y) + 100
	line, n := 0., 0.
	for i := int(x) - 60; i < int(x)+60; i++ {
		if c := img.RGBAAt(i, row); c.R < 20 && c.G < 20 && c.B < 20 {
			line, n = line+float64(i)+.5, n+1
		}
	}
	if n == 0 || math.Abs(line/n-x) > .6 {
		t.Errorf("the line of level 1 is at %.1f (%v pixels), the point x=1 at %.1f", line/n, n, x)
	}
	before, after := img.RGBAAt(int(x)-20, row), img.RGBAAt(int(x)+20, row)
	if before == after {
		t.Errorf("both sides of level 1 are %v", before)
	}
}

func TestDensityCellHoldsItsPoint(t *testing.T) {
	at := [][2]float64{{.63, -1.21}}
	img := render(t, Density(at, Box(-2, 2), DensityStyle{Bins: 40}).Scatter(at, dot(Red)))
	x, y := spot(t, img, Red)
	top := Viridis.At(1)
	lo, hi := image.Pt(1<<20, 1<<20), image.Pt(-1, -1)
	for j := -30; j < 30; j++ {
		for i := -30; i < 30; i++ {
			if q := image.Pt(int(x)+i, int(y)+j); img.RGBAAt(q.X, q.Y) == top {
				lo, hi = image.Pt(min(lo.X, q.X), min(lo.Y, q.Y)), image.Pt(max(hi.X, q.X), max(hi.Y, q.Y))
			}
		}
	}
	// The cell is [0.6, 0.7]×[−1.3, −1.2]: its point lies at 0.3 from the left and 0.1 from the top.
	w, h := float64(hi.X-lo.X+1), float64(hi.Y-lo.Y+1)
	if fx, fy := (x-float64(lo.X))/w, (y-float64(lo.Y))/h; math.Abs(fx-.3) > .06 || math.Abs(fy-.1) > .06 {
		t.Errorf("the point lies at (%.2f, %.2f) of its cell, want (0.3, 0.1)", fx, fy)
	}
}

// Short axes have two numbers on them at least, powers of ten on a logarithmic one.
func TestShortAxesHaveTicks(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		log    bool
		want   string
	}{{-4, 4, false, "[-2.5 0 2.5]"}, {0.0018, 90, true, "[0.01 1]"}, {0.07, 560, true, "[1 100]"}} {
		if got, _, _ := ticksOf(c.lo, c.hi, c.log, 2); fmt.Sprint(got) != c.want {
			t.Errorf("ticks from %g to %g: %v, want %s", c.lo, c.hi, got, c.want)
		}
	}
}

func TestTicksAreAtTheirNumbers(t *testing.T) {
	img := render(t, Scatter([][2]float64{{0, 0}, {10, 10}}, ScatterStyle{Color: Grey}).XLim(0, 10).YLim(0, 10).Scatter([][2]float64{{4, 6}}, dot(Red)))
	x, y := spot(t, img, Red)
	// Below the frame, the tick of 4; left of it, the tick of 6.
	bottom, leftSide := 0, 0
	for j := int(y); j < img.Rect.Dy(); j++ {
		if img.RGBAAt(int(x)+25, j).R < 60 {
			bottom = j
		}
		if bottom > 0 && j > bottom+2 {
			break
		}
	}
	for i := int(x); i > 0 && leftSide == 0; i-- {
		if img.RGBAAt(i, int(y)+25).R < 60 {
			leftSide = i
		}
	}
	if img.RGBAAt(int(x), bottom+4).R > 100 {
		t.Errorf("no tick of the horizontal axis at x=4 (pixel %d, %d)", int(x), bottom+4)
	}
	if img.RGBAAt(leftSide-5, int(y)).R > 100 {
		t.Errorf("no tick of the vertical axis at y=6 (pixel %d, %d)", leftSide-5, int(y))
	}
}

func TestScales(t *testing.T) {
	s := newScale(ColorScale{Depth: 10}, extent{.001, .1, 500}, 12)
	if s.lo != 0 || !s.over || math.Abs(s.hi-10) > .01 {
		t.Errorf("Depth 10 gives [%v, %v], over %v", s.lo, s.hi, s.over)
	}
	s = newScale(ColorScale{Log: true}, extent{0, .02, 2500}, 12)
	if s.base != 0 || s.lo != .01 || s.pos(2500) != 1 {
		t.Errorf("log scale begins at %v above %v, its end is at %v", s.lo, s.base, s.pos(2500))
	}
	s = newScale(ColorScale{Log: true}, extent{-7, -6.9, 100}, 12)
	if s.base != -7 || s.label != "energy − min" {
		t.Errorf("log scale of negative heights: base %v, label %q", s.base, s.label)
	}
	if s = newScale(ColorScale{}, extent{3, 3, 3}, 12); s.pos(3) != .5 {
		t.Errorf("flat landscape at %v of the scale, want the middle", s.pos(3))
	}
	for _, c := range []struct {
		ticks []float64
		log   bool
		want  []string
	}{
		{[]float64{-1, -.5, 0, .5}, false, []string{"−1.0", "−0.5", "0", "0.5"}},
		{[]float64{0, 2e5, 4e5}, false, []string{"0", "2×10⁵", "4×10⁵"}},
		{[]float64{1e-4, 1e-2, 1}, true, []string{"10⁻⁴", "10⁻²", "10⁰"}},
		{[]float64{.1, 1, 10}, true, []string{"0.1", "1", "10"}},
	} {
		for i, got := range formatTicks(c.ticks, c.log) {
			if got != c.want[i] {
				t.Errorf("tick %v is written %q, want %q", c.ticks[i], got, c.want[i])
			}
		}
	}
}

// The published tables: matplotlib's 256 colours at 0, 64, 128, 192 and 255.
func TestPalettes(t *testing.T) {
	want := map[Palette][5]rgb{
		Viridis: {{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}},
		Magma:   {{0, 0, 4}, {81, 18, 124}, {183, 55, 121}, {252, 137, 97}, {252, 253, 191}},
		Cividis: {{0, 34, 78}, {65, 77, 107}, {125, 124, 120}, {188, 175, 111}, {254, 232, 56}},
	}
	for p, colours := range want {
		for i, k := range []float64{0, 64, 128, 192, 255} {
			if got := p.At(k / 255); distance(rgb{got.R, got.G, got.B}, colours[i]) > 9*2*2 {
				t.Errorf("palette %d at %v/255 is %v, want %v", p, k, got, colours[i])
			}
		}
	}
}
