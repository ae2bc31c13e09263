package ebm_test

import (
	"bytes"
	"context"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
)

// reports are those of a run of three pieces, with an acceptance or without.
func reports(accept float64) []ebm.Progress {
	var all []ebm.Progress
	for step := 100; step <= 300; step += 100 {
		all = append(all, ebm.Progress{Step: step, Steps: 300, Elapsed: time.Second, Rate: 1.234e7, Left: time.Duration(300-step) * time.Second, Accept: accept})
	}
	return all
}

func TestBarOffTerminal(t *testing.T) {
	var out bytes.Buffer
	bar := ebm.Bar(&out)
	for range 2 { // one run after another
		for _, p := range reports(0.876) {
			bar(p)
		}
	}
	for _, p := range reports(math.NaN()) {
		bar(p)
	}
	if got, want := out.String(), "300 steps  acceptance 0.88\n300 steps  acceptance 0.88\n300 steps\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	bar = ebm.Bar(file)
	for _, p := range reports(0.5) {
		bar(p)
	}
	if data, err := os.ReadFile(file.Name()); err != nil || string(data) != "300 steps  acceptance 0.50\n" {
		t.Errorf("a file holds %q, error %v", data, err)
	}
}

func TestBarOnTerminal(t *testing.T) {
	var out bytes.Buffer
	bar := ebm.BarOn(&out, true)
	for range 2 {
		out.Reset()
		for _, p := range reports(0.876) {
			bar(p)
		}
		text := out.String()
		if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
			t.Errorf("the bar takes more than its one line, or does not end it: %q", text)
		}
		for _, want := range []string{"33%", "66%", "100%", "12.3 M chain-steps/s  acceptance 0.88  left 3m20s", "left 1m40s", "left 0s"} {
			if !strings.Contains(text, want) {
				t.Errorf("the bar does not show %q: %q", want, text)
			}
		}
	}
	out.Reset()
	for i, rate := range []float64{0, 999, 1000, 99_940, 1e6, 123_400_000, 2.5e9} {
		bar(ebm.Progress{Step: i + 1, Steps: 100, Rate: rate, Accept: math.NaN()})
	}
	for _, want := range []string{"\r0 chain", "999 chain", "1.00 k", "99.9 k", "1.00 M", "123 M", "2.50 G"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no rate is shown as %q: %q", want, out.String())
		}
	}
}

func ExampleBar() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	s, err := ebm.NewSampler(b, nil, ebm.Harmonic{}, walk{scale: 1})
	if err != nil {
		panic(err)
	}
	_, err = s.Sample(context.Background(), ebm.Options{Chains: 1000, Dim: 2, Steps: 200, Progress: ebm.Bar(os.Stdout)})
	if err != nil {
		panic(err)
	}
	// Output: 200 steps  acceptance 0.55
}
