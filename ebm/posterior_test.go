package ebm_test

import (
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// flatTerm is a term of the wrong shape where there are two rows or more.
func flatTerm(x, _ *Node, _ ...*Node) *Node { return ReduceAndKeep(x, ReduceSum, 1) }

// regression is a line through four points with a normal prior: the energy is known by hand.
var (
	features = [][]float64{{1, 0.5}, {-1, 2}, {0.3, 0.3}, {2, -1}}
	targetsY = []float64{1, 0.5, -0.2, 2}
	line     = ebm.Posterior{Prior: ebm.Gaussian{}, Rows: 4, Term: func(x, rows *Node, _ ...*Node) *Node {
		a, y := Gather(ConstAs(x, features), InsertAxes(rows, -1)), Gather(ConstAs(x, targetsY), InsertAxes(rows, -1))
		return MulScalar(Square(Sub(Dot(x, a).Einsum("nd,md->nm"), ExpandAxes(y, 0))), 0.5)
	}}
)

func byHand(x []float64, rows []int32, weight float64) (energy float64, grad [2]float64) {
	for i, v := range x {
		energy, grad[i] = energy+v*v/2, v
	}
	for _, r := range rows {
		miss := features[r][0]*x[0] + features[r][1]*x[1] - targetsY[r]
		energy += weight * miss * miss / 2
		for i := range grad {
			grad[i] += weight * miss * features[r][i]
		}
	}
	return energy, grad
}

func TestPosterior(t *testing.T) {
	x := [][]float64{{0.3, -1.2}, {2, 0.5}, {-0.7, 0.1}}
	batch := []int32{3, 1, 3} // with replacement
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out, err := CallOnceN(b, func(x, rows *Node) []*Node {
			whole, wholeGrad := ebm.ValueGrad(line, x)
			part, partGrad := ebm.ValueGrad(line.Minibatch(rows), x)
			return []*Node{whole, wholeGrad, part, partGrad}
		}, x, batch)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		for k, c := range []struct {
			name   string
			rows   []int32
			weight float64
		}{{"all rows", []int32{0, 1, 2, 3}, 1}, {"a batch", batch, 4. / 3}} {
			value, grad := out[2*k].Value().([]float64), out[2*k+1].Value().([][]float64)
			for i := range x {
				wantE, wantG := byHand(x[i], c.rows, c.weight)
				near(t, c.name+": energy", value[i], wantE, 1e-14*(1+math.Abs(wantE)))
				for j := range wantG {
					near(t, c.name+": gradient", grad[i][j], wantG[j], 1e-14*(1+math.Abs(wantG[j])))
				}
			}
		}
	})
}

// v(n) = a(b + n)^−γ, also far from the start, and its defaults.
func TestPolynomialDecay(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		values := stepValues(t, b, []ebm.Schedule{
			ebm.PolynomialDecay{Start: 0.3, Steps: 20, Power: 1},
			ebm.PolynomialDecay{},
		}, dtypes.Float64, 0, 1, 20, 1<<30)
		for i, n := range []float64{0, 1, 20, 1 << 30} {
			near(t, "a power of 1", values[0][i], 0.3*20/(20+n), 1e-13)
			near(t, "the defaults", values[1][i], math.Pow(1+n/100, -0.55), 1e-13)
		}
	})
}
