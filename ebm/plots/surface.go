package plots

import (
	"image"
	"image/color"
	"math"

	"github.com/pkg/errors"
)

// SurfaceStyle says how a landscape is drawn in three dimensions. Heights above Depth or Range are cut
// off, heights below Range lie on the floor.
type SurfaceStyle struct {
	ColorScale
	N         int     // points of the grid on each side; default 200
	Azimuth   float64 // direction of the eye in degrees, counterclockwise from the x axis; default −60
	Elevation float64 // of the eye over the plane in degrees, 5 to 90; default 32
	Mesh      int     // grid lines on each side; default 24; negative: none
}

type surface struct {
	grid  Grid
	style SurfaceStyle
	ext   extent
}

// Surface starts a panel with [Panel.Surface].
func Surface(f Func, box Region, style ...SurfaceStyle) *Panel {
	return New().Surface(f, box, style...)
}

// Surface draws the landscape f over the box as a shaded surface. It is the only layer of its panel.
func (p *Panel) Surface(f Func, box Region, style ...SurfaceStyle) *Panel {
	s, err := one("Surface", style)
	if err = firstError(err, s.check("Surface"), checkText("Surface: Label", s.Label)); err != nil {
		return p.fail(err)
	}
	if s.N == 0 {
		s.N = 200
	}
	if s.Azimuth == 0 {
		s.Azimuth = -60
	}
	if s.Elevation == 0 {
		s.Elevation = 32
	}
	if s.Mesh == 0 {
		s.Mesh = 24
	}
	if !finite(s.Azimuth) {
		return p.fail(errors.Errorf("Surface: Azimuth is %v, want degrees", s.Azimuth))
	}
	if !(s.Elevation >= 5 && s.Elevation <= 90) {
		return p.fail(errors.Errorf("Surface: Elevation is %v, want 5 to 90 degrees", s.Elevation))
	}
	l := &surface{style: s}
	if l.grid, err = evaluate("Surface", f, box, s.N, s.N); err != nil {
		return p.fail(err)
	}
	l.ext = extentOf(l.grid.Z, s.FromMin)
	return p.add(l, nil)
}

func (s *surface) planar()                    {}
func (s *surface) bounds() Region             { return s.grid.Box }
func (s *surface) samples() [][2]float64      { return nil }
func (s *surface) entry() (legendEntry, bool) { return legendEntry{}, false }
func (s *surface) extent() extent             { return s.ext }
func (s *surface) share(e extent)             { s.ext = e }
func (s *surface) bar() bool                  { return false } // the vertical axis says it
func (s *surface) scale() *scale {
	c := newScale(s.style.ColorScale, s.ext, 0)
	return &c
}

func (s *surface) draw(pg *page, a *axes) {
	c := s.scale()
	v := newView(pg, s.style, a.rect)
	back := vec{-sign(v.eye[0]), -sign(v.eye[1]), -tall}
	s.drawBox(pg, a, c, v, back)
	s.drawSheet(pg, a.rect, c, v)
}

func sign(x float64) float64 {
	if x < 0 {
		return -1
	}
	return 1
}

