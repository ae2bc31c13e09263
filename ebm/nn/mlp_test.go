package nn_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// seeded is a store whose initial weights are those of a seed.
func seeded(t *testing.T, seed int64) *model.Store {
	t.Helper()
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(seed); err != nil {
		t.Fatal(err)
	}
	return store
}

// call runs a graph function with the weights of a store, training or not.
func call(t *testing.T, b compute.Backend, store *model.Store, training bool, fn func(in []*Node) []*Node, args ...any) []*tensors.Tensor {
	t.Helper()
	exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node {
		store.SetTraining(in[0].Graph(), training)
		return fn(in)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call(args...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return out
}

// refused checks that building a graph of args is an error with a text.
func refused(t *testing.T, b compute.Backend, store *model.Store, want string, fn func(in []*Node) *Node, args ...any) {
	t.Helper()
	exec, err := model.NewExec(b, store, func(_ *model.Scope, in []*Node) []*Node { return []*Node{fn(in)} })
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	if _, err := exec.Call(args...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got the error %v, want one with %q", err, want)
	}
}

// matrix is the value of a variable, rows by columns.
func matrix(t *testing.T, store *model.Store, path string) [][]float64 {
	t.Helper()
	v := store.GetVariable(path)
	if v == nil {
		t.Fatalf("there is no variable %s", path)
	}
	switch value := v.MustValue().Value().(type) {
	case [][]float64:
		return value
	case []float64:
		return [][]float64{value}
	}
	t.Fatalf("%s is %s", path, v.Shape())
	return nil
}

var points = [][]float64{{0.3, -1.2}, {2, 0.5}, {-0.7, 0.1}}

// The network against the same sums in plain Go.
func TestMLPValue(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := seeded(t, 1)
		e := nn.MLP{Scope: store.Scope("/energy"), Widths: []int{5, 3}, Classes: 4}
		levels, labels := [][]float64{{1, 0, 2}, {0.5, -1, 1}, {0, 0, 0}}, []int32{2, 0, 3}
		got := call(t, b, store, false, func(in []*Node) []*Node {
			return []*Node{e.Energy(in[0], in[1], in[2])}
		}, points, levels, labels)[0].Value().([]float64)

		layer := func(h [][]float64, name string) [][]float64 {
			w, bias := matrix(t, store, "/energy/"+name+"/weights"), matrix(t, store, "/energy/"+name+"/biases")[0]
			out := make([][]float64, len(h))
			for i := range h {
				for j := range bias {
					sum := bias[j]
					for k := range h[i] {
						sum += h[i][k] * w[k][j]
					}
					out[i] = append(out[i], sum)
				}
			}
			return out
		}
		silu := func(h [][]float64) {
			for _, row := range h {
				for j, v := range row {
					row[j] = v / (1 + math.Exp(-v))
				}
			}
		}
		h := layer(points, "hidden_0")
		condition, classes := matrix(t, store, "/energy/hidden_0/condition_0"), matrix(t, store, "/energy/hidden_0/labels")
		for i := range h {
			for j := range h[i] {
				for k, c := range levels[i] {
					h[i][j] += c * condition[k][j]
				}
				h[i][j] += classes[labels[i]][j]
			}
		}
		silu(h)
		h = layer(h, "hidden_1")
		silu(h)
		for i, want := range layer(h, "output") {
			if math.Abs(got[i]-want[0]) > 1e-14 {
				t.Errorf("E(%v) = %.16g, want %.16g", points[i], got[i], want[0])
			}
		}
	})
}

