package samplers

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/mat"
)

// The unrolled factorisation and what is made of it against gonum's, for every size that is allowed.
func TestCholesky(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const n = 3
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		sizes := []int{1, 2, 3, 4, 5, 6, 7, 8}
		if b.Name() == "xla" {
			sizes = []int{1, 3, 8}
		}
		for _, d := range sizes {
			g, vectors := make([][][]float64, n), make([][]float64, n)
			for i := range g {
				a := mat.NewDense(d, d+2, nil)
				for r := range d {
					for c := range d + 2 {
						a.Set(r, c, rng.NormFloat64())
					}
					vectors[i] = append(vectors[i], rng.NormFloat64())
				}
				var product mat.Dense
				product.Mul(a, a.T())
				g[i] = rows(&product)
			}
			out, err := CallOnceN(b, func(g, v *Node) []*Node {
				f := factor(g)
				return []*Node{f.lower, f.inverted(), f.root(v), f.solve(v), f.logDet}
			}, g, vectors)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			for i := range g {
				sym := mat.NewSymDense(d, nil)
				for r := range d {
					for c := range d {
						sym.SetSym(r, c, g[i][r][c])
					}
				}
				var chol mat.Cholesky
				if !chol.Factorize(sym) {
					t.Fatal("not positive definite")
				}
				var lower mat.TriDense
				chol.LTo(&lower)
				var inverse mat.SymDense
				if err := chol.InverseTo(&inverse); err != nil {
					t.Fatal(err)
				}
				v := mat.NewVecDense(d, vectors[i])
				var root, solved mat.VecDense
				root.MulVec(&lower, v)
				if err := chol.SolveVecTo(&solved, v); err != nil {
					t.Fatal(err)
				}
				near(t, "L", out[0].Value().([][][]float64)[i], rows(&lower))
				near(t, "G⁻¹", out[1].Value().([][][]float64)[i], rows(&inverse))
				near(t, "Lv", out[2].Value().([][]float64)[i:i+1], [][]float64{root.RawVector().Data})
				near(t, "G⁻¹v", out[3].Value().([][]float64)[i:i+1], [][]float64{solved.RawVector().Data})
				near(t, "log|G|", [][]float64{{out[4].Value().([]float64)[i]}}, [][]float64{{chol.LogDet()}})
			}
		}
	})
}

// A matrix that is not positive definite gives NaN throughout, and one that is too large is refused.
func TestCholeskyRefuses(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		out, err := CallOnceN(b, func(g, v *Node) []*Node {
			f := factor(g)
			return []*Node{f.logDet, f.solve(v)}
		}, [][][]float64{{{1, 2}, {2, 1}}, {{4, 0}, {0, 4}}}, [][]float64{{1, 1}, {1, 1}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		logDet, solved := out[0].Value().([]float64), out[1].Value().([][]float64)
		if !math.IsNaN(logDet[0]) || !math.IsNaN(solved[0][0]+solved[0][1]) {
			t.Errorf("of an indefinite matrix: log|G| = %g, G⁻¹v = %g, want NaN", logDet[0], solved[0])
		}
		if solved[1][0] != 0.25 || solved[1][1] != 0.25 {
			t.Errorf("the matrix beside it gives %g", solved[1])
		}
		_, err = CallOnce(b, func(g *Node) *Node { return factor(g).logDet }, make9())
		if err == nil || !strings.Contains(err.Error(), "Cholesky: matrices must be at most 8×8, got (Float64)[1, 9, 9]") {
			t.Errorf("of a 9×9 matrix: error %v", err)
		}
	})
}

func make9() [][][]float64 {
	g := make([][]float64, 9)
	for i := range g {
		g[i] = make([]float64, 9)
		g[i][i] = 1
	}
	return [][][]float64{g}
}
