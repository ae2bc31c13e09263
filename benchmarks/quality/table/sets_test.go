package table

import (
	"math"
	"testing"
)

// A set's density integrates to 1, and the points that are drawn from it have its entropy.
func TestDensities(t *testing.T) {
	for _, s := range sets {
		t.Run(s.name, func(t *testing.T) {
			const cells = 120 // squares of the board are whole cells
			width := 2 * s.reach / cells
			rows := make([][2]float64, cells) // ∫p and ∫p log p of each
			parallel(cells, func(i int) {
				for j := range cells {
					if v := s.logDensity(-s.reach+(float64(j)+.5)*width, -s.reach+(float64(i)+.5)*width); v > -60 {
						p := math.Exp(v) * width * width
						rows[i][0], rows[i][1] = rows[i][0]+p, rows[i][1]+p*v
					}
				}
			})
			mass, negentropy := 0.0, 0.0
			for _, r := range rows {
				mass, negentropy = mass+r[0], negentropy+r[1]
			}
			if math.Abs(mass-1) > 2e-3 {
				t.Errorf("the density integrates to %.4f", mass)
			}
			const n = 5000
			data, err := s.generate(n, 5)
			if err != nil {
				t.Fatal(err)
			}
			sum, squares := 0.0, 0.0
			for _, v := range s.logDensities(data.X) {
				sum, squares = sum+v, squares+v*v
			}
			mean := sum / n
			if se := math.Sqrt((squares/n - mean*mean) / n); math.Abs(mean-negentropy) > 5*se+2e-3 {
				t.Errorf("log p of the data is %.4f ± %.4f on average, want %.4f", mean, se, negentropy)
			}
		})
	}
}
