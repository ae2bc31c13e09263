package flow

// RK4 is the classical Runge–Kutta method: order 4, four slopes a step, no embedded method. Choose it for fixed steps.
//
// W. Kutta, Beitrag zur näherungsweisen Integration totaler Differentialgleichungen, Z. Math. Phys. 46 (1901).
var RK4 = Tableau{
	A: [][]float64{{}, {1. / 2}, {0, 1. / 2}, {0, 0, 1}},
	B: []float64{1. / 6, 1. / 3, 1. / 3, 1. / 6},
	C: []float64{0, 1. / 2, 1. / 2, 1},
	P: 4,
}

// RK438 is Kutta's 3/8 rule: order 4 and four slopes a step, as [RK4]; most of its error coefficients are smaller, though
// not on every problem its error.
//
// Kutta, 1901, as RK4.
var RK438 = Tableau{
	A: [][]float64{{}, {1. / 3}, {-1. / 3, 1}, {1, -1, 1}},
	B: []float64{1. / 8, 3. / 8, 3. / 8, 1. / 8},
	C: []float64{0, 1. / 3, 2. / 3, 1},
	P: 4,
}
