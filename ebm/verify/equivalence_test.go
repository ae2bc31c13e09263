package verify_test

import (
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/samplers"
	"github.com/goebm/goebm/ebm/verify"
)

// impure numbers its noise by the steps built so far, which differ from graph to graph, and not by the step.
type impure struct{ built *int32 }

func (k impure) Init(_ ebm.Env, x *Node) ebm.State { return ebm.State{x} }
func (k impure) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	*k.built++
	noise := env.Rand.At(Const(s[0].Graph(), *k.built)).Normal(s[0].Shape())
	return ebm.State{Add(MulScalar(s[0], 0.5), noise)}, ebm.Info{}
}

// overconfident gives acceptances above 1.
type overconfident struct{ samplers.HMC }

func (k overconfident) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	s, info := k.HMC.Step(env, s)
	info.Accept = AddScalar(info.Accept, 1)
	return s, info
}

func TestEquivalenceVerdicts(t *testing.T) {
	hmc := samplers.HMC{StepSize: ebm.Fixed(0.5), Leapfrog: 2}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			name   string
			kernel ebm.Kernel
			want   []string
		}{
			{"HMC", hmc, []string{"samplers.HMC: the same in one run, in pieces and unrolled (5 chains of Float32[2], 9 steps, ", "\nstate[0] ", "\nstate[2] ", "\nlimit "}},
			{"impure", impure{new(int32)}, []string{"NOT the same in one run, in pieces and unrolled: state[0] differs by ", "between one run and unrolled"}},
			{"acceptance above 1", overconfident{hmc}, []string{"acceptance is 1."}},
			{"no noise, no move", stay, []string{"another seed and another number of steps gave the same positions"}},
		} {
			r, err := verify.Equivalence{Backend: b, Kernel: c.kernel}.Run(t.Context())
			if c.name == "impure" && b.Name() != "xla" { // there the driver sees it first
				if err == nil || !strings.Contains(err.Error(), "a kernel must draw the same at every building") {
					t.Errorf("%s: error %v", c.name, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %+v", c.name, err)
			}
			if r.Passed() != (c.name == "HMC") {
				t.Errorf("%s: passed is %t", c.name, r.Passed())
			}
			for _, want := range c.want {
				if !strings.Contains(r.String(), want) {
					t.Errorf("%s: want %q, got %s", c.name, want, r)
				}
			}
		}
	})
}

func TestEquivalenceBadInput(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for want, c := range map[string]verify.Equivalence{
			"verify: Equivalence.Backend is nil":                              {Kernel: stay},
			"verify: Equivalence.Kernel is nil":                               {Backend: b},
			"verify: Equivalence.Event must hold positive sizes, got [-1]":    {Backend: b, Kernel: stay, Event: []int{-1}},
			"verify: Equivalence.DType must be Float32 or Float64, got Int32": {Backend: b, Kernel: stay, DType: dtypes.Int32},
			"HMC: Leapfrog must be at least 1":                                {Backend: b, Kernel: samplers.HMC{Leapfrog: -1}},
		} {
			if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}
