package ebmtest

import (
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

func TestBackends(t *testing.T) {
	names := map[string]bool{}
	Backends(t, func(t *testing.T, b compute.Backend) {
		names[b.Name()] = true
		sum, err := CallOnce(b, func(x *Node) *Node { return ReduceAllSum(x) }, []float32{1, 2, 3})
		if err != nil || sum.Value() != float32(6) {
			t.Errorf("1 + 2 + 3 = %v, error %v", sum, err)
		}
	})
	if !names["Go Backend"] {
		t.Errorf("the pure Go backend was not among %v", names)
	}
}
