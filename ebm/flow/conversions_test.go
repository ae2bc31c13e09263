package flow_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/goebm/goebm/ebm/ebmtest"
	"github.com/goebm/goebm/ebm/flow"
)

// hostPath are a path's coefficients by their formulas, in float64: α, α̇, σ, σ̇.
type hostPath func(t float64) (a, da, s, ds float64)

// every is every path with its formulas.
var every = map[string]struct {
	path flow.Interpolant
	host hostPath
}{
	"Linear": {flow.Linear{}, func(t float64) (a, da, s, ds float64) { return t, 1, 1 - t, -1 }},
	"Cosine": {flow.Cosine{}, func(t float64) (a, da, s, ds float64) {
		sin, cos := math.Sin(math.Pi/2*t), math.Sin(math.Pi/2*(1-t))
		return sin, math.Pi / 2 * cos, cos, -math.Pi / 2 * sin
	}},
	"VariancePreserving": {flow.VariancePreserving{}, func(t float64) (a, da, s, ds float64) {
		u := 1 - t
		log := -u*u*19.9/4 - u*0.1/2
		a, s = math.Exp(log), math.Sqrt(-math.Expm1(2*log))
		da = a * (0.1 + u*19.9) / 2
		return a, da, s, -a * da / max(s, 1e-6)
	}},
	"VarianceExploding": {flow.VarianceExploding{}, func(t float64) (a, da, s, ds float64) {
		s = 50 * math.Pow(0.01/50, t)
		return 1, 0, s, s * math.Log(0.01/50)
	}},
	"EDM": {flow.EDM{}, func(t float64) (a, da, s, ds float64) {
		root, end := math.Pow(80, 1./7), math.Pow(0.002, 1./7)
		at := root + t*(end-root)
		return 1, 0, math.Pow(at, 7), 7 * math.Pow(at, 6) * (end - root)
	}},
	"InterpolantFunc": {flow.InterpolantFunc(func(t *Node) flow.Coeffs {
		return flow.Coeffs{Alpha: Square(t), DAlpha: MulScalar(t, 2), Sigma: Mul(OneMinus(t), AddScalar(t, 1)), DSigma: MulScalar(t, -2)}
	}), func(t float64) (a, da, s, ds float64) { return t * t, 2 * t, (1 - t) * (1 + t), -2 * t }},
}

var ends = []float64{0, 1e-6, 0.001, 0.3, 0.5, 0.9, 0.999, 1 - 1e-6, 1}

// Coefficients against float64, at the ends too, in both precisions.
func TestCoefficients(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, p := range every {
			for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
				tolerance := 1e-14
				if dtype == dtypes.Float32 {
					tolerance = 3e-6 // EDM takes a seventh power
				}
				out, err := CallOnceN(b, func(t *Node) []*Node {
					c := p.path.At(ConvertDType(t, dtype))
					var all []*Node
					for _, v := range []*Node{c.Alpha, c.DAlpha, c.Sigma, c.DSigma} {
						all = append(all, ConvertDType(Identity(v), dtypes.Float64))
					}
					return all
				}, ends)
				if err != nil {
					t.Fatalf("%s: %+v", name, err)
				}
				for i, at := range ends {
					if dtype == dtypes.Float32 {
						at = float64(float32(at))
					}
					var want [4]float64
					want[0], want[1], want[2], want[3] = p.host(at)
					for k := range 4 {
						near(t, fmt.Sprintf("%s, %s: coefficient %d at %g", name, dtype, k, at), out[k].Value().([]float64)[i], want[k], tolerance)
					}
				}
			}
		}
	})
}

// The paths that only add noise begin at σ_max and end at σ_min; the derivatives are those of differences.
func TestNoisePaths(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, c := range map[string]struct {
			path     flow.Interpolant
			high, lo float64
		}{
			"VarianceExploding":       {flow.VarianceExploding{}, 50, 0.01},
			"VarianceExploding, near": {flow.VarianceExploding{SigmaMin: 0.1, SigmaMax: 2}, 2, 0.1},
			"EDM":                     {flow.EDM{}, 80, 0.002},
			"EDM, straight":           {flow.EDM{SigmaMin: 0.1, SigmaMax: 2, Rho: 1}, 2, 0.1},
		} {
			got := coefficients(t, b, c.path, []float64{0, 1})
			near(t, name+": σ(0)", got[2][0]/c.high, 1, 1e-14)
			near(t, name+": σ(1)", got[2][1]/c.lo, 1, 1e-13)
			const h = 1e-3
			for _, at := range []float64{0.01, 0.5, 0.95} {
				v := coefficients(t, b, c.path, []float64{at - 2*h, at - h, at, at + h, at + 2*h})
				want := (8*(v[2][3]-v[2][1]) - (v[2][4] - v[2][0])) / (12 * h)
				near(t, fmt.Sprintf("%s: σ̇ at %g", name, at), v[3][2], want, 1e-7)
				near(t, name+": α", v[0][2], 1, 0)
				near(t, name+": α̇", v[1][2], 0, 0)
			}
		}
	})
}

