package samplers

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// conjugate is the mean θ of N = 100 numbers yᵢ ~ N(θ, 1) under the prior N(0, 4): a posterior of precision ¼ + N.
type conjugate struct {
	ebm.Posterior
	mean, precision, spread float64 // of the posterior; population variance of the data
}

func newConjugate() conjugate {
	const n = 100
	rng, y := rand.New(rand.NewPCG(5, 5)), make([]float64, n)
	sum, squares := 0.0, 0.0
	for i := range y {
		y[i] = 0.7 + rng.NormFloat64()
		sum, squares = sum+y[i], squares+y[i]*y[i]
	}
	c := conjugate{precision: 0.25 + n, spread: squares/n - sum*sum/n/n}
	c.mean = sum / c.precision
	c.Posterior = ebm.Posterior{
		Prior: ebm.Harmonic{K: 0.25}, Rows: n,
		Term: func(x, rows *Node, _ ...*Node) *Node {
			batch := Gather(ConstAs(x, y), InsertAxes(rows, -1)) // [m]
			return MulScalar(Square(Sub(Reshape(x, x.Shape().Dimensions[0], 1), ExpandAxes(batch, 0))), 0.5)
		},
	}
	return c
}

// sgld runs chains from the posterior's mean and returns, over the last half of the steps, the mean over steps of the
// chains' variance about their mean, and of the square of that mean's distance from the posterior's.
func sgld(t *testing.T, b compute.Backend, c conjugate, k ebm.Kernel, chains, steps int) (within, between float64) {
	t.Helper()
	sampler, err := ebm.NewSampler(b, nil, c.Posterior, k)
	if err != nil {
		t.Fatal(err)
	}
	defer sampler.Finalize()
	start := make([]float64, chains)
	for i := range start {
		start[i] = c.mean
	}
	out, err := sampler.Sample(t.Context(), ebm.Options{
		Start: tensors.FromFlatDataAndDimensions(start, chains, 1), BurnIn: steps / 2, Steps: steps / 2, Seed: 3, Summaries: true, Thin: 4,
	})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	rows := out.Summary
	for i := range rows.Mean {
		off := rows.Mean[i][0] - c.mean
		within, between = within+rows.Var[i][0], between+off*off
	}
	return within / float64(len(rows.Mean)), between / float64(len(rows.Mean))
}

// At a fixed step both variances of SGLD are known: the kernel's noise spreads the chains, as it does Langevin's, and the
// batches', which all chains share, move their mean.
func TestMinibatchStationaryLaw(t *testing.T) {
	const eta, size, chains = 0.004, 10, 200
	c := newConjugate()
	keep := 1 - math.Pow(1-eta*c.precision, 2)
	wantWithin := 2 * eta / keep
	noise := float64(c.Rows*c.Rows) / size * c.spread // V
	wantBetween := eta*eta*noise/keep + wantWithin/chains
	if total := (2 + eta*noise) / (c.precision * (2 - eta*c.precision)); math.Abs(total-wantWithin-eta*eta*noise/keep) > 1e-15 {
		t.Fatal("the two variances do not add up to the formula in the documentation")
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		steps := 16_000
		if b.Name() != "xla" {
			steps = 4000 // each costs a hundred times as much
		}
		// Squares of means four steps apart are correlated by (1−ηλ)⁸, less than 0.02: they count as independent.
		kept := float64(steps / 2 / 4)
		within, between := sgld(t, b, c, Minibatch{Kernel: Langevin{StepSize: ebm.Fixed(eta)}, Size: size}, chains, steps)
		t.Logf("variance within a batch's noise %.5f (in theory %.5f), of the chains' mean %.5f (%.5f)", within, wantWithin, between, wantBetween)
		closeTo(t, "variance of the chains", within, wantWithin, 5*math.Sqrt(2/(chains*kept)))
		closeTo(t, "variance of their mean", between, wantBetween, 5*math.Sqrt(2/kept))
	})
}

// closeTo wants a relative error of at most the tolerance.
func closeTo(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got/want-1) <= tolerance) {
		t.Errorf("%s: got %.5g, want %.5g within %.2g %%", what, got, want, 100*tolerance)
	}
}

