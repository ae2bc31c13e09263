package nn_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"
)

// A velocity of points in the plane that is told time and one of two labels. Label 2 is none. It starts at exactly 0.
func ExampleTimeConditionedMLP() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	store := model.NewStore()
	field := nn.TimeConditionedMLP{Scope: store.Scope("/field"), Width: 32, Depth: 2, Classes: 2}

	x, labels := tensors.FromValue([][]float32{{0, 1}, {2, 3}}), tensors.FromValue([]int32{1, 2})
	v := must.M1(ebm.EvaluateField(b, store, field, x, .5, labels))
	fmt.Println(v.Value(), "from", store.Scope("/field").NumParameters(), "weights")
	// Output: [[0 0] [0 0]] from 34690 weights
}

// A velocity of pictures of 8×8 pixels with ten classes: sizes of the paper's, or one's own.
func ExampleConditionalTransformer2D() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	store := model.NewStore()
	field := nn.Transformer(store.Scope("/field"), nn.Small, 2)         // the paper's S/2 …
	field.Width, field.Depth, field.Heads, field.Classes = 32, 2, 4, 10 // … made small

	pictures := tensors.FromShape(shapes.Make(dtypes.Float32, 3, 8, 8, 1))
	v := must.M1(ebm.EvaluateField(b, store, field, pictures, .5, tensors.FromValue([]int32{3, 7, 10}))) // 10 is no label
	fmt.Println(v.Shape(), "from", store.Scope("/field").NumParameters(), "weights")
	// Output: (Float32)[3, 8, 8, 1] from 49860 weights
}

// A block as it starts gives its tokens back, whatever it is told.
func ExampleAdaLNZeroBlock() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	store := model.NewStore()
	blocks := ebm.FieldFunc(func(h, _ *graph.Node, cond ...*graph.Node) *graph.Node {
		for i := range 3 {
			h = nn.AdaLNZeroBlock{Scope: store.Scope("/f").At("block_%d", i), Heads: 2}.Apply(h, cond[0])
		}
		return h
	})
	tokens := tensors.FromValue([][][]float32{{{1, 2, 3, 4}, {5, 6, 7, 8}}}) // [n, tokens, width]
	told := tensors.FromValue([][]float32{{.3, -2, 1}})
	fmt.Println(must.M1(ebm.EvaluateField(b, store, blocks, tokens, 0, told)).Value())
	// Output: [[[1 2 3 4] [5 6 7 8]]]
}

// Any network may be built of the parts: here one that is told a number beside the time.
func ExampleAdaLNZeroMLPBlock() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	store := model.NewStore()
	scope := store.Scope("/field")
	field := ebm.FieldFunc(func(x, t *graph.Node, cond ...*graph.Node) *graph.Node {
		c := graph.Add(nn.TimeEmbedding{Scope: scope.At("time"), Width: 8}.Embed(t), nn.TimeEmbedding{Scope: scope.At("number"), Width: 8}.Embed(cond[0]))
		h := nn.AdaLNZeroMLPBlock{Scope: scope.At("block")}.Apply(x, c)
		return nn.AdaLNZeroHead{Scope: scope.At("head"), Width: 2}.Apply(h, c)
	})
	v := must.M1(ebm.EvaluateField(b, store, field, tensors.FromValue([][]float32{{3, 4}}), .5, tensors.FromValue([]float32{20})))
	fmt.Println(v.Value())
	// Output: [[0 0]]
}

// A field with a value for each label, 1 and 3, and 2 for no label. Guidance goes on from the last past the others.
func ExampleGuided() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	values := ebm.FieldFunc(func(x, _ *graph.Node, cond ...*graph.Node) *graph.Node {
		table := graph.Const(x.Graph(), [][]float32{{1}, {3}, {2}})
		return graph.Gather(table, graph.ExpandAxes(cond[0], -1))
	})
	x, labels := tensors.FromValue([][]float32{{0}, {0}}), tensors.FromValue([]int32{0, 1})
	for _, f := range []nn.Guided{{NoLabel: true}, {Scale: 1}, {Scale: 4}, {Scale: 4, From: .2, To: .4}} {
		f.Of, f.Null = values, 2
		fmt.Println(must.M1(ebm.EvaluateField(b, nil, f, x, .5, labels)).Value())
	}
	// Output:
	// [[2] [2]]
	// [[1] [3]]
	// [[-2] [6]]
	// [[1] [3]]
}

// Pictures of one channel, 2×4 pixels, in two patches.
func ExamplePatchify() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	x := [][][][]float32{{{{1}, {2}, {3}, {4}}, {{5}, {6}, {7}, {8}}}} // [n, height, width, channels]
	patches := graph.MustExecOnce(b, func(x *graph.Node) *graph.Node { return nn.Patchify(x, 2) }, x)
	back := graph.MustExecOnce(b, func(x *graph.Node) *graph.Node { return nn.Unpatchify(x, 2, 1, 2) }, patches)
	fmt.Println(patches.Value())
	fmt.Println(back.Value())
	// Output:
	// [[[1 2 5 6] [3 4 7 8]]]
	// [[[[1] [2] [3] [4]] [[5] [6] [7] [8]]]]
}

// Two classes, and the row of the null label.
func ExampleLabelEmbedding() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	store := model.NewStore()
	labels := nn.LabelEmbedding{Scope: store.Scope("/labels"), Classes: 2, Width: 4}
	exec := must.M1(model.NewExec(b, store, func(_ *model.Scope, y, x *graph.Node) *graph.Node { return labels.Embed(y, x) }))
	defer exec.Finalize()
	rows := must.M1(exec.Call([]int32{0, 1, 2, 0}, []float32{0, 0, 0, 0}))[0].Value().([][]float32)
	fmt.Println(store.Scope("/labels").NumParameters(), "weights; equal labels, equal rows:", fmt.Sprint(rows[0]) == fmt.Sprint(rows[3]))
	// Output: 12 weights; equal labels, equal rows: true
}

// A file of one tensor, as PyTorch's models come: a length, a header in JSON, numbers.
func ExampleReadSafetensors() {
	header := `{"layer.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	for _, v := range []float32{1.5, -2} {
		file = binary.LittleEndian.AppendUint32(file, math.Float32bits(v))
	}
	weights := must.M1(nn.ReadSafetensors(bytes.NewReader(file)))
	fmt.Println(weights["layer.weight"].Shape(), weights["layer.weight"].Value())

	_, err := nn.ReadSafetensors(bytes.NewReader(file[:len(file)-1]))
	fmt.Println(err)
	// Output:
	// (Float32)[1, 2] [[1.5 -2]]
	// ReadSafetensors: "layer.weight": the shape [1 2] is not positive, or larger than the file
}

// Places on a grid of two columns, four numbers each: those of the column, then those of the row.
func ExampleSinCosPositions() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	table := graph.MustExecOnce(b, func(x *graph.Node) *graph.Node { return nn.SinCosPositions(x.Graph(), x.DType(), 1, 2, 4) }, float32(0))
	for _, row := range table.Value().([][]float32) {
		fmt.Printf("%.3f\n", row)
	}
	// Output:
	// [0.000 1.000 0.000 1.000]
	// [0.841 0.540 0.000 1.000]
}
