package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
)

// The rows are those of work.py, number for number.
func TestRowsAreThoseOfPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to ask")
	}
	const ask = `import work
for name, w in work.ROWS.items(): print(name, w.energy, w.sampler, w.chains, w.dim, w.steps, w.step_size)
for name, w in work.ESS_ROWS.items(): print(name, w.kernel, w.leapfrog, w.target, w.narrowest, str(w.mass).lower(), w.draws)
print("ess", work.ESS_CHAINS, work.ESS_DIM, work.ESS_WARM_UP, work.ESS_STEP_SIZE)`
	command := exec.Command(python, "-c", ask)
	command.Dir = ".."
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if want := len(rows) + len(essRows) + 1; len(lines) != want {
		t.Errorf("work.py has %d rows, this has %d", len(lines), want)
	}
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		got := ""
		if w, ok := rows[name]; ok {
			got = describe(w)
		} else if w, ok := essRows[name]; ok {
			got = fmt.Sprint(w.kernel, " ", w.leapfrog, " ", w.target, " ", w.narrowest, " ", w.mass, " ", w.draws)
		} else if name == "ess" {
			got = fmt.Sprint(essChains, " ", essDim, " ", essWarmUp, " ", essStepSize)
		}
		if got != rest {
			t.Errorf("%s is %q here, %q in work.py", name, got, rest)
		}
	}
}

// HMC leaves a Gaussian of d dimensions with a mean energy of d/2, and calls return samples and not yesterday's.
func TestPrepare(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		p, err := prepare(b, work{"gaussian", "hmc", 1000, 4, 20, 0.15})
		if err != nil {
			t.Fatal(err)
		}
		last := 0.
		for range 2 {
			if err := p.call(); err != nil {
				t.Fatal(err)
			}
			got, err := p.check()
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got[0]-2) > 6*got[1] || got[0] == last {
				t.Errorf("mean energy %g ± %g, want 2; the call before gave %g", got[0], got[1], last)
			}
			last = got[0]
		}
	})
}

// BenchmarkRow times the row that ROW names, for profiles: ROW=… go test -bench Row -cpuprofile cpu.out ./benchmarks/goebm
func BenchmarkRow(b *testing.B) {
	w, ok := rows[os.Getenv("ROW")]
	if !ok {
		b.Skip("set ROW to the name of a row")
	}
	be, err := backend.New()
	if err != nil {
		b.Fatal(err)
	}
	p, err := prepare(be, w)
	if err != nil {
		b.Fatal(err)
	}
	if err := p.call(); err != nil { // compiles
		b.Fatal(err)
	}
	for b.Loop() {
		if err := p.call(); err != nil {
			b.Fatal(err)
		}
	}
}

func describe(w work) string {
	return fmt.Sprint(w.energy, " ", w.sampler, " ", w.chains, " ", w.dim, " ", w.steps, " ", w.stepSize)
}