// Every conversion between the four quantities gives what the noise and the data are known to give; a path's ends only where the
// result is determined there.
func TestConvert(t *testing.T) {
	quantities := []flow.Quantity{flow.Velocity, flow.Score, flow.Noise, flow.Data}
	x0, x1 := [][]float64{}, [][]float64{}
	for i := range ends {
		x0 = append(x0, []float64{0.7 - 0.3*float64(i), -1.1})
		x1 = append(x1, []float64{2.5, -0.4 + 0.2*float64(i)})
	}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, p := range every {
			x, is := [][]float64{}, map[flow.Quantity][][]float64{} // at the ends, by quantity
			for i, at := range ends {
				a, da, s, ds := p.host(at)
				rows := map[flow.Quantity][]float64{}
				point := []float64{}
				for k := range 2 {
					rows[flow.Velocity] = append(rows[flow.Velocity], da*x1[i][k]+ds*x0[i][k])
					rows[flow.Score] = append(rows[flow.Score], -x0[i][k]/s)
					rows[flow.Noise], rows[flow.Data] = append(rows[flow.Noise], x0[i][k]), append(rows[flow.Data], x1[i][k])
					point = append(point, a*x1[i][k]+s*x0[i][k])
				}
				x = append(x, point)
				for q, row := range rows {
					is[q] = append(is[q], row)
				}
			}
			all, err := CallOnceN(b, func(v, s, e, d, x, t *Node) (out []*Node) {
				c := p.path.At(t)
				for i, f := range []*Node{v, s, e, d} {
					for _, to := range quantities {
						out = append(out, Identity(c.Convert(f, x, quantities[i], to)))
					}
				}
				return out
			}, is[flow.Velocity], is[flow.Score], is[flow.Noise], is[flow.Data], x, ends)
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			for _, from := range quantities {
				for _, to := range quantities {
					out, given, want := all[4*int(from)+int(to)], is[from], is[to]
					for i, at := range ends {
						a, da, s, ds := p.host(at)
						divisor := 1.0
						switch {
						case from == to:
						case to == flow.Score, from == flow.Data:
							divisor = s
							if from == flow.Velocity {
								divisor *= math.Abs(a*ds - da*s)
							}
							if from == flow.Data && to == flow.Score {
								divisor *= s
							}
						case from == flow.Velocity:
							divisor = math.Abs(a*ds - da*s)
						case from == flow.Noise && to != flow.Score, from == flow.Score && to != flow.Noise:
							divisor = a
						}
						for k, got := range out.Value().([][]float64)[i] {
							if from == flow.Score && math.IsInf(given[i][k], 0) {
								continue // there is no score to start from
							}
							what := fmt.Sprintf("%s, %s to %s at %g", name, from, to, at)
							if divisor == 0 {
								if !math.IsNaN(got) && !math.IsInf(got, 0) {
									t.Errorf("%s is %g, want no finite number", what, got)
								}
								continue
							}
							near(t, what, got, want[i][k], 1e-13*max(1, s)*max(1, 1/divisor)) // s: x is of its size
						}
					}
				}
			}
		}
	})
}

// For data N(m, s²) all is known: x_t is N(αm, α²s² + σ²). The score of that is what the velocity converts to, and
// v = (α̇/α)x + V·s.
func TestGaussianPath(t *testing.T) {
	const m, sd = 1.5, 0.4
	inside := []float64{0.001, 0.2, 0.5, 0.8, 0.99}
	points := []float64{-2, -0.3, 0.1, 1, 2.2}
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, p := range every {
			velocity, score, x := [][]float64{}, []float64{}, [][]float64{}
			for i, at := range inside {
				a, da, s, ds := p.host(at)
				variance := a*a*sd*sd + s*s
				velocity = append(velocity, []float64{da*m + (a*da*sd*sd+s*ds)/variance*(points[i]-a*m)})
				score = append(score, -(points[i]-a*m)/variance)
				x = append(x, []float64{points[i]})
			}
			out, err := CallOnceN(b, func(v, x, t *Node) []*Node {
				c := p.path.At(t)
				s := c.Convert(v, x, flow.Velocity, flow.Score)
				again := Add(Mul(flow.AlongRows(c.Rate(), x), x), Mul(flow.AlongRows(c.Diffusivity(), x), s))
				return []*Node{s, again}
			}, velocity, x, inside)
			if err != nil {
				t.Fatal(err)
			}
			for i := range inside {
				near(t, fmt.Sprintf("%s: score at %g", name, inside[i]), out[0].Value().([][]float64)[i][0], score[i], 1e-10)
				near(t, fmt.Sprintf("%s: velocity of the score at %g", name, inside[i]), out[1].Value().([][]float64)[i][0], velocity[i][0], 1e-10)
			}
		}
	})
}

