package ebm_test

import (
	"math"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

type scheduleParams struct {
	Start, End, Gamma, Min float64
	Steps                  int     `json:"n_steps"`
	Rate                   float64 `json:"decay_rate"`
	Milestones             []int
	Main                   string
	WarmupSteps            int     `json:"warmup_steps"`
	WarmupFactor           float64 `json:"warmup_init_factor"`
	EpsilonMax             float64 `json:"epsilon_max"`
	TauStar                float64 `json:"tau_star"`
	From                   float64 `json:"t_start"`
	To                     float64 `json:"t_end"`
	Sqrt                   bool
}

func (p scheduleParams) schedule(t *testing.T, name string) ebm.Schedule {
	switch name {
	case "Constant":
		return ebm.Fixed(p.Start)
	case "Linear":
		return ebm.Linear{Start: p.Start, End: p.End, Steps: p.Steps}
	case "Cosine":
		return ebm.Cosine{Start: p.Start, End: p.End, Steps: p.Steps}
	case "ExponentialDecay":
		return ebm.ExponentialDecay{Start: p.Start, Rate: p.Rate, Min: p.Min}
	case "MultiStep":
		return ebm.MultiStep{Start: p.Start, Milestones: p.Milestones, Gamma: p.Gamma}
	case "Warmup":
		return ebm.Warmup{Main: p.schedule(t, p.Main), Steps: p.WarmupSteps, Factor: p.WarmupFactor}
	case "Temperature":
		return ebm.Temperature{Max: p.EpsilonMax, Tau: p.TauStar, Steps: p.Steps, From: p.From, To: p.To, Epsilon: !p.Sqrt}
	}
	t.Fatalf("unknown schedule %q", name)
	return nil
}

// stepValues computes schedules at the given steps, all in one graph and in the given dtype.
func stepValues(t *testing.T, b compute.Backend, schedules []ebm.Schedule, dtype dtypes.DType, steps ...int32) [][]float64 {
	t.Helper()
	exec, err := NewExec(b, func(step *Node) []*Node {
		var out []*Node
		for i, s := range schedules {
			v := s.At(step, dtype)
			if v.DType() != dtype || !v.IsScalar() {
				t.Errorf("schedule %d gives %s, want a scalar %s", i, v.Shape(), dtype)
			}
			out = append(out, Identity(ConvertDType(v, dtypes.Float64)))
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	values := make([][]float64, len(schedules))
	for _, step := range steps {
		out, err := exec.Call(step)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		for i := range schedules {
			values[i] = append(values[i], out[i].Value().(float64))
		}
	}
	return values
}

func TestSchedulesAsTorchEBM(t *testing.T) {
	type fixture struct {
		Schedule string
		Params   scheduleParams
		Values   []float64
	}
	cases := fixtures[fixture](t, "schedules.json")
	var schedules []ebm.Schedule
	for _, c := range cases {
		schedules = append(schedules, c.Params.schedule(t, c.Schedule))
	}
	steps := make([]int32, 17)
	for i := range steps {
		steps[i] = int32(i)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, precision := range []struct {
			dtype     dtypes.DType
			tolerance float64
		}{{dtypes.Float64, 1e-14}, {dtypes.Float32, 1e-7}} {
			got := stepValues(t, b, schedules, precision.dtype, steps...)
			for i, c := range cases {
				for n, want := range c.Values {
					near(t, c.Schedule, got[i][n], want, precision.tolerance)
				}
			}
		}
	})
}

func TestScheduleDefaultsAndJoins(t *testing.T) {
	piecewise := ebm.Piecewise{
		{Schedule: ebm.Linear{Start: 1, End: 0.5, Steps: 10}, Steps: 10},
		{Steps: 5},
		{Schedule: ebm.ExponentialDecay{Start: 0.8, Rate: 0.5}},
	}
	cases := []struct {
		name     string
		schedule ebm.Schedule
		want     func(n float64) float64
	}{
		{"Linear{}", ebm.Linear{End: 1}, func(n float64) float64 { return min(n/100, 1) }},
		{"Cosine{}", ebm.Cosine{End: 1}, func(n float64) float64 { return 0.5 * (1 - math.Cos(math.Pi*min(n/100, 1))) }},
		{"ExponentialDecay{}", ebm.ExponentialDecay{}, func(n float64) float64 { return math.Pow(0.99, n) }},
		{"MultiStep{}", ebm.MultiStep{Milestones: []int{5}}, func(n float64) float64 {
			if n < 5 {
				return 1
			}
			return 0.1
		}},
		{"Warmup{}", ebm.Warmup{}, func(n float64) float64 { return 0.01 + 0.99*min(n/100, 1) }},
		{"Temperature{}", ebm.Temperature{}, func(n float64) float64 {
			return math.Sqrt(0.15 * max(0, min((n/200-0.8)/0.2, 1)))
		}},
		{"Piecewise", piecewise, func(n float64) float64 {
			switch {
			case n < 10:
				return 1 - 0.05*n
			case n < 15:
				return 1
			default:
				return 0.8 * math.Pow(0.5, n-15)
			}
		}},
	}
	var schedules []ebm.Schedule
	for _, c := range cases {
		schedules = append(schedules, c.schedule)
	}
	// Beyond 2²⁴ not every step number is a Float32.
	steps := []int32{0, 1, 4, 5, 9, 10, 14, 15, 99, 100, 159, 170, 201, 1<<24 + 1, math.MaxInt32}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		got := stepValues(t, b, schedules, dtypes.Float64, steps...)
		for i, c := range cases {
			for k, n := range steps {
				near(t, c.name, got[i][k], c.want(float64(n)), 1e-13)
			}
		}
		long := []ebm.Schedule{ebm.Linear{End: 1, Steps: 1 << 25}}
		near(t, "2²⁴+1 of 2²⁵ steps, in Float32", stepValues(t, b, long, dtypes.Float32, 1<<24+1)[0][0], 0.5, 1e-7)
	})
}

func TestBadSchedules(t *testing.T) {
	cases := []struct {
		schedule ebm.Schedule
		want     string
	}{
		{ebm.Linear{Steps: -1}, "Linear: Steps must be positive, got -1"},
		{ebm.Cosine{Steps: -2}, "Cosine: Steps must be positive, got -2"},
		{ebm.ExponentialDecay{Rate: 1.5}, "ExponentialDecay: Rate must be in (0, 1], got 1.5"},
		{ebm.ExponentialDecay{Rate: math.NaN()}, "ExponentialDecay: Rate must be in (0, 1], got NaN"},
		{ebm.MultiStep{Milestones: []int{3, 3}}, "MultiStep: Milestones must be positive and increasing, got [3 3]"},
		{ebm.MultiStep{Milestones: []int{0}}, "MultiStep: Milestones must be positive and increasing, got [0]"},
		{ebm.PolynomialDecay{Steps: -1}, "PolynomialDecay: Steps must be positive, got -1"},
		{ebm.PolynomialDecay{Power: -2}, "PolynomialDecay: Power must be positive, got -2"},
		{ebm.Warmup{Steps: -3}, "Warmup: Steps must be positive, got -3"},
		{ebm.Warmup{Factor: 2}, "Warmup: Factor must be in (0, 1], got 2"},
		{ebm.Temperature{Tau: 1}, "Temperature: Tau must be less than 1, got 1"},
		{ebm.Temperature{Max: -1}, "Temperature: Max must be positive, got -1"},
		{ebm.Piecewise{}, "Piecewise: must have at least one piece, got none"},
		{ebm.Piecewise{{}, {}}, "Piecewise: Steps of piece 0 must be positive, got 0"},
		{ebm.Piecewise{{Steps: math.MaxInt32 + 1}, {}}, "Piecewise: pieces must begin before step 2³¹, got step 2147483648 for piece 1"},
		{nil, "the schedule is nil"},
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, c := range cases {
			if _, err := ebm.ScheduleValues(b, c.schedule, 1); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%#v: got error %v, want %q", c.schedule, err, c.want)
			}
		}
		if _, err := ebm.ScheduleValues(b, ebm.Fixed(1), -1); err == nil || !strings.Contains(err.Error(), "n must not be negative, got -1") {
			t.Errorf("n = -1: got error %v", err)
		}
		got, err := ebm.ScheduleValues(b, ebm.Fixed(0.25), 3)
		if err != nil || len(got) != 3 || got[2] != 0.25 {
			t.Errorf("Fixed(0.25): got %v, error %v", got, err)
		}
	})
}