// drawSheet fills the surface with a depth buffer, three samples a pixel each way.
func (s *surface) drawSheet(pg *page, rect image.Rectangle, c *scale, v view) {
	const over = 3
	w, h := rect.Dx()*over, rect.Dy()*over
	depth := make([]float32, w*h)
	tint := make([]color.RGBA, w*h)
	for i := range depth {
		depth[i] = float32(math.Inf(-1))
	}
	g := s.grid
	shift := 0.
	if s.style.FromMin {
		shift, _ = g.limits()
	}
	type vertex struct {
		at, normal vec
		pos        float64
		u, v       float64
	}
	n := g.NX
	height := func(i, j int) float64 {
		return math.Max(0, c.pos(g.Z[max(0, min(j, n-1))*n+max(0, min(i, n-1))]-shift))
	}
	vertices := make([]vertex, n*n)
	mesh := float64(s.style.Mesh)
	for j := range n {
		for i := range n {
			pos := height(i, j)
			step := 2 / float64(n-1)
			dx := (height(i+1, j) - height(i-1, j)) * tall * 2 / (step * float64(min(i+1, n-1)-max(i-1, 0)))
			dy := (height(i, j+1) - height(i, j-1)) * tall * 2 / (step * float64(min(j+1, n-1)-max(j-1, 0)))
			p := v.project(vec{-1 + step*float64(i), -1 + step*float64(j), (2*pos - 1) * tall})
			p[0], p[1] = (p[0]-float64(rect.Min.X))*over, (p[1]-float64(rect.Min.Y))*over
			vertices[j*n+i] = vertex{p, vec{-dx, -dy, 1}.unit(), pos, mesh * float64(i) / float64(n-1), mesh * float64(j) / float64(n-1)}
		}
	}
	light := vec{v.right[0]*-.45 + v.eye[0]*.5, v.right[1]*-.45 + v.eye[1]*.5, .9}.unit()
	half := vec{light[0] + v.eye[0], light[1] + v.eye[1], light[2] + v.eye[2]}.unit()
	lineWidth := pg.px(.28) * over
	triangle := func(a, b, d *vertex) {
		if !finite(a.at[1]) || !finite(b.at[1]) || !finite(d.at[1]) {
			return
		}
		area := (b.at[0]-a.at[0])*(d.at[1]-a.at[1]) - (b.at[1]-a.at[1])*(d.at[0]-a.at[0])
		if math.Abs(area) < 1e-9 {
			return
		}
		// slope is how fast a quantity changes along the picture, a sample.
		slope := func(p, q, r float64) float64 {
			return math.Hypot((q-p)*(d.at[1]-a.at[1])-(r-p)*(b.at[1]-a.at[1]), (r-p)*(b.at[0]-a.at[0])-(q-p)*(d.at[0]-a.at[0])) / math.Abs(area)
		}
		su, sv := slope(a.u, b.u, d.u), slope(a.v, b.v, d.v)
		x0, x1 := math.Min(a.at[0], math.Min(b.at[0], d.at[0])), math.Max(a.at[0], math.Max(b.at[0], d.at[0]))
		y0, y1 := math.Min(a.at[1], math.Min(b.at[1], d.at[1])), math.Max(a.at[1], math.Max(b.at[1], d.at[1]))
		for y := max(0, int(y0)); y <= min(h-1, int(y1)); y++ {
			for x := max(0, int(x0)); x <= min(w-1, int(x1)); x++ {
				px, py := float64(x)+.5, float64(y)+.5
				wb := ((px-a.at[0])*(d.at[1]-a.at[1]) - (py-a.at[1])*(d.at[0]-a.at[0])) / area
				wd := ((b.at[0]-a.at[0])*(py-a.at[1]) - (b.at[1]-a.at[1])*(px-a.at[0])) / area
				wa := 1 - wb - wd
				if wa < -1e-9 || wb < -1e-9 || wd < -1e-9 {
					continue
				}
				mixed := func(p, q, r float64) float64 { return wa*p + wb*q + wd*r }
				z := float32(mixed(a.at[2], b.at[2], d.at[2]))
				pos := mixed(a.pos, b.pos, d.pos)
				if k := y*w + x; z > depth[k] && pos <= 1+1e-9 {
					depth[k] = z
					normal := vec{mixed(a.normal[0], b.normal[0], d.normal[0]), mixed(a.normal[1], b.normal[1], d.normal[1]), mixed(a.normal[2], b.normal[2], d.normal[2])}.unit()
					if normal.dot(v.eye) < 0 {
						normal = vec{-normal[0], -normal[1], -normal[2]} // seen from below
					}
					diffuse, gloss := math.Max(0, normal.dot(light)), math.Pow(math.Max(0, normal.dot(half)), 30)
					tint[k] = lit(c.colour(pos), .7+.36*diffuse, .12*gloss)
					if mesh > 0 {
						u, q := mixed(a.u, b.u, d.u), mixed(a.v, b.v, d.v)
						if math.Abs(u-math.Round(u)) < lineWidth*su || math.Abs(q-math.Round(q)) < lineWidth*sv {
							tint[k] = mix(tint[k], color.RGBA{0, 0, 0, 255}, .28)
						}
					}
				}
			}
		}
	}
	for j := range n - 1 {
		for i := range n - 1 {
			p, q, r, t := &vertices[j*n+i], &vertices[j*n+i+1], &vertices[(j+1)*n+i], &vertices[(j+1)*n+i+1]
			triangle(p, q, t)
			triangle(p, t, r)
		}
	}
	for y := range rect.Dy() {
		for x := range rect.Dx() {
			var sum [3]float64
			count := 0.
			for k := range over * over {
				i := (y*over+k/over)*w + x*over + k%over
				if t := tint[i]; t.A > 0 {
					sum[0], sum[1], sum[2] = sum[0]+float64(t.R), sum[1]+float64(t.G), sum[2]+float64(t.B)
					count++
				}
			}
			if count > 0 {
				pg.blend(rect.Min.X+x, rect.Min.Y+y, color.NRGBA{uint8(sum[0]/count + .5), uint8(sum[1]/count + .5), uint8(sum[2]/count + .5), 255}, count/(over*over))
			}
		}
	}
}

