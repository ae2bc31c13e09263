package nn_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// pictures are random, [dims...].
func pictures(seed uint64, dims ...int) *tensors.Tensor {
	rng, size := rand.New(rand.NewPCG(seed, 0)), 1
	for _, d := range dims {
		size *= d
	}
	flat := make([]float64, size)
	for i := range flat {
		flat[i] = rng.NormFloat64()
	}
	return tensors.FromFlatDataAndDimensions(flat, dims...)
}

// valuesOf is the value of a variable.
func valuesOf(t *testing.T, store *model.Store, path string) []float64 {
	t.Helper()
	v := store.GetVariable(path)
	if v == nil {
		t.Fatalf("there is no variable %s", path)
	}
	return tensors.MustCopyFlatData[float64](v.MustValue())
}

// The network against the same sums in plain Go, for kernels and pictures of odd and even size.
func TestConvEnergyValue(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct{ size, height, width int }{{3, 6, 5}, {4, 5, 2}, {1, 3, 4}} {
			const n, channels = 2, 2
			widths := []int{3, 2}
			store, x := seeded(t, 1), pictures(2, n, c.height, c.width, channels)
			e := nn.ConvEnergy{Scope: store.Scope("/energy"), Widths: widths, Size: c.size, Classes: 4}
			levels, labels := [][]float64{{1, -2}, {0.5, 1}}, []int32{2, 0}
			got := call(t, b, store, false, func(in []*Node) []*Node { return []*Node{e.Energy(in[0], in[1], in[2])} }, x, levels, labels)[0].Value().([]float64)

			for i := range n {
				height, width, in, step := c.height, c.width, channels, 1
				h := tensors.MustCopyFlatData[float64](x)[i*height*width*in:][:height*width*in]
				for l, out := range widths {
					path := "/energy/hidden_" + string(rune('0'+l))
					w, bias := valuesOf(t, store, path+"/weights"), valuesOf(t, store, path+"/biases")
					rows, columns := (height+step-1)/step, (width+step-1)/step
					top, left := max(0, (rows-1)*step+c.size-height)/2, max(0, (columns-1)*step+c.size-width)/2
					var next []float64
					for r := range rows {
						for col := range columns {
							for o := range out {
								sum := bias[o]
								if l == 0 {
									for k, v := range levels[i] {
										sum += v * valuesOf(t, store, path+"/condition_0")[k*out+o]
									}
									sum += valuesOf(t, store, path+"/labels")[int(labels[i])*out+o]
								}
								for p := range c.size {
									for q := range c.size {
										y, x := r*step+p-top, col*step+q-left
										if y < 0 || y >= height || x < 0 || x >= width {
											continue
										}
										for k := range in {
											sum += w[((p*c.size+q)*in+k)*out+o] * h[(y*width+x)*in+k]
										}
									}
								}
								next = append(next, sum/(1+math.Exp(-sum)))
							}
						}
					}
					h, height, width, in, step = next, rows, columns, out, 2
				}
				want := valuesOf(t, store, "/energy/output/biases")[0]
				for k, v := range valuesOf(t, store, "/energy/output/weights") {
					want += v * h[k]
				}
				if math.Abs(got[i]-want) > 1e-13 {
					t.Errorf("%+v: E = %.16g, want %.16g", c, got[i], want)
				}
			}
		}
	})
}

func TestConvEnergyCounts(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x := make([]float32, 2*9*8*3)
		for _, c := range []struct {
			energy nn.ConvEnergy
			want   int
		}{
			{nn.ConvEnergy{}, 27*32 + 32 + 9*32*64 + 64 + 9*64*64 + 64 + 3*2*64 + 1},
			{nn.ConvEnergy{Widths: []int{5}, Size: 2}, 12*5 + 5 + 9*8*5 + 1},
			{nn.ConvEnergy{Widths: []int{5}, SpectralNorm: true}, 27*5 + 5 + 9*8*5 + 1 + 9*8*3 + 1},
		} {
			store := seeded(t, 1)
			c.energy.Scope = store.Scope("/energy")
			for range 2 {
				call(t, b, store, false, func(in []*Node) []*Node { return []*Node{c.energy.Energy(in[0]), c.energy.Energy(in[0])} }, tensors.FromFlatDataAndDimensions(x, 2, 9, 8, 3))
			}
			if got := c.energy.Scope.NumParameters(); got != c.want {
				t.Errorf("%+v: %d numbers, want %d", c.energy, got, c.want)
			}
		}
	})
}

