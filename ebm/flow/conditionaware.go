package flow

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// ConditionAware is a coupling that keeps noise and condition independent. Left to itself, optimal transport gives each class of the data
// the noise on its side, so that a model of one class is trained on a part of the noise only, and is then asked for samples from all of it.
// Here each point of noise belongs to the condition c of the data in its row, which is as good as drawn for it, and
//
//   - with Weight 0, Of pairs points of equal conditions among themselves: for labels;
//   - with a Weight w, Of pairs all points, with w·‖c₀ − c₁‖² added to the squared distances: for numbers. A large w pairs
//     only points whose conditions are near.
//
// Weights have mean 1 among points of equal conditions (with Weight 0), so that conditions keep their shares.
//
// The cost is that of Of; in groups it is less. Choose it wherever a conditional model is trained with a coupling other than
// [Independent]. Without conditioning it is Of.
//
// H. K. Cheng, A. Schwing, "The curse of conditions: analyzing and improving optimal transport for conditional flow-based
// generation", 2025, arXiv:2503.10636; G. Kerrigan, G. Migliorini, P. Smyth, "Dynamic conditional optimal transport through
// simulation-free flows", 2024, arXiv:2404.04240.
type ConditionAware struct {
	Of     Coupling // default ExactOT
	Weight float64  // w, in units of squared data over squared conditions. Default 0: equal conditions only
}

var _ Coupling = ConditionAware{}

// Pair pairs the batch.
func (c ConditionAware) Pair(b Batch, rng *rand.Rand) (Pairs, error) {
	if c.Of == nil {
		c.Of = ExactOT{}
	}
	if !(c.Weight >= 0) || math.IsInf(c.Weight, 1) {
		return Pairs{}, errors.Errorf("ConditionAware: Weight must be finite and not negative, got %g", c.Weight)
	}
	if err := b.Validate(); err != nil {
		return Pairs{}, err
	}
	if b.CondDim == 0 {
		return c.Of.Pair(b, rng)
	}
	if c.Weight > 0 {
		return c.widened(b, rng)
	}
	n := b.Len()
	var groups [][]int
	known := map[string]int{}
	for i := range n {
		var key []byte
		for _, v := range b.Cond[i*b.CondDim : (i+1)*b.CondDim] {
			key = binary.LittleEndian.AppendUint64(key, math.Float64bits(v+0)) // −0 is 0
		}
		g, ok := known[string(key)]
		if !ok {
			g, groups = len(groups), append(groups, nil)
			known[string(key)] = g
		}
		groups[g] = append(groups[g], i)
	}
	all := Pairs{}
	weighted := false
	for _, rows := range groups {
		part := Batch{Dim: b.Dim, CondDim: b.CondDim}
		for _, i := range rows {
			part.X0 = append(part.X0, b.X0[i*b.Dim:(i+1)*b.Dim]...)
			part.X1 = append(part.X1, b.X1[i*b.Dim:(i+1)*b.Dim]...)
			part.Cond = append(part.Cond, b.Cond[i*b.CondDim:(i+1)*b.CondDim]...)
		}
		p, err := c.Of.Pair(part, rng)
		if err != nil {
			return Pairs{}, errors.WithMessage(err, "ConditionAware")
		}
		if err := p.Validate(part); err != nil {
			return Pairs{}, errors.WithMessage(err, "ConditionAware")
		}
		if p.X1 != nil {
			return Pairs{}, errors.Errorf("ConditionAware: %T makes data of its own, which need no pairing", c.Of)
		}
		for k := range rows {
			weight := 1.0
			if p.Weights != nil {
				weight, weighted = p.Weights[k], true
			}
			all.I0, all.I1 = append(all.I0, rows[p.I0[k]]), append(all.I1, rows[p.I1[k]])
			all.Weights = append(all.Weights, weight)
		}
	}
	if !weighted {
		all.Weights = nil
	}
	return all.inDataOrder(), nil
}

// widened adds √w·c to the coordinates.
func (c ConditionAware) widened(b Batch, rng *rand.Rand) (Pairs, error) {
	wide := Batch{Dim: b.Dim + b.CondDim, Cond: b.Cond, CondDim: b.CondDim}
	for i := range b.Len() {
		wide.X0, wide.X1 = append(wide.X0, b.X0[i*b.Dim:(i+1)*b.Dim]...), append(wide.X1, b.X1[i*b.Dim:(i+1)*b.Dim]...)
		for _, v := range b.Cond[i*b.CondDim : (i+1)*b.CondDim] {
			v := float32(math.Sqrt(c.Weight) * v)
			wide.X0, wide.X1 = append(wide.X0, v), append(wide.X1, v)
		}
	}
	p, err := c.Of.Pair(wide, rng)
	if err == nil && p.X1 != nil {
		err = errors.Errorf("%T makes data of its own, which need no pairing", c.Of)
	}
	return p, errors.WithMessage(err, "ConditionAware")
}

// inDataOrder sorts pairs in which every datum comes once by their data; others it leaves.
func (p Pairs) inDataOrder() Pairs {
	n := len(p.I1)
	at := make([]int, n)
	for i := range at {
		at[i] = -1
	}
	for k, j := range p.I1 {
		if at[j] >= 0 {
			return p
		}
		at[j] = k
	}
	out := Pairs{I0: make([]int, n), I1: upTo(n)}
	if p.Weights != nil {
		out.Weights = make([]float64, n)
	}
	for j, k := range at {
		if out.I0[j] = p.I0[k]; p.Weights != nil {
			out.Weights[j] = p.Weights[k]
		}
	}
	return out
}
