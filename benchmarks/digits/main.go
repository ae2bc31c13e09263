// Command digits trains the three models of tutorials 28 to 30 on handwritten digits, several seeds of each, and judges them as those
// tutorials do: flow matching, equilibrium matching, and a convolutional energy by persistent contrastive divergence.
//
//	go run ./benchmarks/digits                # what benchmarks/digits.json does not have yet; then the tables
//	go run ./benchmarks/digits -only flow     # one of them: flow, equilibrium, energy
//	go run ./benchmarks/digits -print         # only the tables
//	go run ./benchmarks/digits -quick         # a few steps, to build/digits.json
//
// It writes after each training, and goes on with the next where it was stopped.
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
	"strings"
	"time"

	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/metrics"
)

// Results is what the file holds.
type Results struct {
	Judge  float64                  `json:"judge"`  // share of the held-out digits that the judge names right
	Floors map[string]metrics.Noise `json:"floors"` // distances between random halves of all digits
	Runs   map[string][]*Figures    `json:"runs"`   // of a model, its seeds from 1 on; null: not yet
}

// Figures are one trained model's.
type Figures struct {
	Right    float64            `json:"named_right,omitempty"` // of 1000 samples, 100 of each digit
	Frechet  float64            `json:"frechet"`               // of 900 samples to the held-out digits
	SlicedW2 float64            `json:"sliced_w2"`
	MMD      float64            `json:"mmd"`
	Steps    float64            `json:"steps,omitempty"`   // of descent, mean of the samples
	AUROC    map[string]float64 `json:"auroc,omitempty"`   // of the energy, held-out digits against what are no digits
	Stopped  string             `json:"stopped,omitempty"` // what the doctor said
	Seconds  float64            `json:"train_seconds"`     // compilation included
}

func main() {
	out := flag.String("o", "", "where the figures go; default benchmarks/digits.json, with -quick build/digits.json")
	only := flag.String("only", "flow,equilibrium,energy", "models, with commas between them")
	seeds := flag.Int("seeds", 5, "trainings of each model")
	quick := flag.Bool("quick", false, "try it: few steps, few samples")
	show := flag.Bool("print", false, "only print the tables of what the file has")
	flag.Parse()
	if *out == "" {
		*out = "benchmarks/digits.json"
		if *quick { // whose figures must not stand among the others
			*out = "build/digits.json"
		}
	}

	r := &Results{Runs: map[string][]*Figures{}}
	if text, err := os.ReadFile(*out); err == nil {
		must.M(json.Unmarshal(text, r))
	} else if !errors.Is(err, fs.ErrNotExist) {
		must.M(err)
	}
	if !*show {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		must.M(fill(ctx, r, strings.Split(*only, ","), *seeds, *quick, *out))
	}
	fmt.Print(r.table())
}

// fill does the trainings that r lacks, and writes the file after each.
func fill(ctx context.Context, r *Results, only []string, seeds int, quick bool, out string) error {
	b, err := backend.New()
	if err != nil {
		return err
	}
	defer b.Finalize()
	e, err := newExperiment(ctx, b, quick)
	if err != nil {
		return err
	}
	if r.Judge, r.Floors, err = e.judged(); err != nil {
		return err
	}
	models := map[string]func(seed uint64) (*Figures, error){"flow": e.flow, "equilibrium": e.equilibrium, "energy": e.energy}
	for _, name := range only {
		run, ok := models[name]
		if !ok {
			return fmt.Errorf("no model is called %q", name)
		}
		for len(r.Runs[name]) < seeds {
			began := time.Now()
			f, err := run(uint64(len(r.Runs[name]) + 1))
			if err != nil {
				return err
			}
			r.Runs[name] = append(r.Runs[name], f)
			fmt.Printf("%s seed %d  %+v  %.0f s in all\n", name, len(r.Runs[name]), *f, time.Since(began).Seconds())
			if err := ebm.WriteFile(out, append(must.M1(json.MarshalIndent(r, "", " ")), '\n')); err != nil {
				return err
			}
		}
	}
	return nil
}
