package ebm_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

func finalized() *tensors.Tensor {
	t := tensors.FromValue([][]float32{{1, 2}, {3, 4}})
	t.MustFinalizeAll()
	return t
}

// Every bad option is refused with an error that names it and its value.
func TestBadOptions(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	start := tensors.FromValue([][]float32{{1, 2}, {3, 4}})
	cases := []struct {
		want string
		o    ebm.Options
	}{
		{"ebm: Options.Steps must be positive, got 0", ebm.Options{Chains: 1, Dim: 1}},
		{"ebm: Options.Steps must not be negative, got -1", ebm.Options{Chains: 1, Dim: 1, Steps: -1}},
		{"ebm: Options.Chains must be positive, got 0", ebm.Options{Dim: 1, Steps: 1}},
		{"ebm: Options.Chains must not be negative, got -2", ebm.Options{Chains: -2, Dim: 1, Steps: 1}},
		{"ebm: Options.Dim must not be negative, got -3", ebm.Options{Chains: 1, Dim: -3, Steps: 1}},
		{"ebm: Options.BurnIn must not be negative, got -1", ebm.Options{Chains: 1, Dim: 1, Steps: 1, BurnIn: -1}},
		{"ebm: Options.Thin must not be negative, got -1", ebm.Options{Chains: 1, Dim: 1, Steps: 1, Thin: -1}},
		{"ebm: Options.Thin must be at most Options.Steps = 4, got 5", ebm.Options{Chains: 1, Dim: 1, Steps: 4, Thin: 5}},
		{"ebm: Options.Devices must not be negative, got -1", ebm.Options{Chains: 1, Dim: 1, Steps: 1, Devices: -1}},
		{"ebm: Options.Devices must divide the number of chains 3, got 2", ebm.Options{Chains: 3, Dim: 1, Steps: 1, Devices: 2}},
		{"ebm: Options.Steps, BurnIn and the steps of Resume together must stay below 2³¹, got 2147483648", ebm.Options{Chains: 1, Dim: 1, Steps: math.MaxInt32, BurnIn: 1}},
		{"ebm: Options.Steps, BurnIn and the steps of Resume together must stay below 2³¹, got 2147483648",
			ebm.Options{Resume: &ebm.Checkpoint{Step: math.MaxInt32, State: []*tensors.Tensor{start}}, Steps: 1}},
		{"ebm: Options.Dim and Options.Event say the same thing: give one, got 2 and [3 4]", ebm.Options{Chains: 1, Dim: 2, Event: []int{3, 4}, Steps: 1}},
		{"ebm: Options.Event must hold positive sizes, got [3 0]", ebm.Options{Chains: 1, Event: []int{3, 0}, Steps: 1}},
		{"ebm: Options.Dim or Options.Event must say the shape of a chain's position, or Start give it; got none", ebm.Options{Chains: 1, Steps: 1}},
		{"ebm: Options.Dim or Options.Event must say the shape of a chain's position, or Start give it; got none", ebm.Options{Chains: 1, Event: []int{}, Steps: 1}},
		{"ebm: Options.Chains 65536 of shape [65536] are too many numbers: at most 2³¹", ebm.Options{Chains: 65536, Dim: 65536, Steps: 1}},
		{"ebm: Options.Chains 1 of shape [4611686018427387904 4] are too many numbers: at most 2³¹", ebm.Options{Chains: 1, Event: []int{1 << 62, 4}, Steps: 1}},
		{"ebm: Options.DType must be Float32 or Float64, got Int32", ebm.Options{Chains: 1, Dim: 1, Steps: 1, DType: dtypes.Int32}},
		{"ebm: Options.DType must be Float32 or Float64, got BFloat16", ebm.Options{Chains: 1, Dim: 1, Steps: 1, DType: dtypes.BFloat16}},
		{"ebm: Options.Start is Float32, but DType says Float64", ebm.Options{Start: start, Steps: 1, DType: dtypes.Float64}},
		{"ebm: Options.Start must be Float32 or Float64, got Int64", ebm.Options{Start: tensors.FromValue([][]int64{{1}}), Steps: 1}},
		{"ebm: Options.Start must be [rows, event...] with at least one row, got (Float32)[2]", ebm.Options{Start: tensors.FromValue([]float32{1, 2}), Steps: 1}},
		{"ebm: Options.Start must be finite, got NaN in row 1", ebm.Options{Start: tensors.FromValue([][]float32{{1, 2}, {3, nan}}), Steps: 1}},
		{"ebm: Options.Start must be finite, got -Inf in row 0", ebm.Options{Start: tensors.FromValue([][]float32{{inf, 2}, {3, 4}}), Steps: 1}},
		{"ebm: Options.Start is a tensor that was finalized", ebm.Options{Start: finalized(), Steps: 1}},
		{"ebm: Options.Start has 2 rows, but Chains is 3", ebm.Options{Start: start, Chains: 3, Steps: 1}},
		{"ebm: Options.Start has rows of shape [2], but Dim or Event says [3]", ebm.Options{Start: start, Dim: 3, Steps: 1}},
		{"ebm: Options.Start and Options.Data both say where chains begin: give one", ebm.Options{Start: start, Data: start, Chains: 2, Steps: 1}},
		{"ebm: Options.Data has rows of shape [2], but Dim or Event says [2 1]", ebm.Options{Data: start, Chains: 5, Event: []int{2, 1}, Steps: 1}},
		{"ebm: Options.Data must be finite, got NaN in row 0", ebm.Options{Data: tensors.FromValue([][]float64{{math.NaN()}}), Chains: 5, Steps: 1}},
		{"ebm: Options.Chains must be positive, got 0", ebm.Options{Data: start, Steps: 1}},
		{"ebm: Options.Cond[0] must have one row for each of 2 chains, got (Float32)[3]", ebm.Options{Start: start, Cond: []*tensors.Tensor{tensors.FromValue([]float32{1, 2, 3})}, Steps: 1}},
		{"ebm: Options.Cond[1] must have one row for each of 2 chains, got (Float32)", ebm.Options{Start: start, Cond: []*tensors.Tensor{start, tensors.FromValue(float32(1))}, Steps: 1}},
		{"ebm: Options.Cond[0] must have one row for each of 2 chains, got nil", ebm.Options{Start: start, Cond: []*tensors.Tensor{nil}, Steps: 1}},
		{"ebm: Options.Cond[0] must have one row for each of 2 chains, got a tensor that was finalized", ebm.Options{Start: start, Cond: []*tensors.Tensor{finalized()}, Steps: 1}},
		{"ebm: Options.Resume brings its own chains: Start, Data, Chains, Dim, Event, Seed, Cond and BurnIn must be left out",
			ebm.Options{Resume: &ebm.Checkpoint{State: []*tensors.Tensor{start}}, Chains: 2, Steps: 1}},
		{"ebm: Options.Resume: a checkpoint must hold a state and a step ≥ 0, got 0 state values and step 0", ebm.Options{Resume: &ebm.Checkpoint{}, Steps: 1}},
		{"ebm: Options.Resume: a checkpoint must hold a state and a step ≥ 0, got 1 state values and step -1", ebm.Options{Resume: &ebm.Checkpoint{Step: -1, State: []*tensors.Tensor{start}}, Steps: 1}},
		{"ebm: Options.Resume: value 1 of the checkpoint's 2 was finalized or is nil", ebm.Options{Resume: &ebm.Checkpoint{State: []*tensors.Tensor{start, finalized()}}, Steps: 1}},
		{"ebm: Options.Resume: value 0 of the checkpoint's 1 was finalized or is nil", ebm.Options{Resume: &ebm.Checkpoint{State: []*tensors.Tensor{nil}}, Steps: 1}},
		{"ebm: Options.Resume: state[0] must be Float32 or Float64 positions [chains, event...], got (Int32)", ebm.Options{Resume: &ebm.Checkpoint{State: []*tensors.Tensor{tensors.FromValue(int32(1))}}, Steps: 1}},
		{"ebm: Options.Resume is Float32, but DType says Float64", ebm.Options{Resume: &ebm.Checkpoint{State: []*tensors.Tensor{start}}, DType: dtypes.Float64, Steps: 1}},
		{"ebm: Options.Resume holds 1 state values, but ebm_test.walk carries 2", ebm.Options{Resume: &ebm.Checkpoint{State: []*tensors.Tensor{start}}, Steps: 1}},
		{"ebm: Options.Resume: state[1] is (Float32)[2, 2], but ebm_test.walk carries (Float32)[2] there", ebm.Options{Resume: &ebm.Checkpoint{State: []*tensors.Tensor{start, start}}, Steps: 1}},
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		s := newSampler(t, b, nil, bowl, walk{1})
		for _, c := range cases {
			if out, err := s.Sample(context.Background(), c.o); err == nil || err.Error() != c.want || out != nil {
				t.Errorf("got %v and error\n%v, want\n%s", out, err, c.want)
			}
		}
		var none context.Context
		if _, err := s.Sample(none, ebm.Options{Chains: 1, Dim: 1, Steps: 1}); err == nil || err.Error() != "ebm: Sampler.Sample: the context is nil" {
			t.Errorf("without a context: error %v", err)
		}
	})
}

