package plots

import (
	"image"
	"image/color"
	"math"
	"strings"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"github.com/pkg/errors"
	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// page is the picture while it is drawn. Places are in pixels from the top left; sizes of pens and letters in points.
type page struct {
	vg    *vgimg.Canvas
	img   *image.RGBA
	dpi   float64
	fonts *font.Cache
}

func newPage(w, h int, dpi float64) *page {
	c := vgimg.NewWith(vgimg.UseImage(image.NewRGBA(image.Rect(0, 0, w, h))), vgimg.UseDPI(int(dpi)))
	return &page{vg: c, img: c.Image().(*image.RGBA), dpi: dpi, fonts: font.NewCache(liberation.Collection())}
}

// px converts points to pixels.
func (p *page) px(pt float64) float64 { return pt * p.dpi / 72 }

func (p *page) point(x, y float64) vg.Point {
	return vg.Point{X: vg.Length(x * 72 / p.dpi), Y: vg.Length((float64(p.img.Rect.Dy()) - y) * 72 / p.dpi)}
}

// pen is how a line is drawn; width and dashes in points.
type pen struct {
	colour color.Color
	width  float64
	dash   []float64
}

func (p *page) path(pts [][2]float64, closed bool) vg.Path {
	var path vg.Path
	for i, q := range pts {
		if i == 0 {
			path.Move(p.point(q[0], q[1]))
		} else {
			path.Line(p.point(q[0], q[1]))
		}
	}
	if closed {
		path.Close()
	}
	return path
}

func (p *page) stroke(n pen, pts ...[2]float64) { p.strokePath(n, false, pts) }

func (p *page) strokePath(n pen, closed bool, pts [][2]float64) {
	if len(pts) < 2 {
		return
	}
	dash := make([]vg.Length, len(n.dash))
	for i, d := range n.dash {
		dash[i] = vg.Length(d)
	}
	p.vg.SetColor(n.colour)
	p.vg.SetLineWidth(vg.Length(n.width))
	p.vg.SetLineDash(dash, 0)
	p.vg.Stroke(p.path(pts, closed))
}

func (p *page) fill(c color.Color, pts ...[2]float64) {
	p.vg.SetColor(c)
	p.vg.Fill(p.path(pts, true))
}

// blend lays colour c with coverage a (0 to 1) over a pixel.
func (p *page) blend(x, y int, c color.NRGBA, a float64) {
	a *= float64(c.A) / 255
	if a <= 0 || !(image.Point{X: x, Y: y}).In(p.img.Rect) {
		return
	}
	o := p.img.PixOffset(x, y)
	d := color.RGBA{p.img.Pix[o], p.img.Pix[o+1], p.img.Pix[o+2], 255}
	p.img.SetRGBA(x, y, mix(d, color.RGBA{c.R, c.G, c.B, 255}, math.Min(a, 1)))
}

// disc draws a round mark with an edge, inside clip only; radius and edge in pixels.
func (p *page) disc(clip image.Rectangle, x, y, radius, edge float64, face, rim color.NRGBA) {
	outer := radius + edge/2
	for j := int(y - outer - 1); j <= int(y+outer+1); j++ {
		for i := int(x - outer - 1); i <= int(x+outer+1); i++ {
			if !(image.Point{X: i, Y: j}).In(clip) {
				continue
			}
			d := math.Hypot(float64(i)+.5-x, float64(j)+.5-y)
			p.blend(i, j, face, math.Max(0, math.Min(radius-d+.5, 1)))
			if edge > 0 {
				ring := math.Min(outer-d+.5, d-(radius-edge/2)+.5)
				p.blend(i, j, rim, math.Max(0, math.Min(ring, math.Min(1, edge))))
			}
		}
	}
}

// Where a text lies about its place.
const (
	left, top = 0., 0.
	centre    = .5
	right     = 1.
	bottom    = 1.
)

// letters is how a text is drawn: size in points.
type letters struct {
	size   float64
	bold   bool
	colour color.Color
	turned bool // a quarter turn counterclockwise
}

// run is a piece of a text in one size: the fonts lack some raised and lowered letters.
type run struct {
	text         string
	scale, raise float64 // of the letter size
	flip         bool    // upside down: ∇ is a turned Δ
}

var raised = map[rune]rune{'⁰': '0', '⁹': '9', '⁻': '−', '⁺': '+', '⁴': '4', '⁵': '5', '⁶': '6', '⁷': '7', '⁸': '8', '¹': '1', '²': '2', '³': '3', 'ᵀ': 'T', 'ⁿ': 'n', 'ⁱ': 'i', 'ᵏ': 'k', 'ᵗ': 't', '⁽': '(', '⁾': ')'}
var lowered = map[rune]rune{'₀': '0', '₁': '1', '₂': '2', '₃': '3', '₄': '4', '₅': '5', '₆': '6', '₇': '7', '₈': '8', '₉': '9', '₊': '+', '₋': '−', 'ₜ': 't', 'ₖ': 'k', 'ₙ': 'n', 'ₘ': 'm', 'ₓ': 'x', 'ᵢ': 'i', 'ⱼ': 'j', 'ₚ': 'p', 'ₛ': 's', 'ₗ': 'l', 'ₐ': 'a', 'ₑ': 'e', 'ₒ': 'o'}

func runsOf(s string) []run {
	var out []run
	for _, r := range s {
		n := run{string(r), 1, 0, false}
		if c, ok := raised[r]; ok {
			n = run{string(c), .68, .36, false}
		} else if c, ok := lowered[r]; ok {
			n = run{string(c), .68, -.16, false}
		} else if r == '∇' {
			n = run{"Δ", 1, 0, true}
		} else if r == '∼' {
			n.text = "~"
		}
		if k := len(out) - 1; k >= 0 && out[k].scale == n.scale && out[k].raise == n.raise && !out[k].flip && !n.flip {
			out[k].text += n.text
		} else {
			out = append(out, n)
		}
	}
	return out
}

// checkText refuses a text with letters that the font would draw as empty boxes.
func checkText(arg, s string) error {
	f, err := sfnt.Parse(liberationsansregular.TTF)
	if err != nil {
		return errors.Wrap(err, "plots: the built-in font")
	}
	var buf sfnt.Buffer
	for _, n := range runsOf(s) {
		for _, r := range n.text {
			if r == '\n' {
				continue
			}
			if g, err := f.GlyphIndex(&buf, r); err != nil || g == 0 {
				return errors.Errorf("%s: the font has no glyph for %q in %q", arg, r, s)
			}
		}
	}
	return nil
}

func (p *page) face(l letters, scale float64) font.Face {
	f := font.Font{Typeface: "Liberation", Variant: "Sans"}
	if l.bold {
		f.Weight = xfont.WeightBold
	}
	return p.fonts.Lookup(f, vg.Length(l.size*scale))
}

// width is a text's width in points, of its longest line.
func (p *page) width(l letters, s string) float64 {
	widest := 0.
	for _, line := range strings.Split(s, "\n") {
		w := 0.
		for _, n := range runsOf(line) {
			face := p.face(l, n.scale)
			w += float64(face.Width(n.text))
		}
		widest = math.Max(widest, w)
	}
	return widest
}

// height is a text's height in points.
func (l letters) height(s string) float64 {
	if s == "" {
		return 0
	}
	return l.size * (1 + 1.25*float64(strings.Count(s, "\n")))
}

// text draws s about (x, y), an anchor in pixels: alongX 0 puts the text right of it, 1 left of it; alongY 0 below it.
func (p *page) text(l letters, x, y, alongX, alongY float64, s string) {
	if l.colour == nil {
		l.colour = Black
	}
	p.vg.Push()
	defer p.vg.Pop()
	p.vg.SetColor(l.colour)
	p.vg.Translate(p.point(x, y))
	if l.turned {
		p.vg.Rotate(math.Pi / 2)
	}
	// Capital letters reach about 0.72 of the size over the baseline.
	const capital = .72
	lines := strings.Split(s, "\n")
	block := l.size * (capital + 1.25*float64(len(lines)-1))
	for i, line := range lines {
		at := vg.Point{X: vg.Length(-alongX * p.width(l, line)), Y: vg.Length(alongY*block - l.size*(capital+1.25*float64(i)))}
		for _, n := range runsOf(line) {
			face := p.face(l, n.scale)
			w := face.Width(n.text)
			place := vg.Point{X: at.X, Y: at.Y + vg.Length(n.raise*l.size)}
			if n.flip {
				p.vg.Push()
				p.vg.Translate(vg.Point{X: place.X + w, Y: place.Y + vg.Length(capital*l.size)})
				p.vg.Rotate(math.Pi)
				p.vg.FillString(face, vg.Point{}, n.text)
				p.vg.Pop()
			} else {
				p.vg.FillString(face, place, n.text)
			}
			at.X += w
		}
	}
}
