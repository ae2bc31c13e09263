package samplers

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// certified is a target and the settings under which the exact kernels are certified on it.
type certified struct {
	name    string
	energy  ebm.Energy
	dim     int
	kernels []ebm.Kernel
	prior   ebm.Gaussian // of EllipticalSlice
	xla     bool         // also on XLA, which takes long to compile
}

// covariance of three correlated numbers, and an inverse of about it.
var (
	covariance3 = [][]float64{{1, 0.5, 0.3}, {0.5, 2, -0.2}, {0.3, -0.2, 0.5}}
	precision3  = [][]float64{{1.5, -0.5, -1}, {-0.5, 0.7, 0.5}, {-1, 0.5, 3}}
)

func denseMass(mass [][]float64) Mass {
	m, err := NewDenseMass(mass)
	if err != nil {
		panic(err)
	}
	return m
}

func isotropic(variance float64, mean ...float64) ebm.Gaussian {
	cov := make([][]float64, len(mean))
	for i := range cov {
		cov[i] = make([]float64, len(mean))
		cov[i][i] = variance
	}
	return ebm.Gaussian{Mean: mean, Cov: cov}
}

var certificates = []certified{
	{
		name: "correlated Gaussian", energy: ebm.Gaussian{Mean: []float64{1, 0, -1}, Cov: covariance3}, dim: 3, prior: isotropic(2, 0.5, 0, -0.5),
		kernels: []ebm.Kernel{
			MALA{StepSize: ebm.Fixed(0.25)}, MALA{StepSize: ebm.Fixed(1), Mass: denseMass(precision3)}, Barker{StepSize: ebm.Fixed(0.9)},
			RiemannianHMC{Metric: curved, StepSize: ebm.Fixed(0.5), Leapfrog: 2},
		},
	}, {
		name: "double well", energy: ebm.DoubleWell{}, dim: 2, prior: isotropic(1, 0.2, 0), xla: true,
		kernels: []ebm.Kernel{
			MALA{StepSize: ebm.Fixed(0.06)}, Barker{StepSize: ebm.Fixed(0.5)},
			RiemannianHMC{Metric: diagonalMetric(func(x *Node) *Node { return AddScalar(MulScalar(Square(x), 8), 4) }), StepSize: ebm.Fixed(0.5), Leapfrog: 2},
		},
	}, {
		name: "mixture", energy: ebm.Mixture{Means: [][]float64{{-1.5, 0}, {1.5, 1}, {0, -2}}, Weights: []float64{1, 2, 3}, Std: 0.5}, dim: 2,
		prior: isotropic(3, 0, -0.5),
		kernels: []ebm.Kernel{
			MALA{StepSize: ebm.Fixed(0.2)}, Barker{StepSize: ebm.Fixed(0.8)},
			RiemannianHMC{Metric: curved, StepSize: ebm.Fixed(0.5), Leapfrog: 2},
		},
	}, {
		name: "Rosenbrock", energy: ebm.Rosenbrock{}, dim: 2, prior: ebm.Gaussian{Mean: []float64{1, 1.5}, Cov: [][]float64{{0.5, 1}, {1, 2.6}}},
		kernels: []ebm.Kernel{
			MALA{StepSize: ebm.Fixed(0.003)}, Barker{StepSize: ebm.Fixed(0.1)},
			RiemannianHMC{Metric: valley, StepSize: ebm.Fixed(0.1), Leapfrog: 2},
		},
	}, {
		name: "funnel", energy: ebm.Funnel{}, dim: 3, prior: isotropic(9, 0, 0, 0), xla: true,
		kernels: []ebm.Kernel{
			HMC{StepSize: ebm.Fixed(0.5), Leapfrog: 3}, MALA{StepSize: ebm.Fixed(0.2)}, Barker{StepSize: ebm.Fixed(1)},
			RiemannianHMC{Metric: funnelMetric, StepSize: ebm.Fixed(0.7), Leapfrog: 2},
		},
	}, {
		name: "product of Student-t", energy: ebm.StudentT{}, dim: 2, prior: isotropic(2, 0, 0),
		kernels: []ebm.Kernel{
			HMC{StepSize: ebm.Fixed(1.2), Leapfrog: 2}, MALA{StepSize: ebm.Fixed(0.8)}, Barker{StepSize: ebm.Fixed(1.5)},
			RiemannianHMC{Metric: diagonalMetric(func(x *Node) *Node { return Inverse(AddScalar(MulScalar(Square(x), 1./6), 5./6)) }), StepSize: ebm.Fixed(0.5), Leapfrog: 2},
		},
	},
}

// diagonalMetric has f(xᵢ) on its diagonal.
func diagonalMetric(f func(x *Node) *Node) func(x *Node, cond ...*Node) *Node {
	return func(x *Node, _ ...*Node) *Node { return diagonalOf(f(x)) }
}

