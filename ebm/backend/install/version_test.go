//go:build cgo && !noxla && linux

package install

import (
	"testing"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/gomlx/go-xla/pjrt"
)

// backend.CPUVersion repeats go-xla's, which cannot be had without cgo.
func TestCPUVersion(t *testing.T) {
	if backend.CPUVersion != pjrt.DefaultCPUVersion {
		t.Errorf("backend.CPUVersion is %s, go-xla's is %s", backend.CPUVersion, pjrt.DefaultCPUVersion)
	}
}