func TestMLPGradients(t *testing.T) {
	images := [][][][]float64{{{{0.1}, {0.7}}, {{-1}, {0.2}}}, {{{2}, {0.5}}, {{0}, {-0.3}}}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			energy nn.MLP
			x      any
			cond   []any
		}{
			{nn.MLP{Widths: []int{8, 6}}, points, nil},
			{nn.MLP{Widths: []int{6}, Activation: activation.TypeTanh, SpectralNorm: true}, points, nil},
			{nn.MLP{Widths: []int{6}, Classes: 3}, points, []any{[]int32{2, 0, 1}, [][]float64{{1}, {2}, {3}}}},
			{nn.MLP{Widths: []int{6}, Activation: activation.TypeGelu}, images, nil},
		} {
			store := seeded(t, 2)
			c.energy.Scope = store.Scope("/energy")
			ebmtest.GradCheck(t, b, store, c.energy, c.x, c.cond...)
		}
	})
}

// Every build shares the weights: in one graph, in the next, and from a second value on the same scope.
func TestMLPSharesWeights(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := seeded(t, 3)
		e := nn.MLPEnergy(store.Scope("/energy"))
		x := [][]float32{{1, 2}, {3, 4}}
		same := func(in []*Node) []*Node {
			again := nn.MLPEnergy(store.Scope("/energy"), 64, 64)
			return []*Node{e.Energy(in[0]), e.Energy(in[0]), again.Energy(in[0])}
		}
		first := call(t, b, store, false, same, x)
		scope := store.Scope("/energy")
		if n := scope.NumVariables(); n != 6 {
			t.Errorf("three builds made %d variables, want 6", n)
		}
		if n, want := scope.NumParameters(), 2*64+64+64*64+64+64+1; n != want {
			t.Errorf("there are %d weights, want %d", n, want)
		}
		second := call(t, b, store, false, same, x)
		for _, out := range append(first, second...) {
			if got := out.Value().([]float32); len(got) != 2 || got[0] != first[0].Value().([]float32)[0] {
				t.Errorf("energies differ between builds: %v and %v", got, first[0].Value())
			}
		}
		if n := scope.NumVariables(); n != 6 {
			t.Errorf("a second graph made %d variables, want 6", n)
		}
	})
}

// The initial weights are a function of seed and path: on both backends, and whatever else the store holds.
func TestMLPStart(t *testing.T) {
	var want string
	weights := func(t *testing.T, b compute.Backend, store *model.Store, others bool) [][]float64 {
		if others {
			other := nn.MLP{Scope: store.Scope("/another"), Widths: []int{7}, SpectralNorm: true}
			call(t, b, store, false, func(in []*Node) []*Node { return []*Node{other.Energy(in[0])} }, points)
		}
		e := nn.MLPEnergy(store.Scope("/energy"), 400)
		call(t, b, store, false, func(in []*Node) []*Node { return []*Node{e.Energy(in[0])} }, points)
		return matrix(t, store, "/energy/hidden_0/weights")
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		got := weights(t, b, seeded(t, 5), false)
		if want == "" {
			want = fmt.Sprint(got)
		}
		if fmt.Sprint(got) != want {
			t.Error("the same seed gives other weights on this backend")
		}
		if fmt.Sprint(weights(t, b, seeded(t, 5), true)) != want {
			t.Error("another network in the store changes the weights")
		}
		if fmt.Sprint(weights(t, b, seeded(t, 6), false)) == want {
			t.Error("another seed gives the same weights")
		}
		byParam := func() string {
			store := model.NewStore()
			store.SetParam(model.ParamInitialSeed, int64(7))
			return fmt.Sprint(weights(t, b, store, false))
		}
		if one, two := byParam(), byParam(); one != two || one == want {
			t.Error("model.ParamInitialSeed does not seed the weights")
		}
		if one, two := weights(t, b, model.NewStore(), false), weights(t, b, model.NewStore(), false); fmt.Sprint(one) == fmt.Sprint(two) {
			t.Error("two stores without a seed give the same weights")
		}

		bound, sum, squares, largest := math.Sqrt(6./2), 0.0, 0.0, 0.0
		for _, row := range got {
			for _, w := range row {
				sum, squares, largest = sum+w, squares+w*w, max(largest, math.Abs(w))
			}
		}
		// 800 uniform numbers: standard errors of mean and mean square are bound/√(3·800) and bound²·√(4/45/800).
		if math.Abs(sum/800) > 5*bound/math.Sqrt(2400) || math.Abs(squares/800-bound*bound/3) > 5*bound*bound*math.Sqrt(4./45/800) {
			t.Errorf("mean %g and mean square %g are not those of the uniform distribution in ±%g", sum/800, squares/800, bound)
		}
		if largest > bound || largest < 0.97*bound {
			t.Errorf("the largest weight is %g, want just below %g", largest, bound)
		}
	})
}

