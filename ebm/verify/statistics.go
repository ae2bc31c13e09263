package verify

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/goebm/goebm/ebm"
)

// statistics are the numbers of a chain that are compared: linear functions of its event, one direction each (the event's own
// numbers, then projections of the event whitened by the draws' covariance), and the energy.
type statistics struct {
	c          Invariance
	names      []string
	directions [][]float64
}

func (c Invariance) statistics(draws *tensors.Tensor) (*statistics, error) {
	flat, d, err := matrix(draws)
	if err != nil {
		return nil, err
	}
	x := mat.NewDense(pilot, d, flat)
	var covariance mat.SymDense
	stat.CovarianceMatrix(&covariance, x, nil)
	var chol mat.Cholesky
	if !chol.Factorize(&covariance) {
		return nil, errors.Errorf("verify: Invariance: the covariance of %d exact draws is singular", pilot)
	}
	s := &statistics{c: c}
	add := func(kind string, i int, direction []float64) {
		s.names, s.directions = append(s.names, kind+subscript(i)), append(s.directions, direction)
	}
	for i := range d {
		unit := make([]float64, d)
		unit[i] = 1
		add("x", i, unit)
	}
	var lower mat.TriDense
	chol.LTo(&lower)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range c.Projections {
		u := mat.NewVecDense(d, nil)
		for j := range d {
			u.SetVec(j, rng.NormFloat64())
		}
		u.ScaleVec(1/mat.Norm(u, 2), u)
		var direction mat.VecDense
		if err := direction.SolveVec(lower.T(), u); err != nil {
			return nil, errors.Errorf("verify: Invariance: whitening: %v", err)
		}
		add("projection", i, direction.RawVector().Data)
	}
	s.names = append(s.names, "energy")
	return s, nil
}

// of computes every statistic of every chain.
func (s *statistics) of(x *tensors.Tensor) ([][]float64, error) {
	energy, err := ebm.Evaluate(s.c.Backend, s.c.Store, s.c.Energy, x)
	if err != nil {
		return nil, err
	}
	flat, d, err := matrix(x)
	if err != nil {
		return nil, err
	}
	values := make([][]float64, len(s.directions), len(s.directions)+1)
	inParallel(len(s.directions), func(i int) { values[i] = project(flat, d, s.directions[i]) })
	return append(values, energy), nil
}

func project(flat []float64, d int, direction []float64) []float64 {
	out := make([]float64, len(flat)/d)
	for i := range out {
		for j, v := range flat[i*d : (i+1)*d] {
			out[i] += v * direction[j]
		}
	}
	return out
}

// nonFinite counts the chains with a NaN or an infinity.
func nonFinite(x *tensors.Tensor) (count int, err error) {
	flat, d, err := matrix(x)
	for row := range slices.Chunk(flat, d) {
		if slices.ContainsFunc(row, func(v float64) bool { return v-v != 0 }) {
			count++
		}
	}
	return count, err
}

// grid is the number of values at which distribution functions are compared.
const grid = 1 << 14

// distance is sup|F − F'| of the empirical distribution functions of two samples of one size, over a grid that is
// finest at the centre and has cells of about 10⁻⁴ standard deviations there. The grid can only make it smaller,
// by less than the probability of a cell; it saves sorting.
func distance(a, b []float64, centre, deviation float64) float64 {
	if deviation == 0 { // a constant, as the energy of a uniform distribution is
		deviation = 1
	}
	var count [grid + 1]int
	cell := func(v float64) int {
		u := (v - centre) / deviation
		return int((u/(1+math.Abs(u)) + 1) * (grid / 2))
	}
	for i := range a {
		count[cell(a[i])]++
		count[cell(b[i])]--
	}
	largest, below := 0, 0
	for _, c := range count {
		below += c
		largest = max(largest, below, -below)
	}
	return float64(largest) / float64(len(a))
}

// subscript writes a number in subscript digits.
func subscript(i int) string {
	return strings.Map(func(digit rune) rune { return digit - '0' + '₀' }, fmt.Sprint(i))
}
