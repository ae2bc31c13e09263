package plots

import (
	"image/color"
	"math"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// MatrixStyle says how a table of numbers is drawn.
type MatrixStyle struct {
	ColorScale
	Rows, Cols []string   // names, one each; default none. A name may have several lines
	Text       [][]string // what stands in the cells; default the numbers, with three figures
}

type matrix struct {
	values [][]float64
	style  MatrixStyle
	ext    extent
}

// Matrix starts a panel with [Panel.Matrix].
func Matrix(values [][]float64, style ...MatrixStyle) *Panel { return New().Matrix(values, style...) }

// Matrix draws a table of numbers, the first row at the top, as a coloured cell each with its number in it. NaN is a cell without a
// number: grey, and with its Text where there is some. It is the only layer of its panel.
func (p *Panel) Matrix(values [][]float64, style ...MatrixStyle) *Panel {
	s, err := one("Matrix", style)
	if err = firstError(err, s.check("Matrix"), checkText("Matrix: Label", s.Label), checkMatrix(values, s)); err != nil {
		return p.fail(err)
	}
	if s.Label == "" {
		s.Label = "value"
	}
	m := &matrix{style: s}
	m.style.Text = nil
	var known []float64
	for i, row := range values {
		m.values = append(m.values, append([]float64{}, row...))
		var texts []string
		for _, v := range row {
			if !math.IsNaN(v) {
				known = append(known, v)
			}
			texts = append(texts, cellText(v))
		}
		if s.Text != nil {
			texts = append([]string{}, s.Text[i]...)
		}
		m.style.Text = append(m.style.Text, texts)
	}
	if len(known) == 0 {
		return p.fail(errors.New("Matrix: all values are NaN"))
	}
	m.ext = extentOf(known, s.FromMin)
	m.ext.low = m.ext.lo // a logarithmic scale begins at the smallest number: none is an outlier here
	return p.add(m, nil)
}

func checkMatrix(values [][]float64, s MatrixStyle) error {
	if len(values) == 0 || len(values[0]) == 0 {
		return errors.New("Matrix: values is empty")
	}
	rows, cols := len(values), len(values[0])
	for i, row := range values {
		if len(row) != cols {
			return errors.Errorf("Matrix: values[%d] has %d numbers, want %d as the first row", i, len(row), cols)
		}
		for j, v := range row {
			if !finite(v) && !math.IsNaN(v) {
				return errors.Errorf("Matrix: values[%d][%d] is %v, want a number within ±1e100 or NaN", i, j, v)
			}
		}
	}
	if err := (names{"Matrix", s.Rows, s.Cols}).check(rows, cols); err != nil {
		return err
	}
	if s.Text != nil && len(s.Text) != rows {
		return errors.Errorf("Matrix: Text has %d rows, want %d", len(s.Text), rows)
	}
	for i, row := range s.Text {
		if len(row) != cols {
			return errors.Errorf("Matrix: Text[%d] has %d texts, want %d", i, len(row), cols)
		}
		if err := checkText("Matrix: Text", strings.Join(row, " ")); err != nil {
			return err
		}
	}
	return nil
}

// cellText is a number with three figures.
func cellText(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	if a := math.Abs(v); a >= 100 && a < 1e5 {
		return strings.ReplaceAll(strconv.FormatFloat(v, 'f', 0, 64), "-", "−")
	}
	return strings.ReplaceAll(strconv.FormatFloat(v, 'g', 3, 64), "-", "−")
}

func (m *matrix) bounds() Region {
	return Region{0, float64(len(m.values[0])), 0, float64(len(m.values))}
}
func (m *matrix) samples() [][2]float64      { return nil }
func (m *matrix) entry() (legendEntry, bool) { return legendEntry{}, false }
func (m *matrix) filled() bool               { return true }
func (m *matrix) extent() extent             { return m.ext }
func (m *matrix) share(e extent)             { m.ext = e }
func (m *matrix) bar() bool                  { return !m.style.NoBar }
func (m *matrix) names() names               { return names{"Matrix", m.style.Rows, m.style.Cols} }
func (m *matrix) scale() *scale {
	c := newScale(m.style.ColorScale, m.ext, 0)
	return &c
}

func (m *matrix) draw(pg *page, a *axes) {
	c := m.scale()
	shift := 0.
	if m.style.FromMin {
		shift = math.Inf(1)
		for _, row := range m.values {
			for _, v := range row {
				if v < shift { // NaN is not
					shift = v
				}
			}
		}
	}
	rows := float64(len(m.values))
	for i, row := range m.values {
		for j, v := range row {
			x0, x1 := a.x(float64(j)), a.x(float64(j+1))
			y0, y1 := a.y(rows-float64(i)), a.y(rows-float64(i+1))
			face, ink := color.RGBA{232, 232, 232, 255}, color.Color(Grey)
			if !math.IsNaN(v) {
				face, ink = c.colour(c.pos(v-shift)), Black
				if .299*float64(face.R)+.587*float64(face.G)+.114*float64(face.B) < 130 {
					ink = White
				}
			}
			pg.fill(face, [2]float64{x0, y0}, [2]float64{x1, y0}, [2]float64{x1, y1}, [2]float64{x0, y1})
			pg.strokePath(pen{White, 1, nil}, true, [][2]float64{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}})
			pg.text(letters{size: labelSize, colour: ink}, (x0+x1)/2, (y0+y1)/2, centre, centre, m.style.Text[i][j])
		}
	}
	m.names().draw(pg, a)
}
