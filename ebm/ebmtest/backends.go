package ebmtest

import (
	"testing"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/gomlx/compute"
)

// Backends runs a test on the pure Go backend and on XLA's CPU plugin, as the subtests "go" and "xla". The second
// is skipped, with a message, where there is no plugin or the test was built without XLA (no cgo, or the tag noxla).
func Backends(t *testing.T, test func(t *testing.T, b compute.Backend)) {
	t.Helper()
	for _, name := range []string{"go", "xla"} {
		t.Run(name, func(t *testing.T) {
			config := name
			if name == "xla" {
				if !hasXLA() {
					t.Skip("no XLA CPU plugin here, or built without XLA: only the pure Go backend is tested")
				}
				config = "xla:cpu"
			}
			b, err := backend.Open(config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b.Finalize)
			test(t, b)
		})
	}
}

// hasXLA tells whether a CPU plugin is installed and this program can load it.
func hasXLA() bool {
	found := backend.Probe()
	for _, p := range found.Plugins {
		if p.Platform == "cpu" {
			return found.XLABuilt
		}
	}
	return false
}
