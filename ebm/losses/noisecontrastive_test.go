package losses_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
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
	"github.com/goebm/goebm/ebm/samplers"
)

// tilted is c·½‖x‖² + x₀x₁, with c the conditioning.
var tilted = ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
	square := MulScalar(ReduceSum(Square(x), 1), .5)
	cross := Reshape(Mul(Slice(x, AxisRange(), AxisElem(0)), Slice(x, AxisRange(), AxisElem(1))), x.Shape().Dimensions[0])
	return Add(Mul(square, Reshape(cond[0], x.Shape().Dimensions[0])), cross)
})

// The loss against the same sum in plain Go, for noise with a full covariance and for that of the first batch.
func TestNoiseContrastiveAgainstTheSum(t *testing.T) {
	x, cond := [][]float64{{1, 2}, {-1, .5}, {.25, -2}}, [][]float64{{.5}, {1}, {2}}
	host := func(p []float64, c float64) float64 { return c*(p[0]*p[0]+p[1]*p[1])/2 + p[0]*p[1] }
	full := losses.GaussianNoise{Mean: []float64{.5, -1}, Cov: [][]float64{{2, .6}, {.6, .5}}}
	fullDensity := func(p []float64) float64 {
		u, v, det := p[0]-.5, p[1]+1, 2*.5-.6*.6
		return -(.5*u*u-2*.6*u*v+2*v*v)/(2*det) - math.Log(2*math.Pi) - math.Log(det)/2
	}
	var mean, std [2]float64
	for k := range 2 {
		for i := range x {
			mean[k] += x[i][k] / 3
		}
		for i := range x {
			std[k] += (x[i][k] - mean[k]) * (x[i][k] - mean[k]) / 3
		}
		std[k] = math.Sqrt(std[k])
	}
	batchDensity := func(p []float64) float64 {
		u, v := (p[0]-mean[0])/std[0], (p[1]-mean[1])/std[1]
		return -(u*u+v*v)/2 - math.Log(2*math.Pi) - math.Log(std[0]*std[1])
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			loss    losses.NoiseContrastive
			nu      int
			logZ    float64
			density func(p []float64) float64
		}{
			{losses.NoiseContrastive{}, 10, 0, batchDensity},
			{losses.NoiseContrastive{Noise: full, Ratio: 3, LogZ: new(1.5)}, 3, 1.5, fullDensity},
		} {
			store := model.NewStore()
			c.loss.Energy = tilted
			got, _, err := value(b, store, c.loss, x, cond)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			y := draw(t, b, func(g *Graph, rng *ebm.Rand) []*Node {
				shape := shapes.Make(dtypes.Float64, 3*c.nu, 2)
				if c.loss.Noise != nil {
					return []*Node{c.loss.Noise.Draw(rng, shape)}
				}
				z := rng.Normal(shape)
				return []*Node{Add(Mul(z, ConstAs(z, [][]float64{std[:]})), ConstAs(z, [][]float64{mean[:]}))}
			})[0].Value().([][]float64)
			odds := func(p []float64, label float64) float64 {
				return -host(p, label) - c.logZ - c.density(p) - math.Log(float64(c.nu))
			}
			want := 0.0
			for i := range x {
				want += math.Log1p(math.Exp(-odds(x[i], cond[i][0]))) / 3
				for j := range c.nu {
					want += math.Log1p(math.Exp(odds(y[i*c.nu+j], cond[i][0]))) / 3
				}
			}
			near(t, fmt.Sprintf("ν = %d", c.nu), got, want, 1e-12)

			// The noise stays that of the first batch.
			if c.loss.Noise == nil {
				if _, _, err := value(b, store, c.loss, [][]float64{{10, 20}, {30, 40}, {50, 60}}, cond); err != nil {
					t.Fatal(err)
				}
				kept := tensors.MustCopyFlatData[float64](store.GetVariable("/noise_contrastive/noise_mean").MustValue())
				near(t, "the noise's mean after another batch", kept[0], mean[0], 1e-12)
			}
		}
	})
}

// grid is N(0, 1) in one dimension whose draws are its quantiles, so that sums over them are integrals.
type grid struct{}

func (grid) Draw(rng *ebm.Rand, shape shapes.Shape) *Node {
	g := rng.Normal(shapes.Make(dtypes.Float64, 1)).Graph()
	return Const(g, quantiles(shape.Dimensions[0], 0, 1))
}
func (grid) LogDensity(y *Node) *Node {
	return Reshape(AddScalar(MulScalar(Square(y), -.5), -math.Log(2*math.Pi)/2), y.Shape().Dimensions[0])
}

