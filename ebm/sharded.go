package ebm

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
)

// shardedSteps runs a loop with the chains split over the mesh's devices by XLA's partitioner; the shared inputs, which come first, and
// the weights are on every device. Its results are the loop's: the step number, then the given number of values with a row a
// chain. It is a plain Exec: model.Exec would tie the weights to this one mesh, and the store to several devices, for good.
func (e *engine) shardedSteps(slot **Exec, build func(in []*Node) []*Node, args []any, shared, values int) ([]*tensors.Tensor, error) {
	whole := distributed.NewReplicatedShardingSpec(e.mesh)
	rows, err := distributed.BuildSpec(e.mesh).S("chains").Done()
	if err != nil {
		return nil, err
	}
	specs := slices.Concat(slices.Repeat([]*distributed.ShardingSpec{whole}, shared), slices.Repeat([]*distributed.ShardingSpec{rows}, len(args)-shared))
	results := append([]*distributed.ShardingSpec{whole}, slices.Repeat([]*distributed.ShardingSpec{rows}, values)...)
	if *slot == nil {
		exec, err := NewExec(e.s.backend, throwing(func(in []*Node) []*Node {
			model.SetStore(in[0], e.s.store)
			return build(in)
		}))
		if err != nil {
			return nil, err
		}
		*slot = exec.AutoSharding(e.mesh).WithInputShardingSpecs(specs...).
			WithOutputShardingSpecs(results...).SetSideParamsHook(e.feedWeights)
	}
	split, free, err := shardAll(specs, args)
	defer free()
	if err != nil {
		return nil, err
	}
	defer e.releaseWeights()
	shards, err := (*slot).Call(split...)
	if err != nil {
		return nil, err
	}
	defer release(shards)
	out := make([]*tensors.Tensor, 1+values)
	for i := range out {
		parts := make([]*tensors.Tensor, e.mesh.NumDevices())
		for d := range parts {
			parts[d] = shards[d*len(out)+i]
		}
		if out[i], err = merge(results[i], parts); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// shardAll splits the arguments of a call among devices; free frees the parts.
func shardAll(specs []*distributed.ShardingSpec, args []any) (parts []any, free func(), err error) {
	var made []*dtensor.Tensor
	free = func() {
		for _, t := range made {
			_ = t.Finalize()
		}
	}
	for i, arg := range args {
		t, ok := arg.(*tensors.Tensor)
		if !ok {
			if t, err = tensors.FromAnyValue(arg); err != nil {
				return nil, free, err
			}
		}
		shards, err := dtensor.ShardTensor(specs[i], t)
		if err != nil {
			return nil, free, err
		}
		made, parts = append(made, shards), append(parts, shards)
	}
	return parts, free, nil
}

// merge makes one tensor of the devices' parts, or of the first of their copies.
func merge(spec *distributed.ShardingSpec, parts []*tensors.Tensor) (*tensors.Tensor, error) {
	shards, err := dtensor.NewTensor(spec, parts)
	if err != nil {
		return nil, err
	}
	return shards.Merge()
}

// feedWeights gives every device a copy of the weights, as they are in the store.
func (e *engine) feedWeights(g *Graph, inputs []compute.Buffer, _ []bool) error {
	if err := e.s.store.InitializeVariables(e.s.backend, nil); err != nil {
		return err
	}
	for _, v := range e.plan.weights {
		value, err := v.Value()
		if err != nil {
			return err
		}
		at := int(v.NodeValue(g).GetParameterHandle())
		for d := range e.mesh.NumDevices() {
			weights, err := value.LocalClone()
			if err != nil {
				return err
			}
			e.weights = append(e.weights, weights)
			if inputs[d*g.NumParameters()+at], err = weights.Buffer(e.s.backend, compute.DeviceNum(d)); err != nil {
				return err
			}
		}
	}
	return nil
}

// releaseWeights frees the devices' copies of the weights.
func (e *engine) releaseWeights() {
	release(e.weights)
	e.weights = nil
}
