package ebm

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// TrainBar makes a TrainOptions.Progress that shows, in one line, how far training is, the loss, the energies of data and
// negatives, their gap, and the time left. Where w is no terminal it prints the last line only, without times, so that the
// stored output of a notebook does not change from run to run.
func TrainBar(w io.Writer) func(TrainProgress) {
	figures := func(p TrainProgress) string {
		return fmt.Sprintf("loss %.4g  E(data) %.4g  E(negatives) %.4g  gap %.3g", p.Loss, p.Data, p.Negatives, p.Gap())
	}
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return func(p TrainProgress) {
			if p.Steps > 0 && p.Step == p.Steps {
				fmt.Fprintf(w, "%d steps, %d epochs: %s\n", p.Step, p.Epoch, figures(p))
			}
		}
	}
	var bar *progressbar.ProgressBar
	return func(p TrainProgress) {
		if bar == nil {
			total := p.Steps
			if total == 0 {
				total = -1 // unknown: a spinner
			}
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20),
				progressbar.OptionSetPredictTime(false), progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
		}
		bar.Describe(fmt.Sprintf("%s  left %s", figures(p), p.Left.Round(time.Second)))
		_ = bar.Set(p.Step) // it fails past the end only, where there is nothing to show
	}
}
