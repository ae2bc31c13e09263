package flow

import (
	"cmp"
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// Sinkhorn is optimal transport with entropy between the noise and the data of a batch: the plan P, [n, n], of
//
//	min Σ Pᵢⱼ‖x₀ᵢ − x₁ⱼ‖² + ε·KL(P | 1/n²),    rows and columns of P sum to 1/n,
//
// found by scaling rows and columns in turn. Each datum j is then paired with noise drawn from column j of the plan, so that every
// datum comes once, and some noise twice or not at all: unless ε is very small, a share near 1/e is in no pair of its batch. As ε
// falls to 0 this is [ExactOT], as it grows [Independent]: the plan of a finite batch of it is nearer to that of the distributions.
//
// An iteration takes n² time, and more of them are needed as ε falls. It stops when the rows are off by Tolerance at most, or after
// Iterations; columns are exact in any case. [Sinkhorn.Plan] tells how far off the rows are.
//
// M. Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", 2013, arXiv:1306.0895; B. Schmitzer, "Stabilized sparse
// scaling algorithms for entropy regularized transport problems", 2016, arXiv:1610.06519.
type Sinkhorn struct {
	Reg        float64 // ε in units of the batch's mean cost, default 0.05
	Epsilon    float64 // ε itself, in place of Reg: 2σ² for the Schrödinger bridge of losses.ScoreFlowMatching
	Tolerance  float64 // Σᵢ|rowᵢ − 1/n|, default 0.001
	Iterations int     // at most, default 500
}

// UnbalancedSinkhorn is [Sinkhorn] that may give up on points: the sums of the plan's rows r and columns c are not held to 1/n, but
//
//	min Σ Pᵢⱼ‖x₀ᵢ − x₁ⱼ‖² + ε·KL(P | 1/n²) + ρ·KL(r | 1/n) + ρ·KL(c | 1/n).
//
// Data that lie far from all noise, such as outliers, get little of the plan. Each datum j is paired with noise drawn from its
// column, and counts cⱼ over their mean: so the training's data are reweighted. As ρ grows it becomes Sinkhorn.
//
// Choose it for data with outliers, or where the shares of modes need not be kept.
//
// L. Chizat, G. Peyré, B. Schmitzer, F.-X. Vialard, "Scaling algorithms for unbalanced optimal transport problems", 2018,
// doi:10.1090/mcom/3303; for batches: K. Fatras et al., "Unbalanced minibatch optimal transport", 2021, arXiv:2103.03606.
type UnbalancedSinkhorn struct {
	Reg        float64 // ε in units of the batch's mean cost, default 0.05
	Marginal   float64 // ρ in units of the batch's mean cost, default 1
	Tolerance  float64 // mean relative change of the scaling in an iteration, default 0.001
	Iterations int     // at most, default 500
}

var (
	_ Coupling = Sinkhorn{}
	_ Coupling = UnbalancedSinkhorn{}
)

// Pair pairs the batch.
func (s Sinkhorn) Pair(b Batch, rng *rand.Rand) (Pairs, error) {
	k, err := s.scale(b)
	if err != nil {
		return Pairs{}, err
	}
	p := k.draw(rng)
	p.Weights = nil // the columns are all alike
	return p, nil
}

// Plan is P of a batch, [n, n], a row for each point of noise; and Σᵢ|rowᵢ − 1/n|.
func (s Sinkhorn) Plan(b Batch) (plan []float64, left float64, err error) {
	k, err := s.scale(b)
	if err != nil {
		return nil, 0, err
	}
	plan = k.plan()
	for i := range k.n {
		sum := 0.0
		for _, v := range plan[i*k.n : (i+1)*k.n] {
			sum += v
		}
		left += math.Abs(sum - 1/float64(k.n))
	}
	return plan, left, nil
}

func (s Sinkhorn) scale(b Batch) (*scaling, error) {
	if s.Epsilon == 0 {
		return newScaling("Sinkhorn", b, cmp.Or(s.Reg, 0.05), false, math.Inf(1), cmp.Or(s.Tolerance, 1e-3), s.Iterations)
	}
	if s.Reg != 0 {
		return nil, errors.Errorf("Sinkhorn: Reg and Epsilon both say ε: give one, got %g and %g", s.Reg, s.Epsilon)
	}
	return newScaling("Sinkhorn", b, s.Epsilon, true, math.Inf(1), cmp.Or(s.Tolerance, 1e-3), s.Iterations)
}

// Pair pairs the batch.
func (s UnbalancedSinkhorn) Pair(b Batch, rng *rand.Rand) (Pairs, error) {
	k, err := s.scale(b)
	if err != nil {
		return Pairs{}, err
	}
	return k.draw(rng), nil
}

// Plan is P of a batch, [n, n], a row for each point of noise.
func (s UnbalancedSinkhorn) Plan(b Batch) ([]float64, error) {
	k, err := s.scale(b)
	if err != nil {
		return nil, err
	}
	return k.plan(), nil
}

func (s UnbalancedSinkhorn) scale(b Batch) (*scaling, error) {
	marginal := cmp.Or(s.Marginal, 1)
	if !(marginal > 0) || math.IsInf(marginal, 1) {
		return nil, errors.Errorf("UnbalancedSinkhorn: Marginal must be positive and finite, got %g", marginal)
	}
	return newScaling("UnbalancedSinkhorn", b, cmp.Or(s.Reg, 0.05), false, marginal, cmp.Or(s.Tolerance, 1e-3), s.Iterations)
}

// scaling is a plan Pᵢⱼ = uᵢKᵢⱼvⱼ/n² with K = exp((fᵢ + gⱼ − Cᵢⱼ)/ε). Scaling multiplies u and v alone; what grows out of
// range is moved into f and g, and K computed anew, so that a small ε neither overflows nor divides by 0.
type scaling struct {
	n           int
	cost, k     []float64 // [n, n]; cost in units of its mean
	eps, lambda float64   // λ = ρ/(ρ + ε), 1 where the marginals are held
	f, g        []float64
	u, v        []float64
}

const outOfRange = 30 // of log u and log v

// newScaling finds the plan for ε = reg, in units of the mean cost unless absolute.
func newScaling(name string, b Batch, reg float64, absolute bool, marginal, tolerance float64, iterations int) (*scaling, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	if iterations == 0 {
		iterations = 500
	}
	switch {
	case !(reg > 0) || math.IsInf(reg, 1):
		return nil, errors.Errorf("%s: Reg and Epsilon must be positive and finite, got %g", name, reg)
	case !(tolerance > 0):
		return nil, errors.Errorf("%s: Tolerance must be positive, got %g", name, tolerance)
	case iterations < 0:
		return nil, errors.Errorf("%s: Iterations must not be negative, got %d", name, iterations)
	}
	n := b.Len()
	s := &scaling{n: n, cost: costs(b), k: make([]float64, n*n), eps: reg, lambda: 1,
		f: make([]float64, n), g: make([]float64, n), u: make([]float64, n), v: make([]float64, n)}
	if !math.IsInf(marginal, 1) {
		s.lambda = marginal / (marginal + reg)
	}
	mean := 0.0
	for _, c := range s.cost {
		mean += c / float64(n*n)
	}
	if mean > 0 { // else all points are one
		for i := range s.cost {
			s.cost[i] /= mean
		}
		if absolute {
			s.eps /= mean
		}
	}
	// Every row and every column begins with a 1 in K.
	for i := range n {
		s.f[i] = math.Inf(1)
		for _, c := range s.cost[i*n : (i+1)*n] {
			s.f[i] = min(s.f[i], c)
		}
	}
	for j := range n {
		s.g[j] = math.Inf(1)
		for i := range n {
			s.g[j] = min(s.g[j], s.cost[i*n+j]-s.f[i])
		}
	}
	for i := range n {
		s.u[i], s.v[i] = 1, 1
	}
	s.absorb()
	sums := make([]float64, n)
	for it := range iterations {
		for i := range n {
			sums[i] = dot(s.k[i*n:(i+1)*n], s.v)
		}
		change := s.update(s.u, s.f, sums)
		s.columns(sums)
		s.update(s.v, s.g, sums)
		if it > 0 && change < tolerance {
			break
		}
	}
	return s, nil
}

// columns are Σᵢ uᵢKᵢⱼ.
func (s *scaling) columns(sums []float64) {
	clear(sums)
	for i, u := range s.u {
		for j, k := range s.k[i*s.n : (i+1)*s.n] {
			sums[j] += u * k
		}
	}
}

// update scales one side, u with its f, for the sums over the other. It returns the mean relative change, which where the marginals
// are held is how far off they were.
func (s *scaling) update(u, f, sums []float64) (change float64) {
	far := false
	for i, sum := range sums {
		log := -s.lambda*math.Log(sum/float64(s.n)) + (s.lambda-1)*f[i]/s.eps
		next := math.Exp(log)
		change += math.Abs(u[i]/next-1) / float64(s.n)
		u[i] = next
		far = far || math.Abs(log) > outOfRange
	}
	if far {
		s.absorb()
	}
	return change
}

// absorb moves u and v into f and g.
func (s *scaling) absorb() {
	for i := range s.n {
		s.f[i] += s.eps * math.Log(s.u[i])
		s.g[i] += s.eps * math.Log(s.v[i])
		s.u[i], s.v[i] = 1, 1
	}
	for i, f := range s.f {
		row := s.k[i*s.n : (i+1)*s.n]
		for j, c := range s.cost[i*s.n : (i+1)*s.n] {
			row[j] = math.Exp((f + s.g[j] - c) / s.eps)
		}
	}
}

func (s *scaling) plan() []float64 {
	out := make([]float64, len(s.k))
	for i, k := range s.k {
		out[i] = s.u[i/s.n] * k * s.v[i%s.n] / float64(s.n*s.n)
	}
	return out
}

// draw pairs each datum with noise from its column, and weighs it by the column's sum.
func (s *scaling) draw(rng *rand.Rand) Pairs {
	p := Pairs{I0: make([]int, s.n), I1: upTo(s.n), Weights: make([]float64, s.n)}
	sums := make([]float64, s.n)
	s.columns(sums)
	total := 0.0
	for j, sum := range sums {
		p.Weights[j] = sum * s.v[j]
		total += p.Weights[j]
		left := rng.Float64() * sum
		for i, u := range s.u {
			share := u * s.k[i*s.n+j]
			if share > 0 {
				p.I0[j] = i // the last one that there is, should rounding leave something over
			}
			if left -= share; left < 0 {
				break
			}
		}
	}
	for j := range p.Weights {
		p.Weights[j] *= float64(s.n) / total
	}
	return p
}

// dot is Σ xᵢyᵢ, as four sums at once.
func dot(x, y []float64) float64 {
	y = y[:len(x)]
	var a, b, c, d float64
	i := 0
	for ; i+3 < len(x); i += 4 {
		a, b, c, d = a+x[i]*y[i], b+x[i+1]*y[i+1], c+x[i+2]*y[i+2], d+x[i+3]*y[i+3]
	}
	for ; i < len(x); i++ {
		a += x[i] * y[i]
	}
	return a + b + c + d
}
