package samplers

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// The three energies that the fixtures use, with TorchEBM's defaults.
var parityEnergies = map[string]ebm.EnergyFunc{
	"DoubleWell": func(x *Node, _ ...*Node) *Node {
		return MulScalar(ReduceSum(Square(AddScalar(Square(x), -1)), -1), 2)
	},
	"Gaussian": func(x *Node, _ ...*Node) *Node { // mean (1, −1), covariance [[1, ½], [½, 2]]
		y := Sub(x, ConstAsDType(x.Graph(), x.DType(), [][]float64{{1, -1}}))
		precision := ConstAsDType(x.Graph(), x.DType(), [][]float64{{2 / 1.75, -0.5 / 1.75}, {-0.5 / 1.75, 1 / 1.75}})
		return MulScalar(ReduceSum(Mul(y, MatMul(y, precision)), -1), 0.5)
	},
	"Himmelblau": func(x *Node, _ ...*Node) *Node {
		a, b := Slice(x, AxisRange(), AxisElem(0)), Slice(x, AxisRange(), AxisElem(1))
		return Reshape(Add(Square(AddScalar(Add(Square(a), b), -11)), Square(AddScalar(Add(a, Square(b)), -7))), x.Shape().Dimensions[0])
	},
}

// fixtures reads the cases of a file that TorchEBM wrote.
func fixtures[T any](t *testing.T, name string) []T {
	t.Helper()
	text, err := os.ReadFile("../testdata/parity/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []T }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(file.Cases) == 0 {
		t.Fatalf("%s has no cases", name)
	}
	return file.Cases
}

// envAt is the environment of a step of a graph that needs no noise of its own.
func envAt(g *Graph, e ebm.Energy, step int) ebm.Env {
	at := Const(g, int32(step))
	return ebm.Env{Energy: e, Step: at, Rand: ebm.NewRand(Const(g, []uint32{1, 2}), at)}
}

// near fails the test where two [n, d] differ by more than 10⁻¹⁰, relative where they are above 1.
func near(t *testing.T, what string, got, want [][]float64) {
	t.Helper()
	for i := range want {
		for j, w := range want[i] {
			if !(math.Abs(got[i][j]-w) <= 1e-10*max(1, math.Abs(w))) {
				t.Errorf("%s: [%d][%d] is %.15g, TorchEBM has %.15g", what, i, j, got[i][j], w)
				return
			}
		}
	}
}

// setting is a step size or noise scale of a fixture: a number, or a schedule by its parameters.
type setting struct {
	Schedule   string
	Start, End float64
	Steps      float64 `json:"n_steps"`
	Rate       float64 `json:"decay_rate"`
}

// UnmarshalJSON reads either.
func (s *setting) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &s.Start) == nil {
		return nil
	}
	type plain setting
	return json.Unmarshal(text, (*plain)(s))
}

// at is the setting's value at a step.
func (s setting) at(step int) ebm.Fixed {
	switch s.Schedule {
	case "":
		return ebm.Fixed(s.Start)
	case "Linear":
		return ebm.Fixed(s.Start + (s.End-s.Start)*min(float64(step), s.Steps)/s.Steps)
	case "ExponentialDecay":
		return ebm.Fixed(s.Start * math.Pow(s.Rate, float64(step)))
	}
	panic("no schedule " + s.Schedule)
}

func TestSamplersMatchTorchEBM(t *testing.T) {
	type samplerCase struct {
		Sampler, Model string
		Params         struct {
			StepSize setting `json:"step_size"`
			Noise    setting `json:"noise_scale"`
			Momentum float64
			Clamp    *[2]float64
		}
		X             [][]float64
		Noise, States [][][]float64
	}
	cases := fixtures[samplerCase](t, "samplers.json")
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for i, c := range cases {
			name := fmt.Sprintf("case %d, %s on %s", i, c.Sampler, c.Model)
			got, err := CallOnceN(b, func(x *Node) []*Node {
				g, energy := x.Graph(), parityEnergies[c.Model]
				var state ebm.State
				var all []*Node
				for step := range c.States {
					env := envAt(g, energy, step)
					eta := c.Params.StepSize.at(step)
					var kernel ebm.Kernel
					switch c.Sampler {
					case "GradientDescent":
						kernel = GradientDescent{StepSize: eta}
					case "Nesterov":
						kernel = Nesterov{StepSize: eta, Momentum: ebm.Fixed(c.Params.Momentum)}
					case "Langevin":
						kernel = Langevin{StepSize: eta, Noise: c.Params.Noise.at(step), Clamp: c.Params.Clamp}
					}
					if step == 0 {
						state = kernel.Init(env, x)
					}
					if langevin, ok := kernel.(Langevin); ok {
						state = ebm.State{langevin.move(env, state[0], Const(g, c.Noise[step]))}
					} else {
						state, _ = kernel.Step(env, state)
					}
					all = append(all, state[0])
				}
				return all
			}, c.X)
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			for step, want := range c.States {
				near(t, fmt.Sprintf("%s, step %d", name, step), got[step].Value().([][]float64), want)
			}
		}
	})
}

