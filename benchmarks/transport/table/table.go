// Package table fills in [SF]²M's table of generative models in the plane: flow matching and score-and-flow matching, with
// independent and optimal pairs, between four pairs of distributions, judged by the exact W2 to held-out points, which stands beside
// that of two true samples.
//
// A. Tong et al., "Simulation-free Schrödinger bridges via score and flow matching", 2023, arXiv:2307.03672, Table 2.
package table

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/metrics"
)

// Table is what transport.json holds.
type Table struct {
	Points int               `json:"points"` // of a test
	Sets   map[string]*Pair  `json:"sets"`
	Cells  map[string]Scores `json:"cells"` // by "method on set"
}

// Pair is what is known of two distributions.
type Pair struct {
	Floor    float64            `json:"floor"`     // mean W2 between two true samples of the target
	FloorStd float64            `json:"floor_std"` // over pairs of samples
	Optimal  map[uint64]float64 `json:"w2²"`       // between the test points of source and target, by seed
}

// Scores are a cell's trainings, one a seed.
type Scores []*Score

// Run says which trainings to do.
type Run struct {
	Seeds    []uint64                                              // default 42 to 46
	Methods  []string                                              // default all
	Sets     []string                                              // default all
	Steps    int                                                   // of training. Default 20 000
	Batch    int                                                   // default 512
	Points   int                                                   // to train on, and to test with. Default 10 000
	Progress func(ebm.TrainProgress)                               // of a training
	Done     func(method, set string, seed uint64, s *Score) error // after each training; an error ends the run
}

// Fill does the trainings that the table does not have yet: all with one seed, then with the next.
func (t *Table) Fill(ctx context.Context, b compute.Backend, o Run) error {
	if o.Seeds == nil {
		o.Seeds = []uint64{42, 43, 44, 45, 46}
	}
	o.Steps, o.Batch, o.Points = cmp.Or(o.Steps, 20_000), cmp.Or(o.Batch, 512), cmp.Or(o.Points, 10_000)
	if t.Points != 0 && t.Points != o.Points {
		return errors.Errorf("the table is of %d test points, not %d", t.Points, o.Points)
	}
	t.Points = o.Points
	for _, list := range []struct {
		what         string
		given, known []string
	}{
		{"method", o.Methods, Methods()}, {"set", o.Sets, Sets()}} {
		for _, name := range list.given {
			if !slices.Contains(list.known, name) {
				return errors.Errorf("there is no %s %q; there are %s", list.what, name, strings.Join(list.known, ", "))
			}
		}
	}
	for _, seed := range o.Seeds {
		for _, m := range methods {
			for _, s := range sets {
				if len(o.Methods) > 0 && !slices.Contains(o.Methods, m.name) || len(o.Sets) > 0 && !slices.Contains(o.Sets, s.name) || m.fromNoise && s.source != nil {
					continue
				}
				if err := t.fill(ctx, b, m, s, seed, o); err != nil {
					return errors.WithMessagef(err, "%s on %s, seed %d", m.name, s.name, seed)
				}
			}
		}
	}
	return nil
}

func names[T any](all []T, name func(T) string) (out []string) {
	for _, v := range all {
		out = append(out, name(v))
	}
	return out
}

// fill measures a cell with one seed, unless it has that.
func (t *Table) fill(ctx context.Context, b compute.Backend, m method, s set, seed uint64, o Run) error {
	cell := m.name + " on " + s.name
	if slices.ContainsFunc(t.Cells[cell], func(r *Score) bool { return r.Seed == seed }) {
		return nil
	}
	pair, err := t.pair(s, seed)
	if err != nil {
		return err
	}
	r, err := m.run(ctx, b, s, seed, pair.Optimal[seed], o)
	if err != nil {
		return err
	}
	if t.Cells == nil {
		t.Cells = map[string]Scores{}
	}
	t.Cells[cell] = append(t.Cells[cell], r)
	if o.Done != nil {
		return o.Done(m.name, s.name, seed, r)
	}
	return nil
}

// pair is what is known of a set, with the W2² of a seed's test points.
func (t *Table) pair(s set, seed uint64) (*Pair, error) {
	p := t.Sets[s.name]
	if p == nil {
		floor, err := metrics.Floor(metrics.Wasserstein{}, 2, 5, func(k uint64) ([]float32, error) {
			_, _, test, err := s.parts(t.Points, 1000+k)
			if err != nil {
				return nil, err
			}
			return test.target.X, nil
		})
		if err != nil {
			return nil, err
		}
		p = &Pair{Floor: floor.Mean, FloorStd: floor.Std, Optimal: map[uint64]float64{}}
		if t.Sets == nil {
			t.Sets = map[string]*Pair{}
		}
		t.Sets[s.name] = p
	}
	if _, known := p.Optimal[seed]; !known {
		_, _, test, err := s.parts(t.Points, seed)
		if err != nil {
			return nil, err
		}
		w2, err := metrics.Wasserstein{}.Between(test.source.X, test.target.X, 2)
		if err != nil {
			return nil, err
		}
		p.Optimal[seed] = w2 * w2
	}
	return p, nil
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
