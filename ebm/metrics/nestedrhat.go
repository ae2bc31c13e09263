package metrics

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// NestedRHat is the nested R̂ of every coordinate of many short chains x [chains, draws, dim]. The chains come in superchains,
// consecutive and of equal size: the first chains/superchains chains are the first, and so on. **All chains of a superchain must
// start at one point**, and superchains at different ones: then
//
//	nR̂ = √(1 + B/W),   W = mean_k (B̃_k + W̃_k),
//
// with B the variance of the K superchain means, B̃_k the variance of the chain means within superchain k and W̃_k the mean variance
// of its chains, tells whether the starting points are forgotten, even after a single draw a chain, where RHat sees nothing or
// asks for far longer chains. As in RHat it is taken of the ranks and of the ranks of |x − median|, and the larger counts. Chains
// that have forgotten give about √(1 + 1/(M·n)) for M chains a superchain worth n draws each: below 1.01 from M·n = 50 on.
// At least 2 superchains, and 2 chains in each or 2 draws; all draws equal is an error. +Inf when no superchain has any spread.
//
// C. C. Margossian et al. (2024), Nested R̂: assessing the convergence of Markov chain Monte Carlo when running many short chains,
// Bayesian Analysis, arXiv:2110.13017.
func NestedRHat(x []float32, chains, superchains, dim int) ([]float64, error) {
	draws, err := checkChains("NestedRHat", x, chains, dim, 1)
	switch {
	case err != nil:
		return nil, err
	case superchains < 2 || chains%superchains != 0:
		return nil, errors.Errorf("NestedRHat: superchains = %d, want at least 2 and a divisor of chains = %d", superchains, chains)
	case chains == superchains && draws == 1:
		return nil, errors.New("NestedRHat: x has 1 draw a chain and 1 chain a superchain, want at least 2 of one")
	}
	out, still := make([]float64, dim), make([]bool, dim)
	parallel(dim, func(j int) {
		parts := column(x, chains, draws, dim, j)
		if still[j] = constant(parts); !still[j] {
			out[j] = rankNestedRHat(parts, superchains)
		}
	})
	if j := slices.Index(still, true); j >= 0 {
		return nil, errors.Errorf("NestedRHat: x is constant in coordinate %d", j)
	}
	return out, nil
}

func rankNestedRHat(parts [][]float64, superchains int) float64 {
	return max(nestedRHat(rankNormal(parts), superchains), nestedRHat(rankNormal(fold(parts)), superchains))
}

func nestedRHat(parts [][]float64, superchains int) float64 {
	if constant(parts) {
		return 1 // folding can leave no spread, as for draws of two values
	}
	size := len(parts) / superchains
	means := make([]float64, superchains)
	var within float64
	for k := range means {
		group := parts[k*size : (k+1)*size]
		inChains, betweenChains := variances(group)
		within += (inChains + betweenChains) / float64(superchains)
		for _, part := range group {
			mean, _ := meanVar(part)
			means[k] += mean / float64(size)
		}
	}
	_, between := meanVar(means)
	return math.Sqrt(1 + between/within)
}
