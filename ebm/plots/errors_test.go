package plots_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/goebm/goebm/ebm/plots"
)

func bowl(points []float32) ([]float64, error) {
	out := make([]float64, len(points)/2)
	for i := range out {
		x, y := float64(points[2*i]), float64(points[2*i+1])
		out[i] = x*x + y*y
	}
	return out, nil
}

func TestBadInput(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	box := plots.Box(-1, 1)
	constant := func(v float64) plots.Func {
		return func(p []float32) ([]float64, error) {
			out := make([]float64, len(p)/2)
			for i := range out {
				out[i] = v
			}
			return out, nil
		}
	}
	one := [][2]float64{{0, 0}}
	for want, p := range map[string]*plots.Panel{
		"Contour: f is nil":                                                          plots.Contour(nil, box),
		"Contour: box [2, 2]×[2, 2] has no area":                                     plots.Contour(bowl, plots.Box(2, 2)),
		"Contour: box [1, -1]×[1, -1] has no area":                                   plots.Contour(bowl, plots.Box(1, -1)),
		"Surface: box is [NaN, 1]×[NaN, 1], want numbers within ±1e30":               plots.Surface(bowl, plots.Box(nan, 1)),
		"Heat: f is NaN at (-1, -1)":                                                 plots.Heat(constant(nan), box),
		"Heat: f is -Inf at (-1, -1)":                                                plots.Heat(constant(-inf), box),
		"Contour: f is +Inf everywhere in the box":                                   plots.Contour(constant(inf), box),
		"Contour: f returned 3 numbers for 40000 points":                             plots.Contour(func([]float32) ([]float64, error) { return make([]float64, 3), nil }, box),
		"Contour: f: file does not exist":                                            plots.Contour(func([]float32) ([]float64, error) { return nil, os.ErrNotExist }, box),
		"Contour: Levels is -1":                                                      plots.Contour(bowl, box, plots.ContourStyle{Levels: -1}),
		"Contour: grid of 1×1 points, want 2 to 4096 a side":                         plots.Contour(bowl, box, plots.ContourStyle{N: 1}),
		"Contour: N is -5":                                                           plots.Contour(bowl, box, plots.ContourStyle{N: -5}),
		"Contour: Range is [2, 1]":                                                   plots.Contour(bowl, box, plots.ContourStyle{ColorScale: plots.ColorScale{Range: [2]float64{2, 1}}}),
		"Contour: Palette is 9":                                                      plots.Contour(bowl, box, plots.ContourStyle{ColorScale: plots.ColorScale{Palette: 9}}),
		"Heat: Depth is -3":                                                          plots.Heat(bowl, box, plots.HeatStyle{ColorScale: plots.ColorScale{Depth: -3}}),
		"Heat: style given 2 times, want at most once":                               plots.Heat(bowl, box, plots.HeatStyle{}, plots.HeatStyle{}),
		"Surface: Elevation is 120":                                                  plots.Surface(bowl, box, plots.SurfaceStyle{Elevation: 120}),
		"Surface: it is one of 2 layers":                                             plots.Surface(bowl, box).Scatter(one),
		"Scatter: points is empty":                                                   plots.Scatter([][2]float64{}),
		"Scatter: points is a string":                                                plots.Scatter("x"),
		"Scatter: points is a <nil>":                                                 plots.Scatter(nil),
		"Scatter: points[1] has 3 coordinates, want 2":                               plots.Scatter([][]float32{{1, 2}, {1, 2, 3}}),
		"Scatter: points has shape [3], want [n 2]":                                  plots.Scatter(tensors.FromValue([]float32{1, 2, 3})),
		"Scatter: points is a nil or finalized tensor":                               plots.Scatter((*tensors.Tensor)(nil)),
		"Scatter: points has dtype Bool":                                             plots.Scatter(tensors.FromValue([][]bool{{true, true}})),
		"Scatter: points[1] is (NaN, 0), want numbers within ±1e100":                 plots.Scatter([][2]float64{{0, 0}, {nan, 0}}),
		"Scatter: 1 Labels for 2 points":                                             plots.Scatter([][2]float64{{0, 0}, {1, 1}}, plots.ScatterStyle{Labels: []int{1}}),
		"Scatter: Labels[0] is 3":                                                    plots.Scatter(one, plots.ScatterStyle{Labels: []int{3}, Names: []string{"a"}}),
		"Scatter: Size is -1":                                                        plots.Scatter(one, plots.ScatterStyle{Size: -1}),
		"Trajectory: points is empty":                                                plots.New().Trajectory([][]float64{}),
		"Density: none of the 1 points lies in the box":                              plots.Density([][2]float64{{5, 5}}, box),
		"Density: Bins is 1":                                                         plots.Density(one, box, plots.DensityStyle{Bins: 1}),
		"Quiver: f returned 800 numbers for 400 points":                              nil,
		"Quiver: f returned 400 numbers for 400 points, want 2 a point":              plots.New().Quiver(bowl, box),
		"Quiver: N is 500":                                                           plots.New().Quiver(bowl, box, plots.QuiverStyle{N: 500}),
		"Hist: values is empty":                                                      plots.Hist([]float64{}),
		"Hist: values[1] is +Inf":                                                    plots.Hist([]float64{1, inf}),
		"Hist: none of the 1 values lies in Range [3, 4]":                            plots.Hist([]float64{1}, plots.HistStyle{Range: [2]float64{3, 4}}),
		"Hist: Density is -1 at 0":                                                   plots.Hist([]float64{0, 1}, plots.HistStyle{Density: func(float64) float64 { return -1 }}),
		"Line: y is a [][]float64, want a tensor [n], []float32, []float64 or []int": plots.Line([][]float64{{1}}),
		"Line: X has 1 numbers, y has 2":                                             plots.Line([]int{1, 2}, plots.LineStyle{X: []int{1}}),
		"Line: Dash is [0]":                                                          plots.Line([]int{1, 2}, plots.LineStyle{Dash: []float64{0}}),
		"Band: lower has 1 numbers, upper has 2":                                     plots.New().Band([]int{1}, []int{1, 2}),
		"Curve: f is NaN at 0":                                                       plots.New().Curve(func(float64) float64 { return nan }, 0, 1),
		"Curve: ends are 1 and 1":                                                    plots.New().Curve(math.Sin, 1, 1),
		"HLine: y is NaN":                                                            plots.New().HLine(nan),
		"LogY: the vertical axis reaches 0, a logarithmic one needs numbers above 0": plots.Line([]int{0, 1}).LogY(),
		"XLim: ends are 2 and 1":                                                     plots.Line([]int{0, 1}).XLim(2, 1),
		"Matrix: values is empty":                                                    plots.Matrix(nil),
		"Matrix: values[1] has 1 numbers, want 2 as the first row":                   plots.Matrix([][]float64{{1, 2}, {3}}),
		"Matrix: values[0][1] is +Inf, want a number within ±1e100 or NaN":           plots.Matrix([][]float64{{1, inf}}),
		"Matrix: all values are NaN":                                                 plots.Matrix([][]float64{{nan, nan}}),
		"Matrix: Rows has 2 names, want 1":                                           plots.Matrix([][]float64{{1, 2}}, plots.MatrixStyle{Rows: []string{"a", "b"}}),
		"Matrix: Cols has 1 names, want 2":                                           plots.Matrix([][]float64{{1, 2}}, plots.MatrixStyle{Cols: []string{"a"}}),
		"Matrix: Text[0] has 1 texts, want 2":                                        plots.Matrix([][]float64{{1, 2}}, plots.MatrixStyle{Text: [][]string{{"a"}}}),
		"Matrix: Text: the font has no glyph for '猫'":                                plots.Matrix([][]float64{{1}}, plots.MatrixStyle{Text: [][]string{{"猫"}}}),
		"Matrix: it is one of 2 layers":                                              plots.Matrix([][]float64{{1}}).Scatter(one),
		"Images: x is a nil or finalized tensor":                                     plots.Images(nil),
		"Images: x has shape [2 2], want [n height width]":                           plots.Images(tensors.FromValue([][]float32{{1, 2}, {3, 4}})),
		"Images: x has shape [1 1 1 2]":                                              plots.Images(tensors.FromValue([][][][]float32{{{{1, 2}}}})),
		"Images: x has dtype Bool":                                                   plots.Images(tensors.FromValue([][][]bool{{{true}}})),
		"Images: x has +Inf in picture 1":                                            plots.Images(tensors.FromValue([][][]float64{{{1}}, {{inf}}})),
		"Images: Range is [1 1]":                                                     plots.Images(tensors.FromValue([][][]float64{{{1}}}), plots.ImagesStyle{Range: [2]float64{1, 1}}),
		"Images: Columns is -1":                                                      plots.Images(tensors.FromValue([][][]float64{{{1}}}), plots.ImagesStyle{Columns: -1}),
		"Images: Rows has 2 names, want 1":                                           plots.Images(tensors.FromValue([][][]float64{{{1}}}), plots.ImagesStyle{Rows: []string{"a", "b"}}),
		"Images: Cols has 3 names, want 1":                                           plots.Images(tensors.FromValue([][][]float64{{{1}}}), plots.ImagesStyle{Cols: []string{"a", "b", "c"}}),
		"Images: it is one of 2 layers":                                              plots.Images(tensors.FromValue([][][]float64{{{1}}})).Scatter(one),
		"Size: 0×3 inches":                                                           plots.Line([]int{0, 1}).Size(0, 3),
		"Title: the font has no glyph for '猫'":                                       plots.Line([]int{0, 1}).Title("猫"),
		"panel: no layers to draw":                                                   plots.New(),
	} {
		if p == nil {
			continue
		}
		_, err := p.PNG()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got error %v\nwant       %s", err, want)
		}
	}
	for want, f := range map[string]interface{ PNG() ([]byte, error) }{
		"Panels: no panels":                              plots.Panels(2),
		"Panels: cols is 0":                              plots.Panels(0, plots.Line([]int{1, 2})),
		"Panels: panel 1 is nil":                         plots.Panels(2, plots.Line([]int{1, 2}), nil),
		"panel 1: Hist: values is empty":                 plots.Panels(2, plots.Line([]int{1, 2}), plots.Hist([]int{})),
		"Animation: no frames":                           &plots.Animation{},
		"Animation: frame 0 is nil":                      &plots.Animation{Frames: []*plots.Figure{nil}},
		"Animate: panel 0 is nil":                        plots.Animate(nil),
		"frame 0: Hist: values is empty":                 plots.Animate(plots.Hist([]int{})),
		"Animation: Delay is -1ns":                       &plots.Animation{Frames: []*plots.Figure{plots.Panels(1, plots.Line([]int{1, 2}))}, Delay: -time.Nanosecond},
		"Animation: frame 1 has 2 panels, frame 0 has 1": &plots.Animation{Frames: []*plots.Figure{plots.Panels(1, plots.Line([]int{1, 2})), plots.Panels(2, plots.Line([]int{1, 2}), plots.Line([]int{1, 2}))}},
	} {
		if _, err := f.PNG(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got error %v\nwant       %s", err, want)
		}
	}
	missing := filepath.Join(t.TempDir(), "no", "such.png")
	if err := plots.Line([]int{1, 2}).Save(missing); err == nil || !strings.HasPrefix(err.Error(), `Save: path "`+missing) {
		t.Errorf("Save into a missing directory: %v", err)
	}
	if err := plots.Line([]int{1, 2}).Save(""); err == nil || err.Error() != "Save: path is empty" {
		t.Errorf("Save without a path: %v", err)
	}
}

