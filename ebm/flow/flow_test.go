package flow_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

var paths = map[string]flow.Interpolant{
	"Linear": flow.Linear{}, "Cosine": flow.Cosine{}, "VariancePreserving": flow.VariancePreserving{},
	"VariancePreserving, gentle": flow.VariancePreserving{BetaMin: 0.5, BetaMax: 8},
}

// coefficients are α, α̇, σ and σ̇ at times t.
func coefficients(t *testing.T, b compute.Backend, p flow.Interpolant, times []float64) (rows [4][]float64) {
	t.Helper()
	out, err := CallOnceN(b, func(t *Node) []*Node {
		c := p.At(t)
		return []*Node{Identity(c.Alpha), Identity(c.DAlpha), Identity(c.Sigma), Identity(c.DSigma)}
	}, times)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for i := range rows {
		rows[i] = out[i].Value().([]float64)
	}
	return rows
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Errorf("%s is %.16g, want %.16g", what, got, want)
	}
}

// Noise at t = 0 and data at t = 1; on the way α̇ and σ̇ are the derivatives of α and σ, by differences and by gradients through them.
func TestPaths(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, p := range paths {
			ends := coefficients(t, b, p, []float64{0, 1})
			start := 0.0 // of α
			if vp, ok := p.(flow.VariancePreserving); ok {
				start = math.Exp(-5.025)
				if vp.BetaMax != 0 {
					start = math.Exp(-2.125)
				}
			}
			near(t, name+": α(0)", ends[0][0], start, 1e-15)
			near(t, name+": σ(0)", ends[2][0], math.Sqrt(1-start*start), 1e-15)
			near(t, name+": α(1)", ends[0][1], 1, 1e-15)
			near(t, name+": σ(1)", ends[2][1], 0, 1e-15)
			for i := range ends {
				for _, v := range ends[i] {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Errorf("%s: coefficient %d at the ends is %v", name, i, ends[i])
					}
				}
			}

			inside := []float64{0.01, 0.3, 0.5, 0.77, 0.95}
			slopes, err := CallOnceN(b, func(t *Node) []*Node {
				c := p.At(t)
				return []*Node{Sub(Gradient(ReduceAllSum(c.Alpha), t)[0], c.DAlpha), Sub(Gradient(ReduceAllSum(c.Sigma), t)[0], c.DSigma)}
			}, inside)
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			for k, v := range slopes {
				for i, off := range v.Value().([]float64) {
					near(t, fmt.Sprintf("%s: gradient of coefficient %d at %g, less the coefficient's own", name, 2*k, inside[i]), off, 0, 1e-12)
				}
			}

			const h = 1e-3 // a five-point difference: its error is h⁴/30 times the fifth derivative
			for _, at := range inside {
				c := coefficients(t, b, p, []float64{at - 2*h, at - h, at, at + h, at + 2*h})
				for _, k := range []int{0, 2} {
					v := c[k]
					want := (8*(v[3]-v[1]) - (v[4] - v[0])) / (12 * h)
					near(t, fmt.Sprintf("%s: derivative of coefficient %d at %g", name, k, at), c[k+1][2], want, 1e-7)
				}
				if name != "Linear" {
					near(t, fmt.Sprintf("%s: α² + σ² at %g", name, at), c[0][2]*c[0][2]+c[2][2]*c[2][2], 1, 1e-15)
				}
			}
		}
		// Near the data 1 − α² would have lost ten digits of σ² = β_min·s.
		c := coefficients(t, b, flow.VariancePreserving{}, []float64{1 - 0x1p-40})
		near(t, "VariancePreserving: σ 2⁻⁴⁰ before the end, over √(β_min·s)", c[2][0]/math.Sqrt(0.1*0x1p-40), 1, 1e-9)
	})
}

