package samplers

import (
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/mat"
)

// On a Gaussian a step is linear, (x, p)' = A(x, p) + Bz. A and B are read off the kernel, and the law in its documentation, x of
// covariance Σ and p of M − ¼h²Σ⁻¹, must satisfy ASAᵀ + BBᵀ = S.
func TestUnderdampedStationaryLaw(t *testing.T) {
	const d, h = 3, 0.6
	mass := [][]float64{{2, 0.3, 0}, {0.3, 1, -0.2}, {0, -0.2, 1.5}}
	diagonal := [][]float64{{0.5, 0, 0}, {0, 3, 0}, {0, 0, 1}}
	kernels := []struct {
		mass [][]float64
		k    UnderdampedLangevin
	}{
		{[][]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, UnderdampedLangevin{}},
		{diagonal, UnderdampedLangevin{Mass: DiagonalMass{0.5, 3, 1}, Friction: ebm.Fixed(0.3)}},
		{mass, UnderdampedLangevin{Mass: denseMass(mass), Friction: ebm.Fixed(20)}},
	}
	// Rows of x, p and z: one unit vector in one of the three.
	var inputs [3][][]float64
	for i := range inputs {
		inputs[i] = make([][]float64, 3*d)
		for row := range inputs[i] {
			inputs[i][row] = make([]float64, d)
			if row/d == i {
				inputs[i][row][row%d] = 1
			}
		}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range kernels {
			c.k.StepSize = ebm.Fixed(h)
			out, err := CallOnceN(b, func(x, p, z *Node) []*Node {
				env := envAt(x.Graph(), ebm.Gaussian{Cov: covariance3}, 0)
				_, grad := env.ValueGrad(x)
				state, _ := c.k.move(env, ebm.State{x, p, grad}, z)
				return state[:2]
			}, inputs[0], inputs[1], inputs[2])
			if err != nil {
				t.Fatalf("%+v", err)
			}
			a, noise := mat.NewDense(2*d, 2*d, nil), mat.NewDense(2*d, d, nil)
			for part := range 2 {
				for row, values := range out[part].Value().([][]float64) {
					for i, v := range values {
						if row < 2*d {
							a.Set(part*d+i, row, v)
						} else {
							noise.Set(part*d+i, row-2*d, v)
						}
					}
				}
			}
			var precision mat.Dense
			if err := precision.Inverse(mat.NewDense(d, d, flatRows(covariance3))); err != nil {
				t.Fatal(err)
			}
			s := mat.NewDense(2*d, 2*d, nil)
			for i := range d {
				for j := range d {
					s.Set(i, j, covariance3[i][j])
					s.Set(d+i, d+j, c.mass[i][j]-h*h/4*precision.At(i, j))
				}
			}
			var next, spread mat.Dense
			next.Product(a, s, a.T())
			spread.Mul(noise, noise.T())
			next.Add(&next, &spread)
			near(t, "ASAᵀ + BBᵀ", rows(&next), rows(s))
		}
	})
}

func flatRows(m [][]float64) (flat []float64) {
	for _, row := range m {
		flat = append(flat, row...)
	}
	return flat
}

// The invariant law of a step of size h on E = ¼x⁴, of one number: its E[x²] less the exact one. The law is sought as
// exp(−E − ½p²)·Σ cⱼφⱼ(x, p), with φ the orthonormal polynomials, such that the kernel changes no E[φᵢ]. Integrals over x, p and z
// are sums over equal steps, which for functions as smooth as these are exact to rounding; so is the kernel's step, which
// is taken once from every point of the grid.
func quarticBias(t *testing.T, b compute.Backend, k UnderdampedLangevin) float64 {
	const degree = 12
	grid := func(half float64, n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = half * (2*float64(i)/float64(n-1) - 1)
		}
		return x
	}
	xs, ps, zs := grid(4.2, 85), grid(9, 45), grid(7.5, 37)
	quartic := func(x float64) float64 { return math.Exp(-x * x * x * x / 4) }
	normal := func(x float64) float64 { return math.Exp(-x * x / 2) }
	px, pp := newPolynomials(xs, quartic, degree), newPolynomials(ps, normal, degree)

	var x, p, z [][]float64
	for _, xi := range xs {
		for _, pi := range ps {
			for _, zi := range zs {
				x, p, z = append(x, []float64{xi}), append(p, []float64{pi}), append(z, []float64{zi})
			}
		}
	}
	out, err := CallOnceN(b, func(x, p, z *Node) []*Node {
		env := envAt(x.Graph(), ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node {
			return MulScalar(ReduceSum(Square(Square(x)), 1), 0.25)
		}), 0)
		_, grad := env.ValueGrad(x)
		state, _ := k.move(env, ebm.State{x, p, grad}, z)
		return state[:2]
	}, x, p, z)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	newX, newP := out[0].Value().([][]float64), out[1].Value().([][]float64)

	var basis [][2]int // by symmetry the degrees in x and p add up to an even number
	for total := 0; total <= degree; total += 2 {
		for i := range total + 1 {
			basis = append(basis, [2]int{i, total - i})
		}
	}
	m := len(basis)
	zWeights := 0.0
	for _, zi := range zs {
		zWeights += normal(zi)
	}
	a := mat.NewDense(m, m, nil) // ⟨φⱼ, (P − 1)φᵢ⟩
	at := 0
	before, after := make([]float64, m), make([]float64, m)
	for _, xi := range xs {
		for _, pi := range ps {
			clear(after)
			ex, ep := px.at(xi), pp.at(pi)
			for _, zi := range zs {
				nx, np := px.at(newX[at][0]), pp.at(newP[at][0])
				for i, e := range basis {
					after[i] += nx[e[0]] * np[e[1]] * normal(zi) / zWeights
				}
				at++
			}
			for i, e := range basis {
				before[i] = ex[e[0]] * ep[e[1]]
			}
			w := quartic(xi) / px.total * normal(pi) / pp.total
			for i := range basis {
				for j := range basis {
					a.Set(i, j, a.At(i, j)+w*before[j]*(after[i]-before[i]))
				}
			}
		}
	}
	// c₀ = 1, as the law is normalised; the others solve the equations but the 0-th, which says nothing.
	var c mat.VecDense
	right := mat.NewVecDense(m-1, nil)
	for i := range m - 1 {
		right.SetVec(i, -a.At(i+1, 0))
	}
	if err := c.SolveVec(a.Slice(1, m, 1, m), right); err != nil {
		t.Fatal(err)
	}
	bias := 0.0
	for j := 1; j < m; j++ {
		if basis[j][1] != 0 {
			continue
		}
		overlap := 0.0
		for _, xi := range xs {
			overlap += quartic(xi) / px.total * xi * xi * px.at(xi)[basis[j][0]]
		}
		bias += c.AtVec(j-1) * overlap
	}
	return bias
}

