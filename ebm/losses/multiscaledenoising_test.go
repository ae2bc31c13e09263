package losses_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/metrics"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// multiscale is MultiscaleDenoising for given normals and levels.
type multiscale struct {
	losses.MultiscaleDenoising
	z     any
	level []int32
}

func (l multiscale) Loss(x *Node, _ *ebm.Rand, cond ...*Node) ebm.Terms {
	return ebm.Terms{Loss: losses.MultiscaleGiven(l.MultiscaleDenoising, x, ConstAs(x, l.z), l.Ladder.Level(Const(x.Graph(), l.level), x.DType()), cond)}
}

// blurred is the energy of N(0, τ²I) data with noise of level σ added, times the first conditioning if there is one beside log σ.
func blurred(tau float64) ebm.EnergyFunc {
	return func(x *Node, cond ...*Node) *Node {
		n := x.Shape().Dimensions[0]
		variance := AddScalar(Exp(MulScalar(Reshape(cond[len(cond)-1], n), 2)), tau*tau)
		e := MulScalar(Div(ReduceSum(Square(Reshape(x, n, -1)), 1), variance), .5)
		if len(cond) > 1 {
			e = Mul(e, Reshape(cond[0], n))
		}
		return e
	}
}

func TestMultiscaleDenoisingAgainstTheFormula(t *testing.T) {
	x := [][]float64{{1, 2}, {-1, .5}, {.25, -2}}
	z := [][]float64{{.5, -.5}, {2, -1}, {0, 1}}
	level, scale := []int32{2, 0, 1}, [][]float64{{1}, {.5}, {2}}
	ladder := ebm.Ladder{Start: 2, End: .02, Levels: 3}
	formula := func(weight func(sigma float64) float64, heights float64) float64 {
		sum := 0.0
		for i := range x {
			sigma := []float64{2, .2, .02}[level[i]]
			variance, along := .25+sigma*sigma, -2.
			for k := range x[i] {
				noisy := x[i][k] + sigma*z[i][k]
				grad := scale[i][0] * noisy / variance
				sum += weight(sigma) * (grad - z[i][k]/sigma) * (grad - z[i][k]/sigma) / 2 / 3
				along += z[i][k]*z[i][k] - scale[i][0]*noisy*noisy*sigma*sigma/variance/variance
			}
			sum += weight(sigma) / sigma / sigma * heights / 2 * along * along / 2 / 3
		}
		return sum
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		base := losses.MultiscaleDenoising{Energy: blurred(.5), Ladder: ladder}
		got, _, err := value(b, model.NewStore(), multiscale{base, z, level}, x, scale)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "λ = σ²", got, formula(func(sigma float64) float64 { return sigma * sigma }, 0), 1e-12)
		base.Weight = func(sigma *Node) *Node { return MulScalar(sigma, 3) }
		if got, _, err = value(b, model.NewStore(), multiscale{base, z, level}, x, scale); err != nil {
			t.Fatal(err)
		}
		near(t, "λ = 3σ", got, formula(func(sigma float64) float64 { return 3 * sigma }, 0), 1e-12)
		base.Heights = .7
		if got, _, err = value(b, model.NewStore(), multiscale{base, z, level}, x, scale); err != nil {
			t.Fatal(err)
		}
		near(t, "heights", got, formula(func(sigma float64) float64 { return 3 * sigma }, .7), 1e-11)
		base.Heights = 0
		images := tensors.FromFlatDataAndDimensions([]float64{1, 2, -1, .5, .25, -2}, 3, 1, 2, 1)
		base.Weight = nil
		if got, _, err = value(b, model.NewStore(), multiscale{base, [][][][]float64{{{{.5}, {-.5}}}, {{{2}, {-1}}}, {{{0}, {1}}}}, level}, images, scale); err != nil {
			t.Fatal(err)
		}
		near(t, "images", got, formula(func(sigma float64) float64 { return sigma * sigma }, 0), 1e-12)
	})
}

