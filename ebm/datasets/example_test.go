package datasets_test

import (
	"fmt"

	"github.com/goebm/goebm/ebm/datasets"
	"github.com/janpfeifer/must"
)

func ExampleTwoMoons() {
	moons := must.M1(datasets.TwoMoons{N: 3000, Seed: 1}.Generate())
	fmt.Println(moons.Len(), "points of", moons.Dim, "coordinates,", len(moons.Labels), "labels")
	one := must.M1(datasets.TwoMoons{N: 1, Noise: datasets.None}.Generate())
	fmt.Printf("%.1f of moon %d\n", one.Row(0), one.Labels[0])
	// Output:
	// 3000 points of 2 coordinates, 3000 labels
	// [0.0 0.5] of moon 1
}

func ExampleOldFaithful() {
	geyser := must.M1(datasets.OldFaithful())
	fmt.Println(geyser.Len(), geyser.Columns, geyser.Row(0))
	scaled, scale, err := geyser.Standardize()
	must.M(err)
	train, held, err := scaled.Split(0.5, 1)
	must.M(err)
	fmt.Printf("%d + %d points in units of %.2f and %.2f minutes\n", train.Len(), held.Len(), scale.Std[0], scale.Std[1])
	// Output:
	// 272 [eruptions waiting] [3.6 79]
	// 136 + 136 points in units of 1.14 and 13.57 minutes
}

func ExampleReadCSV() {
	d := must.M1(datasets.ReadCSV("old_faithful.csv", datasets.CSV{Columns: []string{"waiting"}}))
	fmt.Println(d.Name, d.Len(), d.X[:3])
	_, err := datasets.ReadCSV("old_faithful.csv", datasets.CSV{Columns: []string{"duration"}})
	fmt.Println(err)
	// Output:
	// old_faithful 272 [79 54 74]
	// old_faithful.csv: Columns "duration" is not a column; there are ["eruptions" "waiting"]
}

func ExampleBatches() {
	moons := must.M1(datasets.TwoMoons{N: 300}.Generate())
	batches := &datasets.Batches{Data: moons, Size: 128, Labels: true}
	for batch, err := range batches.Iter() {
		must.M(err)
		fmt.Println(batch.Inputs[0].Shape(), batch.Inputs[1].Shape())
		must.M(batch.Finalize())
	}
	fmt.Println("next: epoch", batches.Epoch, "step", batches.Step)
	// Output:
	// (Float32)[128, 2] (Int32)[128]
	// (Float32)[128, 2] (Int32)[128]
	// next: epoch 1 step 0
}
