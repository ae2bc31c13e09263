// Command transport fills in the tables of score-and-flow matching: the four pairs of distributions in the plane, and the
// Schrödinger bridge between two Gaussians, whose closed form is known.
//
//	go run ./benchmarks/transport                        # all trainings that benchmarks/transport.json does not have yet
//	go run ./benchmarks/transport -methods FM,I-CFM -seeds 42
//	go run ./benchmarks/transport -quick                 # a few steps, to build/transport.json
//	go run ./benchmarks/transport -print                 # the table alone; with -what gaussian its figures
//	go run ./benchmarks/transport -what gaussian         # the bridge, likewise, to benchmarks/gaussian_bridge.json
//	go run ./benchmarks/transport -what gaussian -dims 20 -couplings exact -pools 128
//
// It writes after each training, and goes on where it was stopped. What is measured say packages table and gaussian.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/janpfeifer/must"
	"golang.org/x/term"

	"github.com/goebm/goebm/benchmarks/transport/gaussian"
	"github.com/goebm/goebm/benchmarks/transport/table"
	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
)

var (
	what  = flag.String("what", "table", "table or gaussian")
	out   = flag.String("o", "", "where the figures go; default benchmarks/transport.json or gaussian_bridge.json, in build with -quick")
	quick = flag.Bool("quick", false, "one seed, 200 training steps and 512 points, to try it")
	fresh = flag.Bool("fresh", false, "forget what the file has")
	seeds = flag.String("seeds", "", "separated by commas; default 42 to 46, of the bridge 1 to 5")
	steps = flag.Int("steps", 0, "of a training; default 20000, of the bridge 10000")
	print = flag.Bool("print", false, "only print what the file has")

	methods = flag.String("methods", "", "table: separated by commas; default all")
	sets    = flag.String("sets", "", "table: separated by commas; default all")

	dims      = flag.String("dims", "", "gaussian: separated by commas; default 5,20")
	couplings = flag.String("couplings", "", "gaussian: of independent, exact and sinkhorn; default all")
	pools     = flag.String("pools", "", "gaussian: points that are paired at once, separated by commas; default 128,2048")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	points := 0
	if *quick {
		*steps, points = cmp.Or(*steps, 200), 512
		*seeds, *pools = cmp.Or(*seeds, "42"), cmp.Or(*pools, "128,256")
	}
	switch *what {
	case "table":
		fill(ctx, table.Run{Methods: list(*methods), Sets: list(*sets), Seeds: numbers[uint64](*seeds), Steps: *steps, Points: points})
	case "gaussian":
		path := file("gaussian_bridge.json")
		if *print {
			must.M(gaussian.Print(path))
			return
		}
		if *fresh {
			if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
				must.M(err)
			}
		}
		stopped(gaussian.Fill(ctx, must.M1(backend.New()), path, gaussian.Run{Dims: numbers[int](*dims), Couplings: list(*couplings),
			Pools: numbers[int](*pools), Seeds: numbers[uint64](*seeds), Steps: *steps, Points: points, Progress: bar()}))
	default:
		must.M(fmt.Errorf("-what is table or gaussian, not %s", *what))
	}
}

// stopped ends the program where it was interrupted: what is done is in the file.
func stopped(err error) {
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "stopped; the next run goes on from here")
		os.Exit(130)
	}
	must.M(err)
}

// file is where the figures go.
func file(name string) string {
	switch {
	case *out != "":
		return *out
	case *quick:
		return filepath.Join("build", name)
	}
	return filepath.Join("benchmarks", name)
}

// bar shows each training's progress, where somebody may see it.
func bar() func(ebm.TrainProgress) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	var show func(ebm.TrainProgress)
	last := 0
	return func(p ebm.TrainProgress) {
		if show == nil || p.Step < last { // another training
			show = ebm.TrainBar(os.Stderr)
		}
		last = p.Step
		show(p)
	}
}

// fill does what is left of the table, and prints it.
func fill(ctx context.Context, run table.Run) {
	path, t := file("transport.json"), &table.Table{}
	if !*fresh {
		have, err := table.Read(path)
		if err == nil {
			t = have
		} else if !errors.Is(err, fs.ErrNotExist) {
			must.M(err)
		}
	}
	if !*print {
		run.Progress = bar()
		run.Done = func(method, set string, seed uint64, s *table.Score) error {
			fmt.Printf("%-13s %-17s seed %d  %v\n", method, set, seed, s)
			return t.Write(path)
		}
		stopped(t.Fill(ctx, must.M1(backend.New()), run))
	}
	fmt.Print(t.Markdown())
}

func list(names string) []string {
	if names == "" {
		return nil
	}
	return strings.Split(names, ",")
}

func numbers[T int | uint64](names string) (out []T) {
	for _, name := range list(names) {
		out = append(out, T(must.M1(strconv.ParseUint(name, 10, 32))))
	}
	return out
}
