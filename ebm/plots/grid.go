package plots

import (
	"math"

	"github.com/pkg/errors"
)

// Func gives the height of a landscape at points [n, 2], row-major (x₀, y₀, x₁, y₁, …), as n numbers. It is called once
// for a whole grid. +Inf is allowed and means "outside"; NaN and −Inf are not.
type Func = func(points []float32) ([]float64, error)

// VectorFunc gives a vector at each of the points [n, 2], row-major, as 2n numbers.
type VectorFunc = func(points []float32) ([]float64, error)

// Region is a rectangle of the plane.
type Region struct{ X0, X1, Y0, Y1 float64 }

// Box is the square [lo, hi]².
func Box(lo, hi float64) Region { return Region{lo, hi, lo, hi} }

// Around is the smallest rectangle around all the points, widened on each side by margin times its width and height
// (0.1 is a tenth). Points that cannot be read give a region that every layer refuses.
func Around(points any, margin float64) Region {
	pts, err := pointsOf("Around", "points", points)
	if err != nil {
		return Region{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
	}
	r := boundsOf(pts)
	dx, dy := margin*(r.X1-r.X0), margin*(r.Y1-r.Y0)
	return Region{r.X0 - dx, r.X1 + dx, r.Y0 - dy, r.Y1 + dy}
}

func (r Region) check(caller string) error {
	for _, v := range [4]float64{r.X0, r.X1, r.Y0, r.Y1} {
		if !(math.Abs(v) <= 1e30) {
			return errors.Errorf("%s: box is [%v, %v]×[%v, %v], want numbers within ±1e30", caller, r.X0, r.X1, r.Y0, r.Y1)
		}
	}
	// Grid points are float32: a box that is narrower than their spacing has no points inside.
	const eps = 1e-5
	if r.X1-r.X0 < 1e-30 || r.Y1-r.Y0 < 1e-30 || r.X1-r.X0 <= eps*math.Max(math.Abs(r.X0), math.Abs(r.X1)) || r.Y1-r.Y0 <= eps*math.Max(math.Abs(r.Y0), math.Abs(r.Y1)) {
		return errors.Errorf("%s: box [%v, %v]×[%v, %v] has no area", caller, r.X0, r.X1, r.Y0, r.Y1)
	}
	return nil
}

func (r Region) union(o Region) Region {
	return Region{math.Min(r.X0, o.X0), math.Max(r.X1, o.X1), math.Min(r.Y0, o.Y0), math.Max(r.Y1, o.Y1)}
}

func boundsOf(pts [][2]float64) Region {
	r := Region{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	for _, p := range pts {
		r = r.union(Region{p[0], p[0], p[1], p[1]})
	}
	return r
}

// Grid holds the heights of a landscape on NX×NY points spread evenly over Box, corners included. Row j (y rises with
// j) is Z[j*NX:(j+1)*NX].
type Grid struct {
	Box    Region
	NX, NY int
	Z      []float64
}

// Evaluate calls f once on a grid of nx×ny points over the box. It refuses NaN, −Inf and a landscape that is +Inf
// everywhere.
func Evaluate(f Func, box Region, nx, ny int) (Grid, error) {
	return evaluate("Evaluate", f, box, nx, ny)
}

func evaluate(caller string, f Func, box Region, nx, ny int) (Grid, error) {
	g := Grid{Box: box, NX: nx, NY: ny}
	if f == nil {
		return g, errors.Errorf("%s: f is nil", caller)
	}
	if err := box.check(caller); err != nil {
		return g, err
	}
	if nx < 2 || ny < 2 || nx > 4096 || ny > 4096 {
		return g, errors.Errorf("%s: grid of %d×%d points, want 2 to 4096 a side", caller, nx, ny)
	}
	points := make([]float32, 0, 2*nx*ny)
	for j := range ny {
		for i := range nx {
			x, y := g.at(i, j)
			points = append(points, float32(x), float32(y))
		}
	}
	z, err := f(points)
	if err != nil {
		return g, errors.WithMessagef(err, "%s: f", caller)
	}
	g.Z = z
	return g, g.check(caller)
}

func (g Grid) check(caller string) error {
	if err := g.Box.check(caller); err != nil {
		return err
	}
	if len(g.Z) != g.NX*g.NY {
		return errors.Errorf("%s: f returned %d numbers for %d points", caller, len(g.Z), g.NX*g.NY)
	}
	some := false
	for i, z := range g.Z {
		if math.IsNaN(z) || math.IsInf(z, -1) {
			x, y := g.at(i%g.NX, i/g.NX)
			return errors.Errorf("%s: f is %v at (%.4g, %.4g)", caller, z, x, y)
		}
		some = some || finite(z)
	}
	if !some {
		return errors.Errorf("%s: f is +Inf everywhere in the box", caller)
	}
	return nil
}

// Func interpolates between the grid's points linearly: a landscape known only as numbers can be drawn by it. Points
// outside the box take the value at its edge.
func (g Grid) Func() Func {
	return func(points []float32) ([]float64, error) {
		if g.NX < 2 || g.NY < 2 {
			return nil, errors.Errorf("Grid: %d×%d points, want at least 2×2", g.NX, g.NY)
		}
		if err := g.check("Grid"); err != nil {
			return nil, err
		}
		out := make([]float64, len(points)/2)
		for k := range out {
			u, v := g.index(float64(points[2*k]), float64(points[2*k+1]))
			i, j := min(int(u), g.NX-2), min(int(v), g.NY-2)
			a, b := u-float64(i), v-float64(j)
			// A weight of 0 must not meet a height of +Inf.
			for _, c := range [4]struct{ w, z float64 }{{(1 - a) * (1 - b), g.Z[j*g.NX+i]}, {a * (1 - b), g.Z[j*g.NX+i+1]},
				{(1 - a) * b, g.Z[(j+1)*g.NX+i]}, {a * b, g.Z[(j+1)*g.NX+i+1]}} {
				if c.w > 1e-6 {
					out[k] += c.w * c.z
				}
			}
		}
		return out, nil
	}
}

// at is the place of grid point (i, j).
func (g Grid) at(i, j int) (x, y float64) {
	return g.Box.X0 + (g.Box.X1-g.Box.X0)*float64(i)/float64(g.NX-1), g.Box.Y0 + (g.Box.Y1-g.Box.Y0)*float64(j)/float64(g.NY-1)
}

// index is the inverse of at, in fractions of a step, held inside the grid.
func (g Grid) index(x, y float64) (u, v float64) {
	u = (x - g.Box.X0) / (g.Box.X1 - g.Box.X0) * float64(g.NX-1)
	v = (y - g.Box.Y0) / (g.Box.Y1 - g.Box.Y0) * float64(g.NY-1)
	return math.Max(0, math.Min(u, float64(g.NX-1))), math.Max(0, math.Min(v, float64(g.NY-1)))
}

// smooth interpolates by Catmull–Rom splines, so that contour lines have no corners at grid lines. Next to a height of
// +Inf it takes the nearest grid point.
func (g Grid) smooth(x, y float64) float64 {
	u, v := g.index(x, y)
	i, j := min(int(u), g.NX-2), min(int(v), g.NY-2)
	wx, wy := catmullRom(u-float64(i)), catmullRom(v-float64(j))
	sum := 0.0
	for b := range 4 {
		row := max(0, min(j+b-1, g.NY-1)) * g.NX
		for a := range 4 {
			sum += wx[a] * wy[b] * g.Z[row+max(0, min(i+a-1, g.NX-1))]
		}
	}
	if !finite(sum) {
		return g.Z[int(v+.5)*g.NX+int(u+.5)]
	}
	return sum
}

// catmullRom gives the weights of the four neighbours of a point at fraction t between the middle two.
// E. Catmull, R. Rom, "A class of local interpolating splines", Computer Aided Geometric Design, 1974.
func catmullRom(t float64) [4]float64 {
	t2, t3 := t*t, t*t*t
	return [4]float64{(-t + 2*t2 - t3) / 2, (2 - 5*t2 + 3*t3) / 2, (t + 4*t2 - 3*t3) / 2, (-t2 + t3) / 2}
}

// limits returns the lowest and the highest finite height.
func (g Grid) limits() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, z := range g.Z {
		if finite(z) {
			lo, hi = math.Min(lo, z), math.Max(hi, z)
		}
	}
	return lo, hi
}
