package ebm_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm/nn"
)

// seen tells an energy's conditioning: Σ x + 10·c + 100·log σ.
var seen = ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
	e := ReduceSum(x, -1)
	if len(cond) != 2 || cond[1].Rank() != 2 || cond[1].DType() != x.DType() {
		panic(fmt.Errorf("conditioning is %v", cond))
	}
	return Add(e, Add(MulScalar(cond[0], 10), MulScalar(Reshape(cond[1], -1), 100)))
})

func TestAtNoise(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x, c := tensors.FromValue([][]float64{{1, 2}, {3, 4}}), tensors.FromValue([]float64{5, 6})
		for sigma, level := range map[float64]float64{0: 0.01, math.E: math.E} {
			got, err := ebm.Evaluate(b, nil, ebm.AtNoise{Of: seen, Sigma: sigma}, x, c)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "row 0", got[0], 3+50+100*math.Log(level), 1e-11)
			near(t, "row 1", got[1], 7+60+100*math.Log(level), 1e-11)
		}
		each, err := CallOnce(b, func(x, c, sigma *Node) *Node { return seen(x, ebm.NoiseCond(x, sigma, c)...) },
			[][]float64{{1, 2}, {3, 4}}, []float64{5, 6}, []float64{1, math.E})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "a level for each row", each.Value().([]float64)[0], 53, 1e-14)
		near(t, "a level for each row", each.Value().([]float64)[1], 167, 1e-14)

		one := tensors.FromValue([][]float64{{1, 2}})
		for want, e := range map[string]ebm.Energy{
			"AtNoise: Sigma must be positive and finite, got -1":                                  ebm.AtNoise{Of: seen, Sigma: -1},
			"AtNoise: Sigma must be positive and finite, got NaN":                                 ebm.AtNoise{Of: seen, Sigma: math.NaN()},
			"AtNoise: Of: Energy: is nil":                                                         ebm.AtNoise{},
			"Preconditioned: Std must be positive and finite, got +Inf":                           ebm.AtNoise{Of: ebm.Preconditioned{Of: seen, Std: math.Inf(1)}},
			"Preconditioned: Of: Energy: is nil":                                                  ebm.AtNoise{Of: ebm.Preconditioned{}},
			"Preconditioned: the last conditioning must be log σ, [1, 1]; got 0 of them. AtNoise": ebm.Preconditioned{Of: seen},
		} {
			if _, err := ebm.Evaluate(b, nil, e, one); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: got the error %v, want %q", e, err, want)
			}
		}
		_, err = CallOnce(b, func(x, sigma *Node) *Node { return ebm.NoiseCond(x, sigma)[0] }, [][]float64{{1, 2}, {3, 4}}, []float64{1, 2, 3})
		if err == nil || !strings.Contains(err.Error(), "NoiseCond: sigma must be a scalar or one level for each of 2 rows, got (Float64)[3]") {
			t.Errorf("three levels for two rows: got the error %v", err)
		}
	})
}

func TestPreconditioned(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		// F = Σ x/r + 10·c + 100·log σ.
		x, c := tensors.FromValue([][]float64{{1, 2}, {-3, 4}}), tensors.FromValue([]float64{5, 6})
		const tau, sigma = 2., 0.5
		got, err := ebm.Evaluate(b, nil, ebm.AtNoise{Of: ebm.Preconditioned{Of: seen, Std: tau}, Sigma: sigma}, x, c)
		if err != nil {
			t.Fatal(err)
		}
		r2 := tau*tau + sigma*sigma
		near(t, "row 0", got[0], 5/(2*r2)+tau/sigma*(3/math.Sqrt(r2)+50+100*math.Log(sigma)), 1e-13)
		near(t, "row 1", got[1], 25/(2*r2)+tau/sigma*(1/math.Sqrt(r2)+60+100*math.Log(sigma)), 1e-13)

		store := model.NewStore()
		net := nn.MLP{Scope: store.Scope("/energy"), Widths: []int{4}}
		ebmtest.GradCheck(t, b, store, ebm.Preconditioned{Of: net, Std: tau}, [][]float64{{1, 2}, {-3, 4}}, [][]float64{{0.5}, {-1.5}})
		images := tensors.FromFlatDataAndDimensions([]float64{1, 2, -3, 4}, 2, 1, 2, 1)
		ebmtest.GradCheck(t, b, store, ebm.Preconditioned{Of: net, Std: tau}, images, [][]float64{{0.5}, {-1.5}})
	})
}