func diagonalOf(v *Node) *Node {
	identity := DiagonalWithValue(ScalarOne(v.Graph(), v.DType()), v.Shape().Dimensions[1])
	return Mul(ExpandAxes(v, 2), ExpandAxes(identity, 0))
}

// curved is I + ½xxᵀ, which no coordinates make diagonal.
func curved(x *Node, _ ...*Node) *Node {
	return Add(diagonalOf(OnesLike(x)), MulScalar(Mul(ExpandAxes(x, 1), ExpandAxes(x, 2)), 0.5))
}

// valley is Rosenbrock's Gauss–Newton metric, 2b·jjᵀ + 2e₁e₁ᵀ with j = (−2x₁, 1).
func valley(x *Node, _ ...*Node) *Node {
	g, n := x.Graph(), x.Shape().Dimensions[0]
	first := ReduceAndKeep(Mul(x, ConstAs(x, [][]float64{{1, 0}})), ReduceSum, 1)
	j := Add(Mul(first, ConstAs(x, [][]float64{{-2, 0}})), ConstAs(x, [][]float64{{0, 1}}))
	along := BroadcastToDims(ConstAsDType(g, x.DType(), [][][]float64{{{2, 0}, {0, 0}}}), n, 2, 2)
	return Add(MulScalar(Mul(ExpandAxes(j, 1), ExpandAxes(j, 2)), 200), along)
}

// funnelMetric is the Fisher information of the funnel's others and its x₁, of three numbers.
func funnelMetric(x *Node, _ ...*Node) *Node {
	first := ReduceAndKeep(Mul(x, ConstAs(x, [][]float64{{1, 0, 0}})), ReduceSum, 1)
	return diagonalOf(Add(Mul(Exp(Neg(first)), ConstAs(x, [][]float64{{0, 1, 1}})), ConstAs(x, [][]float64{{1./9 + 1, 0, 0}})))
}

// unadjusted takes every proposal of a kernel that is not refused outright.
type unadjusted struct{ ebm.Kernel }

func (k unadjusted) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	z := env.Rand.Normal(x.Shape())
	zero := ReduceSum(ZerosLike(z), 1) // a uniform that is below every probability but 0
	at := func(s ebm.Schedule) *Node { return s.At(env.Step, x.DType()) }
	switch kernel := k.Kernel.(type) {
	case HMC:
		return kernel.transition(env, s, z, zero, at(kernel.StepSize))
	case MALA:
		return kernel.leap().transition(env, s, z, zero, Sqrt(MulScalar(at(kernel.StepSize), 2)))
	case Barker:
		return kernel.transition(env, s, Mul(z, at(kernel.StepSize)), env.Rand.Uniform(x.Shape()), zero)
	case RiemannianHMC:
		kernel.Tolerance = math.Inf(1) // nor is any path walked back
		return kernel.transition(env, x, z, zero, at(kernel.StepSize))
	}
	panic("no unadjusted form")
}

// priorTwice slices exp(−E)·N(x; μ, Σ): the level is that of E and not of what E is beside the prior.
type priorTwice struct{ EllipticalSlice }

func (k priorTwice) Init(env ebm.Env, x *Node) ebm.State {
	env.Energy = ebm.Sum{env.Energy, k.Prior}
	return k.EllipticalSlice.Init(env, x)
}

func (k priorTwice) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	env.Energy = ebm.Sum{env.Energy, k.Prior}
	return k.EllipticalSlice.Step(env, s)
}

// Every exact kernel on every target, on the Go backend, and on two of the targets on XLA; and each without its Metropolis
// test, which must be found out. At 50 000 chains the certificate's probability of a false alarm is 10⁻⁶ a case.
func TestCertificates(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, target := range certificates {
			if b.Name() == "xla" && !target.xla {
				continue
			}
			check := verify.Invariance{Energy: target.energy, Event: []int{target.dim}, MinMove: 0.05}
			for _, kernel := range target.kernels {
				check.Steps = stepsBetween
				if _, ok := kernel.(RiemannianHMC); ok {
					check.Steps = 1 // of much work
				}
				t.Run(target.name+"/"+kindOf(kernel), func(t *testing.T) {
					check.Kernel = kernel
					mustPass(t, b, check, 1)
				})
				t.Run(target.name+"/"+kindOf(kernel)+", no Metropolis test", func(t *testing.T) {
					check.Kernel = unadjusted{kernel}
					mustFail(t, b, check, 1)
				})
			}
			check.Steps = 2
			t.Run(target.name+"/EllipticalSlice", func(t *testing.T) {
				check.Kernel = EllipticalSlice{Prior: target.prior}
				mustPass(t, b, check, 1)
			})
			t.Run(target.name+"/EllipticalSlice, the prior twice", func(t *testing.T) {
				check.Kernel = priorTwice{EllipticalSlice{Prior: target.prior}}
				mustFail(t, b, check, 1)
			})
		}
	})
}

func kindOf(k ebm.Kernel) string { return strings.TrimPrefix(fmt.Sprintf("%T", k), "samplers.") }
