package ebmtest

import (
	"testing"

	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
)

// Invariance fails the test where the kernel does not leave its target invariant on backend b, with the report as the
// message. The check is made once for each seed, default seed 1.
func Invariance(t testing.TB, b compute.Backend, c verify.Invariance, seeds ...uint64) {
	t.Helper()
	if len(seeds) == 0 {
		seeds = []uint64{1}
	}
	c.Backend = b
	reports, err := c.RunSeeds(t.Context(), seeds...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for _, r := range reports {
		if !r.Passed() {
			t.Errorf("%v", r)
		} else {
			t.Log(r.Verdict())
		}
	}
}