// The singular value is followed while training goes on, on XLA within a compiled loop of steps.
func TestSpectralNormInTraining(t *testing.T) {
	data, err := datasets.TwoMoons{N: 256, Seed: 1}.Generate()
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		e := nn.MLP{Scope: store.Scope("/energy"), Widths: []int{16, 16}, SpectralNorm: true}
		_, err := ebm.Train(t.Context(), b, store, losses.DenoisingScoreMatching{Energy: e}, &datasets.Batches{Data: data, Size: 64},
			ebm.TrainOptions{Steps: 300, Seed: 1})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		for _, layer := range []string{"hidden_0", "hidden_1", "output"} {
			numbers := func(name string) (v []float64) {
				for _, x := range tensors.MustCopyFlatData[float32](store.GetVariable("/energy/" + layer + "/" + name).MustValue()) {
					v = append(v, float64(x))
				}
				return v
			}
			u := numbers("power")
			w := mat.NewDense(len(numbers("weights"))/len(u), len(u), numbers("weights"))
			var wu mat.VecDense
			wu.MulVec(w, mat.NewVecDense(len(u), u))
			var svd mat.SVD
			if !svd.Factorize(w, mat.SVDNone) {
				t.Fatal("no singular values")
			}
			if got, want := mat.Norm(&wu, 2), svd.Values(nil)[0]; math.Abs(got/want-1) > .02 {
				t.Errorf("%s: the singular value is taken for %.4f, it is %.4f", layer, got, want)
			}
		}
	})
}

