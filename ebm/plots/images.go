package plots

import (
	"image/color"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
)

// ImagesStyle says how pictures are laid out and what their numbers mean.
type ImagesStyle struct {
	Columns    int        // pictures a row; default one for each of Cols, else as many as make the panel about square
	Range      [2]float64 // the numbers that are black and white, also the other way round; default the least and the greatest of all
	Rows, Cols []string   // names of rows and columns; default none
}

// images is pictures in rows, side by side on grey.
type images struct {
	values                     []float64 // [n, height, width, channels]
	n, height, width, channels int
	columns, rows              int
	black, white               float64
	style                      ImagesStyle
}

// Images starts a panel with [Panel.Images].
func Images(x *tensors.Tensor, style ...ImagesStyle) *Panel { return New().Images(x, style...) }

// Images draws pictures x, [n, height, width] or [n, height, width, channels] with one channel, grey, or three, red, green and blue. They fill the
// rows from the left. Numbers outside Range are black or white, NaN is red. They are the only layer of their panel.
func (p *Panel) Images(x *tensors.Tensor, style ...ImagesStyle) *Panel {
	s, err := one("Images", style)
	if err != nil {
		return p.fail(err)
	}
	m := &images{style: s}
	if err := firstError(m.read(x), m.layOut()); err != nil {
		return p.fail(err)
	}
	return p.Equal(true).add(m, m.names().check(m.rows, m.columns))
}

// read takes the numbers and the range.
func (m *images) read(x *tensors.Tensor) (err error) {
	if x == nil || !x.Ok() {
		return errors.New("Images: x is a nil or finalized tensor")
	}
	d := x.Shape().Dimensions
	if len(d) == 3 {
		d = append(append([]int{}, d...), 1)
	}
	if len(d) != 4 || x.Size() == 0 || d[3] != 1 && d[3] != 3 {
		return errors.Errorf("Images: x has shape %v, want [n height width], or [n height width channels] with 1 or 3 channels", x.Shape().Dimensions)
	}
	m.n, m.height, m.width, m.channels = d[0], d[1], d[2], d[3]
	if m.values, err = flatOf("Images", "x", x); err != nil {
		return err
	}
	m.black, m.white = math.Inf(1), math.Inf(-1)
	for i, v := range m.values {
		if math.IsNaN(v) {
			continue
		}
		if !finite(v) {
			return errors.Errorf("Images: x has %v in picture %d, want numbers within ±1e100 or NaN", v, i*m.n/len(m.values))
		}
		m.black, m.white = math.Min(m.black, v), math.Max(m.white, v)
	}
	if r := m.style.Range; r != [2]float64{} {
		if !finite(r[0]) || !finite(r[1]) || r[0] == r[1] {
			return errors.Errorf("Images: Range is %v, want two different numbers", r)
		}
		m.black, m.white = r[0], r[1]
	}
	if !(m.black != m.white) || math.IsInf(m.black, 0) { // all the same, or NaN
		m.black, m.white = m.black-1, m.black
	}
	return nil
}

// layOut settles rows and columns.
func (m *images) layOut() error {
	if m.style.Columns < 0 {
		return errors.Errorf("Images: Columns is %d, want at least 1, or 0 for the default", m.style.Columns)
	}
	m.columns = m.style.Columns
	if m.columns == 0 {
		m.columns = len(m.style.Cols)
	}
	if m.columns == 0 {
		m.columns = int(math.Ceil(math.Sqrt(float64(m.n*m.height) / float64(m.width))))
	}
	m.columns = min(m.columns, m.n)
	m.rows = (m.n + m.columns - 1) / m.columns
	return nil
}

// gap around each picture, in its pixels.
func (m *images) gap() float64 { return math.Max(.5, float64(max(m.height, m.width))/24) }

func (m *images) bounds() Region {
	return Region{0, float64(m.columns) * (float64(m.width) + 2*m.gap()), 0, float64(m.rows) * (float64(m.height) + 2*m.gap())}
}
func (m *images) samples() [][2]float64      { return nil }
func (m *images) entry() (legendEntry, bool) { return legendEntry{}, false }
func (m *images) filled() bool               { return true }
func (m *images) names() names               { return names{"Images", m.style.Rows, m.style.Cols} }

func (m *images) draw(pg *page, a *axes) {
	const fine = 4 // each pixel of the page is the mean of 4×4 places, for a picture's pixel need not be a whole number of them
	for py := a.rect.Min.Y; py < a.rect.Max.Y; py++ {
		for px := a.rect.Min.X; px < a.rect.Max.X; px++ {
			var sum [3]float64
			for k := range fine * fine {
				x, y := a.at(float64(px)+(float64(k%fine)+.5)/fine, float64(py)+(float64(k/fine)+.5)/fine)
				c := m.colour(x, a.Y1-y)
				for i := range sum {
					sum[i] += c[i] / (fine * fine)
				}
			}
			pg.img.SetRGBA(px, py, color.RGBA{uint8(sum[0] + .5), uint8(sum[1] + .5), uint8(sum[2] + .5), 255})
		}
	}
	m.names().draw(pg, a)
}

// colour at a place, counted from the top left in the pictures' pixels.
func (m *images) colour(x, y float64) [3]float64 {
	grey, gap := [3]float64{205, 205, 205}, m.gap()
	w, h := float64(m.width)+2*gap, float64(m.height)+2*gap
	column, row := math.Floor(x/w), math.Floor(y/h)
	x, y = math.Floor(x-column*w-gap), math.Floor(y-row*h-gap)
	picture := int(row)*m.columns + int(column)
	if x < 0 || y < 0 || x >= float64(m.width) || y >= float64(m.height) || picture >= m.n {
		return grey
	}
	at := ((picture*m.height+int(y))*m.width + int(x)) * m.channels
	var c [3]float64
	for i := range c {
		v := m.values[at+i%m.channels]
		if math.IsNaN(v) {
			return [3]float64{200, 30, 30}
		}
		c[i] = 255 * math.Min(1, math.Max(0, (v-m.black)/(m.white-m.black)))
	}
	return c
}
