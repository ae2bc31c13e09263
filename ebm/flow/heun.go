package flow

// Heun is Heun's method, the explicit trapezoidal rule, x' = x + ½h(f(x, t) + f(x + hf, t + h)): order 2, two slopes a step.
// Euler's method is embedded in it, so that it can be [Adaptive]. Choose it where slopes are dear and tolerances loose.
//
// K. Heun, Neue Methoden zur approximativen Integration der Differentialgleichungen einer unabhängigen Veränderlichen,
// Z. Math. Phys. 45 (1900).
var Heun = Tableau{
	A: [][]float64{{}, {1}},
	B: []float64{1. / 2, 1. / 2},
	C: []float64{0, 1},
	E: []float64{-1. / 2, 1. / 2},
	P: 2,
}
