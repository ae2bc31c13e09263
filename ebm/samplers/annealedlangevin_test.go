package samplers

import (
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/verify"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// noisy gives a kernel the energy as a noise-conditional one; ordinary energies leave log σ alone.
type noisy struct{ ebm.Kernel }

func (k noisy) Init(env ebm.Env, x *Node) ebm.State {
	env.Energy = ebm.AtNoise{Of: env.Energy}
	return k.Kernel.Init(env, x)
}

func (k noisy) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	env.Energy = ebm.AtNoise{Of: env.Energy}
	return k.Kernel.Step(env, s)
}

func TestAnnealedLangevinKernel(t *testing.T) {
	ebmtest.Kernels(t, map[string]ebm.Kernel{
		"AnnealedLangevin": noisy{AnnealedLangevin{Ladder: ebm.Ladder{Start: 2, End: 0.7, Levels: 3, Steps: 4}, StepSize: ebm.Fixed(0.05)}},
	})
}

// blurred is the energy of data from N(0, τ²I) with noise of level σ added, given log σ as the last conditioning.
func blurred(tau float64) ebm.EnergyFunc {
	return func(x *Node, cond ...*Node) *Node {
		n := x.Shape().Dimensions[0]
		variance := AddScalar(Exp(MulScalar(Reshape(cond[len(cond)-1], n), 2)), tau*tau)
		return MulScalar(Div(sumEvent(Square(x)), variance), 0.5)
	}
}

// unfollowed is AnnealedLangevin with the step size of the last level at every level.
type unfollowed struct{ AnnealedLangevin }

func (k unfollowed) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x := s[0]
	eta := k.StepSize.At(env.Step, x.DType())
	_, grad := ebm.ValueGrad(env.Energy.(ebm.AtNoise).Of, x, ebm.NoiseCond(x, k.Ladder.At(env.Step, x.DType()), env.Cond...)...)
	return ebm.State{Add(Sub(x, Mul(grad, eta)), Mul(env.Rand.Normal(x.Shape()), Sqrt(MulScalar(eta, 2))))}, ebm.Info{}
}

// deaf is AnnealedLangevin that gives the energy the last level at every level.
type deaf struct{ AnnealedLangevin }

func (k deaf) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	rungs, _ := k.Ladder.Rungs()
	held := ebm.AtNoise{Of: env.Energy.(ebm.AtNoise).Of, Sigma: rungs[len(rungs)-1]}
	env.Energy = ebm.AtNoise{Of: ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node { return held.Energy(x, cond[:len(cond)-1]...) })}
	return k.AnnealedLangevin.Step(env, s)
}

// At one level σ the law that is left invariant on Gaussian data is known, as for Langevin: with λ = 1/(σ²+τ²) and η = ε, the variance
// 1/(λ(1−ηλ/2)).
func TestAnnealedLangevinStationaryLaw(t *testing.T) {
	const sigma, tau, eta = 0.5, 0.8, 0.3
	lambda := 1 / (sigma*sigma + tau*tau)
	stationary := 1 / (lambda * (1 - eta*lambda/2))
	one := AnnealedLangevin{Ladder: ebm.Ladder{Values: []float64{sigma}}, StepSize: ebm.Fixed(eta)}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		check := verify.Invariance{Energy: ebm.AtNoise{Of: blurred(tau), Sigma: 3}, Event: []int{2, 1}, Steps: 3, Kernel: one,
			Exact: ebm.Gaussian{Cov: [][]float64{{stationary, 0}, {0, stationary}}}}
		mustPass(t, b, check)
		check.Kernel = deaf{AnnealedLangevin{Ladder: ebm.Ladder{Values: []float64{sigma, 2 * sigma}, Steps: 100}, StepSize: ebm.Fixed(4 * eta)}}
		mustFail(t, b, check)
	})
}