// For the true energy of N(0, τ²I) data the residual ∇E(x̃) − z/σ has the variance 1/σ² − 1/(σ²+τ²) in each of d numbers, so that the
// loss is ½d times the mean of τ²/(σ²+τ²); and any other energy has a larger one.
func TestMultiscaleDenoisingIsLeastAtTheTrueEnergy(t *testing.T) {
	const n, d, tau = 20000, 2, .5
	ladder := ebm.Ladder{Start: 2, End: .05, Levels: 4}
	rungs, err := ladder.Rungs()
	if err != nil {
		t.Fatal(err)
	}
	want, spread := 0.0, 0.0
	for _, sigma := range rungs {
		share := tau * tau / (sigma*sigma + tau*tau)
		want += d * share / 2 / 4
		spread += d * share * share / 2 / 4 // the variance of ½·share·χ²_d at this level
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		exec, err := NewExec(b, func(step *Node) []*Node {
			rng := ebm.NewRand(Const(step.Graph(), []uint32{1, 2}), step)
			x := MulScalar(rng.Fold().Normal(shapes.Make(dtypes.Float64, n, d)), tau)
			var out []*Node
			for _, by := range []float64{1, .9, 1.1, -1} {
				l := losses.MultiscaleDenoising{Energy: ebm.Scaled{Of: blurred(tau), By: by}, Ladder: ladder}
				out = append(out, l.Loss(x, rng.At(step)).Loss)
			}
			return out
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call(int32(0))
		if err != nil {
			t.Fatalf("%+v", err)
		}
		least := tensors.ToScalar[float64](out[0])
		if math.Abs(least-want) > 5*math.Sqrt(spread/n) {
			t.Errorf("the true energy has the loss %.4f, want %.4f ± %.4f", least, want, 5*math.Sqrt(spread/n))
		}
		for i, by := range []float64{.9, 1.1, -1} {
			if got := tensors.ToScalar[float64](out[i+1]); !(got > least) {
				t.Errorf("%g times the true energy has the loss %.4f, less than the true one's %.4f", by, got, least)
			}
		}
	})
}

// Two clusters twenty standard deviations apart: an energy with the wrong heights at the low levels is as good as the true one by its
// slopes, and not by its derivative along the levels.
func TestHeightsAreSeenAlongTheLevels(t *testing.T) {
	const n, tau = 20000, .2
	ladder := ebm.Ladder{Start: 4, End: .05, Levels: 10}
	energy := func(off float64) ebm.EnergyFunc {
		return func(x *Node, cond ...*Node) *Node {
			s, flat := Reshape(cond[0], n), Reshape(x, n)
			variance := AddScalar(Exp(MulScalar(s, 2)), tau*tau)
			cluster := func(at, log float64) *Node {
				return AddScalar(Neg(Div(Square(AddScalar(flat, -at)), MulScalar(variance, 2))), log)
			}
			wrong := MulScalar(Sigmoid(MulScalar(AddScalar(s, 1), -4)), off) // where σ is below 1/e
			a, b := cluster(-2, math.Log(.7)), Add(cluster(2, math.Log(.3)), wrong)
			top := Max(a, b)
			return Sub(MulScalar(Log(variance), .5), Add(top, Log(Add(Exp(Sub(a, top)), Exp(Sub(b, top))))))
		}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		exec, err := NewExec(b, func(step *Node) []*Node {
			rng := ebm.NewRand(Const(step.Graph(), []uint32{1, 2}), step)
			draw := rng.Fold()
			right := LessThan(draw.Uniform(shapes.Make(dtypes.Float64, n, 1)), Const(step.Graph(), .3))
			x := Add(MulScalar(draw.Normal(shapes.Make(dtypes.Float64, n, 1)), tau), AddScalar(MulScalar(ConvertDType(right, dtypes.Float64), 4), -2))
			var out []*Node
			for _, heights := range []float64{0, 1} {
				for _, off := range []float64{0, 1, -1} {
					l := losses.MultiscaleDenoising{Energy: energy(off), Ladder: ladder, Heights: heights}
					out = append(out, l.Loss(x, rng.At(step)).Loss)
				}
			}
			return out
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		out, err := exec.Call(int32(0))
		if err != nil {
			t.Fatalf("%+v", err)
		}
		loss := make([]float64, len(out))
		for i := range out {
			loss[i] = tensors.ToScalar[float64](out[i])
		}
		for _, k := range []int{1, 2} {
			slopes, levels := loss[k]-loss[0], loss[3+k]-loss[3]
			if math.Abs(slopes) > 2e-3 || levels < .02 {
				t.Errorf("wrong heights cost %.4f by the slopes, want next to nothing, and %.4f with the levels, want more", slopes, levels)
			}
		}
	})
}

// Every level comes n/L times, rounded up or down, and each row has any of them: 7 rows, 3 levels, and fewer rows than levels.
func TestLevelsAreDrawnEvenly(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct{ n, count int }{{7, 3}, {3, 10}, {1, 4}} {
			exec, err := NewExec(b, func(step *Node) *Node {
				return losses.Evenly(ebm.NewRand(Const(step.Graph(), []uint32{1, 2}), step), c.n, c.count)
			})
			if err != nil {
				t.Fatal(err)
			}
			const runs = 800
			first := make([]int, c.count)
			for step := range runs {
				out, err := exec.Call1(int32(step))
				if err != nil {
					t.Fatal(err)
				}
				levels := out.Value().([]int32)
				times := make([]int, c.count)
				for _, l := range levels {
					times[l]++ // out of range: a panic
				}
				for l, k := range times {
					if k < c.n/c.count || k > (c.n+c.count-1)/c.count {
						t.Fatalf("%d rows, %d levels: level %d came %d times", c.n, c.count, l, k)
					}
				}
				first[levels[0]]++
			}
			p := 1 / float64(c.count)
			for l, k := range first {
				if sd := math.Sqrt(runs * p * (1 - p)); math.Abs(float64(k)-runs*p) > 5*sd {
					t.Errorf("%d rows, %d levels: row 0 had level %d %d times, want %.0f ± %.0f", c.n, c.count, l, k, runs*p, 5*sd)
				}
			}
			exec.Finalize()
		}
	})
}

