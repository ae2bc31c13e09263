package ebm

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/pkg/errors"
)

// Posterior is the energy of parameters x that data y₁, …, y_N speak of,
//
//	E(x) = E₀(x) + Σᵢ e(yᵢ; x),
//
// so that with E₀ = −log of a prior and e(yᵢ; x) = −log p(yᵢ | x) the density exp(−E)/Z is Bayes' posterior. The energy of
// all rows costs N terms a chain; [samplers.Minibatch] samples with some of them a step.
//
// Rows of data are known by their numbers, and where they are kept is the user's choice: a constant of the graph, which
// suits some megabytes, or a variable of a [model.Store].
//
//	line := ebm.Posterior{Prior: ebm.Gaussian{}, Rows: n, Term: func(x, rows *Node, _ ...*Node) *Node { // y ~ N(a·x, 1)
//		a, y := Gather(ConstAs(x, features), InsertAxes(rows, -1)), Gather(ConstAs(x, targets), InsertAxes(rows, -1)) // [m, d], [m]
//		return MulScalar(Square(Sub(Dot(x, a).Einsum("nd,md->nm"), ExpandAxes(y, 0))), 0.5)
//	}}
//
// [samplers.Minibatch]: https://pkg.go.dev/github.com/goebm/goebm/ebm/samplers#Minibatch
// [model.Store]: https://pkg.go.dev/github.com/gomlx/gomlx/ml/model#Store
type Posterior struct {
	Prior Energy // E₀, default 0
	Rows  int    // N ≥ 1
	// Term builds e(yᵢ; x) for every chain and the rows i in rows, [m] Int32 numbers from 0 to N−1: [n, m].
	Term func(x, rows *Node, cond ...*Node) *Node
}

var (
	_ Energy    = Posterior{}
	_ Validator = Posterior{}
)

// Energy builds E(x), [n], with all rows.
func (e Posterior) Energy(x *Node, cond ...*Node) *Node {
	check(e.Validate())
	return e.sum(x, Iota(x.Graph(), shapes.Make(dtypes.Int32, e.Rows), 0), cond)
}

// Minibatch is the energy with N/m times the sum over the given rows, [m] Int32, in place of the sum over all. It belongs
// to the graph of its rows.
func (e Posterior) Minibatch(rows *Node) Energy {
	check(e.Validate())
	return EnergyFunc(func(x *Node, cond ...*Node) *Node { return e.sum(x, rows, cond) })
}

// sum is E₀ and the sum over rows, as if they were all.
func (e Posterior) sum(x, rows *Node, cond []*Node) *Node {
	n, m := x.Shape().Dimensions[0], rows.Shape().Size()
	terms := e.Term(x, rows, cond...)
	if terms == nil || terms.Rank() != 2 || terms.Shape().Dimensions[0] != n || terms.Shape().Dimensions[1] != m || terms.DType() != x.DType() {
		shape := "nil"
		if terms != nil {
			shape = terms.Shape().String()
		}
		exceptions.Panicf("Posterior: Term of x %s and %d rows must be %s [%d, %d], got %s", x.Shape(), m, x.DType(), n, m, shape)
	}
	total := MulScalar(ReduceSum(terms, 1), float64(e.Rows)/float64(m))
	if e.Prior != nil {
		total = Add(total, e.Prior.Energy(x, cond...))
	}
	return total
}

// Validate tells whether there are rows and terms, and the prior is valid.
func (e Posterior) Validate() error {
	if e.Rows < 1 || e.Rows > math.MaxInt32 {
		return errors.Errorf("Posterior: Rows must be from 1 to 2³¹−1, got %d", e.Rows)
	}
	if e.Term == nil {
		return errors.New("Posterior: Term is nil")
	}
	if e.Prior == nil {
		return nil
	}
	return errors.WithMessage(Validate(e.Prior), "Posterior: Prior")
}
