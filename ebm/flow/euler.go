package flow

// Euler is Euler's method, x' = x + h f(x, t): order 1, one slope a step. Choose it for straight flows, where it is exact, and
// to compare with.
//
// L. Euler, Institutionum calculi integralis, 1768; Butcher, doi:10.1002/9781119121534, §20.
var Euler = Tableau{A: [][]float64{{}}, B: []float64{1}, C: []float64{0}, P: 1}
