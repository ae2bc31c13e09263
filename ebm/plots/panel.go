package plots

import (
	"image"
	"math"

	"github.com/pkg/errors"
)

// Panel is one set of axes with layers on it, the first at the bottom. Make it with [New] or by its first layer.
// Methods change the panel and return it; the first error is kept and returned by Show, Save and PNG.
type Panel struct {
	title, xlabel, ylabel string
	xlim, ylim            *[2]float64
	logX, logY            bool
	equal                 *bool
	width, height         float64 // of the data area in inches; 0 chooses
	noLegend              bool
	layers                []layer
	err                   error
	name                  string
}

// layer is one thing drawn on a panel.
type layer interface {
	bounds() Region         // of its data; NaN fields do not count
	draw(pg *page, a *axes) // draws inside the data area
	samples() [][2]float64  // places in data coordinates that a legend should not cover
	entry() (legendEntry, bool)
}

// planar layers are maps of the plane: their panel keeps one unit as long on both axes and labels them x₁, x₂.
type planar interface{ planar() }

// coloured layers have a colour bar.
type coloured interface {
	extent() extent
	share(e extent) // use the extent instead of the layer's own
	scale() *scale
	bar() bool
}

// New is a panel without layers.
func New() *Panel { return &Panel{} }

func (p *Panel) add(l layer, err error) *Panel {
	if err != nil {
		return p.fail(err)
	}
	p.layers = append(p.layers, l)
	return p
}

func (p *Panel) fail(err error) *Panel {
	if p.err == nil {
		p.err = err
	}
	return p
}

// Title is written above the panel.
func (p *Panel) Title(s string) *Panel { p.title = s; return p.fail(checkText("Title", s)) }

// XLabel is written under the horizontal axis.
func (p *Panel) XLabel(s string) *Panel { p.xlabel = s; return p.fail(checkText("XLabel", s)) }

// YLabel is written beside the vertical axis.
func (p *Panel) YLabel(s string) *Panel { p.ylabel = s; return p.fail(checkText("YLabel", s)) }

// XLim sets the ends of the horizontal axis; layers beyond are cut off.
func (p *Panel) XLim(lo, hi float64) *Panel { return p.limit("XLim", &p.xlim, lo, hi) }

// YLim sets the ends of the vertical axis; layers beyond are cut off.
func (p *Panel) YLim(lo, hi float64) *Panel { return p.limit("YLim", &p.ylim, lo, hi) }

func (p *Panel) limit(caller string, at **[2]float64, lo, hi float64) *Panel {
	if !finite(lo) || !finite(hi) || hi-lo <= 1e-9*math.Max(math.Abs(lo), math.Abs(hi)) || hi-lo < 1e-100 {
		return p.fail(errors.Errorf("%s: ends are %v and %v, want a first number below the second", caller, lo, hi))
	}
	*at = &[2]float64{lo, hi}
	return p
}

// LogX makes the horizontal axis logarithmic; all data must then be positive.
func (p *Panel) LogX() *Panel { p.logX = true; return p }

// LogY makes the vertical axis logarithmic; all data must then be positive.
func (p *Panel) LogY() *Panel { p.logY = true; return p }

// Equal says whether a unit is as long on both axes. By default it is in pictures of the plane (contours, scatter,
// trajectories, arrows) unless one side were more than three times the other.
func (p *Panel) Equal(on bool) *Panel { p.equal = &on; return p }

// Size sets width and height of the data area in inches.
func (p *Panel) Size(width, height float64) *Panel {
	if !finite(width) || !finite(height) || width < .5 || height < .5 || width > 20 || height > 20 {
		return p.fail(errors.Errorf("Size: %v×%v inches, want 0.5 to 20", width, height))
	}
	p.width, p.height = width, height
	return p
}

// NoLegend leaves out the legend.
func (p *Panel) NoLegend() *Panel { p.noLegend = true; return p }

// Name is the file name, without ending, that Show writes to outside a notebook; by default made from the title.
func (p *Panel) Name(s string) *Panel { p.name = s; return p }

// figure wraps a panel shown alone.
func (p *Panel) figure() *Figure {
	return &Figure{panels: []*Panel{p}, cols: 1, name: p.name, err: p.err}
}

// PNG returns the picture.
func (p *Panel) PNG() ([]byte, error) { return p.figure().PNG() }

// Save writes the picture to a PNG file.
func (p *Panel) Save(path string) error { return p.figure().Save(path) }

// Show displays the picture under GoNB; elsewhere it writes it as [Figure.Show] does.
func (p *Panel) Show() error { return p.figure().Show() }

func (p *Panel) isPlanar() bool {
	some := false
	for _, l := range p.layers {
		switch l := l.(type) {
		case planar:
			some = true
		case *line:
			if l.only == 0 {
				return false // points beside a curve
			}
		case *histogram:
			return false
		}
	}
	return some
}

