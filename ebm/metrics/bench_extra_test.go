package metrics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

func init() {
	for k, p := range map[string]*float64{"FROM": &scaleFrom, "TO": &scaleTo, "BY": &scaleBy} {
		if e := os.Getenv(k); e != "" {
			fmt.Sscan(e, p)
		}
	}
}
func BenchmarkW2Hard(b *testing.B) {
	const n = 4096
	rng := rand.New(rand.NewPCG(1, 1))
	eight := func(modes int, std float64) []float32 {
		x := make([]float32, 0, 2*n)
		for range n {
			s, c := math.Sincos(2 * math.Pi * float64(rng.IntN(modes)) / 8)
			x = append(x, float32(5*c+std*rng.NormFloat64()), float32(5*s+std*rng.NormFloat64()))
		}
		return x
	}
	shift := normals(2*n, 2)
	for i := range shift {
		shift[i] += 5
	}
	ball := normals(2*n, 3)
	hd := normals(50*n, 4)
	hd2 := normals(50*n, 5)
	for name, c := range map[string][2][]float32{"eight": {eight(8, .3), eight(8, .3)}, "one of eight": {eight(8, .3), eight(1, .3)}, "shift": {ball, shift}, "from gauss to eight": {ball, eight(8, .3)}, "cauchy": {cauchy(8), cauchy(9)}, "one outlier": {outlier(normals(2*n,8)), eight(1,.3)}, "line": {normals(2*n, 8), line(normals(2*n, 9))}, "half collapsed": {eight(8, .3), eight(4, .3)}, "ints": {ints(normals(2*n, 1)), ints(normals(2*n, 2))}, "dim50": {hd, hd2}} {
		b.Run(fmt.Sprint(name), func(b *testing.B) {
			dim := 2
			if name == "dim50" {
				dim = 50
			}
			b.ReportMetric(0, "x")
			bids = 0
			for b.Loop() {
				if _, err := (Wasserstein{}).Between(c[0], c[1], dim); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(bids)/n, "bids/n")
		})
	}
}
func line(x []float32) []float32 {
	for i := 1; i < len(x); i += 2 {
		x[i] = 0
	}
	return x
}
func ints(x []float32) []float32 {
	for i := range x {
		x[i] = float32(math.Round(float64(x[i]) * 4))
	}
	return x
}
func cauchy(s uint64) []float32 { a, b := normals(2*4096, s), normals(2*4096, s+100); for i := range a { a[i] /= b[i] }; return a }
func outlier(x []float32) []float32 { x[0] = 1000; return x }
