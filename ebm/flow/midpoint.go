package flow

// Midpoint is the explicit midpoint rule, x' = x + h f(x + ½hf, t + ½h): order 2, two slopes a step, as [Heun], of which
// neither is at the step's end; no embedded method. Choose it for fields that must not be asked at the last time.
//
// C. Runge, Ueber die numerische Auflösung von Differentialgleichungen, Math. Ann. 46 (1895), doi:10.1007/BF01446807.
var Midpoint = Tableau{A: [][]float64{{}, {1. / 2}}, B: []float64{0, 1}, C: []float64{0, 1. / 2}, P: 2}
