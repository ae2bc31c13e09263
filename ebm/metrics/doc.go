// Package metrics says how far a sample is from the data it should look like, whether a chain can be believed, and how far a trained
// density is from a known one.
//
// # Two samples
//
// Distances are struct literals whose zero value works:
//
//   - [SlicedWasserstein]: the default choice; any size, any dimension, n log n;
//   - [Wasserstein]: exact optimal transport of up to 20 000 points a side, 4096 in more than four dimensions;
//   - [EnergyDistance]: no parameter to choose, n²;
//   - [MMD]: with a Gaussian kernel at several bandwidths, n²;
//   - [Frechet]: of the means and covariances alone; of pictures' features, the field's FID.
//
// A distance between finite samples of one distribution is never zero, so a number means nothing by itself: [Floor] and
// [FloorOfHalves] measure what two true samples of the same sizes are apart, and belong beside every result. [PermutationTest]
// turns any distance into a p-value, exact for independent points.
//
// # Chains
//
// [Diagnose] puts all of these into one table with a verdict in words:
//
//   - Do the chains agree? [RHat]; [NestedRHat] for many short chains;
//   - How many independent draws are they worth? [ESS] in the bulk, [ESSTail], [ESSQuantile]; [Autocorrelation] says why;
//   - How precise are the results? [MCSEMean], [MCSEStd], [MCSEQuantile];
//   - Does the sampler cope with the energy? [EBFMI], [Divergences].
//
// Their values are ArviZ's; the tests compare them.
//
// # Known truths
//
//   - [Modes]: how many modes samples hit, and in which shares;
//   - [ImportanceLogZ] and [DensityMSE]: the error of a model's log-density where the true one is known.
//
// Points come flat and row-major with the number of coordinates beside them, as datasets.Data has them: x[i·dim + j] is
// coordinate j of point i. Chains are [chains, draws, dim], as a sampler's trajectory is, energies [chains, draws]. Empty input, a
// length that does not fit and values that are not finite are errors that name the argument.
package metrics
