package plots_test

import (
	"fmt"
	"math"
	"os"

	"github.com/goebm/goebm/ebm/plots"
)

// doubleWell is the energy 2((x₁² − 1)² + x₂²) as a host function.
func doubleWell(points []float32) ([]float64, error) {
	out := make([]float64, len(points)/2)
	for i := range out {
		x, y := float64(points[2*i]), float64(points[2*i+1])
		out[i] = 2 * ((x*x-1)*(x*x-1) + y*y)
	}
	return out, nil
}

// A landscape with points on it, in a file because this is no notebook.
func Example() {
	dir, err := os.MkdirTemp("", "plots")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err = os.Chdir(dir); err != nil {
		fmt.Println(err)
		return
	}
	os.Unsetenv(plots.DirEnv)

	samples := [][]float32{{-1.1, 0.2}, {0.9, -0.1}, {1.05, 0.3}}
	err = plots.Contour(doubleWell, plots.Box(-2, 2), plots.ContourStyle{ColorScale: plots.ColorScale{Depth: 12}}).
		Scatter(samples, plots.ScatterStyle{Label: "samples"}).
		Title("Double well").
		Show()
	fmt.Println(err)
	// Output:
	// wrote double-well.png
	// <nil>
}

// What is wrong is said where the picture is shown.
func ExamplePanel_Save() {
	fmt.Println(plots.Contour(doubleWell, plots.Box(2, 2)).Save("never.png"))
	fmt.Println(plots.Scatter([][2]float64{{0, math.NaN()}}).Save("never.png"))
	// Output:
	// Contour: box [2, 2]×[2, 2] has no area
	// Scatter: points[0] is (0, NaN), want numbers within ±1e100
}

// Panels side by side, with one scale of colours.
func ExamplePanels() {
	steep := func(points []float32) ([]float64, error) {
		e, err := doubleWell(points)
		for i := range e {
			e[i] *= 3
		}
		return e, err
	}
	png, err := plots.Panels(2,
		plots.Contour(doubleWell, plots.Box(-1.5, 1.5)).Title("warm"),
		plots.Contour(steep, plots.Box(-1.5, 1.5)).Title("cold"),
	).Title("Temperature").ShareColors().PNG()
	fmt.Println(string(png[1:4]), err)
	// Output: PNG <nil>
}

// A picture that moves.
func ExampleAnimate() {
	var frames []*plots.Panel
	for k := range 3 {
		at := [][2]float64{{float64(k)/2 - 1, 0}}
		frames = append(frames, plots.Contour(doubleWell, plots.Box(-2, 2)).Scatter(at).Title(fmt.Sprintf("step %d", k)))
	}
	png, err := plots.Animate(frames...).PNG()
	fmt.Println(string(png[1:4]), len(png) < 350_000, err)
	// Output: PNG true <nil>
}

// A table goes into the notebook, in a plain program to stdout.
func ExampleMarkdown() {
	plots.Markdown(fmt.Sprintf("| seed | distance |\n|--:|--:|\n| %d | %.2f |\n", 1, .0625))
	// Output:
	// | seed | distance |
	// |--:|--:|
	// | 1 | 0.06 |
}

// Numbers kept on a grid, as from a file, are drawn by interpolation.
func ExampleGrid() {
	grid := plots.Grid{Box: plots.Box(0, 1), NX: 2, NY: 2, Z: []float64{0, 1, 1, 2}}
	z, err := grid.Func()([]float32{0.5, 0.5, 0.25, 0})
	fmt.Println(z, err)
	// Output: [1 0.25] <nil>
}