// Training graphs bring the estimate to the largest singular value, once a graph; others leave it alone.
func TestSpectralNorm(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := seeded(t, 8)
		e := nn.MLP{Scope: store.Scope("/energy"), Widths: []int{32, 16}, SpectralNorm: true}
		exec := func(training bool) *model.Exec {
			exec, err := model.NewExec(b, store, func(_ *model.Scope, x *Node) (*Node, *Node) {
				store.SetTraining(x.Graph(), training)
				return e.Energy(x), e.Energy(x)
			})
			if err != nil {
				t.Fatal(err)
			}
			return exec
		}
		training, sampling := exec(true), exec(false)
		defer training.Finalize()
		defer sampling.Finalize()
		run := func(exec *model.Exec) (first float64) {
			one, two, err := exec.Call2(points)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			if fmt.Sprint(one.Value()) != fmt.Sprint(two.Value()) {
				t.Errorf("two builds in a graph differ: %v and %v", one.Value(), two.Value())
			}
			return one.Value().([]float64)[0]
		}
		layers := []string{"hidden_0", "hidden_1", "output"}
		powers := func() (all string) {
			for _, layer := range layers {
				all += fmt.Sprint(matrix(t, store, "/energy/"+layer+"/power"))
			}
			return all
		}
		run(sampling)
		before := powers()
		if run(sampling); powers() != before {
			t.Error("a graph that does not train changed the power iteration's vectors")
		}

		// One run of a training graph is one iteration, though it builds the energy twice.
		u, w := matrix(t, store, "/energy/hidden_1/power")[0], dense(matrix(t, store, "/energy/hidden_1/weights"))
		var v, next mat.VecDense
		v.MulVec(w, mat.NewVecDense(len(u), u))
		next.MulVec(w.T(), &v)
		next.ScaleVec(1/next.Norm(2), &next)
		run(training)
		for i, got := range matrix(t, store, "/energy/hidden_1/power")[0] {
			if math.Abs(got-next.AtVec(i)) > 1e-12 {
				t.Fatalf("after one training graph u[%d] = %g, want %g", i, got, next.AtVec(i))
			}
		}

		for range 300 {
			run(training)
		}
		for _, layer := range layers {
			w, u := dense(matrix(t, store, "/energy/"+layer+"/weights")), matrix(t, store, "/energy/"+layer+"/power")[0]
			var svd mat.SVD
			if !svd.Factorize(w, mat.SVDNone) {
				t.Fatal("no singular values")
			}
			var wu mat.VecDense
			wu.MulVec(w, mat.NewVecDense(len(u), u))
			if norm := svd.Values(nil)[0] / wu.Norm(2); norm > 1+1e-3 || norm < 1-1e-12 {
				t.Errorf("%s: the normalised weights' largest singular value is %.6f, want 1", layer, norm)
			}
		}
		if trainable := store.GetVariable("/energy/hidden_0/power").Trainable; trainable {
			t.Error("the power iteration's vector would be trained")
		}

		// The energy is that of the normalised weights: doubling them all changes nothing but the biases' share.
		want := run(sampling)
		for _, layer := range layers {
			weights := store.GetVariable("/energy/" + layer + "/weights")
			doubled := matrix(t, store, weights.Path())
			for _, row := range doubled {
				for j := range row {
					row[j] *= 2
				}
			}
			if err := weights.SetValue(tensors.FromValue(doubled)); err != nil {
				t.Fatal(err)
			}
		}
		if got := run(sampling); math.Abs(got-want) > 1e-12 {
			t.Errorf("after doubling the weights E = %.15g, before %.15g", got, want)
		}
	})
}

func dense(rows [][]float64) *mat.Dense {
	m := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, row := range rows {
		m.SetRow(i, row)
	}
	return m
}

// The gradient of the normalised layer with respect to its weights, against finite differences of singular values.
func TestSpectralNormWeightGradient(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := seeded(t, 9)
		e := nn.MLP{Scope: store.Scope("/energy"), Widths: []int{4}, SpectralNorm: true}
		path := "/energy/hidden_0/weights"
		exec := func(training bool) *model.Exec {
			exec, err := model.NewExec(b, store, func(_ *model.Scope, x *Node) (*Node, *Node) {
				store.SetTraining(x.Graph(), training)
				value := ReduceAllSum(e.Energy(x))
				return value, Gradient(value, store.GetVariable(path).NodeValue(x.Graph()))[0]
			})
			if err != nil {
				t.Fatal(err)
			}
			return exec
		}
		trained, fixed := exec(true), exec(false)
		defer trained.Finalize()
		defer fixed.Finalize()
		loss := func(exec *model.Exec) (float64, [][]float64) {
			value, grad, err := exec.Call2(points)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			return value.Value().(float64), grad.Value().([][]float64)
		}
		for range 200 {
			loss(trained)
		}
		_, grad := loss(fixed)
		const h = 1e-5
		for i := range 2 {
			for j := range 4 {
				at := func(step float64) float64 {
					w := matrix(t, store, path)
					w[i][j] += step
					if err := store.GetVariable(path).SetValue(tensors.FromValue(w)); err != nil {
						t.Fatal(err)
					}
					value, _ := loss(fixed)
					return value
				}
				up, down := at(h), at(-2*h)
				at(h)
				// u stays as it is here; at the singular vector that is an error of second order in h.
				if want := (up - down) / (2 * h); math.Abs(grad[i][j]-want) > 1e-6 {
					t.Errorf("∂E/∂w[%d][%d] = %g, finite differences give %g", i, j, grad[i][j], want)
				}
			}
		}
	})
}

