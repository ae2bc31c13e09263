package samplers

import (
	"math"
	"slices"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// turned is a Gaussian of 10 correlated numbers whose covariance has the given eigenvalue along its i-th axis; the
// axes are those of a Householder reflection.
func turned(eigenvalue func(i int) float64) ebm.Gaussian {
	const d = 10
	mean, cov, v := make([]float64, d), make([][]float64, d), make([]float64, d)
	norm := 0.0
	for i := range d {
		mean[i] = float64(i%3) - 1
		v[i] = 1 + 0.5*float64(i)
		norm += v[i] * v[i]
	}
	axis := func(i, k int) float64 {
		r := -2 * v[i] * v[k] / norm
		if i == k {
			r++
		}
		return r
	}
	for i := range d {
		cov[i] = make([]float64, d)
		for j := range d {
			for k := range d {
				cov[i][j] += axis(i, k) * eigenvalue(k) * axis(j, k)
			}
		}
	}
	return ebm.Gaussian{Mean: mean, Cov: cov}
}

// narrow has the variances 1, …, 0.01: condition number 100.
func narrow(i int) float64 { return math.Pow(100, -float64(i)/9) }

// target is an energy with an exact sampler, and settings that suit it.
type target struct {
	name     string
	energy   ebm.Energy
	dim      int
	hmc      HMC
	langevin ebm.Fixed // a step size whose bias this many chains do not show
	biased   ebm.Fixed // one whose bias they do
}

var targets = []target{
	{"ill-conditioned Gaussian", turned(narrow), 10, HMC{StepSize: ebm.Fixed(0.16), Leapfrog: 6}, 1e-5, 1e-2},
	{"double well", ebm.DoubleWell{}, 2, HMC{StepSize: ebm.Fixed(0.3), Leapfrog: 4}, 1e-4, 2e-2},
	{"mixture", ebm.Mixture{Means: [][]float64{{-1.5, 0}, {1.5, 1}, {0, -2}}, Weights: []float64{1, 2, 3}, Std: 0.5}, 2, HMC{StepSize: ebm.Fixed(0.5), Leapfrog: 5}, 1e-4, 2e-1},
	{"Rosenbrock", ebm.Rosenbrock{}, 2, HMC{StepSize: ebm.Fixed(0.06), Leapfrog: 10}, 1e-6, 3e-4},
}

const stepsBetween = 5

// mustPass and mustFail make the same check, by default for three seeds; the first wants every seed to pass, the second
// every seed to fail.
func mustPass(t *testing.T, b compute.Backend, c verify.Invariance, seeds ...uint64) {
	t.Helper()
	ebmtest.Invariance(t, b, c, orThree(seeds)...)
}

func orThree(seeds []uint64) []uint64 {
	if seeds == nil {
		return []uint64{1, 2, 3}
	}
	return seeds
}

func mustFail(t *testing.T, b compute.Backend, c verify.Invariance, seeds ...uint64) {
	t.Helper()
	c.Backend = b
	reports, err := c.RunSeeds(t.Context(), orThree(seeds)...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for _, r := range reports {
		wrong := func(s verify.Statistic) bool {
			return s.Distance > r.Distance || math.Abs(s.Mean) > r.Z || math.Abs(s.Second) > r.Z
		}
		if r.Passed() || r.NonFinite == 0 && !slices.ContainsFunc(r.Statistics, wrong) { // that chains don't move is not enough
			t.Errorf("the mistake was not found: %v", r)
		} else {
			t.Log(r.Verdict())
		}
	}
}

// mistaken is HMC with a mistake in how it accepts. gain is H − H', lost the potential energy E − E'.
type mistaken struct {
	HMC
	accept func(gain, lost *Node) *Node
}

func (k mistaken) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, energy, grad := s[0], s[1], s[2]
	z, u := env.Rand.Normal(x.Shape()), env.Rand.Uniform(energy.Shape())
	newX, p, newEnergy, newGrad := Leapfrog(env.ValueGrad, ScalarMass(1), x, z, grad, k.StepSize.At(env.Step, x.DType()), k.HMC.Leapfrog)
	lost := Sub(energy, newEnergy)
	gain := Add(lost, MulScalar(sumEvent(Sub(Square(z), Square(p))), 0.5))
	accept := Where(IsFinite(gain), Exp(MinScalar(k.accept(gain, lost), 0)), ZerosLike(gain))
	take := LessThan(u, accept)
	return ebm.State{Where(take, newX, x), Where(take, newEnergy, energy), Where(take, newGrad, grad)}, ebm.Info{Accept: accept}
}

var mistakes = map[string]func(gain, lost *Node) *Node{
	"no Metropolis test":      func(gain, _ *Node) *Node { return ZerosLike(gain) },
	"wrong sign":              func(gain, _ *Node) *Node { return Neg(gain) },
	"kinetic energy left out": func(_, lost *Node) *Node { return lost },
}

// unsquare draws momenta from N(0, M²) and not N(0, M).
type unsquare struct{ ScalarMass }

func (m unsquare) Momentum(z *Node) *Node { return MulScalar(z, float64(m.ScalarMass)) }

func TestHMCInvariance(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for i, target := range targets {
			check := verify.Invariance{Energy: target.energy, Event: []int{target.dim}, Steps: stepsBetween}
			t.Run(target.name, func(t *testing.T) {
				check.Kernel = target.hmc
				mustPass(t, b, check)
			})
			for name, accept := range mistakes {
				if i != 1 && name != "no Metropolis test" {
					continue // the double well is enough for these
				}
				t.Run(target.name+", "+name, func(t *testing.T) {
					check.Kernel = mistaken{target.hmc, accept}
					mustFail(t, b, check)
				})
			}
		}
	})
}

