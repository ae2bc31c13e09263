// Package metrics says how far a sample is from the data it should look like, and how many independent draws a chain is worth.
//
// Distances between two samples are struct literals whose zero value works:
//
//   - [SlicedWasserstein]: the default choice; any size, any dimension, n log n;
//   - [Wasserstein]: exact optimal transport of up to 4096 points a side, n³;
//   - [EnergyDistance]: no parameter to choose, n²;
//   - [MMD]: with a Gaussian kernel at several bandwidths, n².
//
// A distance between finite samples of one distribution is never zero, so a number means nothing by itself: [Floor] and
// [FloorOfHalves] measure what two true samples of the same sizes are apart, and belong beside every result.
//
// [ESS] and [RHat] judge Markov chains.
//
// Points come flat and row-major with the number of coordinates beside them, as datasets.Data has them: x[i·dim + j] is
// coordinate j of point i. Chains are [chains, draws, dim], as a sampler's trajectory is. Empty input, a length that does not
// fit and values that are not finite are errors that name the argument.
package metrics