// On Gaussian data the variance after each step is known, v' = (1−ηλ)²v + 2η, down the whole ladder and beyond: 50 000 chains of two
// numbers give it within five standard errors. Two mistakes show.
func TestAnnealedLangevinFollowsTheLadder(t *testing.T) {
	const tau, chains, event = 0.3, 50_000, 2
	ladder := ebm.Ladder{Start: 3, End: 0.3, Levels: 3, Steps: 4}
	rungs, err := ladder.Rungs()
	if err != nil {
		t.Fatal(err)
	}
	kernel := AnnealedLangevin{Ladder: ladder, StepSize: ebm.Fixed(0.02)}
	const steps = 3*4 + 2
	want := 1.0
	for step := range steps {
		sigma := rungs[min(step/4, 2)]
		eta, lambda := 0.02*sigma*sigma/(0.3*0.3), 1/(sigma*sigma+tau*tau)
		want = (1-eta*lambda)*(1-eta*lambda)*want + 2*eta
	}
	tolerance := 5 * want * math.Sqrt(2./(chains*event))
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		variance := func(kernel ebm.Kernel) float64 {
			sampler, err := ebm.NewSampler(b, nil, ebm.AtNoise{Of: blurred(tau)}, kernel)
			if err != nil {
				t.Fatal(err)
			}
			defer sampler.Finalize()
			out, err := sampler.Sample(t.Context(), ebm.Options{Chains: chains, Dim: event, Steps: steps, Seed: 1})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			sum := 0.0
			for _, v := range tensors.MustCopyFlatData[float32](out.X) {
				sum += float64(v) * float64(v)
			}
			return sum / (chains * event)
		}
		if got := variance(kernel); math.Abs(got-want) > tolerance {
			t.Errorf("variance %.4f, want %.4f ± %.4f", got, want, tolerance)
		}
		for name, wrong := range map[string]ebm.Kernel{"one step size": unfollowed{kernel}, "one level": deaf{kernel}} {
			if got := variance(wrong); math.Abs(got-want) <= tolerance {
				t.Errorf("%s: variance %.4f, as it should not be", name, got)
			}
		}
	})
}

// With conditioning c, [n, 1], as the mean of the data, the mean of each half of the chains is known after every step,
// m' = m − ηλ(m − c), where log σ comes last. 20 000 chains give it within five standard errors.
func TestAnnealedLangevinWithConditioning(t *testing.T) {
	const tau, chains, steps = 0.3, 20_000, 6
	ladder := ebm.Ladder{Start: 3, End: 0.3, Levels: 2, Steps: 3}
	around := ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node { return blurred(tau)(Sub(x, cond[0]), cond[1]) })
	centres, mean, variance := make([][]float32, chains), 0.0, 1.0
	for i := range centres {
		centres[i] = []float32{float32(4*(i%2) - 1)} // −1 and 3
	}
	for step := range steps { // of c, and of both halves
		sigma := []float64{3, 0.3}[step/3]
		eta, lambda := 0.02*sigma*sigma/(0.3*0.3), 1/(sigma*sigma+tau*tau)
		mean, variance = mean-eta*lambda*(mean-1), (1-eta*lambda)*(1-eta*lambda)*variance+2*eta
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		sampler, err := ebm.NewSampler(b, nil, ebm.AtNoise{Of: around}, AnnealedLangevin{Ladder: ladder, StepSize: ebm.Fixed(0.02)})
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		out, err := sampler.Sample(t.Context(), ebm.Options{Chains: chains, Dim: 1, Steps: steps, Seed: 1, Cond: []*tensors.Tensor{tensors.FromValue(centres)}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		var got [2]float64
		for i, x := range out.X.Value().([][]float32) {
			got[i%2] += float64(x[0]) / (chains / 2)
		}
		tolerance := 5 * math.Sqrt(variance/(chains/2))
		for half, c := range []float64{-1, 3} {
			if math.Abs(got[half]-c*mean) > tolerance {
				t.Errorf("conditioned on %g: mean %.4f, want %.4f ± %.4f", c, got[half], c*mean, tolerance)
			}
		}
	})
}