// Small coefficients are as exact in single precision as large ones.
func TestPathsInSinglePrecision(t *testing.T) {
	single, double := []float32{0, 0x1p-16, 0.5, 0.75, 1 - 0x1p-10, 1 - 0x1p-16, 1 - 0x1p-24, 1}, []float64{}
	for _, at := range single {
		double = append(double, float64(at))
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for _, p := range []flow.Interpolant{flow.Linear{}, flow.Cosine{}, flow.VariancePreserving{}, flow.VarianceExploding{}, flow.EDM{}} {
			want := coefficients(t, b, p, double)
			out, err := CallOnceN(b, func(t *Node) []*Node {
				c := p.At(t)
				return []*Node{Identity(c.Alpha), Identity(c.Sigma)}
			}, single)
			if err != nil {
				t.Fatalf("%T: %+v", p, err)
			}
			for k, v := range out {
				for i, got := range v.Value().([]float32) {
					if want := want[2*k][i]; !(math.Abs(float64(got)-want) <= 2e-6*want) {
						t.Errorf("%T: coefficient %d at %g is %g, want %g", p, 2*k, double[i], got, want)
					}
				}
			}
		}
	})
}

func TestPathsMatchTorchEBM(t *testing.T) {
	raw, err := os.ReadFile("../testdata/parity/interpolants.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Interpolant string
			Params      struct {
				BetaMin float64 `json:"beta_min"`
				BetaMax float64 `json:"beta_max"`
			}
			T, Alpha, Sigma         []float64
			DAlpha                  []float64 `json:"d_alpha"`
			DSigma                  []float64 `json:"d_sigma"`
			X0, X1, Point, Velocity [][]float64
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 4 {
		t.Fatalf("%d cases, want 4", len(file.Cases))
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for i, c := range file.Cases {
			p := paths[c.Interpolant]
			if _, ok := p.(flow.VariancePreserving); ok {
				p = flow.VariancePreserving{BetaMin: c.Params.BetaMin, BetaMax: c.Params.BetaMax}
			}
			got := coefficients(t, b, p, c.T)
			for k, want := range [][]float64{c.Alpha, c.DAlpha, c.Sigma, c.DSigma} {
				for j := range want {
					near(t, fmt.Sprintf("case %d, %s: coefficient %d at %g", i, c.Interpolant, k, c.T[j]), got[k][j], want[j], 1e-11)
				}
			}
			point, velocity, err := callTwo(b, p, c.X0, c.X1, c.T)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			for j := range c.T {
				for k := range 2 {
					near(t, fmt.Sprintf("case %d: x_t", i), point[j][k], c.Point[j][k], 1e-11)
					near(t, fmt.Sprintf("case %d: u_t", i), velocity[j][k], c.Velocity[j][k], 1e-11)
				}
			}
		}
	})
}

func callTwo(b compute.Backend, p flow.Interpolant, x0, x1 [][]float64, times []float64) (point, velocity [][]float64, err error) {
	out, err := CallOnceN(b, func(x0, x1, t *Node) []*Node {
		c := p.At(t)
		return []*Node{Identity(c.Point(x0, x1)), Identity(c.Velocity(x0, x1))}
	}, x0, x1, times)
	if err != nil {
		return nil, nil, err
	}
	return out[0].Value().([][]float64), out[1].Value().([][]float64), nil
}

// Images go the way that their numbers go one by one, in single precision too.
func TestImages(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		x0 := [][][]float32{{{1, 2}, {3, 4}}, {{-1, 0}, {2, 5}}}
		x1 := [][][]float32{{{0, 4}, {-3, 1}}, {{2, 2}, {0, 1}}}
		out, err := CallOnceN(b, func(x0, x1, t *Node) []*Node {
			c := flow.Linear{}.At(t)
			return []*Node{Identity(c.Point(x0, x1)), Identity(c.Velocity(x0, x1))}
		}, x0, x1, []float32{0.25, 0.5})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		for k, want := range [][]float32{{0.75, 2.5, 1.5, 3.25, 0.5, 1, 1, 3}, {-1, 2, -6, -3, 3, 2, -2, -4}} {
			for i, v := range tensors.MustCopyFlatData[float32](out[k]) {
				if v != want[i] {
					t.Errorf("result %d, number %d is %g, want %g", k, i, v, want[i])
				}
			}
		}
	})
}

