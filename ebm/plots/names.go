package plots

import (
	"math"
	"strings"

	"github.com/pkg/errors"
)

// table is a layer of cells in rows and columns, with names in place of axes. It is alone on its panel.
type table interface {
	layer
	names() names
}

// table is the panel's, nil where it has none.
func (p *Panel) table() table {
	for _, l := range p.layers {
		if t, ok := l.(table); ok {
			return t
		}
	}
	return nil
}

// names are those of a table's rows, on the left, and of its columns, above.
type names struct {
	caller     string
	rows, cols []string
}

// check wants none, or one for each.
func (n names) check(rows, cols int) error {
	for _, names := range []struct {
		arg  string
		n    int
		list []string
	}{{"Rows", rows, n.rows}, {"Cols", cols, n.cols}} {
		if names.list != nil && len(names.list) != names.n {
			return errors.Errorf("%s: %s has %d names, want %d", n.caller, names.arg, len(names.list), names.n)
		}
		if err := checkText(n.caller+": "+names.arg, strings.Join(names.list, " ")); err != nil {
			return err
		}
	}
	return nil
}

// height is what the columns' names take, in points.
func (n names) height() float64 {
	tallest := 0.
	for _, s := range n.cols {
		tallest = math.Max(tallest, letters{size: labelSize}.height(s)+6)
	}
	return tallest
}

// margins makes room.
func (n names) margins(c *cell, pg *page) {
	name := letters{size: labelSize}
	for _, s := range n.rows {
		c.left = math.Max(c.left, pg.width(name, s)+6)
	}
	for j, s := range n.cols {
		half, at := pg.width(name, s)/2, (float64(j)+.5)/float64(len(n.cols))*c.w
		c.left, c.right = math.Max(c.left, half-at), math.Max(c.right, at+half-c.w)
	}
	c.top += n.height()
	c.right = math.Max(c.right, 3)
}

func (n names) draw(pg *page, a *axes) {
	w, h := float64(a.rect.Dx()), float64(a.rect.Dy())
	for i, s := range n.rows {
		y := float64(a.rect.Min.Y) + h*(float64(i)+.5)/float64(len(n.rows))
		pg.text(letters{size: labelSize}, float64(a.rect.Min.X)-pg.px(6), y, right, centre, s)
	}
	for j, s := range n.cols {
		x := float64(a.rect.Min.X) + w*(float64(j)+.5)/float64(len(n.cols))
		pg.text(letters{size: labelSize}, x, float64(a.rect.Min.Y)-pg.px(6), centre, bottom, s)
	}
}
