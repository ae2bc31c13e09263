package ebmtest

import (
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// GradCheck fails the test where an energy's gradient is not its derivative, by [verify.Gradient], with the report as the message.
//
// x and cond are tensors or Go values such as [][]float64; x is Float64. store holds the weights of an energy that has some, else
// it is nil.
func GradCheck(t testing.TB, b compute.Backend, store *model.Store, e ebm.Energy, x any, cond ...any) {
	t.Helper()
	check := verify.Gradient{Backend: b, Energy: e, Store: store}
	var err error
	if check.X, err = tensors.FromAnyValue(x); err != nil {
		t.Fatalf("%+v", err)
	}
	check.Cond = make([]*tensors.Tensor, len(cond))
	for i, c := range cond {
		if check.Cond[i], err = tensors.FromAnyValue(c); err != nil {
			t.Fatalf("%+v", err)
		}
	}
	report, err := check.Run(t.Context())
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if !report.Passed() {
		t.Errorf("%v", report)
	}
}