// quantiles are n points of N(mean, std²), [n, 1].
func quantiles(n int, mean, std float64) [][]float64 {
	x := make([][]float64, n)
	for i := range x {
		x[i] = []float64{mean + std*math.Sqrt2*math.Erfinv(2*(float64(i)+.5)/float64(n)-1)}
	}
	return x
}

// E = ½w(x−m)² and log Z are least at the data's precision, mean and normalising constant: there the gradient vanishes, and a little
// beside it, in either direction of any of the three, it does not, and points back.
func TestNoiseContrastiveIsLeastAtTheTruth(t *testing.T) {
	const mean, std = .7, .5
	truth := map[string]float64{"/energy/w": 1 / (std * std), "/energy/m": mean, "/noise_contrastive/log_z": math.Log(2*math.Pi)/2 + math.Log(std)}
	x := quantiles(4000, mean, std)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		energy := ebm.Net{Scope: store.Scope("/energy"), Fn: func(scope *model.Scope, x *Node, _ ...*Node) *Node {
			w, m := scope.VariableWithValue("w", 1.).NodeValue(x.Graph()), scope.VariableWithValue("m", 0.).NodeValue(x.Graph())
			return Mul(MulScalar(Square(Sub(Reshape(x, x.Shape().Dimensions[0]), m)), .5), w)
		}}
		l := losses.NoiseContrastive{Energy: energy, Noise: grid{}, Ratio: 2}
		var names []string
		exec, err := model.NewExec(b, store, func(scope *model.Scope, x *Node) []*Node {
			loss := l.Loss(x, ebm.NewRand(Const(x.Graph(), []uint32{1, 2}), Const(x.Graph(), int32(3)))).Loss
			names = nil
			for v := range store.IterVariables() {
				if v.Trainable && v.InUseByGraph(x.Graph()) {
					names = append(names, v.Path())
				}
			}
			return scope.BuildTrainableVariablesGradientsGraph(loss)
		})
		if err != nil {
			t.Fatal(err)
		}
		gradient := func(changed string, by float64) map[string]float64 {
			for name, value := range truth {
				if v := store.GetVariable(name); v != nil {
					if name == changed {
						value += by
					}
					if err := v.SetValue(tensors.FromScalar(value)); err != nil {
						t.Fatal(err)
					}
				}
			}
			out, err := exec.Call(x)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			grad := map[string]float64{}
			for i, g := range out {
				grad[names[i]] = tensors.ToScalar[float64](g)
			}
			return grad
		}
		gradient("", 0) // makes the variables
		for name := range truth {
			if g := gradient("", 0)[name]; !(math.Abs(g) < 1e-4) {
				t.Errorf("at the truth the gradient by %s is %.2g", name, g)
			}
			for _, by := range []float64{-.05, .05} {
				if g := gradient(name, by)[name]; !(g/by > 0 && math.Abs(g) > 5e-4) {
					t.Errorf("%g beside the truth the gradient by %s is %.2g", by, name, g)
				}
			}
		}
	})
}

func TestNoiseContrastiveGradient(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store, energy := tiny(t)
		l := losses.NoiseContrastive{Energy: energy, Ratio: 3}
		if n := gradientsAgreeWithDifferences(t, b, store, l, [][]float64{{1, 2}, {-1, .5}, {.25, -2}}); n != 18 {
			t.Errorf("%d gradients were compared, want 17 of the network and log Z", n)
		}
	})
}

// The noise that is fitted has the data's moments, and draws from the density that it states.
func TestGaussianNoise(t *testing.T) {
	x := [][]float64{{1, 2}, {-1, .5}, {.25, -2}, {2, 2}, {3, -1}}
	noise, err := losses.FitNoise(tensors.FromValue(x))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mean", noise.Mean[0], 1.05, 1e-12)
	near(t, "covariance", noise.Cov[0][1], (-.05*1.7+-2.05*.2+-.8*-2.3+.95*1.7+1.95*-1.3)/4, 1e-12)
	const n = 40_000
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		y := draw(t, b, func(g *Graph, rng *ebm.Rand) []*Node {
			return []*Node{noise.Draw(rng, shapes.Make(dtypes.Float64, n, 2))}
		})[0].Value().([][]float64)
		var mean [2]float64
		for _, p := range y {
			mean[0], mean[1] = mean[0]+p[0]/n, mean[1]+p[1]/n
		}
		for i := range 2 {
			near(t, "mean of the draws", mean[i], noise.Mean[i], 5*math.Sqrt(noise.Cov[i][i]/n))
			for j := range 2 {
				c := 0.0
				for _, p := range y {
					c += (p[i] - mean[i]) * (p[j] - mean[j]) / n
				}
				bound := 5 * math.Sqrt((noise.Cov[i][i]*noise.Cov[j][j]+noise.Cov[i][j]*noise.Cov[i][j])/n)
				if math.Abs(c-noise.Cov[i][j]) > bound {
					t.Errorf("covariance of the draws [%d][%d] is %.4f, want %.4f ± %.4f", i, j, c, noise.Cov[i][j], bound)
				}
			}
		}
	})
	for text, data := range map[string]*tensors.Tensor{
		"losses: FitNoise: the data is nil":                                                    nil,
		"must be [rows, event...] of Float32 or Float64, got (Float64)[2]":                     tensors.FromValue([]float64{1, 2}),
		"losses: FitNoise: 2 points of 2 numbers: Gaussian: Cov must be positive definite":     tensors.FromValue([][]float64{{1, 2}, {3, 4}}),
		"losses: FitNoise: 1 points of 2 numbers: Gaussian: Cov[0][0] must be finite, got NaN": tensors.FromValue([][]float32{{1, 2}}),
	} {
		if _, err := losses.FitNoise(data); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("want an error with %q, got %v", text, err)
		}
	}
}

