package samplers

import (
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// The start of the trajectories below, [3, 2].
var (
	startX = [][]float64{{0.3, -0.8}, {1.2, 0.4}, {-0.5, 1.1}}
	startP = [][]float64{{0.7, 0.2}, {-0.4, 0.9}, {0.1, -1.3}}
)

// Over a fixed time the largest error in H shrinks as h².
func TestLeapfrogOrder(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		worst := func(steps int) float64 {
			out, err := CallOnce(b, func(x, p *Node) *Node {
				env := envAt(x.Graph(), ebm.DoubleWell{}, 0)
				value, grad := env.ValueGrad(x)
				h := Scalar(x.Graph(), x.DType(), 0.8/float64(steps))
				_, newP, newValue, _ := Leapfrog(env.ValueGrad, ScalarMass(2), x, p, grad, h, steps)
				kinetic := MulScalar(sumEvent(Sub(Square(newP), Square(p))), 0.25)
				return ReduceAllMax(Abs(Add(Sub(newValue, value), kinetic)))
			}, startX, startP)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			return out.Value().(float64)
		}
		coarse, fine := worst(32), worst(64)
		order := math.Log2(coarse / fine)
		t.Logf("energy error %.3g with h = 1/40, %.3g with h = 1/80: order %.3f", coarse, fine, order)
		if !(math.Abs(order-2) <= 0.15) {
			t.Errorf("order is %.3f, want 2 ± 0.15", order)
		}
	})
}

// There and, with the momentum turned round, back again.
func TestLeapfrogReversible(t *testing.T) {
	dense, err := NewDenseMass([][]float64{{2, 0.5}, {0.5, 1}})
	if err != nil {
		t.Fatal(err)
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, mass := range map[string]Mass{"scalar": ScalarMass(2), "diagonal": DiagonalMass{0.5, 3}, "dense": dense} {
			out, err := CallOnceN(b, func(x, p *Node) []*Node {
				env := envAt(x.Graph(), ebm.DoubleWell{}, 0)
				_, grad := env.ValueGrad(x)
				h := Scalar(x.Graph(), x.DType(), 0.05)
				x, p, _, grad = Leapfrog(env.ValueGrad, mass, x, p, grad, h, 15)
				x, p, _, _ = Leapfrog(env.ValueGrad, mass, x, Neg(p), grad, h, 15)
				return []*Node{x, Neg(p)}
			}, startX, startP)
			if err != nil {
				t.Fatalf("%s mass: %+v", name, err)
			}
			near(t, name+" mass, position", out[0].Value().([][]float64), startX)
			near(t, name+" mass, momentum", out[1].Value().([][]float64), startP)
		}
	})
}

// trajectory is one long path of Hamilton's equations: position, momentum, gradient, the energy at the start and
// the largest deviation from it so far. Its momenta start as noise.
type trajectory struct{ h float64 }

func (k trajectory) Init(env ebm.Env, x *Node) ebm.State {
	p := env.Rand.Normal(x.Shape())
	value, grad := env.ValueGrad(x)
	total := Add(value, MulScalar(sumEvent(Square(p)), 0.5))
	return ebm.State{x, p, grad, total, ZerosLike(total)}
}

func (k trajectory) Step(env ebm.Env, s ebm.State) (ebm.State, ebm.Info) {
	h := Scalar(s[0].Graph(), s[0].DType(), k.h)
	x, p, value, grad := Leapfrog(env.ValueGrad, ScalarMass(1), s[0], s[1], s[2], h, 2)
	total := Add(value, MulScalar(sumEvent(Square(p)), 0.5))
	return ebm.State{x, p, grad, s[3], Max(s[4], Abs(Sub(total, s[3])))}, ebm.Info{}
}

// The error in the energy stays as it was after a few turns: ten times as many steps do not make it larger.
func TestLeapfrogDrift(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		sampler, err := ebm.NewSampler(b, nil, ebm.DoubleWell{}, trajectory{h: 0.05})
		if err != nil {
			t.Fatal(err)
		}
		defer sampler.Finalize()
		worst := func(steps int) (largest float64) {
			out, err := sampler.Sample(t.Context(), ebm.Options{Chains: 20, Dim: 2, DType: dtypes.Float64, Steps: steps / 2})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			for _, deviation := range tensors.MustCopyFlatData[float64](out.Checkpoint.State[4]) {
				largest = max(largest, deviation)
			}
			return largest
		}
		short, long := worst(1000), worst(10_000)
		t.Logf("largest |H − H₀|: %.4g in 1000 steps, %.4g in 10 000", short, long)
		if !(short > 0 && long < 1.5*short) {
			t.Errorf("the energy drifts: |H − H₀| is %g within 1000 steps and %g within 10 000", short, long)
		}
	})
}
