package ebm_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/losses"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// onDevices runs a test on XLA where it has four devices.
func onDevices(t *testing.T, test func(t *testing.T, b compute.Backend)) {
	t.Helper()
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		if b.Name() != "xla" || b.NumDevices() < 4 {
			t.Skipf("the %s backend has %d devices, the test needs 4", b.Name(), b.NumDevices())
		}
		test(t, b)
	})
}

// nearlySame checks that the floating-point variables of two stores differ by no more than 1e-5, and all others not at all.
func nearlySame(t *testing.T, what string, got, want *model.Store) {
	t.Helper()
	most, compared := 0.0, 0
	bytes, wanted := contents(t, got), contents(t, want)
	for v := range want.IterVariables() {
		switch w := got.GetVariable(v.Path()); {
		case w == nil:
			t.Errorf("%s: %s is missing", what, v.Path())
		case v.DType().IsFloat():
			x, y := numbers(t, v.MustValue()), numbers(t, w.MustValue())
			for i := range x {
				most = math.Max(most, math.Abs(x[i]-y[i]))
			}
			compared += len(x)
		case !strings.Contains(v.Path(), "rng") && bytes[v.Path()] != wanted[v.Path()]:
			t.Errorf("%s: %s differs", what, v.Path())
		}
	}
	if t.Logf("%s: %d numbers, %.2g apart", what, compared, most); !(most <= 1e-5) || compared < 100 {
		t.Errorf("%s: of %d numbers the worst is %g apart", what, compared, most)
	}
}

// Training on several devices is that on one but for rounding, weights, averages and the optimizer's state as well as the chains of a buffer;
// and so it is where it stops and goes on, each time on another number of devices.
func TestTrainOnDevices(t *testing.T) {
	type losing = func(store *model.Store) ebm.Loss
	fm := func(store *model.Store) ebm.Loss {
		return losses.FlowMatching{Field: nn.MLPField{Scope: store.Scope("/field"), Widths: []int{16, 16}, Timed: true}}
	}
	pcd := func(store *model.Store) ebm.Loss {
		return losses.ContrastiveDivergence{Energy: nn.MLPEnergy(store.Scope("/energy"), 16), Kernel: samplers.Langevin{StepSize: ebm.Fixed(.01)},
			Steps: 2, Persistent: true, Buffer: 64, Fresh: .1}
	}
	tempered := func(store *model.Store) ebm.Loss {
		return losses.ParallelTemperingCD{Energy: nn.MLPEnergy(store.Scope("/energy"), 16), Kernel: samplers.Langevin{StepSize: ebm.Fixed(.01)},
			Steps: 2, Rungs: 3, SwapRate: .3, Buffer: 64}
	}
	onDevices(t, func(t *testing.T, b compute.Backend) {
		train := func(loss losing, o ebm.TrainOptions) *model.Store {
			t.Helper()
			o.EMA, o.ClipNorm, o.Seed = .9, 1, 5
			store := model.NewStore()
			if _, err := ebm.Train(context.Background(), b, store, loss(store), moons(t), o); err != nil {
				t.Fatalf("%+v", err)
			}
			return store
		}
		nearlySame(t, "flow matching, 4 devices", train(fm, ebm.TrainOptions{Steps: 100, Devices: 4}), train(fm, ebm.TrainOptions{Steps: 100}))
		nearlySame(t, "tempered chains, 4 devices", train(tempered, ebm.TrainOptions{Steps: 20, Devices: 4}), train(tempered, ebm.TrainOptions{Steps: 20}))

		one, dir := train(pcd, ebm.TrainOptions{Steps: 100}), t.TempDir()
		train(pcd, ebm.TrainOptions{Steps: 35, Devices: 4, Checkpoint: dir})
		train(pcd, ebm.TrainOptions{Steps: 70, Devices: 2, Checkpoint: dir})
		nearlySame(t, "persistent chains, 4 devices, then 2, then 1", train(pcd, ebm.TrainOptions{Steps: 100, Checkpoint: dir}), one)
	})
}

// slope is w·mean(1) of a weight w that begins at 1.
func slope(store *model.Store) ebm.Loss {
	return lossFunc(func(x *Node, _ *ebm.Rand, _ ...*Node) ebm.Terms {
		w := store.Scope("/energy").VariableWithValue("w", float32(1)).NodeValue(x.Graph())
		return ebm.Terms{Loss: Mul(w, ReduceAllMean(OnesLike(x)))}
	})
}

