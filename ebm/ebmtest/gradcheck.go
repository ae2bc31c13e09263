package ebmtest

import (
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// GradCheck fails the test where an energy's gradient is not its derivative: at each row of x, [n, event...] in
// Float64, the gradient is compared with the five-point finite difference of step 10⁻³ in every coordinate, and with
// it the gradient of half its square, ∇½‖∇E‖², in the same way, since score matching differentiates twice. Relative
// to the largest of the row's numbers and 1, they must agree to 10⁻⁷.
//
// x and cond are tensors or Go values such as [][]float64. store holds the weights of an energy that has some, else it is nil. The rows must keep away from kinks by 0.002.
func GradCheck(t testing.TB, b compute.Backend, store *model.Store, e ebm.Energy, x any, cond ...any) {
	t.Helper()
	const h, tolerance = 1e-3, 1e-7
	if store == nil {
		store = model.NewStore()
	}
	exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
		x, cond := in[0], in[1:]
		n, d := x.Shape().Dimensions[0], x.Shape().Size()/x.Shape().Dimensions[0]
		energy := func(x *Node) *Node { return e.Energy(x, cond...) }
		roughness := func(x *Node) *Node {
			_, grad := ebm.ValueGrad(e, x, cond...)
			return MulScalar(ReduceSum(Square(Reshape(grad, n, d)), 1), 0.5)
		}
		var out []*Node
		for _, f := range []func(*Node) *Node{energy, roughness} {
			grad := Reshape(Gradient(ReduceAllSum(f(x)), x)[0], n, d)
			differences := make([]*Node, d)
			for k := range d {
				unit := make([]float64, d)
				unit[k] = h
				dx := Reshape(Const(x.Graph(), unit), append([]int{1}, x.Shape().Dimensions[1:]...)...)
				at := func(steps float64) *Node { return f(Add(x, MulScalar(dx, steps))) }
				near, far := Sub(at(1), at(-1)), Sub(at(2), at(-2))
				differences[k] = MulScalar(Sub(MulScalar(near, 8), far), 1/(12*h))
			}
			out = append(out, grad, Stack(differences, 1))
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call(append([]any{x}, cond...)...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for i, name := range []string{"∇E", "∇½‖∇E‖²"} {
		got, want := out[2*i].Value().([][]float64), out[2*i+1].Value().([][]float64)
		for row := range got {
			scale := 1.0
			for _, v := range want[row] {
				scale = max(scale, math.Abs(v))
			}
			for k := range got[row] {
				if !(math.Abs(got[row][k]-want[row][k]) <= tolerance*scale) {
					t.Errorf("%s in row %d, coordinate %d: got %.10g, finite differences give %.10g", name, row, k, got[row][k], want[row][k])
				}
			}
		}
	}
}