// Numbers of every size make a picture or an error, never a panic or an endless loop.
func FuzzNumbers(f *testing.F) {
	for _, s := range [][3]float64{{0, 1, 2}, {1e300, -1e300, 0}, {5e-324, 0, 1e-323}, {1e16, 1e16 + 2, 1e16 + 4}, {1, 1 + 1e-15, 1}, {-1e99, 1e99, 3}, {1e-90, 1e90, 1}, {7, 7, 7}} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, a, b, c float64) {
		small := func(p *plots.Panel) *plots.Panel { return p.Size(.5, .5) }
		v := []float64{a, b, c}
		constant := func(p []float32) ([]float64, error) {
			out := make([]float64, len(p)/2)
			for i := range out {
				out[i] = v[i%3]
			}
			return out, nil
		}
		for _, p := range []*plots.Panel{
			plots.Line(v), plots.Line(v).LogY(), plots.Line(v, plots.LineStyle{X: v, Dash: []float64{1e-3 + math.Abs(a)}}), plots.Hist(v), plots.Scatter([][2]float64{{a, b}, {b, c}}),
			plots.New().Trajectory([][2]float64{{a, b}, {b, c}}),
			plots.Contour(constant, plots.Region{X0: a, X1: b, Y0: 0, Y1: 1}, plots.ContourStyle{N: 6}),
			plots.Contour(constant, plots.Box(0, 1), plots.ContourStyle{N: 6, ColorScale: plots.ColorScale{Log: true}}),
			plots.Surface(constant, plots.Box(0, 1), plots.SurfaceStyle{N: 6, ColorScale: plots.ColorScale{Depth: math.Abs(c)}}),
			plots.Density([][2]float64{{a, b}}, plots.Region{X0: a, X1: b, Y0: -1, Y1: c}),
			plots.Line([]int{1, 2}).XLim(a, b).YLim(b, c),
		} {
			_, _ = small(p).PNG()
		}
	})
}
