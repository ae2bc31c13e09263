package losses

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
)

func TestFlowMatchingMatchesTorchEBM(t *testing.T) {
	raw, err := os.ReadFile("../testdata/parity/flow_matching.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Interpolant string
			Params      struct {
				BetaMin float64 `json:"beta_min"`
				BetaMax float64 `json:"beta_max"`
			}
			X0, X1   [][]float64
			T        []float64
			Loss     float64
			Gradient []json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 4 {
		t.Fatalf("%d cases, want 4", len(file.Cases))
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for i, c := range file.Cases {
			path := map[string]flow.Interpolant{"Linear": nil, "Cosine": flow.Cosine{}, "VariancePreserving": flow.VariancePreserving{BetaMin: c.Params.BetaMin, BetaMax: c.Params.BetaMax}}[c.Interpolant]
			store := model.NewStore()
			l := FlowMatching{Interpolant: path, Field: eqmField{store}}
			match := func(x0, x1, t *Node, cond []*Node) *Node { return l.match(x0, x1, t, nil, nil, cond) }
			loss, grad := eqmCompile(t, b, store, match)(c.X0, c.X1, c.T)
			eqmNear(t, fmt.Sprintf("case %d, %s: the loss", i, c.Interpolant), loss, c.Loss, 1e-12)
			for j, weights := range eqmWeights {
				for k, want := range eqmFlat(t, c.Gradient[j]) {
					eqmNear(t, fmt.Sprintf("case %d, %s: d loss/d%s[%d]", i, c.Interpolant, weights, k), grad[weights][k], want, 1e-11)
				}
			}
		}
	})
}
