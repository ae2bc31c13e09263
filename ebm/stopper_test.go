package ebm_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// countdown takes 1 from each chain's number until it is below 1, and tells an acceptance of ½.
type countdown struct{}

func (countdown) Init(_ ebm.Env, x *Node) ebm.State {
	below := countdown{}.below(x)
	return ebm.State{x, MulScalar(ConvertDType(below, dtypes.Int32), 0), below}
}

func (countdown) Step(_ ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	x, steps, stopped := s[0], s[1], s[2]
	next := Where(stopped, x, AddScalar(x, -1))
	steps = Add(steps, ConvertDType(Not(stopped), dtypes.Int32))
	half := AddScalar(MulScalar(ReduceSum(x, 1), 0), 0.5)
	return ebm.State{next, steps, countdown{}.below(next)}, ebm.Info{Accept: half}
}

func (countdown) Stopped(s ebm.State) (stopped, steps *Node) { return s[2], s[1] }

func (countdown) below(x *Node) *Node {
	return LessThan(ReduceSum(x, 1), ScalarOne(x.Graph(), x.DType()))
}

// Where all chains have stopped, so has the run: at the same step however it is cut up and on however many devices, with
// the samples that all the steps give.
func TestStopperEndsTheRun(t *testing.T) {
	wantSteps, wantX := []int{0, 3, 11, 7}, []float64{0.25, 0.25, 0.75, 0}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		start := tensors.FromValue([][]float64{{0.25}, {3.25}, {11.75}, {7}})
		s := newSampler(t, b, nil, bowl, countdown{})
		check := func(what string, out *ebm.Samples, step int) {
			t.Helper()
			alike(t, what, numbers(t, out.X), wantX, 0)
			if out.Checkpoint.Step != step || !slices.Equal(out.Steps, wantSteps) {
				t.Errorf("%s: ended at step %d with %v steps of the chains, want %d and %v", what, out.Checkpoint.Step, out.Steps, step, wantSteps)
			}
		}
		var last ebm.Progress
		out := sample(t, s, ebm.Options{Start: start, Steps: 1000, Progress: func(p ebm.Progress) { last = p }})
		check("in one run", out, 11)
		if last.Step != 11 || last.Steps != 11 || last.Accept != 0.5 || out.Accept != 0.5 {
			t.Errorf("the last progress is %+v, acceptance %g; want 11 of 11 steps and ½", last, out.Accept)
		}
		for _, first := range []int{1, 8, 10, 11} {
			part := sample(t, s, ebm.Options{Start: start, Steps: first})
			if part.Checkpoint.Step != first {
				t.Errorf("%d steps: ended at step %d", first, part.Checkpoint.Step)
			}
			rest := sample(t, s, ebm.Options{Resume: part.Checkpoint, Steps: 100})
			check(fmt.Sprintf("resumed after %d steps", first), rest, 11)
			if ended := first == 11; ended != math.IsNaN(rest.Accept) {
				t.Errorf("resumed after %d steps: acceptance %g", first, rest.Accept)
			}
		}
		check("with burn-in", sample(t, s, ebm.Options{Start: start, BurnIn: 9, Steps: 100}), 11)
		check("over in burn-in", sample(t, s, ebm.Options{Start: start, BurnIn: 20, Steps: 100, Trajectory: true}), 11)

		out = sample(t, s, ebm.Options{Start: start, Steps: 1000, Thin: 4, Trajectory: true, Summaries: true})
		check("with a trajectory", out, 11)
		if got := out.Summary.Step; !slices.Equal(got, []int{4, 8, 11}) || !slices.Equal(out.Summary.Accept, []float64{0.5, 0.5, 0.5}) {
			t.Errorf("rows of steps %v with acceptances %v, want 4, 8, 11 and ½", got, out.Summary.Accept)
		}
		alike(t, "the trajectory", numbers(t, out.Trajectory), []float64{0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 7.75, 3.75, 0.75, 3, 0, 0}, 0)

		none := sample(t, s, ebm.Options{Start: tensors.FromValue([][]float64{{0.5}, {-2}, {0}, {0.75}}), Steps: 5})
		if none.Checkpoint.Step != 0 || !slices.Equal(none.Steps, []int{0, 0, 0, 0}) {
			t.Errorf("chains that have stopped where they start took %d steps, %v", none.Checkpoint.Step, none.Steps)
		}

		type hidden struct{ ebm.Kernel } // no Stopper: all steps are taken
		all := sample(t, newSampler(t, b, nil, bowl, hidden{countdown{}}), ebm.Options{Start: start, Steps: 40})
		if all.Checkpoint.Step != 40 || all.Steps != nil {
			t.Errorf("a kernel that is no Stopper ended at step %d with %v", all.Checkpoint.Step, all.Steps)
		}
		for i, want := range all.Checkpoint.State {
			if !want.Equal(out.Checkpoint.State[i]) {
				t.Errorf("state[%d] differs between the run that ended early and the one that took all steps", i)
			}
		}
		if b.Name() == "xla" && b.NumDevices() >= 2 {
			check("on two devices", sample(t, s, ebm.Options{Start: start, Steps: 1000, Devices: 2}), 11)
		}
	})
}

// wrongStops tells a number where it should tell a truth.
type wrongStops struct{ countdown }

func (wrongStops) Stopped(s ebm.State) (stopped, steps *Node) { return s[1], s[1] }

func TestStopperIsChecked(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		_, err := newSampler(t, b, nil, bowl, wrongStops{}).Sample(context.Background(), ebm.Options{Chains: 3, Dim: 1, Steps: 1})
		if want := "Kernel ebm_test.wrongStops: result 0 of Stopped must be (Bool)[3], got (Int32)[3]"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want one with %q", err, want)
		}
	})
}
