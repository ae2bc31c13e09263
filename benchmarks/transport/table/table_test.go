package table

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
)

// The sets have the sizes of the runner's, and their parts nothing in common.
func TestSets(t *testing.T) {
	spread := func(x []float32) (mean, std [2]float64) {
		n := float64(len(x) / 2)
		for i, v := range x {
			mean[i%2] += float64(v) / n
		}
		for i, v := range x {
			std[i%2] += math.Pow(float64(v)-mean[i%2], 2) / n
		}
		return mean, [2]float64{math.Sqrt(std[0]), math.Sqrt(std[1])}
	}
	ring := func(radius, std float64) float64 { return math.Sqrt(radius*radius/2 + std*std) }
	moons := func(noise float64) (x, y float64) { // the variances of cos θ and sin θ, with half the moons a unit and a half lower aside
		return math.Sqrt(0.5 + 0.25 + noise*noise), math.Sqrt(0.5 - 4/(math.Pi*math.Pi) + math.Pow(2/math.Pi-0.25, 2) + noise*noise)
	}
	mx, my := moons(0.05)
	for name, want := range map[string]struct{ mean, std [2]float64 }{
		"N→8gaussians":     {[2]float64{}, [2]float64{ring(5, 1), ring(5, 1)}},
		"moons→8gaussians": {[2]float64{}, [2]float64{ring(12, 1.5), ring(12, 1.5)}},
		"N→moons":          {[2]float64{0, 0.5}, [2]float64{2 * mx, 2 * my}},
		"N→scurve":         {[2]float64{}, [2]float64{1.5 * math.Sqrt(0.5+0.0025), 1.5 * math.Hypot(math.Sqrt(1.5+2/(1.5*math.Pi)), 0.05)}},
	} {
		for _, s := range sets {
			if s.name != name {
				continue
			}
			train, validation, test, err := s.parts(10_000, 42)
			if err != nil {
				t.Fatal(err)
			}
			mean, std := spread(slices.Concat(train.target.X, validation.target.X, test.target.X))
			for k := range 2 {
				if math.Abs(mean[k]-want.mean[k]) > 0.03*want.std[k] || math.Abs(std[k]-want.std[k]) > 0.02*want.std[k] {
					t.Errorf("%s: axis %d has the mean %.3f and the deviation %.3f, want %.3f and %.3f", name, k, mean[k], std[k], want.mean[k], want.std[k])
				}
			}
			if (train.source != nil) != (s.source != nil) || test.source == nil {
				t.Errorf("%s: the sources are %v and %v", name, train.source, test.source)
			}
			seen := map[[2]float32]int{}
			for k, p := range []part{train, validation, test} {
				for i := range p.target.Len() {
					if other, found := seen[[2]float32(p.target.Row(i))]; found && other != k {
						t.Errorf("%s: point %d of part %d is one of part %d too", name, i, k, other)
					}
					seen[[2]float32(p.target.Row(i))] = k
				}
			}
			if s.source == nil {
				continue
			}
			var sum, squares float64
			for _, v := range train.source.X {
				sum, squares = sum+float64(v), squares+float64(v)*float64(v)
			}
			if n := 20_000.0; math.Abs(sum/n) > 0.2 || math.Abs(math.Sqrt(squares/n)-7) > 0.1 {
				t.Errorf("%s: the source has the mean %.3f and the root mean square %.3f, want 0 and 7", name, sum/n, math.Sqrt(squares/n))
			}
		}
	}
}

// A flow of constant velocity c has the path energy |c|² and moves all points by c.
func TestMeasure(t *testing.T) {
	_, _, p, err := sets[2].parts(200, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range p.source.X {
		p.target.X[i] = v + []float32{3, -1}[i%2]
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		v := ebm.FieldFunc(func(x, _ *Node, _ ...*Node) *Node {
			return BroadcastToShape(Const(x.Graph(), [][]float32{{3, -1}}), x.Shape())
		})
		energy, err := p.pathEnergy(context.Background(), b, store, v)
		if err != nil {
			t.Fatal(err)
		}
		end, err := p.end(context.Background(), b, store, follow(v), 1)
		if err != nil {
			t.Fatal(err)
		}
		w2, err := p.distances([][]float32{p.source.X, end})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(energy-10) > 1e-3 || math.Abs(w2[0]-math.Sqrt(10)) > 1e-3 || w2[1] > 1e-4 {
			t.Errorf("the path energy is %g and the distances %v, want 10, and √10 and 0", energy, w2)
		}
	})
}

