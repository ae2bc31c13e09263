package flow

// Bosh3 is the pair of Bogacki and Shampine of orders 3 and 2: three slopes a step, and the next step's first for the error.
// Choose it for [Adaptive] steps at loose tolerances, about 10⁻³.
//
// P. Bogacki, L. F. Shampine, A 3(2) pair of Runge–Kutta formulas, Appl. Math. Lett. 2 (1989), doi:10.1016/0893-9659(89)90079-7.
var Bosh3 = Tableau{
	A: [][]float64{{}, {1. / 2}, {0, 3. / 4}, {2. / 9, 1. / 3, 4. / 9}},
	B: []float64{2. / 9, 1. / 3, 4. / 9, 0},
	C: []float64{0, 1. / 2, 3. / 4, 1},
	E: []float64{2./9 - 7./24, 1./3 - 1./4, 4./9 - 1./3, -1. / 8},
	P: 3,
}
