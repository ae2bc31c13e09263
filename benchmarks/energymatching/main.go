// Command energymatching measures what a published claim of Energy Matching comes to: that samples stay where they are once they have come to the
// data. It trains on 8 Gaussians → two moons, several seeds, and measures the exact W2 to held-out data as time goes on, beside OT-CFM.
//
//	go run ./benchmarks/energymatching                 # all that benchmarks/energymatching.json does not have yet, and the picture
//	go run ./benchmarks/energymatching -fresh          # everything anew
//	go run ./benchmarks/energymatching -quick -o /tmp/em.json -picture /tmp/em.png
//	go run ./benchmarks/energymatching -draw           # the picture alone
//
// It writes after each training, and goes on where it was stopped, within a training too: its checkpoints are under -checkpoints.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/metrics"
)

// Results is what the file holds.
type Results struct {
	Points int                  `json:"points"` // of a W2
	Floor  metrics.Noise        `json:"floor"`  // W2 of two independent sets of data
	Times  []float64            `json:"times"`
	OneWay []float64            `json:"times_of_the_flow"` // which ends at 1
	Runs   map[string][]*Result `json:"runs"`              // of a method, its seeds from 1 on; null: not yet
}

// Result is one training.
type Result struct {
	Diverged string    `json:"diverged,omitempty"` // what the doctor said; nothing was measured then
	W2       []float64 `json:"w2,omitempty"`       // at each of the times
	Steps    int       `json:"train_steps"`
	Seconds  float64   `json:"seconds"` // of training in this method's last phase, compilation included
}

func main() {
	out := flag.String("o", "benchmarks/energymatching.json", "where the figures go")
	picture := flag.String("picture", "docs/img/energymatching.png", "where the picture goes")
	draw := flag.Bool("draw", false, "only draw the picture")
	fresh := flag.Bool("fresh", false, "forget what the file and the checkpoints have")
	quick := flag.Bool("quick", false, "try it: a small network, few steps, few points")
	seeds := flag.Int("seeds", 3, "trainings of each method")
	only := flag.String("only", strings.Join(methods, ";"), "methods, separated by semicolons")
	dir := flag.String("checkpoints", filepath.Join(os.TempDir(), "goebm-energymatching"), "where trainings under way are kept")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := &Results{Runs: map[string][]*Result{}}
	if *fresh {
		must.M(os.RemoveAll(*dir))
	} else if text, err := os.ReadFile(*out); err == nil {
		must.M(json.Unmarshal(text, r))
	} else if !errors.Is(err, fs.ErrNotExist) {
		must.M(err)
	}
	if !*draw {
		size := full
		if *quick {
			size = small
			*dir = must.M1(os.MkdirTemp("", "goebm-energymatching"))
			defer os.RemoveAll(*dir)
		}
		e := &experiment{size: size, backend: must.M1(backend.New()), dir: *dir}
		err := e.fill(ctx, r, strings.Split(*only, ";"), *seeds, func(method string, seed int) error {
			fmt.Printf("%-28s seed %d  %+v\n", method, seed, *r.Runs[method][seed-1])
			return write(*out, r)
		})
		if errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "stopped; the next run goes on from here")
			os.Exit(130)
		}
		must.M(err)
	}
	must.M(r.draw(*picture))
}

// write replaces the file as a whole.
func write(name string, r *Results) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", append(text, '\n'), 0o666); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
