package losses_test

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/losses"
)

// shown is a loss that is the mean of its labels, the second conditioning, and passes them on.
type shown struct{ seen **Node }

func (l shown) Loss(x *Node, _ *ebm.Rand, cond ...*Node) ebm.Terms {
	*l.seen = cond[1]
	return ebm.Terms{Loss: ReduceAllMean(ConvertDType(cond[1], x.DType()))}
}

// The given share of the labels becomes the null label, the others and all other conditioning stay.
func TestDropLabels(t *testing.T) {
	const n = 4000
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, rate := range []float64{0, 0.3, 1} {
			out, err := CallOnce(b, func(key *Node) *Node {
				g := key.Graph()
				x, levels := Zeros(g, shapes.Make(dtypes.Float32, n, 2)), Zeros(g, shapes.Make(dtypes.Float32, n))
				labels := MulScalar(Ones(g, shapes.Make(dtypes.Int32, n, 1)), 2)
				var seen *Node
				losses.DropLabels{Of: shown{&seen}, Null: 7, Rate: rate}.Loss(x, ebm.NewRand(key, Const(g, int32(5))), levels, labels)
				return Identity(seen)
			}, []uint32{1, 2})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			dropped := 0.0
			for _, row := range out.Value().([][]int32) {
				switch row[0] {
				case 7:
					dropped += 1. / n
				case 2:
				default:
					t.Fatalf("a label became %d", row[0])
				}
			}
			want := rate
			if rate == 0 {
				want = 0.1
			}
			if math.Abs(dropped-want) > 5*math.Sqrt(want*(1-want)/n)+1e-9 {
				t.Errorf("rate %g: %g of the labels are dropped", rate, dropped)
			}
		}
		for want, try := range map[string]struct {
			loss losses.DropLabels
			cond []shapes.Shape
		}{
			"DropLabels: want a loss Of, and a Rate from 0 to 1, got <nil> and 0": {losses.DropLabels{}, nil},
			"and a Rate from 0 to 1, got losses_test.shown and 1.5":               {losses.DropLabels{Of: shown{}, Rate: 1.5}, nil},
			"the conditioning has no labels, whole numbers, got 1":                {losses.DropLabels{Of: shown{}}, []shapes.Shape{shapes.Make(dtypes.Float32, 3)}},
			"labels must be one whole number for each of 3 rows, got (Int32)[3 2": {losses.DropLabels{Of: shown{}}, []shapes.Shape{shapes.Make(dtypes.Int32, 3, 2)}},
		} {
			_, err := CallOnce(b, func(key *Node) *Node {
				g := key.Graph()
				var cond []*Node
				for _, s := range try.cond {
					cond = append(cond, Zeros(g, s))
				}
				return try.loss.Loss(Zeros(g, shapes.Make(dtypes.Float32, 3, 2)), ebm.NewRand(key, Const(g, int32(5))), cond...).Loss
			}, []uint32{1, 2})
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), ", ", " "), strings.ReplaceAll(want, ", ", " ")) {
				t.Errorf("got %v, want an error with %q", err, want)
			}
		}
	})
}
