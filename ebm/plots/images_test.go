package plots

import (
	"image/color"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// Each pixel of a picture is where it belongs, in its grey or colour; what is left of the last row is empty.
func TestImagesPixels(t *testing.T) {
	grey := color.RGBA{205, 205, 205, 255}
	for name, c := range map[string]struct {
		x     *tensors.Tensor
		style ImagesStyle
		want  map[[2]float64]color.RGBA // by column and row of the panel, in pictures, from the top left
	}{
		"grey": {tensors.FromValue([][][]float32{{{0, 1}, {2, 4}}, {{4, 4}, {4, 4}}, {{0, 0}, {0, 0}}}), ImagesStyle{Columns: 2}, map[[2]float64]color.RGBA{
			{.3, .3}: {0, 0, 0, 255}, {.7, .3}: {64, 64, 64, 255}, {.3, .7}: {128, 128, 128, 255}, {.7, .7}: {255, 255, 255, 255},
			{1.3, .3}: {255, 255, 255, 255}, {.3, 1.3}: {0, 0, 0, 255}, {1.5, 1.5}: grey, {.01, .01}: grey}},
		"turned": {tensors.FromValue([][][]float64{{{0, 3}, {1, math.NaN()}}}), ImagesStyle{Range: [2]float64{2, 0}}, map[[2]float64]color.RGBA{
			{.3, .3}: {255, 255, 255, 255}, {.7, .3}: {0, 0, 0, 255}, {.3, .7}: {128, 128, 128, 255}, {.7, .7}: {200, 30, 30, 255}}},
		"colours": {tensors.FromValue([][][][]float32{{{{0, 1, .2}}}}), ImagesStyle{Range: [2]float64{0, 1}}, map[[2]float64]color.RGBA{{.5, .5}: {0, 255, 51, 255}}},
		"flat":    {tensors.FromValue([][][]float32{{{7}}}), ImagesStyle{}, map[[2]float64]color.RGBA{{.5, .5}: {255, 255, 255, 255}}},
	} {
		p := Images(c.x, c.style)
		if p.err != nil {
			t.Fatalf("%s: %v", name, p.err)
		}
		m := p.layers[0].(*images)
		for at, want := range c.want {
			got := m.colour(at[0]*(float64(m.width)+2*m.gap()), at[1]*(float64(m.height)+2*m.gap()))
			for i, v := range []uint8{want.R, want.G, want.B} {
				if math.Abs(got[i]-float64(v)) > .6 {
					t.Errorf("%s: at %v got %v, want %v", name, at, got, want)
				}
			}
		}
	}
}

// The default number of columns makes the panel about square.
func TestImagesColumns(t *testing.T) {
	for dims, want := range map[[3]int]int{{16, 8, 8}: 4, {10, 8, 8}: 4, {1, 8, 8}: 1, {8, 8, 4}: 4, {3, 2, 200}: 1} {
		m := Images(tensors.FromFlatDataAndDimensions(make([]float32, dims[0]*dims[1]*dims[2]), dims[:]...)).layers[0].(*images)
		if m.columns != want {
			t.Errorf("%v: %d columns, want %d", dims, m.columns, want)
		}
	}
}
