// Package table trains an energy by every loss on six distributions in the plane, and measures how far it is from
// them: the sliced W2 between its samples and held-out data beside that of two true samples, the mean squared error of its
// normalised log-density, the modes it covers, and the seconds that training took.
package table

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
)

// Table is what quality.json holds.
type Table struct {
	Floors map[string]Floor `json:"floors"` // by set
	Cells  []*Cell          `json:"cells"`
}

// Floor is the sliced W2 between two true samples.
type Floor struct {
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
}

// Cell is a method on a set: a score for each seed.
type Cell struct {
	Method string   `json:"method"`
	Set    string   `json:"set"`
	Seeds  []*Score `json:"seeds"`
}

// chosen are the items whose names are in the list, all if it is empty.
func chosen[T any](all []T, names []string, name func(T) string) []T {
	if len(names) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(item T) bool { return !slices.Contains(names, name(item)) })
}

// Read reads a table from its file.
func Read(path string) (*Table, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &Table{}
	return t, errors.Wrap(json.Unmarshal(data, t), path)
}

// at is a cell, made where there is none.
func (t *Table) at(method, set string) *Cell {
	for _, c := range t.Cells {
		if c.Method == method && c.Set == set {
			return c
		}
	}
	t.Cells = append(t.Cells, &Cell{Method: method, Set: set})
	return t.Cells[len(t.Cells)-1]
}

// Write puts the table into a file, whole or not at all.
func (t *Table) Write(path string) error {
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return ebm.WriteFile(path, append(data, '\n'))
}

// Run says which trainings to do.
type Run struct {
	Seeds   int                                                // of each cell. Default 3
	Share   float64                                            // of the training steps, to try it. Default 1
	Methods []string                                           // default: all
	Sets    []string                                           // default: all
	Done    func(method, set string, seed int, r *Score) error // after each training; an error ends the run
}

// Fill does the trainings that the table does not have yet: first all with one seed, then with the next.
func (t *Table) Fill(ctx context.Context, b compute.Backend, o Run) error {
	for seed := range cmp.Or(o.Seeds, 3) {
		for _, s := range chosen(sets, o.Sets, func(s set) string { return s.name }) {
			for _, m := range chosen(methods, o.Methods, func(m method) string { return m.name }) {
				if err := t.fill(ctx, b, m, s, seed, o); err != nil {
					return errors.WithMessagef(err, "%s on %s, seed %d", m.name, s.name, seed)
				}
			}
		}
	}
	return nil
}

// fill measures a cell with one seed, unless it has that.
func (t *Table) fill(ctx context.Context, b compute.Backend, m method, s set, seed int, o Run) error {
	if t.Floors == nil {
		t.Floors = map[string]Floor{}
	}
	if _, found := t.Floors[s.name]; !found {
		noise, err := floorOf(s)
		if err != nil {
			return err
		}
		t.Floors[s.name] = Floor{noise.Mean, noise.Std}
	}
	c := t.at(m.name, s.name)
	if seed < len(c.Seeds) {
		return nil
	}
	r, err := m.run(ctx, b, s, uint64(seed), cmp.Or(o.Share, 1))
	if err != nil {
		return err
	}
	c.Seeds = append(c.Seeds, r)
	if o.Done != nil {
		return o.Done(m.name, s.name, seed, r)
	}
	return nil
}

// String is a line about a score.
func (r *Score) String() string {
	if r.Diverged != "" {
		return r.Diverged
	}
	line := fmt.Sprintf("sliced W2 %.3f", r.SlicedW2)
	if r.MSE != nil {
		line += fmt.Sprintf("  MSE %.3f", *r.MSE)
	}
	if r.Hit != nil {
		line += fmt.Sprintf("  %d modes, %.1f %% on them", *r.Hit, 100**r.Good)
	}
	return line + fmt.Sprintf("  %.1f s", r.Seconds)
}

// run trains with one seed and measures.
func (m method) run(ctx context.Context, b compute.Backend, s set, seed uint64, share float64) (*Score, error) {
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
	r := &Score{TrainSteps: steps, Seconds: time.Since(began).Seconds()}
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
