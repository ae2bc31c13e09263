// Command quality trains an energy by every loss on six distributions, with several seeds, and measures how
// far it is from them: the sliced W2 between its samples and held-out data beside that of two true samples, the mean squared error of its
// normalised log-density, the modes it covers, and the seconds that training took.
//
//	go run ./benchmarks/quality               # all that benchmarks/quality.json does not have yet, and the picture
//	go run ./benchmarks/quality -fresh        # everything anew
//	go run ./benchmarks/quality -only ED,PCD -sets "25 Gaussians"
//	go run ./benchmarks/quality -draw         # the picture alone
//
// It writes after each training, and goes on where it was stopped.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
)

// table is quality.json.
type table struct {
	Floors map[string]floor `json:"floors"` // by set
	Cells  []*cell          `json:"cells"`
}

// floor is the sliced W2 between two true samples.
type floor struct {
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
}

// cell is a method on a set: a score for each seed.
type cell struct {
	Method string   `json:"method"`
	Set    string   `json:"set"`
	Seeds  []*score `json:"seeds"`
}

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
	t := &table{Floors: map[string]floor{}}
	if data, err := os.ReadFile(*out); err == nil && !*fresh {
		must.M(json.Unmarshal(data, t))
	}
	if !*draw {
		b := must.M1(backend.New())
		for seed := range *seeds { // a whole table with one seed first
			for _, s := range chosen(sets, *on, func(s set) string { return s.name }) {
				for _, m := range chosen(methods, *only, func(m method) string { return m.name }) {
					must.M(t.fill(ctx, b, m, s, seed, *share))
					must.M(t.write(*out))
				}
			}
		}
	}
	must.M(t.draw(*picture))
}

// chosen are the items whose names are in the list, all if it is empty.
func chosen[T any](all []T, list string, name func(T) string) []T {
	if list == "" {
		return all
	}
	names := strings.Split(list, ",")
	return slices.DeleteFunc(slices.Clone(all), func(item T) bool { return !slices.Contains(names, name(item)) })
}

// at is a cell, made where there is none.
func (t *table) at(method, set string) *cell {
	for _, c := range t.Cells {
		if c.Method == method && c.Set == set {
			return c
		}
	}
	t.Cells = append(t.Cells, &cell{Method: method, Set: set})
	return t.Cells[len(t.Cells)-1]
}

func (t *table) write(path string) error {
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return ebm.WriteFile(path, append(data, '\n'))
}

// fill measures a cell with one seed, unless it has that.
func (t *table) fill(ctx context.Context, b compute.Backend, m method, s set, seed int, share float64) error {
	if _, found := t.Floors[s.name]; !found {
		noise, err := floorOf(s)
		if err != nil {
			return err
		}
		t.Floors[s.name] = floor{noise.Mean, noise.Std}
	}
	c := t.at(m.name, s.name)
	if seed < len(c.Seeds) {
		return nil
	}
	r, err := m.run(ctx, b, s, uint64(seed), share)
	if err != nil {
		return errors.WithMessagef(err, "%s on %s, seed %d", m.name, s.name, seed)
	}
	c.Seeds = append(c.Seeds, r)
	fmt.Printf("%-12s %-13s seed %d  ", m.name, s.name, seed)
	if r.Diverged != "" {
		fmt.Println(r.Diverged)
		return nil
	}
	fmt.Printf("sliced W2 %.3f (floor %.3f)", r.SlicedW2, t.Floors[s.name].Mean)
	if r.MSE != nil {
		fmt.Printf("  MSE %.3f", *r.MSE)
	}
	if r.Hit != nil {
		fmt.Printf("  %d modes, %.1f %% on them", *r.Hit, 100**r.Good)
	}
	fmt.Printf("  %.1f s\n", r.Seconds)
	return nil
}

// run trains with one seed and measures.
func (m method) run(ctx context.Context, b compute.Backend, s set, seed uint64, share float64) (*score, error) {
	data, held, err := s.split(seed)
	if err != nil {
		return nil, err
	}
	net, steps := network{store: model.NewStore(), widths: []int{64, 64, 64}}, m.steps
	if s.deep {
		net.widths, steps = []int{128, 128, 128, 128}, 2*steps
	}
	steps = int(share * float64(steps))
	loss, energy := m.build(net, s)
	began := time.Now()
	_, err = ebm.Train(ctx, b, net.store, loss, &datasets.Batches{Data: data, Size: 128, Seed: seed}, ebm.TrainOptions{
		Steps: steps, ClipNorm: m.clip, EMA: .999, Seed: seed, Schedule: ebm.Cosine{Start: 1e-3, End: 1e-5, Steps: steps}})
	r := &score{TrainSteps: steps, Seconds: time.Since(began).Seconds()}
	if diagnosis := (*ebm.Diagnosis)(nil); errors.As(err, &diagnosis) {
		r.Diverged = diagnosis.Error()
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, ebm.WithEMA(net.store, func() error {
		var d *density
		if !m.noDensity {
			if d, err = densityOf(b, net.store, energy, s); err != nil {
				return err
			}
			if err = r.judgeDensity(b, net.store, energy, s, held, d); err != nil {
				return err
			}
		}
		var samples []float32
		if m.chains != nil {
			kernel, steps, std := m.chains(s)
			if samples, err = run(ctx, b, net.store, energy, kernel, steps, std, seed); err != nil {
				return err
			}
		} else {
			samples = d.sample(heldPoints, seed)
		}
		return r.judge(s, held, samples)
	})
}
