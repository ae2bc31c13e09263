package plots

import (
	"image"
	"math"
)

// vec is a place in the box [−1, 1]²×[−tall, tall], or in the picture: x and y in pixels, z towards the eye.
type vec [3]float64

func (a vec) dot(b vec) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func (a vec) unit() vec {
	n := math.Sqrt(a.dot(a))
	return vec{a[0] / n, a[1] / n, a[2] / n}
}

const tall = .62

// view is a parallel projection that fits the box and its labels into a rectangle.
type view struct {
	right, up, eye vec
	zoom           float64
	ox, oy         float64
}

func newView(pg *page, s SurfaceStyle, rect image.Rectangle) view {
	sa, ca := math.Sincos(s.Azimuth * math.Pi / 180)
	se, ce := math.Sincos(s.Elevation * math.Pi / 180)
	v := view{right: vec{-sa, ca, 0}, up: vec{-se * ca, -se * sa, ce}, eye: vec{ce * ca, ce * sa, se}, zoom: 1}
	x0, x1, y0, y1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for k := range 8 {
		q := v.project(vec{float64(k&1)*2 - 1, float64(k&2) - 1, (float64(k&4)/2 - 1) * tall})
		x0, x1, y0, y1 = math.Min(x0, q[0]), math.Max(x1, q[0]), math.Min(y0, q[1]), math.Max(y1, q[1])
	}
	l, r, t, b := pg.px(50), pg.px(22), pg.px(4), pg.px(26)
	w, h := float64(rect.Dx())-l-r, float64(rect.Dy())-t-b
	v.zoom = math.Min(w/(x1-x0), h/(y1-y0))
	v.ox = float64(rect.Min.X) + l + (w-v.zoom*(x1-x0))/2 - v.zoom*x0
	v.oy = float64(rect.Min.Y) + t + (h-v.zoom*(y1-y0))/2 - v.zoom*y0
	return v
}

func (v view) project(p vec) vec {
	return vec{v.ox + v.zoom*p.dot(v.right), v.oy - v.zoom*p.dot(v.up), v.zoom * p.dot(v.eye)}
}
