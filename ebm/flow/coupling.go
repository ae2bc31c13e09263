package flow

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/pkg/errors"
)

// Coupling decides which noise is joined to which data, within a batch, on the host: from a joint distribution of the two whose
// sides are those of the noise and of the data. Flow matching is right under any, and has straighter paths to learn, and so targets of
// less variance, under one that joins what lies near.
//
// Pair is a function of the batch and of rng alone. It may be called from several goroutines at once.
//
// A. Tong et al., "Improving and generalizing flow-based generative models with minibatch optimal transport", 2023,
// arXiv:2302.00482; A.-A. Pooladian et al., "Multisample flow matching: straightening flows with minibatch couplings", 2023, arXiv:2304.14772.
type Coupling interface {
	Pair(b Batch, rng *rand.Rand) (Pairs, error)
}

// Batch is what is to be paired: as many points of noise as of data.
type Batch struct {
	X0, X1  []float32 // noise and data, row after row, [n, Dim] each
	Dim     int
	Cond    []float64 // what the data are conditioned on, [n, CondDim]; a label is one number. May be nil
	CondDim int
}

// Pairs says that noise I0[k] goes with data I1[k], for each of the batch's n pairs. Whoever applies it moves the data's conditioning
// with the data. The couplings of this package let every datum stay, in the place where it is, and move the noise.
type Pairs struct {
	I0, I1  []int
	Weights []float64 // what each pair counts in the mean, 1 on average; nil: all alike
	X1      []float32 // data in the place of the batch's, [n, Dim], if the coupling makes its own; else nil
}

// Len is the number of points of a side.
func (b Batch) Len() int { return len(b.X1) / max(b.Dim, 1) }

// Validate tells what is wrong with the batch: sizes that disagree, or numbers that are not finite.
func (b Batch) Validate() error {
	n := b.Len()
	switch {
	case b.Dim < 1:
		return errors.Errorf("Batch: Dim must be positive, got %d", b.Dim)
	case n == 0 || n*b.Dim != len(b.X1):
		return errors.Errorf("Batch: X1 must have points of %d numbers each, got %d numbers", b.Dim, len(b.X1))
	case len(b.X0) != len(b.X1):
		return errors.Errorf("Batch: X0 must have as many numbers as X1, got %d and %d", len(b.X0), len(b.X1))
	case len(b.Cond) != n*b.CondDim:
		return errors.Errorf("Batch: Cond must have %d numbers for each of %d points, got %d", b.CondDim, n, len(b.Cond))
	}
	for _, x := range [][]float32{b.X0, b.X1} {
		for i, v := range x {
			if v-v != 0 {
				return errors.Errorf("Batch: point %d has %g, want finite numbers", i/b.Dim, v)
			}
		}
	}
	return nil
}

// Validate tells what is wrong with the pairs of a batch.
func (p Pairs) Validate(b Batch) error {
	n := b.Len()
	if len(p.I0) != n || len(p.I1) != n || p.Weights != nil && len(p.Weights) != n || p.X1 != nil && len(p.X1) != len(b.X1) {
		return errors.Errorf("Pairs: want %d pairs, got I0 %d, I1 %d, Weights %d, and %d numbers of X1 for %d",
			n, len(p.I0), len(p.I1), len(p.Weights), len(p.X1), len(b.X1))
	}
	for k := range n {
		if p.I0[k] < 0 || p.I0[k] >= n || p.I1[k] < 0 || p.I1[k] >= n {
			return errors.Errorf("Pairs: pair %d is of noise %d and data %d, want 0 to %d", k, p.I0[k], p.I1[k], n-1)
		}
	}
	for k, w := range p.Weights {
		if !(w >= 0) || math.IsInf(w, 1) {
			return errors.Errorf("Pairs: weight %d is %g, want it finite and not negative", k, w)
		}
	}
	return nil
}

// upTo is 0, …, n−1.
func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// costs are the squared distances ‖x₀ᵢ − x₁ⱼ‖², [n, n], computed on all cores.
func costs(b Batch) []float64 {
	n, d := b.Len(), b.Dim
	out := make([]float64, n*n)
	var workers sync.WaitGroup
	block := (n + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	for from := 0; from < n; from += block {
		workers.Go(func() {
			for i := from; i < min(from+block, n); i++ {
				x := b.X0[i*d : (i+1)*d]
				for j := range n {
					out[i*n+j] = squared(x, b.X1[j*d:(j+1)*d])
				}
			}
		})
	}
	workers.Wait()
	return out
}

// squared is ‖x − y‖². Four sums at once keep the processor from waiting for each one's last term.
func squared(x, y []float32) float64 {
	y = y[:len(x)]
	var a, b, c, d float64
	i := 0
	for ; i+3 < len(x); i += 4 {
		p, q := float64(x[i])-float64(y[i]), float64(x[i+1])-float64(y[i+1])
		r, s := float64(x[i+2])-float64(y[i+2]), float64(x[i+3])-float64(y[i+3])
		a, b, c, d = a+p*p, b+q*q, c+r*r, d+s*s
	}
	for ; i < len(x); i++ {
		p := float64(x[i]) - float64(y[i])
		a += p * p
	}
	return a + b + c + d
}
