package nn_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/internal/host"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// lastFirst turns pictures [n, channels, height, width] into [n, height, width, channels]; points stay.
func lastFirst(x *tensors.Tensor) *tensors.Tensor {
	d := x.Shape().Dimensions
	if len(d) != 4 {
		return x
	}
	flat := tensors.MustCopyFlatData[float32](x)
	out := make([]float32, len(flat))
	area := d[2] * d[3]
	for i := range d[0] {
		for c := range d[1] {
			for p := range area {
				out[(i*area+p)*d[1]+c] = flat[(i*d[1]+c)*area+p]
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(out, d[0], d[2], d[3], d[1])
}

// single reads numbers of JSON, in lists of lists, as a Float32 tensor.
func single(t *testing.T, raw json.RawMessage) *tensors.Tensor {
	t.Helper()
	for _, v := range []any{new([]float32), new([][]float32), new([][][][]float32)} {
		if json.Unmarshal(raw, v) != nil {
			continue
		}
		switch v := v.(type) {
		case *[]float32:
			return tensors.FromValue(*v)
		case *[][]float32:
			return tensors.FromValue(*v)
		case *[][][][]float32:
			return tensors.FromValue(*v)
		}
	}
	t.Fatalf("no numbers: %.40s", raw)
	return nil
}

// With TorchEBM's weights the networks give what it gives, with every option, and have as many weights.
func TestNetworksMatchTorchEBM(t *testing.T) {
	raw, err := os.ReadFile("../testdata/parity/networks.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Network, File string
			X, T, F       json.RawMessage
			Labels        []int32
			Cond          json.RawMessage
			Parameters    int
		}
		Counts []struct {
			Size              string
			Patch, Parameters int
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 5 || len(file.Counts) != 3 {
		t.Fatalf("%d cases and %d counts, want 5 and 3", len(file.Cases), len(file.Counts))
	}
	networks := map[string]func(scope *model.Scope) interface {
		ebm.Field
		LoadTorch(map[string]*tensors.Tensor) error
	}{}
	type network = interface {
		ebm.Field
		LoadTorch(map[string]*tensors.Tensor) error
	}
	networks["S/2"] = func(s *model.Scope) network {
		net := nn.Transformer(s, nn.Small, 2)
		net.Width, net.Depth, net.Heads, net.Classes = 16, 2, 2, 3
		return net
	}
	networks["B/4"] = func(s *model.Scope) network {
		net := nn.Transformer(s, nn.Base, 4)
		net.Width, net.Depth, net.Heads, net.MLPRatio, net.CondWidth, net.Classes, net.Channels = 16, 1, 4, 2, 8, 4, 3
		net.Positions, net.HeadWidth, net.HeadDepth, net.HeadHeads = nn.Learnt, 12, 1, 3
		return net
	}
	networks["no positions"] = func(s *model.Scope) network {
		return nn.ConditionalTransformer2D{Scope: s, Width: 8, Depth: 1, Heads: 1, Positions: nn.NoPositions}
	}
	networks["adaln"] = func(s *model.Scope) network { return nn.TimeConditionedMLP{Scope: s, Width: 16, Depth: 2, Classes: 3} }
	networks["concat"] = func(s *model.Scope) network {
		return nn.TimeConditionedMLP{Scope: s, Width: 16, Depth: 2, Concat: true, CondWidth: 8, Classes: 3}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range file.Cases {
			content, err := os.ReadFile("../testdata/parity/" + c.File)
			if err != nil {
				t.Fatal(err)
			}
			weights, err := nn.ReadSafetensors(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			store := model.NewStore()
			net := networks[c.Network](store.Scope("/net"))
			if err := net.LoadTorch(weights); err != nil {
				t.Fatal(err)
			}
			in := []any{lastFirst(single(t, c.X)), single(t, c.T)}
			if c.Labels != nil {
				in = append(in, c.Labels)
			}
			if string(c.Cond) != "null" {
				in = append(in, single(t, c.Cond))
			}
			// The B/4 case has other channels at its end, so it is no Field in the strict sense: build it bare.
			out := call(t, b, store, false, func(in []*Node) []*Node { return []*Node{Identity(net.Field(in[0], in[1], in[2:]...))} }, in...)[0]
			got, err := host.Floats(out)
			if err != nil {
				t.Fatal(err)
			}
			want, err := host.Floats(lastFirst(single(t, c.F)))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("%s: %d numbers, want %d", c.Network, len(got), len(want))
			}
			worst, size := 0.0, 1.0
			for i := range got {
				worst, size = max(worst, math.Abs(got[i]-want[i])), max(size, math.Abs(want[i]))
			}
			if !(worst <= 1e-5*size) {
				t.Errorf("%s: differs by %g of numbers up to %g", c.Network, worst, size)
			}
			if n := store.Scope("/net").NumParameters(); n != c.Parameters {
				t.Errorf("%s: %d weights, want %d", c.Network, n, c.Parameters)
			}
		}
	})
	sizes := map[string]nn.TransformerSize{"Small": nn.Small, "Base": nn.Base, "XLarge": nn.XLarge}
	b := pureGo(t)
	for _, c := range file.Counts {
		store := model.NewStore()
		net := nn.Transformer(store.Scope("/net"), sizes[c.Size], c.Patch)
		net.Classes = 1000
		g := NewGraph(b, "count") // only builds: no weight comes into being
		x := Parameter(g, "x", shapes.Make(dtypes.Float32, 2, 32, 32, 4))
		net.Field(x, Parameter(g, "t", shapes.Make(dtypes.Float32, 2)), Parameter(g, "y", shapes.Make(dtypes.Int32, 2)))
		if n := store.Scope("/net").NumParameters(); n != c.Parameters {
			t.Errorf("%s/%d: %d weights, want %d", c.Size, c.Patch, n, c.Parameters)
		}
		g.Finalize()
	}
}

// shaken gives every weight under a scope a value of its own, so that gates are open.
func shaken(t *testing.T, store *model.Store, scope string) {
	t.Helper()
	k := 0.0
	for v := range store.Scope(scope).IterVariables() {
		flat := make([]float64, v.Shape().Size())
		for i := range flat {
			k++
			flat[i] = 0.4 * math.Sin(k*k)
		}
		if err := v.SetValue(host.Tensor(v.Shape().DType, flat, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
}

// At the start blocks leave things as they are and networks are exactly 0; the energies of the fields have their gradients, and these have
// theirs, as training by them takes.
func TestTransformerEnergies(t *testing.T) {
	pictures := make([][][][]float64, 2)
	for i := range pictures {
		for r := range 4 {
			row := make([][]float64, 4)
			for c := range row {
				row[c] = []float64{math.Sin(float64(7*i + 3*r + c))}
			}
			pictures[i] = append(pictures[i], row)
		}
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		store := seeded(t, 5)
		net := nn.ConditionalTransformer2D{Scope: store.Scope("/net"), Width: 8, Depth: 1, Heads: 2, Classes: 2}
		out := call(t, b, store, false, func(in []*Node) []*Node {
			return []*Node{Identity(net.Field(in[0], ebm.ZeroTime(in[0]), in[1]))}
		}, pictures, []int32{0, 2})[0]
		for _, v := range tensors.MustCopyFlatData[float64](out) {
			if v != 0 {
				t.Fatalf("the network begins with %g, want 0", v)
			}
		}
		shaken(t, store, "/net")
		labels := []int32{1, 2}
		for name, e := range map[string]ebm.Energy{"dot": ebm.DotEnergy{Of: net}, "l2": ebm.L2Energy{Of: net}} {
			if name == "l2" && b.Name() == "xla" { // which compiles for half a minute, and dot's graph has the same parts
				continue
			}
			ebmtest.GradCheck(t, b, store, e, pictures, labels)
			slope := ebm.EnergyFunc(func(x *Node, cond ...*Node) *Node {
				_, grad := ebm.ValueGrad(e, x, cond...)
				return MulScalar(ReduceSum(Square(Reshape(grad, 2, 16)), 1), 0.5)
			})
			if name == "dot" && b.Name() != "xla" { // the graph is the same, and XLA compiles it for minutes
				ebmtest.GradCheck(t, b, store, slope, pictures, labels)
			}
		}
		points := [][]float64{{0.3, -1}, {1.2, 0.4}}
		mlp := nn.TimeConditionedMLP{Scope: store.Scope("/mlp"), Width: 8, Depth: 2}
		out = call(t, b, store, false, func(in []*Node) []*Node { return []*Node{Identity(mlp.Field(in[0], ebm.ZeroTime(in[0])))} }, points)[0]
		for _, v := range tensors.MustCopyFlatData[float64](out) {
			if v != 0 {
				t.Fatalf("the MLP begins with %g, want 0", v)
			}
		}
		shaken(t, store, "/mlp")
		ebmtest.GradCheck(t, b, store, ebm.DotEnergy{Of: mlp}, points)
	})
}

// Patches are cut in the order of reading and put back; positions are sines and cosines of the column, then of the row.
func TestPatchesAndPositions(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x := tensors.FromShape(shapes.Make(dtypes.Float64, 2, 4, 6, 3))
		noError(t, tensors.MutableFlatData(x, func(flat []float64) {
			for i := range flat {
				flat[i] = float64(i)
			}
		}))
		out := call(t, b, model.NewStore(), false, func(in []*Node) []*Node {
			p := nn.Patchify(in[0], 2)
			return []*Node{Identity(p), Identity(nn.Unpatchify(p, 2, 2, 3)), Identity(nn.SinCosPositions(in[0].Graph(), dtypes.Float64, 2, 3, 8))}
		}, x)
		if !out[1].Equal(x) {
			t.Error("patches do not give the picture back")
		}
		// The second patch of the first row: pixels (0, 2), (0, 3), (1, 2), (1, 3), three channels each.
		if got, want := fmt.Sprint(out[0].Value().([][][]float64)[0][1]), "[6 7 8 9 10 11 24 25 26 27 28 29]"; got != want {
			t.Errorf("the second patch is %s, want %s", got, want)
		}
		table := out[2].Value().([][]float64)
		sin, cos := math.Sincos(2 * 0.01)
		for i, want := range []float64{math.Sin(2), sin, math.Cos(2), cos, math.Sin(1), math.Sin(0.01), math.Cos(1), math.Cos(0.01)} {
			if math.Abs(table[5][i]-want) > 1e-15 { // row 1, column 2
				t.Errorf("position %d is %g, want %g", i, table[5][i], want)
			}
		}
	})
}

// byLabel is a field with a known answer: the label, everywhere.
var byLabel = ebm.FieldFunc(func(x, _ *Node, cond ...*Node) *Node {
	return Add(MulScalar(x, 0), Reshape(ConvertDType(cond[0], x.DType()), -1, 1))
})

// u + w(c − u), in one pass; 0 and 1 exactly; the first channels; an interval of times.
func TestGuided(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			guided nn.Guided
			want   string
		}{
			{nn.Guided{}, "[[3 3] [5 5]]"},
			{nn.Guided{Scale: 1}, "[[3 3] [5 5]]"},
			{nn.Guided{NoLabel: true}, "[[9 9] [9 9]]"},
			{nn.Guided{Scale: 2}, "[[-3 -3] [1 1]]"},
			{nn.Guided{Scale: 2, Channels: 1}, "[[-3 9] [1 9]]"},
			{nn.Guided{Scale: 2, Channels: 2}, "[[-3 -3] [1 1]]"},
			{nn.Guided{Scale: 2, From: 0.4, To: 0.9}, "[[3 3] [1 1]]"},
			{nn.Guided{Scale: -1}, "[[15 15] [13 13]]"},
		} {
			c.guided.Of, c.guided.Null = byLabel, 9
			out := call(t, b, model.NewStore(), false, func(in []*Node) []*Node { return []*Node{Identity(c.guided.Field(in[0], in[1], in[2]))} },
				[][]float64{{0.1, 0.2}, {0.3, 0.4}}, []float64{0.2, 0.5}, []int32{3, 5})[0]
			if got := fmt.Sprint(out.Value()); got != c.want {
				t.Errorf("%+v gives %s, want %s", c.guided, got, c.want)
			}
		}
	})
}

