package ebm

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// normal32 turns 32 random bits into a standard normal: the top bit is the sign, the other 31, k, the tail
// probability p = (k + ½)·2⁻³² ∈ (0, ½). Then −Φ⁻¹(p) = (1−2p)·P(√(5 − log 4p(1−p))), where P is a polynomial
// of degree 14, our own minimax fit in relative error over that range: 3.2e-7, and 1e-6 in Float32 arithmetic; near
// 0, where 1−2p goes in steps of 2⁻²⁴, the error is at most 1e-7. The tails end at ±6.338, where p = 2⁻³³.
func normal32(w *Node) *Node {
	magnitude := Bitcast(BitwiseAnd(w, Const(w.Graph(), uint32(0x7FFFFFFF))), dtypes.Int32)
	p := MulScalar(AddScalar(ConvertDType(magnitude, dtypes.Float32), 0.5), 0x1p-32)
	v := Sqrt(AddScalar(Neg(Log(MulScalar(Mul(p, OneMinus(p)), 4))), 5))
	t := AddScalar(MulScalar(v, 0.6712999911407125), -2.5010724134856397) // [-1, 1]
	z := Mul(horner(t, normalPoly[:]), OneMinus(MulScalar(p, 2)))
	sign := BitwiseAnd(w, Const(w.Graph(), uint32(0x80000000)))
	return Bitcast(BitwiseXor(Bitcast(z, dtypes.Uint32), sign), dtypes.Float32)
}

var normalPoly = [...]float64{ // highest power first
	-0.0229901529, -0.00448303324, 0.10880166, -0.0198525698, -0.190518069, 0.120520772, 0.0878963443, -0.145840371,
	0.125957205, -0.090700173, 0.0109904706, 0.0999451735, -0.248291332, 2.63718191, 3.97824012,
}

// normal64 turns 64 random bits into a standard normal: the top bit is the sign, the other 63 the tail
// probability. The relative error is at most 1.2e-15, near 0 the absolute one 3e-16. The tails end at ±9.155.
//
// M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied Statistics
// 37(3), 1988, doi:10.2307/2347330 (routine PPND16).
func normal64(hi, lo *Node) *Node {
	g := hi.Graph()
	magnitude := ConvertDType(BitwiseAnd(hi, Const(g, uint32(0x7FFFFFFF))), dtypes.Float64)
	p := Add(MulScalar(magnitude, 0x1p-32), MulScalar(AddScalar(ConvertDType(lo, dtypes.Float64), 0.5), 0x1p-64))
	q := AddScalar(Neg(p), 0.5)
	r := Sqrt(Neg(Log(p)))

	s := AddScalar(Neg(Square(q)), 0.180625)
	centre := Mul(q, Div(horner(s, as241[0][:]), horner(s, as241[1][:])))
	s = AddScalar(r, -1.6)
	middle := Div(horner(s, as241[2][:]), horner(s, as241[3][:]))
	s = AddScalar(r, -5)
	tail := Div(horner(s, as241[4][:]), horner(s, as241[5][:]))

	z := Where(LessOrEqual(q, Const(g, 0.425)), centre, Where(LessOrEqual(r, Const(g, 5.0)), middle, tail))
	negative := GreaterThan(hi, Const(g, uint32(0x7FFFFFFF)))
	return Where(negative, Neg(z), z)
}

var as241 = [6][8]float64{ // highest power first
	{2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
		1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0},
	{5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
		5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1},
	{7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
		3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0},
	{1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
		6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1},
	{2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
		2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0},
	{2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
		1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1},
}

// horner evaluates a polynomial whose coefficients come highest power first.
func horner(t *Node, coefficients []float64) *Node {
	y := AddScalar(MulScalar(t, coefficients[0]), coefficients[1])
	for _, c := range coefficients[2:] {
		y = AddScalar(Mul(y, t), c)
	}
	return y
}