// broken is a kernel of which the test says what it does.
type broken struct {
	init func(env ebm.Env, x *Node) ebm.State
	step func(env ebm.Env, s ebm.State) (ebm.State, ebm.Info)
}

func (k broken) Init(env ebm.Env, x *Node) ebm.State {
	if k.init == nil {
		return ebm.State{x}
	}
	return k.init(env, x)
}

func (k broken) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) { return k.step(env, s) }

// Kernels that break the contract, and energies that are no energies, are told so; nothing escapes as a panic.
func TestNothingPanics(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		var stolen *Node
		stay := func(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) { return s, ebm.Info{} }
		energies := map[string]ebm.Energy{
			"must be one Float32 a row, [4], got (Float32)[4, 2]": ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return Square(x) }),
			"must be one Float32 a row, [4], got (Float32)":       ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return ReduceAllSum(x) }),
			"must be one Float32 a row, [4], got (Float64)[4]":    ebm.EnergyFunc(func(x *Node, _ ...*Node) *Node { return ConvertDType(ReduceSum(x, -1), dtypes.Float64) }),
			"the cat is out":                         ebm.EnergyFunc(func(*Node, ...*Node) *Node { panic("the cat is out") }),
			"42":                                     ebm.EnergyFunc(func(*Node, ...*Node) *Node { panic(42) }),
			"a wrapped error":                        ebm.EnergyFunc(func(*Node, ...*Node) *Node { panic(errors.New("a wrapped error")) }),
			"nil pointer":                            ebm.EnergyFunc(nil),
			"invalid memory address":                 ebm.Net{},
			"index out of range":                     ebm.EnergyFunc(func(_ *Node, cond ...*Node) *Node { return cond[0] }),
			"the energy of x (Float32)[4, 2] is nil": ebm.EnergyFunc(func(*Node, ...*Node) *Node { return nil }),
		}
		for want, energy := range energies {
			s := newSampler(t, b, nil, energy, drift{})
			out, err := s.Sample(context.Background(), ebm.Options{Chains: 4, Dim: 2, Steps: 3})
			if err == nil || out != nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Sample: got error %v, want one with %q", err, want)
			}
			if _, err := ebm.Evaluate(b, nil, energy, grid(dtypes.Float32, 4, 2)); err == nil {
				t.Errorf("Evaluate gave no error where Sample says %q", want)
			}
			if _, err := ebm.OnHost(b, nil, energy, 2)([]float32{1, 2, 3, 4}); err == nil {
				t.Errorf("OnHost gave no error where Sample says %q", want)
			}
		}
		for want, k := range map[string]broken{
			"Init gives 1 state values and Step 2; want the same number, at least 1": {step: func(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) { return ebm.State{s[0], s[0]}, ebm.Info{} }},
			"Init gives 0 state values and Step 0":                                   {init: func(ebm.Env, *Node) ebm.State { return nil }, step: stay},
			"Step turned state[0] from (Float32)[4, 2] into (Float32)[4]":            {step: func(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) { return ebm.State{ReduceSum(s[0], -1)}, ebm.Info{} }},
			"state[0] must be the position (Float32)[4, 2], got (Float32)[4]":        {init: func(_ ebm.Env, x *Node) ebm.State { return ebm.State{ReduceSum(x, -1)} }, step: stay},
			"Info.Accept must be one Float32 a chain, [4], got (Float32)[4, 2]":      {step: func(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) { return s, ebm.Info{Accept: s[0]} }},
			"Info.Accept must be one Float32 a chain, [4], got (Float32)":            {step: func(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) { return s, ebm.Info{Accept: ReduceAllSum(s[0])} }},
			"no steps today":                               {step: func(ebm.Env, ebm.State) (ebm.State, ebm.Info) { panic("no steps today") }},
			"invalid memory address or nil pointer":        {},
			"index out of range [1]":                       {step: func(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) { return ebm.State{s[1]}, ebm.Info{} }},
			"Rand.Intn: n must be from 1 to 65536, got -1": {step: func(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) { env.Rand.Intn(-1, 4); return s, ebm.Info{} }},
			"raph": { // what Init keeps for Step belongs to another graph, or to no part of the loop
				init: func(_ ebm.Env, x *Node) ebm.State { stolen = MulScalar(x, 2); return ebm.State{x} },
				step: func(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) { return ebm.State{Add(s[0], stolen)}, ebm.Info{} },
			},
		} {
			s := newSampler(t, b, nil, bowl, k)
			out, err := s.Sample(context.Background(), ebm.Options{Chains: 4, Dim: 2, Steps: 3})
			if err == nil || out != nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v and error %v, want one with %q", out, err, want)
			}
		}
		s := newSampler(t, b, nil, bowl, walk{1})
		_, err := s.Sample(context.Background(), ebm.Options{Chains: 4, Dim: 2, Steps: 3, Progress: func(ebm.Progress) { panic("no time") }})
		if err == nil || !strings.Contains(err.Error(), "no time") {
			t.Errorf("a callback that panics: error %v", err)
		}
		x := grid(dtypes.Float32, 4, 2)
		for want, call := range map[string]func() error{
			"ebm: NewSampler: the backend is nil":                                                 func() error { _, err := ebm.NewSampler(nil, nil, bowl, drift{}); return err },
			"ebm: NewSampler: the energy is nil":                                                  func() error { _, err := ebm.NewSampler(b, nil, nil, drift{}); return err },
			"ebm: NewSampler: the kernel is nil":                                                  func() error { _, err := ebm.NewSampler(b, nil, bowl, nil); return err },
			"ebm: Evaluate: the backend is nil":                                                   func() error { _, err := ebm.Evaluate(nil, nil, bowl, x); return err },
			"ebm: Evaluate: the energy is nil":                                                    func() error { _, err := ebm.Evaluate(b, nil, nil, x); return err },
			"ebm: Evaluate: x is nil":                                                             func() error { _, err := ebm.Evaluate(b, nil, bowl, nil); return err },
			"ebm: Evaluate's x is a tensor that was finalized":                                    func() error { _, err := ebm.Evaluate(b, nil, bowl, finalized()); return err },
			"ebm: Evaluate's x must be [rows, event...] with at least one row, got (Float32)":     func() error { _, err := ebm.Evaluate(b, nil, bowl, tensors.FromValue(float32(1))); return err },
			"ebm: Evaluate's cond[0] must have one row for each of 4 points, got (Float32)[3, 2]": func() error { _, err := ebm.Evaluate(b, nil, bowl, x, grid(dtypes.Float32, 3, 2)); return err },
			"ebm: Evaluate's cond[0] must have one row for each of 4 points, got nil":             func() error { _, err := ebm.Evaluate(b, nil, bowl, x, nil); return err },
			"ebm: OnHost: want points of 2 numbers each, got 3 numbers":                           func() error { _, err := ebm.OnHost(b, nil, bowl, 2)([]float32{1, 2, 3}); return err },
			"ebm: OnHost: want points of 0 numbers each, got 3 numbers":                           func() error { _, err := ebm.OnHost(b, nil, bowl, 0)([]float32{1, 2, 3}); return err },
			"ebm: OnHost: want points of 2 numbers each, got 0 numbers":                           func() error { _, err := ebm.OnHost(b, nil, bowl, 2)(nil); return err },
			"ebm: Evaluate's x must be finite, got NaN in row 1":                                  func() error { _, err := ebm.OnHost(b, nil, bowl, 1)([]float32{1, float32(math.NaN())}); return err },
			"invalid memory address": func() error { // a sampler that NewSampler did not make
				_, err := new(ebm.Sampler).Sample(context.Background(), ebm.Options{Chains: 1, Dim: 1, Steps: 1})
				return err
			},
		} {
			if err := call(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v, want %q", err, want)
			}
		}
	})
}