func TestMassAndJitterInvariance(t *testing.T) {
	gaussian := ebm.Gaussian{Cov: [][]float64{{1, 0.5, 0.3}, {0.5, 2, -0.2}, {0.3, -0.2, 0.5}}}
	dense, err := NewDenseMass([][]float64{{1.5, -0.5, -1}, {-0.5, 0.7, 0.5}, {-1, 0.5, 3}})
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		check := verify.Invariance{Energy: gaussian, Event: []int{3}, Steps: 2}
		for name, kernel := range map[string]HMC{
			"dense":    {StepSize: ebm.Fixed(0.6), Leapfrog: 3, Mass: dense},
			"diagonal": {StepSize: ebm.Fixed(1), Leapfrog: 3, Mass: DiagonalMass{1, 0.5, 4}},
			"scalar":   {StepSize: ebm.Fixed(1), Leapfrog: 3, Mass: ScalarMass(2)},
			"jitter":   {StepSize: ebm.Fixed(0.9), Leapfrog: 3, Jitter: 0.5},
		} {
			t.Run(name, func(t *testing.T) {
				check.Kernel = kernel
				mustPass(t, b, check)
			})
		}
		t.Run("momenta of another mass", func(t *testing.T) {
			check.Kernel = HMC{StepSize: ebm.Fixed(1), Leapfrog: 3, Mass: unsquare{2}}
			mustFail(t, b, check)
		})
	})
}

// As η → 0 Langevin leaves every target invariant; at a finite η it does not, and the log says by how much.
func TestLangevinBias(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, target := range targets {
			check := verify.Invariance{Energy: target.energy, Event: []int{target.dim}, Steps: 10, MinMove: 0.005}
			t.Run(target.name+", small step", func(t *testing.T) {
				check.Kernel = Langevin{StepSize: target.langevin}
				mustPass(t, b, check)
			})
			t.Run(target.name+", finite step", func(t *testing.T) {
				check.Kernel = Langevin{StepSize: target.biased}
				mustFail(t, b, check)
			})
		}
	})
}

// On a Gaussian the law that Langevin leaves invariant is known: along an axis of curvature λ the variance is
// 1/(λ(1−ηλ/2)).
func TestLangevinStationaryLaw(t *testing.T) {
	const eta = 0.005 // ηλ/2 is 0.0025 along the widest axis, 0.25 along the narrowest
	stationary := turned(func(i int) float64 { return narrow(i) / (1 - eta/narrow(i)/2) })
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		check := verify.Invariance{Energy: turned(narrow), Event: []int{10}, Steps: stepsBetween, Exact: stationary}
		t.Run("biased Gaussian", func(t *testing.T) {
			check.Kernel = Langevin{StepSize: ebm.Fixed(eta)}
			mustPass(t, b, check)
		})
		t.Run("noise √η instead of √(2η)", func(t *testing.T) {
			check.Kernel = Langevin{StepSize: ebm.Fixed(eta), Noise: ebm.Fixed(math.Sqrt(0.5))}
			mustFail(t, b, check)
		})
	})
}
