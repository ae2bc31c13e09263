// Package datasets holds the data that energies are trained on: seeded generators of the toy sets of the literature, the
// measured eruptions of Old Faithful, 1797 handwritten digits, readers of CSV and NPY files, and batches for GoMLX's trainer.
//
//	moons, err := datasets.TwoMoons{N: 3000, Seed: 1}.Generate()       // a generator is a struct literal
//	geyser, err := datasets.OldFaithful()
//	digits, err := datasets.Digits()                                   // 8×8 pictures with labels
//	mine, err := datasets.ReadCSV("points.csv", datasets.CSV{})
//	scaled, scale, err := mine.Standardize()                           // scale.Invert brings samples back to the data's units
//	train, held, err := scaled.Split(0.5, 1)
//	batches := &datasets.Batches{Data: train, Size: 128, Seed: 1}      // a GoMLX train.Dataset
//
// All of them give a [Data]: a plain value, n points in row-major float32 with optional labels.
//
// # Defaults
//
// A zero field of a generator means its default. Where zero itself is meaningful, which is the case of the jitter (the
// fields called Noise or Std), write [None] to have none of it; other negative values are errors. Seed is taken as it is:
// 0 is a seed like any other. The same literal gives the same points on every machine of one architecture, and no global
// random state is read or written.
//
// # Labels
//
// Generators made of parts (moons, components, arms, rings, squares) number them in Data.Labels from 0; those that draw one
// continuous curve (Circle, SwissRoll, SCurve) have none. Points come shuffled.
//
// # Equal shares, or independent points
//
// The literature's generators give every part the same number of points, and TwoMoons evenly spaced ones. That is less random
// than independent draws, so the distance between two such sets is below what any model's samples can reach. Set IID to have
// every point drawn on its own from the distribution, as for a noise floor.
package datasets