// With a decaying step size the chains end as the posterior is.
func TestMinibatchPosterior(t *testing.T) {
	const chains, steps, size = 2000, 2000, 25
	c := newConjugate()
	step := ebm.PolynomialDecay{Start: 0.004, Steps: 20, Power: 1}
	// The variances step by step, from chains that all begin at the posterior's mean.
	within, between := 0.0, 0.0
	for n := range steps {
		eta := step.Start / (1 + float64(n)/20)
		keep := math.Pow(1-eta*c.precision, 2)
		within = keep*within + 2*eta
		between = keep*between + eta*eta*float64(c.Rows*c.Rows)/size*c.spread
	}
	if math.Abs(within*c.precision-1) > 0.01 || between*c.precision > 0.02 {
		t.Fatalf("in theory the variance is %g and that of the mean %g, of a posterior variance of %g: the schedule is too quick", within, between, 1/c.precision)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		sampler, err := ebm.NewSampler(b, nil, c.Posterior, Minibatch{Kernel: Langevin{StepSize: step}, Size: size})
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		start := make([]float32, chains)
		for i := range start {
			start[i] = float32(c.mean)
		}
		out, err := sampler.Sample(t.Context(), ebm.Options{
			Start: tensors.FromFlatDataAndDimensions(start, chains, 1), Steps: steps, Seed: 4, Summaries: true, Thin: steps,
		})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		mean, variance := out.Summary.Mean[0][0], out.Summary.Var[0][0]
		t.Logf("mean %.5f ± %.5f (posterior %.5f), variance %.6f (posterior %.6f)", mean, math.Sqrt(between+within/chains), c.mean, variance, 1/c.precision)
		if !(math.Abs(mean-c.mean) <= 5*math.Sqrt(between+within/chains)) {
			t.Errorf("mean is %g, the posterior's %g", mean, c.mean)
		}
		closeTo(t, "variance", variance, within, 5*math.Sqrt(2./chains))
	})
}

// Batches are of whole rows, each as likely as another, in both of the last rows too.
func TestMinibatchRows(t *testing.T) {
	const rows, size, steps = 5, 1000, 20
	counts := make([]float64, rows)
	onGo(t, func(b compute.Backend) {
		out, err := CallOnceN(b, func(x *Node) (all []*Node) {
			posterior := ebm.Posterior{Rows: rows, Term: func(x, rows *Node, _ ...*Node) *Node {
				all = append(all, rows)
				return BroadcastToDims(ReduceAndKeep(x, ReduceSum, 1), x.Shape().Dimensions[0], rows.Shape().Size())
			}}
			for step := range steps {
				env := Minibatch{Size: size}.onBatch(envAt(x.Graph(), posterior, step))
				env.Energy.Energy(x)
			}
			return all
		}, [][]float64{{1}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		for _, batch := range out {
			for _, row := range batch.Value().([]int32) {
				counts[row]++
			}
		}
	})
	const want, n = size * steps / rows, size * steps
	for row, count := range counts {
		if math.Abs(count-want) > 5*math.Sqrt(n*(1./rows)*(1-1./rows)) {
			t.Errorf("row %d was drawn %g times of %d, want about %d", row, count, n, want)
		}
	}
}

// overData gives a kernel a posterior, of which the energy at hand is the prior.
type overData struct{ ebm.Kernel }

func (k overData) with(env ebm.Env) ebm.Env {
	env.Energy = ebm.Posterior{Prior: env.Energy, Rows: 7, Term: func(x, rows *Node, _ ...*Node) *Node {
		centre := ReduceAndKeep(Reshape(x, x.Shape().Dimensions[0], -1), ReduceMean, 1)
		y := MulScalar(ConvertDType(rows, x.DType()), 0.1)
		return MulScalar(Square(Sub(centre, ExpandAxes(y, 0))), 0.05)
	}}
	return env
}

func (k overData) Init(env ebm.Env, x *Node) ebm.State { return k.Kernel.Init(k.with(env), x) }

func (k overData) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	return k.Kernel.Step(k.with(env), s)
}
