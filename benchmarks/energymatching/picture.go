package main

import (
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"

	"github.com/goebm/goebm/ebm/plots"
)

// draw draws W2 against time: of each method the worst seed, the one that is farthest at its last time, and thin the others.
func (r *Results) draw(name string) error {
	p := plots.New()
	drawn := 0
	for i, method := range methods {
		worst := r.worst(method)
		if worst < 0 {
			continue
		}
		drawn++
		times := r.Times
		if method == otcfm {
			times = r.OneWay
		}
		shade := []color.Color{plots.Green, plots.Blue, plots.Red, color.Gray{Y: 100}}[i]
		for seed, run := range r.Runs[method] {
			if run == nil || run.Diverged != "" {
				continue
			}
			style := plots.LineStyle{X: times, Color: shade, Width: .6}
			if seed == worst {
				style.Width, style.Marks = 1.6, true
				style.Label = fmt.Sprintf("%s, the worst of %d", method, r.seeds(method))
			}
			p.Line(run.W2, style)
		}
	}
	if drawn == 0 {
		return errors.New("there is nothing to draw")
	}
	p.HLine(r.Floor.Mean, plots.LineStyle{Color: plots.Black, Dash: []float64{3, 3}, Label: "two sets of data"})
	p.XLabel("t").YLabel("W₂").LogY().Title("8 Gaussians → two moons: do the samples stay?").Size(6.4, 3.6)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	return p.Save(name)
}

// seeds is how many trainings of a method were measured.
func (r *Results) seeds(method string) (n int) {
	for _, run := range r.Runs[method] {
		if run != nil {
			n++
		}
	}
	return n
}

// worst is the index of the seed that is farthest from the data at its last time; −1 where none was measured.
func (r *Results) worst(method string) int {
	worst, at := -1, 0.0
	for seed, run := range r.Runs[method] {
		if run != nil && run.Diverged == "" && run.W2[len(run.W2)-1] > at {
			worst, at = seed, run.W2[len(run.W2)-1]
		}
	}
	return worst
}
