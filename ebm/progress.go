package ebm

import (
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Bar makes an Options.Progress that shows, in one line, how far a run is, its rate in chain-steps a second, its
// acceptance, and the time left. Where w is no terminal it prints the last line only, without times, so that the stored
// output of a notebook does not change from run to run. It may serve one run after another.
func Bar(w io.Writer) func(Progress) {
	f, ok := w.(*os.File)
	return barOn(w, ok && term.IsTerminal(int(f.Fd())))
}

func barOn(w io.Writer, terminal bool) func(Progress) {
	acceptance := func(p Progress) string {
		if math.IsNaN(p.Accept) {
			return ""
		}
		return fmt.Sprintf("  acceptance %.2f", p.Accept)
	}
	if !terminal {
		return func(p Progress) {
			if p.Step == p.Steps {
				fmt.Fprintf(w, "%d steps%s\n", p.Steps, acceptance(p))
			}
		}
	}
	var bar *progressbar.ProgressBar
	return func(p Progress) {
		if bar == nil {
			bar = progressbar.NewOptions(p.Steps, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20),
				progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false))
		}
		bar.Describe(fmt.Sprintf("%s chain-steps/s%s  left %s", withUnit(p.Rate), acceptance(p), p.Left.Round(time.Second)))
		_ = bar.Set(p.Step) // it fails past the end only, where there is nothing to show
		if p.Step == p.Steps {
			fmt.Fprintln(w)
			bar = nil
		}
	}
}

// withUnit writes a rate with three digits: 950, 12.3 k, 4.56 M, 1.20 G.
func withUnit(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if v >= unit.size {
			v /= unit.size
			return fmt.Sprintf("%.*f%s", max(0, 2-int(math.Log10(v))), v, unit.name)
		}
	}
	return fmt.Sprintf("%.0f", v)
}
