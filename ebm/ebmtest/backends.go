package ebmtest

import (
	"testing"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/gomlx/compute"
)

// Backends runs a test on the pure Go backend and on XLA's CPU plugin, as the subtests "go" and "xla". The second
// is skipped, with a message, where there is no plugin or the test was built without XLA (no cgo, or the tag noxla).
// Where there is an NVIDIA GPU with a plugin for it, the test runs on it too, as the subtest "cuda".
func Backends(t *testing.T, test func(t *testing.T, b compute.Backend)) {
	t.Helper()
	on := func(name, config string) {
		t.Run(name, func(t *testing.T) {
			if name == "xla" && !hasXLA("cpu") {
				t.Skip("no XLA CPU plugin here, or built without XLA: only the pure Go backend is tested")
			}
			b, err := backend.Open(config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b.Finalize)
			test(t, b)
		})
	}
	on("go", "go")
	on("xla", "xla:cpu")
	if HasCUDA() {
		on("cuda", "xla:cuda")
	}
}

// HasCUDA tells whether there is an NVIDIA GPU that this program can use.
func HasCUDA() bool { return backend.Probe().GPU && hasXLA("cuda") }

// hasXLA tells whether a platform's plugin is installed and this program can load it.
func hasXLA(platform string) bool {
	found := backend.Probe()
	for _, p := range found.Plugins {
		if p.Platform == platform {
			return found.XLABuilt
		}
	}
	return false
}