func TestDecays(t *testing.T) {
	times := []float64{0, 0.5, 0.8, 0.9, 1}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, c := range map[string]struct {
			decay flow.Decay
			want  []float64
		}{
			"Truncated":       {flow.Truncated{}, []float64{4, 4, 4, 2, 0}},
			"Truncated, late": {flow.Truncated{From: 0.9, Scale: 1}, []float64{1, 1, 1, 1, 0}},
			"Ramp":            {flow.Ramp{Scale: 2}, []float64{2, 1, 0.4, 0.2, 0}},
			"Constant":        {flow.Constant{}, []float64{4, 4, 4, 4, 4}},
			"DecayFunc":       {flow.DecayFunc(func(t *Node) *Node { return MulScalar(OneMinus(Square(t)), 3) }), []float64{3, 2.25, 1.08, 0.57, 0}},
		} {
			out, err := CallOnce(b, func(t *Node) *Node { return Identity(c.decay.At(t)) }, times)
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			for i, v := range out.Value().([]float64) {
				near(t, fmt.Sprintf("%s: c(%g)", name, times[i]), v, c.want[i], 1e-15)
			}
		}
	})
}

func TestBadSettings(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for want, build := range map[string]func(t *Node) *Node{
			"VariancePreserving: want 0 < BetaMin ≤ BetaMax, got -1 and 20":     func(t *Node) *Node { return flow.VariancePreserving{BetaMin: -1}.At(t).Alpha },
			"VariancePreserving: want 0 < BetaMin ≤ BetaMax, got 30 and 20":     func(t *Node) *Node { return flow.VariancePreserving{BetaMin: 30}.At(t).Alpha },
			"Truncated: From must be between 0 and 1, got 1":                    flow.Truncated{From: 1}.At,
			"Truncated: Scale must be positive and finite, got -4":              flow.Truncated{Scale: -4}.At,
			"Ramp: Scale must be positive and finite, got NaN":                  flow.Ramp{Scale: math.NaN()}.At,
			"Constant: Scale must be positive and finite, got +Inf":             flow.Constant{Scale: math.Inf(1)}.At,
			"x0 and x1 must have the same shape, got (Float64)[2, 1] and":       func(t *Node) *Node { return flow.Linear{}.At(t).Point(ExpandAxes(t, -1), t) },
			"AlongRows: want one number for each row of (Float64)[1, 2], got (": func(t *Node) *Node { x := ExpandAxes(t, 0); return flow.Linear{}.At(t).Velocity(x, x) },
		} {
			if _, err := callOnce(b, build); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}

// callOnce is CallOnce with errors that are thrown while building returned.
func callOnce(b compute.Backend, build func(t *Node) *Node) (*tensors.Tensor, error) {
	exec, err := NewExec(b, build)
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	return exec.Call1([]float64{0.25, 0.5})
}

// Half way along a path from noise to data.
func ExampleCoeffs_Point() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	noise, data, half := [][]float64{{4, -2}}, [][]float64{{0, 8}}, []float64{0.5}
	for _, path := range []flow.Interpolant{flow.Linear{}, flow.Cosine{}, flow.VariancePreserving{}} {
		point, err := CallOnce(b, func(x0, x1, t *Node) *Node { return path.At(t).Point(x0, x1) }, noise, data, half)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%T %.2f\n", path, point.Value())
	}
	// Output:
	// flow.Linear [[2.00 3.00]]
	// flow.Cosine [[2.83 4.24]]
	// flow.VariancePreserving [[3.84 0.33]]
}
