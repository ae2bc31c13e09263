// Command quality fills the table of every loss on six distributions, with several seeds, and draws it.
//
//	go run ./benchmarks/quality               # all that benchmarks/quality.json does not have yet, and the picture
//	go run ./benchmarks/quality -fresh        # everything anew
//	go run ./benchmarks/quality -only ED,PCD -sets "25 Gaussians"
//	go run ./benchmarks/quality -draw         # the picture alone
//
// It writes after each training, and goes on where it was stopped. What is measured says package table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"

	"github.com/janpfeifer/must"

	"github.com/goebm/goebm/benchmarks/quality/table"
	"github.com/goebm/goebm/ebm/backend"
)

func main() {
	out := flag.String("o", "benchmarks/quality.json", "where the figures go")
	picture := flag.String("picture", "docs/img/quality.png", "where the picture goes")
	draw := flag.Bool("draw", false, "only draw the picture")
	fresh := flag.Bool("fresh", false, "forget what the file has")
	seeds := flag.Int("seeds", 3, "trainings of each cell")
	share := flag.Float64("share", 1, "of the training steps, to try it")
	only := flag.String("only", "", "methods, separated by commas; default all")
	on := flag.String("sets", "", "sets, separated by commas; default all")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	t := &table.Table{}
	if !*fresh {
		have, err := table.Read(*out)
		if err == nil {
			t = have
		} else if !errors.Is(err, fs.ErrNotExist) {
			must.M(err)
		}
	}
	if !*draw {
		must.M(t.Fill(ctx, must.M1(backend.New()), table.Run{Seeds: *seeds, Share: *share, Methods: names(*only), Sets: names(*on),
			Done: func(method, set string, seed int, r *table.Score) error {
				fmt.Printf("%-12s %-13s seed %d  %v\n", method, set, seed, r)
				return t.Write(*out)
			}}))
	}
	file := must.M1(os.Create(*picture))
	must.M(t.Draw(file))
	must.M(file.Close())
}

func names(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
