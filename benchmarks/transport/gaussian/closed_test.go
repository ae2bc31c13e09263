package gaussian

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/goebm/goebm/ebm/datasets"
)

// The closed form against a plan with entropy found on a grid, in one dimension: Σ P((x−y)²/2σ²) + KL least.
func TestMarginal(t *testing.T) {
	const n, reach = 121, 6.0
	x, kernel := make([]float64, n), make([]float64, n*n)
	p, q, u, v := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		x[i] = -reach + 2*reach*float64(i)/(n-1)
		p[i], q[i], u[i], v[i] = math.Exp(-math.Pow(x[i]+shift, 2)/2), math.Exp(-math.Pow(x[i]-shift, 2)/2), 1, 1
	}
	for i := range n {
		for j := range n {
			kernel[i*n+j] = math.Exp(-math.Pow(x[i]-x[j], 2) / (2 * sigma * sigma))
		}
	}
	for range 200 {
		for i := range n {
			sum := 0.0
			for j := range n {
				sum += kernel[i*n+j] * v[j]
			}
			u[i] = p[i] / sum
		}
		for j := range n {
			sum := 0.0
			for i := range n {
				sum += kernel[i*n+j] * u[i]
			}
			v[j] = q[j] / sum
		}
	}
	for _, at := range []float64{0, 0.2, 0.5, 0.9, 1} {
		var mass, mean, square float64
		for i := range n {
			for j := range n {
				w, m := u[i]*kernel[i*n+j]*v[j], (1-at)*x[i]+at*x[j]
				mass, mean, square = mass+w, mean+w*m, square+w*m*m
			}
		}
		mean /= mass
		variance := square/mass - mean*mean + sigma*sigma*at*(1-at)
		wantMean, wantVariance := marginal(at)
		if math.Abs(mean-wantMean) > 1e-6 || math.Abs(variance-wantVariance) > 1e-5 {
			t.Errorf("at %g the bridge is N(%.7f, %.7f), want N(%.7f, %.7f)", at, mean, variance, wantMean, wantVariance)
		}
	}
}

// The divergences of points of the truth are what their number makes them, and those of others are Gaussians' own.
func TestDivergence(t *testing.T) {
	const dim, n = 4, 20_000
	rng := rand.New(rand.NewPCG(1, 2))
	mean, variance := marginal(0.3)
	points := func(shift, scale, mix float64) []float64 {
		x := make([]float64, dim*n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		for i := 0; i < len(x); i += dim {
			x[i+1] = mix*x[i] + math.Sqrt(1-mix*mix)*x[i+1] // correlated
			for k := range dim {
				x[i+k] = mean + shift + scale*math.Sqrt(variance)*x[i+k]
			}
		}
		return x
	}
	for _, c := range []struct{ shift, scale, mix, tolerance float64 }{{0, 1, 0, 0}, {0.5, 1, 0, 0.02}, {0, 1.3, 0, 0.02}, {0, 1, 0.6, 0.02}} {
		got, err := divergence(points(c.shift, c.scale, c.mix), dim, 0.3)
		if err != nil {
			t.Fatal(err)
		}
		diagonal := dim * (c.scale*c.scale - 1 - 2*math.Log(c.scale) + c.shift*c.shift/variance) / 2
		full := diagonal - math.Log(1-c.mix*c.mix)/2
		if c.tolerance == 0 { // the mean of a χ² over 2n, to within four standard deviations of it
			dof := dim + dim*(dim+1)/2.0
			full, diagonal, c.tolerance = dof/2/n, dim/float64(n), 4*math.Sqrt(2*dof)/2/n
		}
		if math.Abs(got.Full-full) > c.tolerance || math.Abs(got.Diagonal-diagonal) > c.tolerance {
			t.Errorf("%+v: the divergences are %.5f and %.5f, want %.5f and %.5f", c, got.Full, got.Diagonal, full, diagonal)
		}
	}
	if _, err := divergence(make([]float64, 2*dim), dim, 0.3); err == nil {
		t.Error("points that are one have a divergence")
	}
}

// The parts of a batch are its rows in order, and any step may be the first.
func TestParted(t *testing.T) {
	data := func() *parted {
		d := &datasets.Data{Name: "rows", Dim: 1}
		for i := range 24 {
			d.X = append(d.X, float32(i))
		}
		return &parted{of: &datasets.Batches{Data: d, Size: 12, Seed: 1}, into: 3}
	}
	read := func(p *parted) (all [][]float32) {
		for batch, err := range p.Iter() {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, tensors.MustCopyFlatData[float32](batch.Inputs[0]))
		}
		return all
	}
	p := data()
	whole := append(read(p), read(p)...)
	seen := map[float32]bool{}
	for _, v := range slices.Concat(whole[:6]...) {
		seen[v] = true
	}
	if len(whole) != 12 || p.PerEpoch() != 6 || len(seen) != 24 {
		t.Fatalf("two epochs are %v", whole)
	}
	for _, step := range []int{0, 2, 5, 7, 9} {
		p := data()
		if err := p.Seek(step); err != nil {
			t.Fatal(err)
		}
		end := 6 * (step/6 + 1)
		if got := read(p); !slices.EqualFunc(got, whole[step:end], slices.Equal) {
			t.Errorf("from step %d on the batches are %v, want %v", step, got, whole[step:end])
		}
	}
	p = data()
	p.into = 5
	for _, err := range p.Iter() {
		if err == nil || !strings.Contains(err.Error(), "12 rows do not make 5 equal batches") {
			t.Errorf("got the error %v", err)
		}
	}
}