// lit dims a colour and adds a white gleam.
func lit(c color.RGBA, dim, gloss float64) color.RGBA {
	f := func(x uint8) uint8 { return uint8(math.Min(255, float64(x)*dim+255*gloss)) }
	return color.RGBA{f(c.R), f(c.G), f(c.B), 255}
}

// drawBox draws the three walls behind the surface with their grid, the ticks and the labels.
func (s *surface) drawBox(pg *page, a *axes, c *scale, v view, back vec) {
	at := func(p vec) [2]float64 { q := v.project(p); return [2]float64{q[0], q[1]} }
	front := vec{-back[0], -back[1], tall}
	walls := [][]vec{
		{{-1, -1, back[2]}, {1, -1, back[2]}, {1, 1, back[2]}, {-1, 1, back[2]}},
		{{back[0], -1, -tall}, {back[0], 1, -tall}, {back[0], 1, tall}, {back[0], -1, tall}},
		{{-1, back[1], -tall}, {1, back[1], -tall}, {1, back[1], tall}, {-1, back[1], tall}},
	}
	for i, wall := range walls {
		var pts [][2]float64
		for _, q := range wall {
			pts = append(pts, at(q))
		}
		shade := uint8(246 - 3*i)
		pg.fill(color.RGBA{shade, shade, shade, 255}, pts...)
		pg.strokePath(pen{color.Gray{170}, .6, nil}, true, pts)
	}
	grid := pen{color.Gray{214}, .5, nil}
	tick, label := letters{size: tickSize}, letters{size: labelSize}
	xl, yl := a.panel.labels()
	// along is the direction of an axis, edge a point on the edge that carries its ticks, out points away from the box.
	axis := func(values []float64, texts []string, title string, lo, hi float64, along int, edge, out vec) {
		o := vec{out.dot(v.right), -out.dot(v.up), 0}.unit()
		widest := 0.
		place := func(t float64) [2]float64 {
			edge[along] = 2*t - 1
			if along == 2 {
				edge[along] *= tall
			}
			return at(edge)
		}
		for i, value := range values {
			t := (value - lo) / (hi - lo)
			if t < -1e-9 || t > 1+1e-9 {
				continue
			}
			q := place(t)
			for wall := range 3 { // the grid line on each of the two walls that this axis runs along
				if wall == along {
					continue
				}
				from, to := edge, edge
				other := 3 - along - wall
				from[wall], to[wall] = back[wall], back[wall]
				from[other], to[other] = back[other], front[other]
				pg.stroke(grid, at(from), at(to))
			}
			end := [2]float64{q[0] + pg.px(tickLength)*o[0], q[1] + pg.px(tickLength)*o[1]}
			pg.stroke(pen{Black, .7, nil}, q, end)
			w := pg.width(tick, texts[i])
			reach := pg.px(3 + w/2*math.Abs(o[0]) + tickSize/2*math.Abs(o[1]))
			pg.text(tick, end[0]+reach*o[0], end[1]+reach*o[1], centre, centre, texts[i])
			widest = math.Max(widest, w)
		}
		q := place(.5)
		reach := pg.px(tickLength + 3 + (widest+6)*math.Abs(o[0]) + (tickSize+5)*math.Abs(o[1]) + labelSize/2)
		l := label
		l.turned = along == 2
		pg.text(l, q[0]+reach*o[0], q[1]+reach*o[1], centre, centre, title)
		pg.stroke(pen{Black, .8, nil}, place(0), place(1))
	}
	b := s.grid.Box
	edgeTicks := max(2, min(int(v.zoom*2/pg.px(50)), 4))
	ticks, _, labels := ticksOf(b.X0, b.X1, false, edgeTicks)
	axis(ticks, labels, xl, b.X0, b.X1, 0, vec{0, front[1], -tall}, vec{0, front[1], 0})
	ticks, _, labels = ticksOf(b.Y0, b.Y1, false, edgeTicks)
	axis(ticks, labels, yl, b.Y0, b.Y1, 1, vec{front[0], 0, -tall}, vec{front[0], 0, 0})
	// The vertical axis stands on the left outline of the box.
	edge := vec{back[0], front[1], 0}
	out := vec{-v.right[0], -v.right[1], 0}
	if other := (vec{front[0], back[1], 0}); other.dot(v.right) < edge.dot(v.right) {
		edge = other
	}
	axis(c.ticks, c.tickLabels, c.label, 0, 1, 2, edge, out)
}