func TestDiffusions(t *testing.T) {
	times := []float64{0, 0.25, 1}
	inf := math.Inf(1)
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		for name, c := range map[string]struct {
			d    flow.Diffusion
			want []float64
		}{
			"PathDiffusion":     {flow.PathDiffusion{}, []float64{inf, 3, 0}},
			"SigmaDiffusion":    {flow.SigmaDiffusion{Scale: 2}, []float64{2, 1.5, 0}},
			"RatioDiffusion":    {flow.RatioDiffusion{}, []float64{inf, 4, 1}},
			"FadingDiffusion":   {flow.FadingDiffusion{}, []float64{1, 0.75, 0}},
			"FadingDiffusion 2": {flow.FadingDiffusion{Scale: 2, Power: 2}, []float64{2, 1.125, 0}},
			"FadingDiffusion 3": {flow.FadingDiffusion{Power: 3}, []float64{1, 0.421875, 0}},
			"BumpDiffusion":     {flow.BumpDiffusion{}, []float64{0, 0.75, 0}},
			"ConstantDiffusion": {flow.ConstantDiffusion{Scale: 0.5}, []float64{0.5, 0.5, 0.5}},
			"DiffusionFunc":     {flow.DiffusionFunc(func(t *Node, c flow.Coeffs) *Node { return Mul(t, c.Sigma) }), []float64{0, 0.1875, 0}},
		} {
			out, err := CallOnce(b, func(t *Node) *Node { return Identity(c.d.At(t, flow.Linear{}.At(t))) }, times)
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			for i, got := range out.Value().([]float64) {
				if got != c.want[i] && !(math.Abs(got-c.want[i]) < 1e-15) {
					t.Errorf("%s: D(%g) is %g, want %g", name, times[i], got, c.want[i])
				}
			}
		}
		// On the variance-preserving path V is ½β.
		out, err := CallOnce(b, func(t *Node) *Node { return Identity(flow.VariancePreserving{}.At(t).Diffusivity()) }, []float64{0, 0.5, 0.999})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []float64{10, 0.05 + 0.5*9.95, 0.05 + 0.001*9.95} {
			near(t, "V", out.Value().([]float64)[i], want, 1e-12)
		}
	})
}

func TestConvertBadSettings(t *testing.T) {
	ebmtest.Backends(t, func(t *testing.T, b compute.Backend) {
		convert := func(from, to flow.Quantity) func(t *Node) *Node {
			return func(t *Node) *Node { x := ExpandAxes(t, -1); return flow.Linear{}.At(t).Convert(x, x, from, to) }
		}
		for want, build := range map[string]func(t *Node) *Node{
			"VarianceExploding: want 0 < SigmaMin < SigmaMax, got 3 and 2": func(t *Node) *Node { return flow.VarianceExploding{SigmaMin: 3, SigmaMax: 2}.At(t).Sigma },
			"EDM: want 0 < SigmaMin < SigmaMax, got -1 and 80":             func(t *Node) *Node { return flow.EDM{SigmaMin: -1}.At(t).Sigma },
			"EDM: Rho must be 1 or more, and finite, got 0.5":              func(t *Node) *Node { return flow.EDM{Rho: 0.5}.At(t).Sigma },
			"Coeffs.Convert: from and to must be Velocity, Score, Noise":   convert(flow.Velocity, 7),
			"Coeffs.Convert: the velocity and x must have the same shape": func(t *Node) *Node {
				return flow.Linear{}.At(t).Convert(t, ExpandAxes(t, -1), flow.Velocity, flow.Noise)
			},
			"SigmaDiffusion: Scale must be positive and finite, got -2":  func(t *Node) *Node { return flow.SigmaDiffusion{Scale: -2}.At(t, flow.Linear{}.At(t)) },
			"FadingDiffusion: Power must be positive and finite, got -1": func(t *Node) *Node { return flow.FadingDiffusion{Power: -1}.At(t, flow.Linear{}.At(t)) },
		} {
			if _, err := callOnce(b, build); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got the error %v, want one with %q", err, want)
			}
		}
	})
}