// From training at many scales to samples by annealed Langevin dynamics: 8 Gaussians, each with its share, and no farther from fresh
// data than fresh data are from each other.
func TestEightGaussiansFromNoise(t *testing.T) {
	const n, std, last = 2000, .15, .1
	ladder := ebm.Ladder{Start: 4, End: last, Levels: 9, Steps: 30}
	data, err := datasets.EightGaussians{N: 8192, Std: std, Seed: 1}.Generate()
	if err != nil {
		t.Fatal(err)
	}
	// The law that is learnt has the last level's noise in it. Modes have no fixed number of points, neither here nor from the sampler.
	fresh := func(seed uint64) ([]float32, error) {
		d, err := datasets.EightGaussians{N: n, Std: math.Hypot(std, last), Seed: 100 + seed, IID: true}.Generate()
		return d.X, err
	}
	distance := metrics.SlicedWasserstein{}
	floor, err := metrics.Floor(distance, 2, 20, fresh)
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		energy := ebm.Preconditioned{Of: nn.MLPEnergy(store.Scope("/energy"), 64, 64), Std: math.Sqrt2}
		loss := losses.MultiscaleDenoising{Energy: energy, Ladder: ladder}
		const steps = 800
		report, err := ebm.Train(t.Context(), b, store, loss, &datasets.Batches{Data: data, Size: 256},
			ebm.TrainOptions{Steps: steps, Schedule: ebm.Cosine{Start: 5e-3, End: 5e-5, Steps: steps}, ClipNorm: 1})
		if err != nil {
			t.Fatal(err)
		}
		sampler, err := ebm.NewSampler(b, store, ebm.AtNoise{Of: energy, Sigma: last}, samplers.AnnealedLangevin{Ladder: ladder, StepSize: ebm.Fixed(.4 * last * last)})
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		out, err := sampler.Sample(t.Context(), ebm.Options{Chains: n, Dim: 2, Steps: ladder.Levels * ladder.Steps, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		x := tensors.MustCopyFlatData[float32](out.X)
		truth, err := fresh(1000)
		if err != nil {
			t.Fatal(err)
		}
		w, err := distance.Between(x, truth, 2)
		if err != nil {
			t.Fatal(err)
		}
		var shares [8]float64
		strays, squares := 0, 0.0
		for i := 0; i < len(x); i += 2 {
			px, py := float64(x[i]), float64(x[i+1])
			mode := (int(math.Round(math.Atan2(py, px)/(math.Pi/4))) + 8) % 8
			shares[mode] += 1. / n
			angle := float64(mode) * math.Pi / 4
			r := math.Hypot(px-2*math.Cos(angle), py-2*math.Sin(angle))
			if r > 5*math.Hypot(std, last) {
				strays++
			} else {
				squares += r * r
			}
		}
		breadth := math.Sqrt(squares / float64(2*(n-strays)))
		t.Logf("loss %.4f; sliced W₂ %.4f, noise floor %.4f ± %.4f; shares %.3f, breadth of a mode %.3f of %.3f, %d of %d strays",
			report.History[len(report.History)-1].Loss, w, floor.Mean, floor.Std, shares, breadth, math.Hypot(std, last), strays, n)
		if w > floor.Mean+5*floor.Std {
			t.Errorf("sliced W₂ %.4f, noise floor %.4f ± %.4f", w, floor.Mean, floor.Std)
		}
		tolerance := 5*math.Sqrt(.125*.875/n) + .125/10 // five standard errors, and a tenth for so short a training
		for mode, share := range shares {
			if math.Abs(share-.125) > tolerance {
				t.Errorf("mode %d has the share %.3f, want .125 ± %.3f", mode, share, tolerance)
			}
		}
		if math.Abs(breadth/math.Hypot(std, last)-1) > .2 {
			t.Errorf("modes have the standard deviation %.3f, want %.3f", breadth, math.Hypot(std, last))
		}
		if strays > n/50 {
			t.Errorf("%d of %d samples are more than 5 standard deviations from every mode", strays, n)
		}
	})
}
