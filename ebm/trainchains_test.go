package ebm_test

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/goebm/goebm/ebm/samplers"
)

// descents is a loss whose chains, without noise, can be run again in its graph: its loss is what trains the weights plus 1000 times how far
// the ends that Train brings are from those.
type descents struct{ energy ebm.Energy }

func (l descents) Loss(*Node, *ebm.Rand, ...*Node) ebm.Terms { panic("Train must call After") }

func (l descents) Chains() (ebm.Energy, ebm.Kernel, int) {
	return l.energy, samplers.GradientDescent{StepSize: ebm.Fixed(0.1)}, 5
}

func (l descents) Starts(x *Node, rng *ebm.Rand, _ ...*Node) (*Node, []*Node) {
	return Add(x, rng.Normal(x.Shape())), nil
}

func (l descents) After(ends, x *Node, rng *ebm.Rand, _ ...*Node) ebm.Terms {
	starts, _ := l.Starts(x, rng)
	_, kernel, steps := l.Chains()
	env := ebm.Env{Energy: l.energy, Step: Const(x.Graph(), int32(0)), Rand: rng}
	again, _ := ebm.Unroll(env, kernel, kernel.Init(env, starts), steps)
	off := ReduceAllMax(Abs(StopGradient(Sub(again[0], ends))))
	data := l.energy.Energy(x)
	return ebm.Terms{Loss: Add(ReduceAllMean(Square(AddScalar(data, -1))), MulScalar(off, 1000)), Data: data, Samples: ends}
}

// Chains that Train runs before a step begin where that step's noise says, and move on the weights as they stand.
func TestTrainRunsChains(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		var first, last float64
		_, err := ebm.Train(context.Background(), b, store, descents{nn.MLPEnergy(store.Scope("/energy"), 8)}, moons(t),
			ebm.TrainOptions{Epochs: 20, LearningRate: 0.02, Seed: 7, OnEpoch: func(epoch int, row ebm.TrainProgress) error {
				if epoch == 1 {
					first = row.Loss
				}
				last = row.Loss
				if !(row.Loss < 5) || math.IsNaN(row.Spread) {
					t.Errorf("epoch %d: the loss is %g, so the chains end elsewhere; spread %g", epoch, row.Loss, row.Spread)
				}
				return nil
			}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if !(last < first/2) {
			t.Errorf("the loss went from %g to %g: the weights are not trained", first, last)
		}
	})
}
