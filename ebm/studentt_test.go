package ebm_test

import (
	"math"
	"testing"

	"github.com/goebm/goebm/ebm"
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// The normaliser and the variance against an integral of E as the graph computes it, along x = s√ν·tan φ: of the integrands
// only powers of cos φ are left, of which sums over equal steps are exact.
func TestStudentTNormaliser(t *testing.T) {
	const steps = 64
	goBackend(t, func(b compute.Backend) {
		for _, e := range []ebm.StudentT{{}, {DF: 3, Scale: 0.5}, {DF: 7, Scale: 2}} {
			nu, s := e.DF, e.Scale
			if nu == 0 {
				nu, s = 5, 1
			}
			x, dx := make([]float64, steps-1), make([]float64, steps-1)
			for i := range x {
				phi := math.Pi * (float64(i+1)/steps - 0.5)
				x[i] = s * math.Sqrt(nu) * math.Tan(phi)
				dx[i] = s * math.Sqrt(nu) / (math.Cos(phi) * math.Cos(phi)) * math.Pi / steps
			}
			energy, err := ebm.Evaluate(b, nil, e, tensors.FromFlatDataAndDimensions(x, len(x), 1))
			if err != nil {
				t.Fatal(err)
			}
			z, second := 0.0, 0.0
			for i := range x {
				w := math.Exp(-energy[i]) * dx[i]
				z, second = z+w, second+w*x[i]*x[i]
			}
			logZ, err := e.LogZ(2)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "StudentT: log Z", logZ, 2*math.Log(z), 1e-12)
			_, cov, err := e.Moments(2)
			if err != nil {
				t.Fatal(err)
			}
			if nu > 3 { // at ν = 3 the end points, which the sum leaves out, count
				near(t, "StudentT: variance", cov[1][1], second/z, 1e-11)
			}
		}
	})
}