// What reads the store while training goes on finds it as the last step left it, and what writes to it is heard.
func TestDevicesAndTheStore(t *testing.T) {
	onDevices(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		const rate = 1. / 64 // plain gradient descent takes rate·mean(1) off w at every step
		near := func(when string, want float64) {
			t.Helper()
			if w := float64(tensors.ToScalar[float32](store.GetVariable("/energy/w").MustValue())); math.Abs(w-want) > 1e-5 {
				t.Errorf("%s w = %g, want %g", when, w, want)
			}
		}
		_, err := ebm.Train(context.Background(), b, store, slope(store), moons(t), ebm.TrainOptions{Epochs: 4, LearningRate: rate, Optimizer: plainSGD(), Devices: 2,
			OnEpoch: func(epoch int, _ ebm.TrainProgress) error {
				if epoch == 3 { // after which three steps follow
					near("at the end of epoch 3", 1-9*rate)
					return store.GetVariable("/energy/w").SetValue(tensors.FromValue(float32(5)))
				}
				if epoch < 3 {
					near("at an epoch's end", 1-float64(3*epoch)*rate)
				}
				return nil
			}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		near("at the end", 5-3*rate)
		if v := store.GetVariable("/energy/w"); v.ShardingSpec() != nil {
			t.Errorf("the store is tied to the devices: %s", v.ShardingSpec())
		}

		store = model.NewStore()
		report, err := ebm.Train(context.Background(), b, store, lossFunc(func(x *Node, rng *ebm.Rand, _ ...*Node) ebm.Terms {
			terms := slope(store).Loss(x, rng)
			terms.Loss = Add(terms.Loss, MulScalar(Log(terms.Loss), 0)) // NaN below 0
			return terms
		}), moons(t), ebm.TrainOptions{Steps: 200, LearningRate: rate, Optimizer: plainSGD(), Devices: 4, Doctor: ebm.Doctor{Rollback: true}})
		if err == nil || report == nil || report.Diagnosis == nil || report.Diagnosis.RolledBack != 50 {
			t.Fatalf("want a diagnosis and the state of step 50, got %+v and the error %v", report, err)
		}
		near("rolled back,", 1-50*rate)
	})
}

// Steps that can't be a loop's body are shared among devices too: those of a loss that sorts, and those that follow chains.
func TestDevicesStepByStep(t *testing.T) {
	onDevices(t, func(t *testing.T, b compute.Backend) {
		for name, loss := range map[string]func(e ebm.Energy) ebm.Loss{
			"sorting": func(e ebm.Energy) ebm.Loss {
				return lossFunc(func(x *Node, rng *ebm.Rand, _ ...*Node) ebm.Terms {
					sorted := Sort(rng.Uniform(shapes.Make(x.DType(), x.Shape().Dimensions[0])), 0, true)
					return ebm.Terms{Loss: ReduceAllMean(Square(Sub(e.Energy(x), sorted)))}
				})
			},
			"chains": func(e ebm.Energy) ebm.Loss { return descents{e} },
			"the model's own noise": func(e ebm.Energy) ebm.Loss {
				return lossFunc(func(x *Node, _ *ebm.Rand, _ ...*Node) ebm.Terms {
					noise := e.(nn.MLP).Scope.RandomUniform(x.Graph(), shapes.Make(x.DType(), x.Shape().Dimensions[0]))
					return ebm.Terms{Loss: ReduceAllMean(Square(Sub(e.Energy(x), noise)))}
				})
			},
		} {
			train := func(devices int) *model.Store {
				store := model.NewStore()
				if _, err := ebm.Train(context.Background(), b, store, loss(nn.MLPEnergy(store.Scope("/energy"), 16)), moons(t),
					ebm.TrainOptions{Steps: 6, Devices: devices}); err != nil {
					t.Fatalf("%s: %+v", name, err)
				}
				return store
			}
			nearlySame(t, name, train(4), train(0))
		}
	})
}

func TestDevicesRefused(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		wants := map[string]ebm.TrainOptions{"ebm: TrainOptions.Devices must not be negative, got -1": {Devices: -1}}
		if b.Name() == "xla" && b.NumDevices() >= 4 {
			wants["ebm: TrainOptions.Devices must divide the rows of every batch, got 3 devices and a batch whose input 0 is (Float32)[32, 2]; "+
				"datasets.Batches leaves a short last batch out unless KeepPartial"] = ebm.TrainOptions{Devices: 3}
			wants["ebm: TrainOptions.Devices must divide the slots of the loss's buffer, got 4 devices and /contrastive_divergence/"] = ebm.TrainOptions{Devices: 4}
			wants["got 2 devices and a batch whose input 0 is (Float32)[11, 2]"] = ebm.TrainOptions{Devices: 2}
		}
		if b.NumDevices() < 5 {
			wants[fmt.Sprintf("ebm: TrainOptions.Devices must be at most the backend's %d, got 5; the backend is %q", b.NumDevices(), b.Name())] = ebm.TrainOptions{Devices: 5}
		}
		for want, o := range wants {
			store := model.NewStore()
			cd, data := moonsCD(store), moons(t)
			cd.Buffer = 66
			var loss ebm.Loss = cd
			if strings.Contains(want, "[11, 2]") { // a short last batch
				data.Data = &datasets.Data{Name: "short", Dim: 2, X: data.Data.X[:2*(2*32+11)]}
				data.KeepPartial, loss = true, slope(store)
			}
			o.Steps = 10
			if _, err := ebm.Train(context.Background(), b, store, loss, data, o); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}