func TestNoiseContrastiveSettingsOutOfRange(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for text, l := range map[string]losses.NoiseContrastive{
			"NoiseContrastive: Energy is nil":                                 {},
			"NoiseContrastive: Ratio must be positive, got -1":                {Energy: round, Ratio: -1},
			"NoiseContrastive: LogZ must be finite, got NaN":                  {Energy: round, LogZ: new(math.NaN())},
			"GaussianNoise: Gaussian: events must have 3 numbers":             {Energy: round, Noise: losses.GaussianNoise{Mean: []float64{1, 2, 3}}},
			"GaussianNoise: Gaussian: Cov must be positive definite, got one": {Energy: round, Noise: losses.GaussianNoise{Cov: [][]float64{{1, 2}, {2, 1}}}},
		} {
			if _, _, err := value(b, model.NewStore(), l, [][]float32{{1, 1}, {2, 2}}); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("want an error with %q, got %v", text, err)
			}
		}
	})
	if _, err := losses.LearnedLogZ(model.NewStore()); err == nil || !strings.Contains(err.Error(), "losses: LearnedLogZ: the store has no /noise_contrastive/log_z") {
		t.Errorf("LearnedLogZ of an empty store: %v", err)
	}
}

// An energy that is +∞ at noise or neighbours is no trouble; one that is NaN at the data stops training, with a diagnosis.
func TestInfiniteAndNaNEnergies(t *testing.T) {
	box := func(store *model.Store) ebm.Energy {
		return ebm.InBox{Of: scaled(store, dtypes.Float32), Lo: []float64{-.5}, Hi: []float64{.5}}
	}
	data := &datasets.Data{Name: "spread", X: []float32{.1, .2, -.3, .4, .3, -.1, -.4, .2}, Dim: 2}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, loss := range map[string]func(e ebm.Energy) ebm.Loss{
			"ED":  func(e ebm.Energy) ebm.Loss { return losses.EnergyDiscrepancy{Energy: e, Time: .05} },
			"NCE": func(e ebm.Energy) ebm.Loss { return losses.NoiseContrastive{Energy: e, LogZ: new(0.)} },
			"PT-CD": func(e ebm.Energy) ebm.Loss {
				return losses.ParallelTemperingCD{Energy: e, Kernel: samplers.Langevin{StepSize: ebm.Fixed(.1)}, Steps: 1, Buffer: 8}
			},
		} {
			if name != "PT-CD" { // whose unadjusted chains leave the box
				store := model.NewStore()
				got, grad, err := value(b, store, loss(box(store)), [][]float32{{.1, .2}, {-.3, .4}})
				if err != nil || math.IsNaN(got) || math.IsInf(got, 0) || math.IsNaN(grad[0]) || grad[0] == 0 {
					t.Errorf("%s: loss %g and gradient %g where the energy is infinite outside a box, error %v", name, got, grad, err)
				}
			}
			store := model.NewStore()
			broken := scaled(store, dtypes.Float32)
			bad := ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node { return Mul(broken.Energy(x), Log(Neg(OnesLike(broken.Energy(x))))) })
			_, err := ebm.Train(t.Context(), b, store, loss(bad), &datasets.Batches{Data: data, Size: 4}, ebm.TrainOptions{Steps: 10})
			var d *ebm.Diagnosis
			if !errors.As(err, &d) || d.Step != 3 {
				t.Errorf("%s: want a diagnosis at step 3, got %v", name, err)
			}
		}
	})
}
