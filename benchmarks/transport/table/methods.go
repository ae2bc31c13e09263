package table

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/goebm/goebm/ebm/losses"
)

const (
	sigmaMin = 0.1 // of the flows
	sigma    = 1   // of the bridges
	steps    = 100 // of Euler's or Euler's and Maruyama's method
)

// method is a row of the table: what pairs the points, and what is trained on them.
type method struct {
	name      string
	coupling  flow.Coupling // nil: independent
	fromNoise bool          // for a source of N(0, I) alone
	build     func(field func(name string) ebm.Field, paired bool) trained
}

// trained is a loss with what follows its fields.
type trained struct {
	loss     ebm.Loss
	velocity ebm.Field  // of the flow from source to target
	process  ebm.Kernel // what is judged
}

func flowOf(interpolant flow.Interpolant, blur float64) func(func(string) ebm.Field, bool) trained {
	return func(field func(string) ebm.Field, paired bool) trained {
		v := field("velocity")
		return trained{losses.FlowMatching{Field: v, Interpolant: interpolant, Sigma: blur, Paired: paired}, v, follow(v)}
	}
}

func bridge(field func(string) ebm.Field, paired bool) trained {
	l := losses.ScoreFlowMatching{Velocity: field("velocity"), Score: field("score"), Sigma: sigma, Paired: paired}
	return trained{l, l.Velocity, l.Forward(steps)}
}

// follow is the flow's own kernel.
func follow(velocity ebm.Field) ebm.Kernel {
	return flow.FixedSteps{Field: velocity, Method: flow.Euler, Steps: steps}
}

// lipman is x_t = t·x₁ + (1 − (1−σ_min)t)·x₀, which ends as a blur of the data.
func lipman(t *Node) flow.Coeffs {
	one := OnesLike(t)
	return flow.Coeffs{Alpha: t, DAlpha: one, Sigma: OneMinus(MulScalar(t, 1-sigmaMin)), DSigma: MulScalar(one, sigmaMin-1)}
}

var methods = []method{
	{name: "FM", fromNoise: true, build: flowOf(flow.InterpolantFunc(lipman), 0)},
	{name: "I-CFM", build: flowOf(nil, sigmaMin)},
	{name: "[SF]²M-I", build: bridge},
	{name: "OT-CFM", coupling: flow.ExactOT{}, build: flowOf(nil, sigmaMin)},
	{name: "[SF]²M-Exact", coupling: flow.ExactOT{}, build: bridge},
}

// published are the means and standard deviations of W2 over five seeds in [SF]²M, Table 2, and the mean normalised path energies.
var published = map[string]map[string][3]float64{
	"FM":           {"N→8gaussians": {.343, .058, .190}, "N→moons": {.209, .055, .762}, "N→scurve": {.198, .037, .743}},
	"I-CFM":        {"N→8gaussians": {.373, .103, .202}, "moons→8gaussians": {1.557, .407, 2.680}, "N→moons": {.178, .014, .891}, "N→scurve": {.242, .141, .856}},
	"[SF]²M-I":     {"N→8gaussians": {.393, .054, .160}, "moons→8gaussians": {1.482, .151, 2.577}, "N→moons": {.185, .028, .855}, "N→scurve": {.201, .062, .845}},
	"OT-CFM":       {"N→8gaussians": {.303, .043, .031}, "moons→8gaussians": {.601, .027, .015}, "N→moons": {.130, .016, .083}, "N→scurve": {.144, .028, .027}},
	"[SF]²M-Exact": {"N→8gaussians": {.275, .058, .016}, "moons→8gaussians": {.726, .137, .045}, "N→moons": {.124, .023, .053}, "N→scurve": {.128, .005, .034}},
}