// Whatever the options, Sample gives samples of the right shape or an error that says which option is at fault.
func FuzzOptions(f *testing.F) {
	f.Add(4, 2, 0, 0, 3, 1, 1, 0, uint64(1), false, false, byte(0))
	f.Add(-1, 2, 0, 0, 3, 1, 1, 0, uint64(1), true, true, byte(1))
	f.Add(0, 0, 2, 3, 9, 2, 4, 1, uint64(1)<<63, true, false, byte(2))
	f.Add(3, 0, 0, 1, 1, 0, 0, 2, uint64(0), false, true, byte(3))
	f.Add(math.MaxInt, math.MaxInt, 0, 0, math.MaxInt, math.MaxInt, math.MinInt, 9, uint64(0), true, true, byte(4))
	f.Add(2, 2, -1, 1<<62, 5, 5, 5, 5, uint64(3), true, true, byte(5))
	f.Add(2, 0, 0, 0, 5, 0, 5, 1, uint64(3), true, true, byte(6))
	f.Add(1, 1, 0, 0, 7, 0, 0, 1, uint64(3), false, true, byte(7))
	b, err := backend.Open("go")
	if err != nil {
		f.Fatal(err)
	}
	s, err := ebm.NewSampler(b, nil, bowl, walk{1})
	if err != nil {
		f.Fatal(err)
	}
	other := []*tensors.Tensor{
		nil, finalized(), tensors.FromValue([][]float32{{1, 2}, {3, 4}}), tensors.FromValue([]float64{1}),
		tensors.FromValue([][]float32{{float32(math.NaN())}}), tensors.FromValue([][]float64{{1}, {2}, {3}}), tensors.FromValue(true),
	}
	f.Fuzz(func(t *testing.T, chains, dim, event0, event1, steps, burnIn, thin, devices int, seed uint64, trajectory, summaries bool, extra byte) {
		o := ebm.Options{Chains: chains, Dim: dim, Steps: steps, BurnIn: burnIn, Thin: thin, Devices: devices, Seed: seed, Trajectory: trajectory, Summaries: summaries}
		if event0 != 0 || event1 != 0 {
			o.Event = []int{event0, event1}
		}
		x := other[int(extra>>3)%len(other)]
		switch extra % 8 {
		case 1:
			o.Start = x
		case 2:
			o.Data = x
		case 3:
			o.Cond = []*tensors.Tensor{x}
		case 4:
			o.Resume = &ebm.Checkpoint{Step: burnIn, Seed: seed, State: []*tensors.Tensor{x, x}, Cond: o.Cond}
		case 5:
			o.DType = dtypes.DType(chains)
		case 6:
			o.DType = dtypes.Float64
		}
		// Refused is refused at once; what is accepted must be small enough to run here.
		for _, n := range []int{chains, dim, event0, event1, steps, burnIn} {
			if n > 64 && n < math.MaxInt32 {
				t.Skip("too long to run")
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o.Progress = func(p ebm.Progress) {
			if p.Step > 200 {
				cancel()
			}
		}
		out, err := s.Sample(ctx, o)
		if err != nil && ctx.Err() == nil {
			if !strings.HasPrefix(err.Error(), "ebm: Options.") {
				t.Errorf("%+v: error %v", o, err)
			}
			return
		}
		if rows := out.X.Shape().Dimensions[0]; chains != 0 && rows != chains {
			t.Errorf("%d chains of %d", rows, chains)
		}
		for i, v := range numbers(t, out.X) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("number %d is %g", i, v)
			}
		}
	})
}

func ExampleOptions() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	s, err := ebm.NewSampler(b, nil, ebm.Harmonic{}, walk{scale: 1})
	if err != nil {
		panic(err)
	}
	out, err := s.Sample(context.Background(), ebm.Options{
		Chains: 100, Event: []int{8, 8, 1}, // images
		BurnIn: 20, Steps: 50, Thin: 10, Trajectory: true, Summaries: true,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(out.X.Shape(), out.Trajectory.Shape(), out.Summary.Step)
	_, err = s.Sample(context.Background(), ebm.Options{Chains: 100, Dim: 2, Steps: 50, Thin: 60})
	fmt.Println(err)
	// Output:
	// (Float32)[100, 8, 8, 1] (Float32)[100, 5, 8, 8, 1] [30 40 50 60 70]
	// ebm: Options.Thin must be at most Options.Steps = 50, got 60
}
