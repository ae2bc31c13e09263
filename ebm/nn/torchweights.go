package nn

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// LoadTorch gives the network the weights of a TorchEBM model of the same sizes, a torchebm.models.DiT or ConditionalTransformer2D, by the names of
// its state_dict; [ReadSafetensors] reads them. Errors name weights that have no place here, or the wrong size; a weight that is missing
// keeps its start.
func (e ConditionalTransformer2D) LoadTorch(weights map[string]*tensors.Tensor) error {
	if err := e.Validate(); err != nil {
		return err
	}
	names := map[string]string{"patch_embed.proj": "patches", "head_proj": "widening"}
	for from, to := range map[string]string{"blocks": "block", "head_blocks": "head_block"} {
		for i := range max(e.withDefaults().Depth, e.HeadDepth) {
			a, b := fmt.Sprintf("%s.%d.", from, i), fmt.Sprintf("%s_%d/", to, i)
			maps.Copy(names, map[string]string{a + "attn.qkv": b + "qkv", a + "attn.out_proj": b + "out"})
			maps.Copy(names, blockNames(a, b))
		}
	}
	return loadTorch("ConditionalTransformer2D", e.Scope, names, weights)
}

// LoadTorch gives the network the weights of a torchebm.models.TimeConditionedMLP of the same sizes; see [ConditionalTransformer2D.LoadTorch].
func (e TimeConditionedMLP) LoadTorch(weights map[string]*tensors.Tensor) error {
	if err := e.Validate(); err != nil {
		return err
	}
	names := map[string]string{"stem": "stem"}
	depth := e.Depth
	if depth == 0 {
		depth = 3
	}
	for i := range depth {
		maps.Copy(names, blockNames(fmt.Sprintf("blocks.%d.", i), fmt.Sprintf("block_%d/", i)))
		names[fmt.Sprintf("net.%d", 2*i)] = fmt.Sprintf("hidden_%d", i)
	}
	names[fmt.Sprintf("net.%d", 2*depth)] = "output"
	return loadTorch("TimeConditionedMLP", e.Scope, names, weights)
}

// blockNames are the layers that both kinds of blocks have, under the prefixes a there and b here.
func blockNames(a, b string) map[string]string {
	return map[string]string{a + "mlp.net.0": b + "mlp/first", a + "mlp.net.3": b + "mlp/second", a + "modulation.1": b + "modulation"}
}

// loadTorch sets the variables under scope. names are those of linear layers, there and here, beside those that all networks have.
func loadTorch(kind string, scope *model.Scope, names map[string]string, weights map[string]*tensors.Tensor) error {
	names = maps.Clone(names)
	maps.Copy(names, map[string]string{"t_embedder.mlp.0": "time/first", "t_embedder.mlp.2": "time/second",
		"head.modulation.1": "head/modulation", "head.proj": "head/projection"})
	whole := map[string]string{"y_embedder.embedding.weight": "label/labels", "pos_embed": "positions"}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		value := weights[name]
		layer, last, _ := cutLast(name)
		path := whole[name]
		switch to := names[layer]; {
		case path != "":
		case to != "" && last == "weight":
			path = to + "/weights"
		case to != "" && last == "bias":
			path = to + "/biases"
		default:
			return errors.Errorf("%s: the weight %q has no place here", kind, name)
		}
		if err := setTorch(scope, path, value); err != nil {
			return errors.WithMessagef(err, "%s: the weight %q", kind, name)
		}
	}
	return nil
}

func cutLast(name string) (head, last string, found bool) {
	i := strings.LastIndex(name, ".")
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// setTorch sets a variable: matrices of layers are turned, [out, in] to [in, out], and so are convolutions, [out, channels, p, p] to
// [p·p·channels, out].
func setTorch(scope *model.Scope, path string, value *tensors.Tensor) error {
	if value == nil || !value.Ok() || value.DType() != dtypes.Float32 {
		return errors.New("want a tensor of Float32")
	}
	dims := value.Shape().Dimensions
	flat, err := tensors.CopyFlatData[float32](value)
	if err != nil {
		return err
	}
	turned := slices.Clone(flat)
	switch {
	case path == "positions" && len(dims) == 3: // [1, tokens, width]
		dims = dims[1:]
	case strings.HasSuffix(path, "/weights") && len(dims) == 2:
		out, in := dims[0], dims[1]
		for o := range out {
			for i := range in {
				turned[i*out+o] = flat[o*in+i]
			}
		}
		dims = []int{in, out}
	case strings.HasSuffix(path, "/weights") && len(dims) == 4:
		out, channels, area := dims[0], dims[1], dims[2]*dims[3]
		for o := range out {
			for c := range channels {
				for p := range area {
					turned[(p*channels+c)*out+o] = flat[(o*channels+c)*area+p]
				}
			}
		}
		dims = []int{area * channels, out}
	}
	full := model.JoinPath(scope.Scope(), path)
	tensor := tensors.FromFlatDataAndDimensions(turned, dims...)
	if v := scope.Store().GetVariable(full); v != nil {
		if want := shapes.Make(dtypes.Float32, dims...); !v.Shape().Equal(want) {
			return errors.Errorf("is %s, want %s", want, v.Shape())
		}
		return v.SetValue(tensor)
	}
	at := strings.LastIndex(full, "/")
	scope.Store().Scope(full[:max(at, 1)]).VariableWithValue(full[at+1:], tensor)
	return nil
}
