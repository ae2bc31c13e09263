package main

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm/metrics"
)

// The AUROC is what counting all pairs gives, ties included.
func TestAUROC(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	normal, odd := make([]float64, 40), make([]float64, 30)
	for i := range normal {
		normal[i] = float64(rng.IntN(10))
	}
	want := 0.
	for i := range odd {
		odd[i] = float64(3 + rng.IntN(10))
		for _, v := range normal {
			if odd[i] > v {
				want += 1. / 1200
			} else if odd[i] == v {
				want += .5 / 1200
			}
		}
	}
	if got := auroc(normal, odd); got < want-1e-12 || got > want+1e-12 {
		t.Errorf("got %g, want %g", got, want)
	}
}

// The table has means and the worst seed: the lowest share, the largest distance; a stopped training is counted and not averaged.
func TestTable(t *testing.T) {
	r := Results{Judge: .98, Floors: map[string]metrics.Noise{}, Runs: map[string][]*Figures{"flow": {
		{Right: .9, Frechet: 2, SlicedW2: .05, MMD: .03, Seconds: 60}, {Stopped: "no"}, {Right: 1, Frechet: 4, SlicedW2: .07, MMD: .05, Seconds: 62}}}}
	want := "| flow matching | 2, and 1 that the doctor stopped | 95.0 (90.0) | 3.0 (4.0) | 0.0600 (0.0700) | 0.0400 (0.0500) |  |  | 61 (62) |"
	if got := r.table(); !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant a row\n%s", got, want)
	}
}
