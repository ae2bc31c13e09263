package nn_test

import (
	"fmt"

	"github.com/goebm/goebm/ebm"
	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/datasets"
	"github.com/goebm/goebm/ebm/nn"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/must"
)

// A network's weights are made when it is first evaluated.
func ExampleMLPEnergy() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	store := model.NewStore()
	must.M(store.SetRNGStateFromSeed(1))
	energy := nn.MLPEnergy(store.Scope("/energy"), 64, 64)

	x := tensors.FromValue([][]float32{{0, 0}, {1, 1}, {2, -1}})
	values := must.M1(ebm.Evaluate(b, store, energy, x))
	fmt.Println(len(values), "energies from", store.Scope("/energy").NumParameters(), "weights")
	// Output: 3 energies from 4417 weights
}

// An energy for each of ten classes, with bounded slopes.
func ExampleMLP() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	store := model.NewStore()
	must.M(store.SetRNGStateFromSeed(1))
	energy := nn.MLP{Scope: store.Scope("/energy"), Widths: []int{32}, SpectralNorm: true, Classes: 10}

	images := tensors.FromValue([][][]float32{{{0.1, 0.9}, {0.5, 0}}, {{0.1, 0.9}, {0.5, 0}}}) // [n, height, width]
	labels := tensors.FromValue([]int32{3, 7})
	values := must.M1(ebm.Evaluate(b, store, energy, images, labels))
	fmt.Println("the same image under two labels:", values[0] != values[1])
	// Output: the same image under two labels: true
}

// An energy of 8×8 pictures in grey, on the real digits.
func ExampleConvEnergy() {
	b := must.M1(backend.Open("go"))
	defer b.Finalize()
	store := model.NewStore()
	must.M(store.SetRNGStateFromSeed(1))
	energy := nn.ConvEnergy{Scope: store.Scope("/energy")}

	digits := must.M1(must.M1(datasets.Digits()).Tensor(dtypes.Float32)) // [1797, 8, 8, 1]
	values := must.M1(ebm.Evaluate(b, store, energy, digits))
	fmt.Println(len(values), "energies from", store.Scope("/energy").NumParameters(), "weights")
	// Output: 1797 energies from 56001 weights
}