// onMap says whether layers lie on a coloured map and not on white paper.
func (p *Panel) onMap() bool {
	for _, l := range p.layers {
		if m, ok := l.(interface{ filled() bool }); ok && m.filled() {
			return true
		}
	}
	return false
}

func (p *Panel) surface() *surface {
	for _, l := range p.layers {
		if s, ok := l.(*surface); ok {
			return s
		}
	}
	return nil
}

// region is what the axes span.
func (p *Panel) region() (Region, error) {
	r := Region{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	maps := false // a map fills the panel to its border, other layers get a margin
	for _, l := range p.layers {
		b := l.bounds()
		if !math.IsNaN(b.X0) {
			r.X0, r.X1 = math.Min(r.X0, b.X0), math.Max(r.X1, b.X1)
		}
		if !math.IsNaN(b.Y0) {
			r.Y0, r.Y1 = math.Min(r.Y0, b.Y0), math.Max(r.Y1, b.Y1)
		}
		if f, ok := l.(interface{ filled() bool }); ok && f.filled() {
			maps, r = true, b
			break
		}
	}
	if p.xlim != nil {
		r.X0, r.X1 = p.xlim[0], p.xlim[1]
	}
	if p.ylim != nil {
		r.Y0, r.Y1 = p.ylim[0], p.ylim[1]
	}
	if p.logX && r.X0 < 1e-100 {
		return r, errors.Errorf("LogX: the horizontal axis reaches %v, a logarithmic one needs numbers above 0", r.X0)
	}
	if p.logY && r.Y0 < 1e-100 {
		return r, errors.Errorf("LogY: the vertical axis reaches %v, a logarithmic one needs numbers above 0", r.Y0)
	}
	if math.IsInf(r.X0, 1) {
		r.X0, r.X1 = 0, 1
	}
	if math.IsInf(r.Y0, 1) {
		r.Y0, r.Y1 = 0, 1
	}
	if !maps {
		from0 := false // histograms stand on the axis
		for _, l := range p.layers {
			_, bars := l.(*histogram)
			from0 = from0 || bars
		}
		if p.xlim == nil {
			r.X0, r.X1 = widened(r.X0, r.X1, p.logX, false)
		}
		if p.ylim == nil {
			r.Y0, r.Y1 = widened(r.Y0, r.Y1, p.logY, from0)
		}
	}
	return r, nil
}

// widened adds 4% to each end.
func widened(lo, hi float64, log, keepLo bool) (float64, float64) {
	if log {
		a, b := widened(math.Log10(lo), math.Log10(hi), false, false)
		return math.Pow(10, a), math.Pow(10, b)
	}
	pad := .04 * (hi - lo)
	if pad <= 1e-12*math.Max(math.Abs(lo), math.Abs(hi)) || pad < 1e-100 {
		pad = math.Max(.5, .05*math.Abs(lo))
	}
	if keepLo {
		return lo, hi + pad
	}
	return lo - pad, hi + pad
}

// axes maps data to pixels inside the data area.
type axes struct {
	Region
	logX, logY bool
	rect       image.Rectangle
	panel      *Panel
}

// x is the pixel of a data coordinate; pixel i covers i to i+1.
func (a *axes) x(v float64) float64 {
	return float64(a.rect.Min.X) + float64(a.rect.Dx())*share(v, a.X0, a.X1, a.logX)
}

func (a *axes) y(v float64) float64 {
	return float64(a.rect.Max.Y) - float64(a.rect.Dy())*share(v, a.Y0, a.Y1, a.logY)
}

// at is the inverse of x and y.
func (a *axes) at(px, py float64) (x, y float64) {
	return unshare((px-float64(a.rect.Min.X))/float64(a.rect.Dx()), a.X0, a.X1, a.logX),
		unshare((float64(a.rect.Max.Y)-py)/float64(a.rect.Dy()), a.Y0, a.Y1, a.logY)
}

func share(v, lo, hi float64, log bool) float64 {
	if log {
		if v <= 0 {
			return -1
		}
		return math.Log(v/lo) / math.Log(hi/lo)
	}
	return (v - lo) / (hi - lo)
}

func unshare(t, lo, hi float64, log bool) float64 {
	if log {
		return lo * math.Pow(hi/lo, t)
	}
	return lo + t*(hi-lo)
}

// ticks of one axis that is n labels long.
func ticksOf(lo, hi float64, log bool, n int) (major, minor []float64, labels []string) {
	if log {
		major, minor = logTicks(lo, hi, n)
	} else {
		for extra := 0; len(major) < 2 && extra < 3; extra++ { // one number alone gives no scale
			major = niceTicks(lo, hi, n+extra)
		}
	}
	return major, minor, formatTicks(major, log)
}