// massOf reads null, a number or a diagonal.
func massOf(t *testing.T, text json.RawMessage) Mass {
	var scalar *float64
	if json.Unmarshal(text, &scalar) == nil {
		if scalar == nil {
			return nil
		}
		return ScalarMass(*scalar)
	}
	var diagonal DiagonalMass
	if err := json.Unmarshal(text, &diagonal); err != nil {
		t.Fatal(err)
	}
	return diagonal
}

func TestLeapfrogMatchesTorchEBM(t *testing.T) {
	type leapfrogCase struct {
		Model              string
		StepSize           float64 `json:"step_size"`
		Mass               json.RawMessage
		X, P               [][]float64
		Positions, Momenta [][][]float64
	}
	cases := fixtures[leapfrogCase](t, "leapfrog.json")
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for i, c := range cases {
			mass := massOf(t, c.Mass)
			if mass == nil {
				mass = ScalarMass(1)
			}
			got, err := CallOnceN(b, func(x, p *Node) []*Node {
				env := envAt(x.Graph(), parityEnergies[c.Model], 0)
				_, grad := env.ValueGrad(x)
				h := Scalar(x.Graph(), x.DType(), c.StepSize)
				var all []*Node
				joined, joinedP, _, _ := Leapfrog(env.ValueGrad, mass, x, p, grad, h, len(c.Positions))
				for range c.Positions {
					x, p, _, grad = Leapfrog(env.ValueGrad, mass, x, p, grad, h, 1)
					all = append(all, x, p)
				}
				return append(all, joined, joinedP)
			}, c.X, c.P)
			if err != nil {
				t.Fatalf("case %d: %+v", i, err)
			}
			last := len(c.Positions) - 1
			near(t, fmt.Sprintf("case %d, %s, joined steps, position", i, c.Model), got[2*last+2].Value().([][]float64), c.Positions[last])
			near(t, fmt.Sprintf("case %d, %s, joined steps, momentum", i, c.Model), got[2*last+3].Value().([][]float64), c.Momenta[last])
			for steps := range c.Positions {
				name := fmt.Sprintf("case %d, %s, %d steps", i, c.Model, steps+1)
				near(t, name+", position", got[2*steps].Value().([][]float64), c.Positions[steps])
				near(t, name+", momentum", got[2*steps+1].Value().([][]float64), c.Momenta[steps])
			}
		}
	})
}

func TestHMCMatchesTorchEBM(t *testing.T) {
	type hmcCase struct {
		Model           string
		StepSize        float64 `json:"step_size"`
		Leapfrog        int     `json:"n_leapfrog_steps"`
		Mass            json.RawMessage
		X, Uniforms     [][]float64
		Normals, States [][][]float64
		Accepted        []float64
	}
	cases := fixtures[hmcCase](t, "hmc.json")
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		rejected := 0.
		for i, c := range cases {
			kernel := HMC{Leapfrog: c.Leapfrog, Mass: massOf(t, c.Mass)}
			exec, err := NewExec(b, func(x, z, u *Node) (*Node, *Node) {
				env := envAt(x.Graph(), parityEnergies[c.Model], 0)
				state, info := kernel.transition(env, kernel.Init(env, x), z, u, Scalar(x.Graph(), x.DType(), c.StepSize))
				return state[0], info.Accept
			})
			if err != nil {
				t.Fatal(err)
			}
			x := c.X
			for step := range c.States {
				name := fmt.Sprintf("case %d, %s, step %d", i, c.Model, step)
				newX, accept, err := exec.Call2(x, c.Normals[step], c.Uniforms[step])
				if err != nil {
					t.Fatalf("%s: %+v", name, err)
				}
				accepted := 0.
				for chain, probability := range accept.Value().([]float64) {
					if c.Uniforms[step][chain] < probability {
						accepted++
					}
				}
				x = newX.Value().([][]float64)
				near(t, name, x, c.States[step])
				if accepted != c.Accepted[step] {
					t.Errorf("%s: %v accepted, TorchEBM accepts %v", name, accepted, c.Accepted[step])
				}
				rejected += float64(len(x)) - accepted
			}
			exec.Finalize()
		}
		if rejected == 0 {
			t.Error("no fixture rejects a proposal, so that the test says nothing of the Metropolis test")
		}
	})
}
