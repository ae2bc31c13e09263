package plots

import (
	"image/color"
	"math"
	"sort"

	"github.com/pkg/errors"
)

// ContourStyle says how a landscape's levels are drawn. The zero value is filled bands of Viridis between white lines.
type ContourStyle struct {
	ColorScale
	Levels    int         // wished number of bands; default 12. The levels are round numbers
	N         int         // points of the grid on each side; default 200
	LineColor color.Color // default white on bands, black without
	LineWidth float64     // in points; default 0.5; negative: no lines
	Alpha     float64     // opacity of the lines, 0 to 1; default 0.45 on bands, 1 without
	LinesOnly bool        // lines without filled bands or colour bar: to lie over another map
}

// contour is a map drawn pixel by pixel, so that bands, lines and edges are smooth at every size.
type contour struct {
	grid   Grid
	style  ContourStyle
	ext    extent
	bands  int
	smooth bool // continuous colours without lines: a heat map
	cells  bool // grid points are cells of one colour: a histogram in the plane
}

// Contour starts a panel with [Panel.Contour].
func Contour(f Func, box Region, style ...ContourStyle) *Panel {
	return New().Contour(f, box, style...)
}

// Contour draws the landscape f over the box as filled contours with a colour bar.
func (p *Panel) Contour(f Func, box Region, style ...ContourStyle) *Panel {
	s, err := one("Contour", style)
	if err = firstError(err, s.check("Contour"), nonNegative("Contour", "Alpha", s.Alpha)); err != nil {
		return p.fail(err)
	}
	if s.Levels < 0 || s.Levels > 100 {
		return p.fail(errors.Errorf("Contour: Levels is %d, want 1 to 100, or 0 for the default", s.Levels))
	}
	if s.LineWidth != s.LineWidth || math.IsInf(s.LineWidth, 0) {
		return p.fail(errors.Errorf("Contour: LineWidth is %v, want a finite number", s.LineWidth))
	}
	if s.Levels == 0 {
		s.Levels = 12
	}
	if s.LineWidth == 0 {
		s.LineWidth = .5
	}
	if s.LineColor == nil {
		s.LineColor = White
		if s.LinesOnly {
			s.LineColor = Black
		}
	}
	if s.Alpha == 0 {
		s.Alpha = .45
		if s.LinesOnly {
			s.Alpha = 1
		}
	}
	c := &contour{style: s, bands: s.Levels}
	return p.add(c, c.load("Contour", f, box, s.N))
}

// HeatStyle says how a map with continuous colours is drawn.
type HeatStyle struct {
	ColorScale
	N int // points of the grid on each side; default 200
}

// Heat starts a panel with [Panel.Heat].
func Heat(f Func, box Region, style ...HeatStyle) *Panel { return New().Heat(f, box, style...) }

// Heat draws the landscape f over the box in continuous colours with a colour bar.
func (p *Panel) Heat(f Func, box Region, style ...HeatStyle) *Panel {
	s, err := one("Heat", style)
	if err = firstError(err, s.check("Heat")); err != nil {
		return p.fail(err)
	}
	c := &contour{style: ContourStyle{ColorScale: s.ColorScale, LineColor: White}, smooth: true}
	return p.add(c, c.load("Heat", f, box, s.N))
}

// DensityStyle says how a histogram in the plane is drawn.
type DensityStyle struct {
	ColorScale
	Bins int // cells on each side; default 60
}

// Density starts a panel with [Panel.Density].
func Density(points any, box Region, style ...DensityStyle) *Panel {
	return New().Density(points, box, style...)
}

// Density draws the density of points [n, 2] as a histogram of Bins×Bins cells over the box. It integrates to the share
// of the points that lie inside.
func (p *Panel) Density(points any, box Region, style ...DensityStyle) *Panel {
	s, err := one("Density", style)
	if s.Bins == 0 {
		s.Bins = 60
	}
	pts, ptsErr := pointsOf("Density", "points", points)
	if err = firstError(err, s.check("Density"), ptsErr, box.check("Density")); err != nil {
		return p.fail(err)
	}
	if s.Bins < 2 || s.Bins > 2000 {
		return p.fail(errors.Errorf("Density: Bins is %d, want 2 to 2000", s.Bins))
	}
	if s.Label == "" {
		s.Label = "density"
	}
	g := Grid{Box: box, NX: s.Bins, NY: s.Bins, Z: make([]float64, s.Bins*s.Bins)}
	n := float64(s.Bins)
	each := 1 / (float64(len(pts)) * (box.X1 - box.X0) / n * (box.Y1 - box.Y0) / n)
	inside := 0
	for _, q := range pts {
		i, j := (q[0]-box.X0)/(box.X1-box.X0)*n, (q[1]-box.Y0)/(box.Y1-box.Y0)*n
		if i >= 0 && i <= n && j >= 0 && j <= n {
			g.Z[min(int(j), s.Bins-1)*s.Bins+min(int(i), s.Bins-1)] += each
			inside++
		}
	}
	if inside == 0 {
		return p.fail(errors.Errorf("Density: none of the %d points lies in the box [%v, %v]×[%v, %v]", len(pts), box.X0, box.X1, box.Y0, box.Y1))
	}
	c := &contour{grid: g, style: ContourStyle{ColorScale: s.ColorScale, LineColor: White}, smooth: true, cells: true}
	c.ext = extentOf(g.Z, s.FromMin)
	return p.add(c, nil)
}