// Nine modes of different weights, of which chains from N(0, I) see one: plain Langevin stays there. Both annealed forms find all, and
// the one in σ their weights.
func TestAnnealingFindsTheModes(t *testing.T) {
	const chains, std, steps = 3000, 0.3, 12 * 50
	mixture := ebm.Mixture{Std: std}
	var weights []float64 // 1 to 9 parts of 45
	for k := range 9 {
		mixture.Means = append(mixture.Means, []float64{12 * float64(k/3), 12 * float64(k%3)})
		weights = append(weights, float64(k+1)/45)
	}
	mixture.Weights = weights
	// The mixture with noise of level σ added has the same form.
	conditional := ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
		variance := AddScalar(Exp(MulScalar(cond[0], 2)), std*std) // [n, 1]
		apart := ReduceSum(Square(Sub(ExpandAxes(x, 1), ConstAs(x, [][][]float64{mixture.Means}))), 2)
		logits := Sub(Log(ConstAs(x, [][]float64{weights})), Add(Div(apart, MulScalar(variance, 2)), Log(variance))) // [n, 9]
		largest := StopGradient(ReduceAndKeep(logits, ReduceMax, 1))
		return Neg(Reshape(Add(Log(ReduceAndKeep(Exp(Sub(logits, largest)), ReduceSum, 1)), largest), -1))
	})
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		shares := func(name string, e ebm.Energy, kernel ebm.Kernel) (found []float64) {
			sampler, err := ebm.NewSampler(b, nil, e, kernel)
			if err != nil {
				t.Fatal(err)
			}
			defer sampler.Finalize()
			out, err := sampler.Sample(t.Context(), ebm.Options{Chains: chains, Dim: 2, Steps: steps, Seed: 1})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			found = make([]float64, 9)
			for _, x := range out.X.Value().([][]float32) {
				for k, m := range mixture.Means {
					if math.Hypot(float64(x[0])-m[0], float64(x[1])-m[1]) < 6*std {
						found[k] += 1. / chains
					}
				}
			}
			t.Logf("%s: %.3f", name, found)
			return found
		}
		// Levels are a factor of 1.7 apart; a step forgets a tenth of the distance.
		ladder := ebm.Ladder{Start: 40, End: 0.1, Levels: 12, Steps: 50}
		total := 0.0
		for k, share := range shares("annealed in σ", ebm.AtNoise{Of: conditional, Sigma: 0.1}, AnnealedLangevin{Ladder: ladder}) {
			w := weights[k]
			// Five standard errors, and a tenth of the weight for what a finite number of levels and of steps shifts.
			if tolerance := 5*math.Sqrt(w*(1-w)/chains) + w/10; math.Abs(share-w) > tolerance {
				t.Errorf("annealed in σ: mode %d has the share %.3f, want %.3f ± %.3f", k, share, w, tolerance)
			}
			total += share
		}
		if total < 0.999 {
			t.Errorf("annealed in σ: %.4f of the chains are at a mode", total)
		}
		cooling := Langevin{StepSize: ebm.Fixed(0.02), Noise: ebm.Ladder{Start: 60, End: 1, Levels: 12, Steps: 50}}
		for k, share := range shares("annealed in temperature", mixture, cooling) {
			if share < 0.02 {
				t.Errorf("annealed in temperature: mode %d has the share %.3f", k, share)
			}
		}
		for k, share := range shares("plain", mixture, Langevin{StepSize: ebm.Fixed(0.02)}) {
			if (share > 0) != (k == 0) {
				t.Errorf("plain Langevin: mode %d has the share %.3f; the test is too easy", k, share)
			}
		}
	})
}

func TestBadAnnealing(t *testing.T) {
	at := ebm.AtNoise{Of: blurred(1)}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			want   string
			energy ebm.Energy
			kernel AnnealedLangevin
		}{
			{"AnnealedLangevin: StepSize must be a finite number and positive, got 0", at, AnnealedLangevin{StepSize: ebm.Fixed(0)}},
			{"AnnealedLangevin: Ladder: Levels must be at least 2, got 1", at, AnnealedLangevin{Ladder: ebm.Ladder{Levels: 1}}},
			{"AnnealedLangevin: the energy must be an ebm.AtNoise, since it is given log σ; got ebm.DoubleWell", ebm.DoubleWell{}, AnnealedLangevin{}},
			{"AtNoise: Sigma must be positive and finite, got -1", ebm.AtNoise{Of: blurred(1), Sigma: -1}, AnnealedLangevin{}},
		} {
			sampler, err := ebm.NewSampler(b, nil, c.energy, c.kernel)
			if err != nil {
				t.Fatal(err)
			}
			_, err = sampler.Sample(t.Context(), ebm.Options{Chains: 4, Dim: 2, Steps: 1})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%#v: got the error %v, want one with %q", c.kernel, err, c.want)
			}
			sampler.Finalize()
		}
	})
}