// The gradients of E² and of ‖∇E‖² in x and in the weights, against finite differences.
func TestConvEnergyGradients(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			energy nn.ConvEnergy
			cond   []any
		}{
			{nn.ConvEnergy{Widths: []int{3, 2}, Classes: 3}, []any{[]int32{2, 0}}},
			{nn.ConvEnergy{Widths: []int{2, 2}, Size: 2, Activation: activation.TypeTanh, SpectralNorm: true}, nil},
		} {
			store, x := seeded(t, 3), pictures(4, 2, 5, 4, 2)
			c.energy.Scope = store.Scope("/energy")
			var weights []*model.Variable
			slope := func(in []*Node, grads bool) []*Node {
				value, grad := ebm.ValueGrad(c.energy, in[0], in[1:]...)
				out := []*Node{ReduceAllSum(Mul(value, value)), ReduceAllSum(Square(grad))}
				weights = weights[:0]
				for v := range store.IterVariables() {
					if v.Trainable && strings.HasPrefix(v.Path(), "/energy/") {
						weights = append(weights, v)
					}
				}
				if grads {
					at := []*Node{in[0]}
					for _, v := range weights {
						at = append(at, v.NodeValue(in[0].Graph()))
					}
					out = append(append(out, Gradient(out[0], at...)...), Gradient(out[1], at...)...)
				}
				return out
			}
			args := append([]any{x}, c.cond...)
			exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node { return slope(in, false) })
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			grads := call(t, b, store, false, func(in []*Node) []*Node { return slope(in, true) }, args...)[2:]
			value := func() (v [2]float64) {
				out, err := exec.Call(args...)
				if err != nil {
					t.Fatalf("%+v", err)
				}
				return [2]float64{out[0].Value().(float64), out[1].Value().(float64)}
			}
			rng := rand.New(rand.NewPCG(5, 0))
			for i := range 1 + len(weights) {
				numbers, name := tensors.MustCopyFlatData[float64](x), "x"
				if i > 0 {
					numbers, name = valuesOf(t, store, weights[i-1].Path()), weights[i-1].Path()
				}
				for range 3 {
					j, kept := rng.IntN(len(numbers)), 0.0
					const h = 1e-5
					set := func(v float64) [2]float64 {
						numbers[j] = v
						if i == 0 {
							args[0] = tensors.FromFlatDataAndDimensions(numbers, x.Shape().Dimensions...)
						} else if err := weights[i-1].SetValue(tensors.FromFlatDataAndDimensions(numbers, weights[i-1].Shape().Dimensions...)); err != nil {
							t.Fatal(err)
						}
						return value()
					}
					kept = numbers[j]
					up, down := set(kept+h), set(kept-h)
					set(kept)
					for k, what := range []string{"E²", "‖∇E‖²"} {
						got, want := tensors.MustCopyFlatData[float64](grads[k*(1+len(weights))+i])[j], (up[k]-down[k])/(2*h)
						if math.Abs(got-want) > 1e-6*math.Max(1, math.Abs(want)) {
							t.Errorf("%+v: the gradient of %s in %s[%d] is %.10g, finite differences give %.10g", c.energy, what, name, j, got, want)
						}
					}
				}
			}
		}
	})
}