// The weights go through XLA's loop as state, on the Go backend through chunks.
func TestMLPInTheLoop(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := seeded(t, 10)
		e := nn.MLP{Scope: store.Scope("/energy"), Widths: []int{8}, SpectralNorm: true, Classes: 3}
		sampler, err := ebm.NewSampler(b, store, e, descent{})
		if err != nil {
			t.Fatal(err)
		}
		labels := []int32{0, 1, 2}
		out, err := sampler.Sample(t.Context(), ebm.Options{Start: tensors.FromValue(points), Steps: 5, Cond: []*tensors.Tensor{tensors.FromValue(labels)}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		want := call(t, b, store, false, func(in []*Node) []*Node {
			x := in[0]
			for range 5 {
				_, grad := ebm.ValueGrad(e, x, in[1])
				x = Sub(x, MulScalar(grad, 0.1))
			}
			return []*Node{x}
		}, points, labels)[0].Value().([][]float64)
		got := out.X.Value().([][]float64)
		for i := range want {
			for j := range want[i] {
				if math.Abs(got[i][j]-want[i][j]) > 1e-12 {
					t.Errorf("after 5 steps x[%d][%d] = %g, unrolled %g", i, j, got[i][j], want[i][j])
				}
			}
		}
	})
}

// descent is a kernel of one line.
type descent struct{}

func (descent) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }
func (descent) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	_, grad := env.ValueGrad(s[0])
	return ebm.State{Sub(s[0], MulScalar(grad, 0.1))}, ebm.Info{}
}

func TestBadMLP(t *testing.T) {
	x := [][]float32{{1, 2}, {3, 4}}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			energy nn.MLP
			args   []any
			want   string
		}{
			{nn.MLP{Widths: []int{4, 0}}, []any{x}, "MLP: Widths[1] must be at least 1, got 0"},
			{nn.MLP{Activation: activation.TypeSwiGLU}, []any{x}, "MLP: Activation must act on each unit alone, got"},
			{nn.MLP{Classes: -1}, []any{x}, "MLP: Classes must not be negative, got -1"},
			{nn.MLP{}, []any{[][]int32{{1}}}, "MLP: x must be [n, event...] of floating-point numbers, got (Int32)[1, 1]"},
			{nn.MLP{}, []any{x, []int32{0, 1}}, "MLP: Classes must be set for labels"},
			{nn.MLP{Classes: 2}, []any{x, []int32{0, 1}, []int32{0, 1}}, "labels in conditioning 1 (Int32)[2]"},
			{nn.MLP{Classes: 2}, []any{x, []int32{0, 1, 1}}, "MLP: conditioning 0 must have 2 rows as x does, got (Int32)[3]"},
			{nn.MLP{Classes: 2}, []any{x, [][]int32{{0, 1}, {1, 0}}}, "MLP: labels must be one whole number a row, got conditioning 0 (Int32)[2, 2]"},
		} {
			store := seeded(t, 1)
			c.energy.Scope = store.Scope("/energy")
			refused(t, b, store, c.want, func(in []*Node) *Node { return c.energy.Energy(in[0], in[1:]...) }, c.args...)
		}
		if err := (nn.MLP{}).Validate(); err == nil || err.Error() != "MLP: Scope is nil" {
			t.Errorf("without a scope: got error %v", err)
		}

		store := seeded(t, 1)
		e := nn.MLP{Scope: store.Scope("/energy"), Classes: 2}
		got := call(t, b, store, false, func(in []*Node) []*Node { return []*Node{e.Energy(in[0], in[1])} },
			[][]float32{{1, 2}, {1, 2}, {1, 2}}, [][]int32{{1}, {2}, {-1}})[0].Value().([]float32)
		if math.IsNaN(float64(got[0])) || !math.IsNaN(float64(got[1])) || !math.IsNaN(float64(got[2])) {
			t.Errorf("labels 1, 2 and −1 of 2 classes: energies %v, want NaN for those outside", got)
		}
	})
}