func TestTransformerErrors(t *testing.T) {
	b := pureGo(t)
	picture, points := shapes.Make(dtypes.Float32, 2, 4, 4, 1), shapes.Make(dtypes.Float32, 2, 3)
	labels, store := shapes.Make(dtypes.Int32, 2), model.NewStore()
	scope := store.Scope("/net")
	small := nn.ConditionalTransformer2D{Scope: scope, Width: 8, Depth: 1, Heads: 2}
	with := func(change func(*nn.ConditionalTransformer2D)) ebm.Field { net := small; change(&net); return net }
	for want, try := range map[string]struct {
		net  ebm.Field
		x    shapes.Shape
		cond []shapes.Shape
	}{
		"ConditionalTransformer2D: Scope is nil":                               {nn.ConditionalTransformer2D{}, picture, nil},
		"heads must divide the width, got 3 of 8":                              {with(func(n *nn.ConditionalTransformer2D) { n.Heads = 3 }), picture, nil},
		"4 must divide the Width for SinCos positions, got 6":                  {with(func(n *nn.ConditionalTransformer2D) { n.Width = 6 }), picture, nil},
		"sizes must not be negative":                                           {with(func(n *nn.ConditionalTransformer2D) { n.Depth = -1 }), picture, nil},
		"Positions must be SinCos, Learnt or NoPositions, got 7":               {with(func(n *nn.ConditionalTransformer2D) { n.Positions = 7 }), picture, nil},
		"with sides that patches of 3 divide, got (Float32)[2, 4, 4, 1]":       {with(func(n *nn.ConditionalTransformer2D) { n.Patch = 3 }), picture, nil},
		"x must be [n, height, width, channels]":                               {small, points, nil},
		"Classes must be set for labels":                                       {small, picture, []shapes.Shape{labels}},
		"vectors of conditioning must be [2, 8], got conditioning 0":           {small, picture, []shapes.Shape{shapes.Make(dtypes.Float32, 2, 5)}},
		"TimeConditionedMLP: Scope is nil":                                     {nn.TimeConditionedMLP{}, points, nil},
		"TimeConditionedMLP: sizes must not be negative":                       {nn.TimeConditionedMLP{Scope: scope, Width: -1}, points, nil},
		"TimeConditionedMLP: MLPRatio is for blocks":                           {nn.TimeConditionedMLP{Scope: scope, Concat: true, MLPRatio: 2}, points, nil},
		"Guided: Of is nil":                                                    {nn.Guided{}, points, nil},
		"Guided: want a finite Scale":                                          {nn.Guided{Of: byLabel, Scale: math.Inf(1)}, points, []shapes.Shape{labels}},
		"Guided: the conditioning has no labels, whole numbers, got 1 of cond": {nn.Guided{Of: byLabel, Scale: 2}, points, []shapes.Shape{points}},
	} {
		func() {
			defer func() {
				if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want an error with %q", err, want)
				}
			}()
			g := NewGraph(b, "bad")
			defer g.Finalize()
			var cond []*Node
			for i, s := range try.cond {
				cond = append(cond, Parameter(g, fmt.Sprint("c", i), s))
			}
			try.net.Field(Parameter(g, "x", try.x), Parameter(g, "t", shapes.Make(dtypes.Float32, 2)), cond...)
		}()
	}
	weights := map[string]*tensors.Tensor{"blocks.0.attn.qkv.weight": tensors.FromValue([][]float32{{1}}), "nonsense.weight": tensors.FromValue([]float32{1})}
	if err := small.LoadTorch(weights); err == nil || !strings.Contains(err.Error(), `the weight "nonsense.weight" has no place here`) {
		t.Errorf("LoadTorch of nonsense: %v", err)
	}
	for want, content := range map[string]string{
		"the header's length":                       "",
		"the header:":                               "\x05\x00\x00\x00\x00\x00\x00\x00{",
		"a header of 1099511627775 bytes":           "\xff\xff\xff\xff\xff\x00\x00\x00",
		`the type "U8" is none of`:                  safe(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "x"),
		"F32 [2] takes 8 bytes, but its place is":   safe(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, "12345678"),
		"the shape [-1] is not positive, or larger": safe(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, "1234"),
	} {
		if _, err := nn.ReadSafetensors(strings.NewReader(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadSafetensors: got %v, want an error with %q", err, want)
		}
	}
}

// safe is a file with this header and data.
func safe(header, data string) string {
	return string([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}) + header + data
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pureGo is the backend for what only builds graphs.
func pureGo(t *testing.T) compute.Backend {
	t.Helper()
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}
