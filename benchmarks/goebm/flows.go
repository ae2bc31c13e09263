package main

import (
	"context"
	"fmt"
	"math"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/flow"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// "mixed", as in work.py.
const (
	mixedSlowest, mixedFastest = 1, 1000
	mixedTime                  = 2
	rtol, atol                 = 1e-4, 1e-6
)

// prepareFlow samples by the flow of a field.
func prepareFlow(b compute.Backend, store *model.Store, w work) (*prepared, error) {
	sampler, err := flow.NewSampler(b, store, newField(store, w), flow.Transport{Method: flow.Heun, Steps: w.steps})
	if err != nil {
		return nil, err
	}
	o := ebm.Options{Chains: w.chains, Dim: w.dim, Devices: *devices}
	var samples *flow.Samples
	return &prepared{
		units: 1,
		call: func() (err error) {
			o.Seed++
			samples, err = sampler.Sample(context.Background(), o)
			return err
		},
		check: func() ([]float64, error) { return meanSquare(samples.X) },
	}, nil
}

// prepareMixed follows chains of many time scales by adaptive steps.
func prepareMixed(b compute.Backend, w work) (*prepared, error) {
	field := ebm.FieldFunc(func(x, t *Node, cond ...*Node) *Node {
		return Mul(cond[0], Sub(flow.AlongRows(Cos(t), x), x))
	})
	solver, err := flow.NewSolver(b, nil, field, flow.Adaptive{Method: flow.Dopri5, RTol: rtol, ATol: atol, FirstStep: w.stepSize})
	if err != nil {
		return nil, err
	}
	rates, starts := mixed(w.chains)
	problem := flow.Problem{Start: column(starts), Times: []float64{0, mixedTime}, Cond: []*tensors.Tensor{column(rates)}}
	var found *flow.Solution
	return &prepared{
		units: 1,
		call: func() (err error) {
			if found, err = solver.Solve(context.Background(), problem); err != nil {
				return err
			}
			for i, s := range found.Status {
				if s != flow.Done {
					return fmt.Errorf("chain %d: %s", i, s)
				}
			}
			return nil
		},
		check: func() ([]float64, error) { return meanSquare(found.X) },
		figures: func() (map[string]float64, error) {
			x, err := tensors.CopyFlatData[float32](found.X)
			if err != nil {
				return nil, err
			}
			f := map[string]float64{}
			for i, e := range found.Evaluations {
				f["evaluations"] += float64(e) / float64(len(x))
				f["most"] = max(f["most"], float64(e))
				f["error"] = max(f["error"], math.Abs(float64(x[i])-mixedExact(rates[i], starts[i], mixedTime)))
			}
			return f, nil
		},
	}, nil
}

// mixed are the chains' rates λ and starts, of x˙ = −λ(x − cos t).
func mixed(chains int) (rates, starts []float64) {
	for i := range chains {
		rates = append(rates, mixedSlowest*math.Pow(mixedFastest/mixedSlowest, float64(i)/float64(chains-1)))
		starts = append(starts, 2*math.Sin(float64(i+1)))
	}
	return rates, starts
}

// mixedExact is x at t.
func mixedExact(rate, start, t float64) float64 {
	way := func(t float64) float64 { return (rate*rate*math.Cos(t) + rate*math.Sin(t)) / (1 + rate*rate) }
	return way(t) + (start-way(0))*math.Exp(-rate*t)
}

// column is [n, 1].
func column(v []float64) *tensors.Tensor {
	flat := make([]float32, len(v))
	for i, x := range v {
		flat[i] = float32(x)
	}
	return tensors.FromFlatDataAndDimensions(flat, len(v), 1)
}

// meanSquare is the mean of the rows' mean squares, and its standard error.
func meanSquare(x *tensors.Tensor) ([]float64, error) {
	flat, err := tensors.CopyFlatData[float32](x)
	if err != nil {
		return nil, err
	}
	rows := make([]float64, x.Shape().Dimensions[0])
	d := len(flat) / len(rows)
	for i, v := range flat {
		rows[i/d] += float64(v) * float64(v) / float64(d)
	}
	return meanError(rows), nil
}
