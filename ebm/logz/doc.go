// Package logz estimates log Z = log ∫ exp(−E(x)) dx, the number that turns an energy into a density: log p(x) = −E(x) − log Z.
// With it a trained energy can say how likely data are, and energies can be compared.
//
//   - [AIS]: annealed importance sampling, from a normalised base to the energy and back; the two directions bound log Z from
//     below and from above. It needs a kernel, and for the way back samples of the energy
//   - [Bridge]: bridge sampling between samples of the energy and a Gaussian fitted to them. It needs no kernel and takes a few
//     energies a sample; choose it where a Gaussian is near the target, AIS elsewhere
//   - [MeanLogLikelihood]: the mean log-likelihood of data, with an interval
//
// All give an [Estimate], which prints as a sentence:
//
//	z, err := logz.AIS{Backend: b, Store: store, Energy: energy, Event: []int{2}, Samples: samples}.Both(ctx)
//	fmt.Println(z)
//	l, err := logz.MeanLogLikelihood(b, store, energy, data, z)
//	fmt.Println(l)
//
// A conditional energy has a log Z for each condition: estimate that of an ebm.EnergyFunc with the condition built in.
//
// Energies are in nats, as everywhere in this module: at temperature T give the energy divided by T.
package logz