// polynomials are orthonormal under a weight on a grid, by their three-term recurrence.
type polynomials struct {
	shift, norm []float64
	total       float64
}

func newPolynomials(grid []float64, weight func(x float64) float64, degree int) *polynomials {
	p := &polynomials{}
	for _, x := range grid {
		p.total += weight(x)
	}
	for range degree {
		shift, norm := 0.0, 0.0
		last := len(p.shift)
		p.shift, p.norm = append(p.shift, 0), append(p.norm, 1)
		for _, x := range grid {
			v := p.at(x)
			shift += weight(x) / p.total * x * v[last] * v[last]
		}
		p.shift[last] = shift
		for _, x := range grid {
			v := p.at(x)
			norm += weight(x) / p.total * v[last+1] * v[last+1]
		}
		p.norm[last] = math.Sqrt(norm)
	}
	return p
}

// at is the value of every polynomial at x.
func (p *polynomials) at(x float64) []float64 {
	v := make([]float64, len(p.shift)+1)
	v[0] = 1
	for i := range p.shift {
		v[i+1] = (x - p.shift[i]) * v[i]
		if i > 0 {
			v[i+1] -= p.norm[i-1] * v[i-1]
		}
		v[i+1] /= p.norm[i]
	}
	return v
}

// Off a Gaussian the bias of the positions is of order 2.
func TestUnderdampedOrder(t *testing.T) {
	onGo(t, func(b compute.Backend) {
		coarse := quarticBias(t, b, UnderdampedLangevin{StepSize: ebm.Fixed(0.2)})
		fine := quarticBias(t, b, UnderdampedLangevin{StepSize: ebm.Fixed(0.1)})
		order := math.Log2(coarse / fine)
		t.Logf("bias of E[x²] %.4g with h = 0.2, %.4g with h = 0.1: order %.3f", coarse, fine, order)
		if !(math.Abs(order-2) <= 0.15) {
			t.Errorf("order is %.3f, want 2 ± 0.15", order)
		}
	})
}

// obabo has the noise at both ends: order 2 too, but positions that are off on a Gaussian.
type obabo struct{ UnderdampedLangevin }

func (k obabo) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, p, grad := s[0], s[1], s[2]
	h := k.StepSize.At(env.Step, x.DType())
	c := Exp(MulScalar(Mul(h, k.Friction.At(env.Step, x.DType())), -0.5))
	rub := func(p *Node) *Node {
		return Add(Mul(p, c), Mul(env.Rand.Normal(p.Shape()), Sqrt(OneMinus(Square(c)))))
	}
	x, p, _, grad = Leapfrog(env.ValueGrad, ScalarMass(1), x, rub(p), grad, h, 1)
	return ebm.State{x, rub(p), grad}, ebm.Info{}
}

// The sampler keeps a Gaussian of condition number 100 at 3/4 of the largest stable step, once the momenta, which start as N(0, I), have
// settled.
func TestUnderdampedInvariance(t *testing.T) {
	kernel := UnderdampedLangevin{StepSize: ebm.Fixed(0.15), Friction: ebm.Fixed(2)}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		check := verify.Invariance{Energy: turned(narrow), Event: []int{10}, Steps: 40}
		t.Run("BAOAB", func(t *testing.T) {
			check.Kernel = kernel
			mustPass(t, b, check, 1)
		})
		t.Run("OBABO", func(t *testing.T) {
			check.Kernel = obabo{kernel}
			mustFail(t, b, check, 1)
		})
	})
}