// The power iteration finds the largest singular value of each layer as it acts on pictures, and so bounds the slope.
func TestConvEnergySpectralNorm(t *testing.T) {
	const side = 6
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := seeded(t, 6)
		e := nn.ConvEnergy{Scope: store.Scope("/energy"), Widths: []int{4, 5}, SpectralNorm: true}
		exec, err := model.NewExec(b, store, func(_ *model.Scope, x *Node) *Node {
			store.SetTraining(x.Graph(), true)
			return e.Energy(x)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		for range 300 {
			if _, err := exec.Call(pictures(7, 2, side, side, 1)); err != nil {
				t.Fatalf("%+v", err)
			}
		}
		for l, c := range []struct{ side, in, out, step int }{{side, 1, 4, 1}, {side, 4, 5, 2}} {
			path := "/energy/hidden_" + string(rune('0'+l))
			w, u := valuesOf(t, store, path+"/weights"), valuesOf(t, store, path+"/power")
			to := c.side / c.step
			top := ((to-1)*c.step + 3 - c.side) / 2
			full := mat.NewDense(to*to*c.out, c.side*c.side*c.in, nil) // what the layer does to a picture
			for r := range to * to {
				for p := range 9 {
					y, x := r/to*c.step+p/3-top, r%to*c.step+p%3-top
					if y < 0 || y >= c.side || x < 0 || x >= c.side {
						continue
					}
					for k := range c.in {
						for o := range c.out {
							full.Set(r*c.out+o, (y*c.side+x)*c.in+k, w[(p*c.in+k)*c.out+o])
						}
					}
				}
			}
			var svd mat.SVD
			if !svd.Factorize(full, mat.SVDNone) {
				t.Fatal("no singular values")
			}
			var au mat.VecDense
			au.MulVec(full, mat.NewVecDense(len(u), u))
			if got, want := au.Norm(2), svd.Values(nil)[0]; math.Abs(got/want-1) > 1e-3 {
				t.Errorf("%s: the singular value is taken for %.5f, it is %.5f", path, got, want)
			}
		}

		slopes := func(e ebm.Energy, x *tensors.Tensor) (largest float64) {
			g := tensors.MustCopyFlatData[float64](call(t, b, store, false, func(in []*Node) []*Node {
				_, grad := ebm.ValueGrad(e, in[0])
				return []*Node{Sqrt(ReduceSum(Square(grad), 1, 2, 3))}
			}, x)[0])
			for _, v := range g {
				largest = max(largest, v)
			}
			return largest
		}
		free := e
		free.SpectralNorm = false
		wide := pictures(8, 200, side, side, 1)
		bounded, unbounded := slopes(e, wide), slopes(free, wide)
		if bound := 1.1 * 1.1 * 1.001; bounded > bound || bounded < .01 {
			t.Errorf("the slope is %.3f at most, want it in [0.01, %.3f]", bounded, bound)
		}
		if unbounded < 2*bounded {
			t.Errorf("the slope without the norm is %.3f, with it %.3f: does it do anything?", unbounded, bounded)
		}
	})
}

func TestConvEnergyInTheLoop(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store, x, labels := seeded(t, 9), pictures(10, 3, 4, 4, 1), []int32{0, 1, 2}
		e := nn.ConvEnergy{Scope: store.Scope("/energy"), Widths: []int{3, 3}, SpectralNorm: true, Classes: 3}
		sampler, err := ebm.NewSampler(b, store, e, descent{})
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		out, err := sampler.Sample(t.Context(), ebm.Options{Start: x, Steps: 4, Cond: []*tensors.Tensor{tensors.FromValue(labels)}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		want := tensors.MustCopyFlatData[float64](call(t, b, store, false, func(in []*Node) []*Node {
			x := in[0]
			for range 4 {
				_, grad := ebm.ValueGrad(e, x, in[1])
				x = Sub(x, MulScalar(grad, 0.1))
			}
			return []*Node{x}
		}, x, labels)[0])
		for i, got := range tensors.MustCopyFlatData[float64](out.X) {
			if math.Abs(got-want[i]) > 1e-12 {
				t.Fatalf("after 4 steps number %d is %g, unrolled %g", i, got, want[i])
			}
		}
	})
}

func TestBadConvEnergy(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x := pictures(1, 2, 3, 3, 1)
		for _, c := range []struct {
			energy nn.ConvEnergy
			args   []any
			want   string
		}{
			{nn.ConvEnergy{Widths: []int{4, 0}}, []any{x}, "ConvEnergy: Widths[1] must be at least 1, got 0"},
			{nn.ConvEnergy{Size: -1}, []any{x}, "ConvEnergy: Size must be at least 1, got -1"},
			{nn.ConvEnergy{Activation: activation.TypeSwiGLU}, []any{x}, "ConvEnergy: Activation must act on each unit alone, got"},
			{nn.ConvEnergy{}, []any{[][]float32{{1, 2}}}, "ConvEnergy: x must be pictures [n, height, width, channels] of floating-point numbers, got (Float32)[1, 2]"},
			{nn.ConvEnergy{}, []any{[][][][]int32{{{{1}}}}}, "ConvEnergy: x must be pictures [n, height, width, channels] of floating-point numbers, got (Int32)[1, 1, 1, 1]"},
			{nn.ConvEnergy{}, []any{x, []int32{0, 1}}, "ConvEnergy: Classes must be set for labels"},
			{nn.ConvEnergy{Classes: 2}, []any{x, []int32{0, 1, 1}}, "ConvEnergy: conditioning 0 must have 2 rows as x does, got (Int32)[3]"},
		} {
			store := seeded(t, 1)
			c.energy.Scope = store.Scope("/energy")
			refused(t, b, store, c.want, func(in []*Node) *Node { return c.energy.Energy(in[0], in[1:]...) }, c.args...)
		}
		if err := (nn.ConvEnergy{}).Validate(); err == nil || err.Error() != "ConvEnergy: Scope is nil" {
			t.Errorf("without a scope: got error %v", err)
		}
	})
}
