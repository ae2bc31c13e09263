package metrics

import (
	"math"
	"slices"
	"testing"
)

// Against values worked out by hand: of shifted samples, of samples scaled axis by axis, and of samples with one direction only.
func TestFrechet(t *testing.T) {
	x := normals(3000, 1)
	shifted, scaled := slices.Clone(x), slices.Clone(x)
	for i := range x {
		shifted[i] += float32(i%3) + 1
		scaled[i] *= 3
	}
	wantNear(t, "Frechet(x, x)", between(t, Frechet{}, x, x, 3), 0, 1e-9)
	wantNear(t, "Frechet of a shift by (1, 2, 3)", between(t, Frechet{}, x, shifted, 3), 14, 1e-4)
	mean, cov := moments(x, 3)
	var want float64 // all covariances commute here: ‖2μ‖² + Σ (3s − s)²
	for i := range 3 {
		want += 4*mean[i]*mean[i] + 4*cov.At(i, i)
	}
	wantNear(t, "Frechet of a scaling by 3", between(t, Frechet{}, x, scaled, 3), want, 1e-4)

	// Two lines at right angles: the root of Σ_x Σ_y vanishes, and the traces add.
	wantNear(t, "Frechet of two lines", between(t, Frechet{}, []float32{-1, 0, 1, 0}, []float32{0, -2, 0, 2}, 2), 2+8, 1e-12)

	// Rotating both leaves the distance as it is, though the covariances no longer commute.
	y := normals(3000, 2)
	for i := range y {
		y[i] *= float32(1 + i%3)
	}
	angle := math.Pi / 5
	turn := func(x []float32) []float32 {
		out := slices.Clone(x)
		for i := 0; i < len(x); i += 3 {
			a, b := float64(x[i]), float64(x[i+1])
			out[i], out[i+1] = float32(math.Cos(angle)*a-math.Sin(angle)*b), float32(math.Sin(angle)*a+math.Cos(angle)*b)
		}
		return out
	}
	wantNear(t, "Frechet of turned samples", between(t, Frechet{}, turn(x), turn(y), 3), between(t, Frechet{}, x, y, 3), 1e-5)
	if _, err := (Frechet{}).Between([]float32{1}, []float32{1, 2}, 1); err == nil || err.Error() != "Frechet: a covariance needs two points, got 1 in x and 2 in y" {
		t.Errorf("error %v", err)
	}
}

// Samples of known normal distributions: the closed form of their means and covariances, which do not commute.
func TestFrechetOfGaussians(t *testing.T) {
	const n = 200_000
	z, w := normals(2*n, 3), normals(2*n, 4)
	x, y := make([]float32, 2*n), make([]float32, 2*n)
	for i := range n {
		a, b := z[2*i], z[2*i+1]
		x[2*i], x[2*i+1] = a, .8*a+.6*b // Σ_x = (1, 0.8; 0.8, 1)
		a, b = w[2*i], w[2*i+1]
		y[2*i], y[2*i+1] = 2*a+1, b // Σ_y = diag(4, 1), mean (1, 0)
	}
	// tr (Σ_x Σ_y)^½ = √(tr Σ_xΣ_y + 2√det Σ_xΣ_y) in the plane: tr = 5, det = 0.36·4.
	want := 1 + 2 + 5 - 2*math.Sqrt(5+2*math.Sqrt(.36*4))
	wantNear(t, "Frechet of two Gaussians", between(t, Frechet{}, x, y, 2), want, .03)
}
