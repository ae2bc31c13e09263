package backend_test

import (
	"fmt"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/gomlx/gomlx/core/graph"
)

// A program asks for a backend once and hands it to all that computes.
func ExampleOpen() {
	b, err := backend.Open("go")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Finalize()
	sum, err := graph.CallOnce(b, func(x *graph.Node) *graph.Node { return graph.ReduceAllSum(x) }, []float32{1, 2, 3})
	fmt.Println(b.Name(), sum.Value(), err)
	// Output: Go Backend 6 <nil>
}
