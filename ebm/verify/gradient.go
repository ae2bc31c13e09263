package verify

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph" // by its name, as its Gradient is not ours
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"

	"github.com/goebm/goebm/ebm"
)

// Gradient tests that an energy's gradient is its derivative: at each row of X the gradient is compared with the five-point finite
// difference of step 10⁻³ in every coordinate,
//
//	(8(E(x+h) − E(x−h)) − (E(x+2h) − E(x−2h)))/12h,
//
// and with it the gradient of half its square, ∇½‖∇E‖², in the same way, since score matching differentiates twice. Relative to
// the largest of the row's numbers and 1, they must agree to 10⁻⁷. It is for energies with a gradient of their own making, and for
// operations whose derivative is in doubt.
//
// The rows must keep away from kinks by 0.002. An event of d numbers takes 8d energies in one graph.
type Gradient struct {
	Backend compute.Backend
	Energy  ebm.Energy
	X       *tensors.Tensor // [n, event...], Float64

	Store *model.Store      // the weights of an energy that has some; default none
	Cond  []*tensors.Tensor // conditioning, n rows each
}

// GradientReport is what [Gradient] found. It prints as a sentence and, where the check failed, a table.
type GradientReport struct {
	Energy    string // its type
	Rows, Dim int
	Worst     [2]float64 // the largest relative difference, of ∇E and of ∇½‖∇E‖²
	Limit     float64    // the largest that passes
	Wrong     []Derivative
}

// Derivative is one that differs from the finite difference.
type Derivative struct {
	Name            string // ∇E or ∇½‖∇E‖²
	Row, Coordinate int
	Got, Want       float64 // the gradient and the finite difference
}

// Run makes the check.
func (c Gradient) Run(ctx context.Context) (GradientReport, error) {
	const h, limit = 1e-3, 1e-7
	if err := c.check(ctx); err != nil {
		return GradientReport{}, err
	}
	args := []any{c.X}
	for _, t := range c.Cond {
		args = append(args, t)
	}
	out, err := call(c.Backend, c.Store, func(in []*graph.Node) []*graph.Node {
		x, cond := in[0], in[1:]
		n, d := x.Shape().Dimensions[0], x.Shape().Size()/x.Shape().Dimensions[0]
		energy := func(x *graph.Node) *graph.Node { return c.Energy.Energy(x, cond...) }
		roughness := func(x *graph.Node) *graph.Node {
			_, grad := ebm.ValueGrad(c.Energy, x, cond...)
			return graph.MulScalar(graph.ReduceSum(graph.Square(graph.Reshape(grad, n, d)), 1), 0.5)
		}
		var out []*graph.Node
		for _, f := range []func(*graph.Node) *graph.Node{energy, roughness} {
			grad := graph.Reshape(graph.Gradient(graph.ReduceAllSum(f(x)), x)[0], n, d)
			differences := make([]*graph.Node, d)
			for k := range d {
				unit := make([]float64, d)
				unit[k] = h
				dx := graph.Reshape(graph.Const(x.Graph(), unit), append([]int{1}, x.Shape().Dimensions[1:]...)...)
				at := func(steps float64) *graph.Node { return f(graph.Add(x, graph.MulScalar(dx, steps))) }
				near, far := graph.Sub(at(1), at(-1)), graph.Sub(at(2), at(-2))
				differences[k] = graph.MulScalar(graph.Sub(graph.MulScalar(near, 8), far), 1/(12*h))
			}
			out = append(out, grad, graph.Stack(differences, 1))
		}
		return out
	}, args...)
	if err != nil {
		return GradientReport{}, err
	}
	r := GradientReport{Energy: fmt.Sprintf("%T", c.Energy), Limit: limit}
	for i, name := range []string{"∇E", "∇½‖∇E‖²"} {
		got, want := out[2*i].Value().([][]float64), out[2*i+1].Value().([][]float64)
		r.Rows, r.Dim = len(got), len(got[0])
		for row := range got {
			scale := 1.0
			for _, v := range want[row] {
				scale = max(scale, math.Abs(v))
			}
			for k := range got[row] {
				off := math.Abs(got[row][k]-want[row][k]) / scale
				if !(off <= limit) { // a NaN is wrong too
					r.Wrong = append(r.Wrong, Derivative{name, row, k, got[row][k], want[row][k]})
				}
				r.Worst[i] = max(r.Worst[i], off)
			}
		}
	}
	return r, nil
}

func (c Gradient) check(ctx context.Context) error {
	switch {
	case ctx == nil:
		return errors.New("verify: Gradient.Run: the context is nil")
	case c.Backend == nil:
		return errors.New("verify: Gradient.Backend is nil")
	case c.Energy == nil:
		return errors.New("verify: Gradient.Energy is nil")
	case c.X == nil || !c.X.Ok():
		return errors.New("verify: Gradient.X is nil or was finalized")
	case c.X.DType() != dtypes.Float64 || c.X.Rank() < 2 || c.X.Size() == 0:
		return errors.Errorf("verify: Gradient.X must be Float64 [n, event...] with at least one row, got %s", c.X.Shape())
	}
	n := c.X.Shape().Dimensions[0]
	for i, t := range c.Cond {
		if t == nil || !t.Ok() || t.Rank() == 0 || t.Shape().Dimensions[0] != n {
			return errors.Errorf("verify: Gradient.Cond[%d] must have one row for each of %d points", i, n)
		}
	}
	return ctx.Err()
}

// Passed tells whether every derivative agrees with its finite difference.
func (r GradientReport) Passed() bool { return len(r.Wrong) == 0 }

// Verdict is the report in a sentence.
func (r GradientReport) Verdict() string {
	verdict := "the gradient is the derivative, and differentiable in turn"
	if !r.Passed() {
		verdict = fmt.Sprintf("the gradient is NOT the derivative: %d of %d numbers differ", len(r.Wrong), 2*r.Rows*r.Dim)
	}
	return fmt.Sprintf("%s: %s (%d points of %d numbers; largest relative difference %.1e in ∇E, %.1e in ∇½‖∇E‖², limit %.0e)",
		r.Energy, verdict, r.Rows, r.Dim, r.Worst[0], r.Worst[1], r.Limit)
}

// String is the sentence and, where derivatives are wrong, a table of the first ten.
func (r GradientReport) String() string {
	var text strings.Builder
	text.WriteString(r.Verdict())
	if !r.Passed() {
		fmt.Fprintf(&text, "\n%-10s%6s%12s%20s%20s", "of", "row", "coordinate", "gradient", "finite difference")
	}
	for _, w := range r.Wrong[:min(10, len(r.Wrong))] {
		fmt.Fprintf(&text, "\n%-10s%6d%12d%20.10g%20.10g", w.Name, w.Row, w.Coordinate, w.Got, w.Want)
	}
	return text.String()
}