// The weights kept are those of the least loss: a weight is to be 5, passes it, and goes on.
func TestValidation(t *testing.T) {
	_, held, _, err := sets[2].parts(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		weight := store.Scope("/field").VariableWithValue("c", float32(0))
		loss := lossFunc(func(x *Node, _ *ebm.Rand, _ ...*Node) ebm.Terms {
			return ebm.Terms{Loss: Add(Square(AddScalar(weight.NodeValue(x.Graph()), -5)), MulScalar(ReduceAllSum(x), 0))}
		})
		v, err := newValidation(b, store, loss, &datasets.Batches{Data: held.target, Size: 32}, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer v.exec.Finalize()
		for i, c := range []float32{0, 4, 5.5, 8} {
			if err := weight.SetValue(tensors.FromScalar(c)); err != nil {
				t.Fatal(err)
			}
			if err := v.check(checkEvery*(i+1), ebm.TrainProgress{}); err != nil {
				t.Fatalf("%+v", err)
			}
		}
		if err := weight.SetValue(tensors.FromScalar(float32(5))); err != nil {
			t.Fatal(err)
		}
		if err := v.check(checkEvery+1, ebm.TrainProgress{}); err != nil { // not an epoch to check after
			t.Fatal(err)
		}
		if err := v.restore(); err != nil {
			t.Fatal(err)
		}
		if got := tensors.ToScalar[float32](weight.MustValue()); got != 5.5 || v.checks != 8 {
			t.Errorf("the weight is %g after %d batches, want 5.5 after 8", got, v.checks)
		}
	})
}

type lossFunc func(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms

func (f lossFunc) Loss(x *Node, rng *ebm.Rand, cond ...*Node) ebm.Terms { return f(x, rng, cond...) }

// A table that is read again has nothing left to do, and names that nobody has are refused.
func TestFill(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	path := filepath.Join(t.TempDir(), "transport.json")
	table := &Table{}
	run := Run{Seeds: []uint64{42, 43}, Methods: []string{"FM", "[SF]²M-Exact"}, Sets: []string{"N→moons", "moons→8gaussians"}, Steps: 3, Batch: 16, Points: 40}
	run.Done = func(string, string, uint64, *Score) error { done++; return table.Write(path) }
	for range 2 {
		if err := table.Fill(context.Background(), b, run); err != nil {
			t.Fatalf("%+v", err)
		}
		if done != 6 { // FM is for noise alone
			t.Errorf("%d trainings were done, want 6", done)
		}
		if table, err = Read(path); err != nil {
			t.Fatal(err)
		}
	}
	if text := table.Markdown(); !strings.Contains(text, "| [SF]²M-Exact |") || strings.Contains(text, "NaN") || !strings.Contains(text, "(0.209±0.055)") {
		t.Errorf("the table is\n%s", text)
	}
	for want, change := range map[string]func(*Run){
		`there is no method "FN"`:                func(r *Run) { r.Methods = []string{"FN"} },
		`there is no set "moons"`:                func(r *Run) { r.Sets = []string{"moons"} },
		"the table is of 40 test points, not 50": func(r *Run) { r.Points = 50 },
	} {
		changed := run
		change(&changed)
		if err := table.Fill(context.Background(), b, changed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want one with %q", err, want)
		}
	}
}

// Whoever reads the table finds each published cell, and points of each set.
func TestNames(t *testing.T) {
	cells := 0
	for _, s := range Sets() {
		for _, m := range Methods() {
			if r, found := Published(m, s); found {
				cells++
				if r.W2 <= 0 || r.Std <= 0 || r.NPE <= 0 {
					t.Errorf("%s on %s is %+v", m, s, r)
				}
			}
		}
		source, target, err := Points(s, 101, 1)
		if err != nil || source.Len() != 101 || target.Len() != 101 {
			t.Errorf("%s: the points are %v and %v, %v", s, source, target, err)
		}
	}
	if cells != 19 {
		t.Errorf("%d cells are published, want 19", cells)
	}
	if _, _, err := Points("N→nowhere", 10, 1); err == nil {
		t.Error("an unknown set has points")
	}
}