func (c *contour) load(caller string, f Func, box Region, n int) error {
	if n < 0 {
		return errors.Errorf("%s: N is %d, want at least 2, or 0 for the default", caller, n)
	}
	if n == 0 {
		n = 200
	}
	err := checkText(caller+": Label", c.style.Label)
	if err == nil {
		c.grid, err = evaluate(caller, f, box, n, n)
	}
	if err == nil {
		c.ext = extentOf(c.grid.Z, c.style.FromMin)
	}
	return err
}

func (c *contour) planar()                    {}
func (c *contour) filled() bool               { return !c.style.LinesOnly }
func (c *contour) bounds() Region             { return c.grid.Box }
func (c *contour) samples() [][2]float64      { return nil }
func (c *contour) entry() (legendEntry, bool) { return legendEntry{}, false }
func (c *contour) extent() extent             { return c.ext }
func (c *contour) share(e extent)             { c.ext = e }
func (c *contour) bar() bool                  { return !c.style.NoBar && !c.style.LinesOnly }

func (c *contour) scale() *scale {
	s := newScale(c.style.ColorScale, c.ext, c.bands)
	return &s
}

func (c *contour) draw(pg *page, a *axes) {
	s := c.scale()
	w, h := a.rect.Dx()+2, a.rect.Dy()+2 // a border of one pixel, for slopes
	shift := 0.
	if c.style.FromMin {
		shift, _ = c.grid.limits()
	}
	pos := make([]float64, w*h)
	for j := range h {
		for i := range w {
			x, y := a.at(float64(a.rect.Min.X+i-1)+.5, float64(a.rect.Min.Y+j-1)+.5)
			pos[j*w+i] = s.pos(c.height(x, y) - shift)
		}
	}
	line := fade(c.style.LineColor, c.style.Alpha)
	half := pg.px(c.style.LineWidth) / 2
	box := c.grid.Box
	for j := 1; j < h-1; j++ {
		for i := 1; i < w-1; i++ {
			px, py := a.rect.Min.X+i-1, a.rect.Min.Y+j-1
			if x, y := a.at(float64(px)+.5, float64(py)+.5); x < box.X0 || x > box.X1 || y < box.Y0 || y > box.Y1 {
				continue
			}
			k := j*w + i
			p := pos[k]
			if c.smooth {
				pg.img.SetRGBA(px, py, s.colour(p))
				continue
			}
			slope := math.Hypot(pos[k+1]-pos[k-1], pos[k+w]-pos[k-w]) / 2
			edge, gap := nearestEdge(s, p)
			d := math.Inf(1)                           // pixels above the nearest border between bands
			if slope > 1e-9 && !math.IsInf(slope, 1) { // rounding errors of a plain are no slope
				d = (p - edge) / slope
			}
			if !c.style.LinesOnly {
				colour := s.colour(p)
				if math.Abs(d) < .5 {
					colour = mix(s.colour(edge-1e-9), s.colour(edge+1e-9), d+.5)
				}
				pg.img.SetRGBA(px, py, colour)
			}
			if cover := half + .5 - math.Abs(d); cover > 0 && half > 0 {
				// Where bands are only a few pixels wide, lines would cover them.
				crowd := math.Max(0, math.Min((gap/slope-2*half)/4, 1))
				if c.style.LinesOnly {
					crowd = 1
				}
				pg.blend(px, py, line, math.Min(cover, math.Min(1, 2*half))*crowd)
			}
		}
	}
}

func (c *contour) height(x, y float64) float64 {
	if !c.cells {
		return c.grid.smooth(x, y)
	}
	b, n := c.grid.Box, float64(c.grid.NX)
	i, j := int((x-b.X0)/(b.X1-b.X0)*n), int((y-b.Y0)/(b.Y1-b.Y0)*n)
	return c.grid.Z[max(0, min(j, c.grid.NY-1))*c.grid.NX+max(0, min(i, c.grid.NX-1))]
}

// nearestEdge is the inner border between two bands nearest to position p, and the width of p's band. The top counts as
// a border when something is higher.
func nearestEdge(s *scale, p float64) (edge, gap float64) {
	edges := s.edges[1 : len(s.edges)-1]
	if s.over {
		edges = s.edges[1:]
	}
	if len(edges) == 0 {
		return math.Inf(1), 1
	}
	k := sort.SearchFloat64s(edges, p)
	gap = math.Inf(1)
	if k > 0 && k < len(edges) {
		gap = edges[k] - edges[k-1]
	}
	if k == len(edges) || (k > 0 && p-edges[k-1] < edges[k]-p) {
		k--
	}
	return edges[k], gap
}
