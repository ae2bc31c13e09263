// Package nn has the energies that are neural networks.
//
//   - [MLP], and [MLPEnergy] for short: a multilayer perceptron, with or without conditioning and spectral normalisation.
//
// A network is a plain value: which layers, and the scope of a GoMLX store where its weights live. The weights come into
// being when the energy is first built; every build after that, in the same graph or in another, shares them. So the
// same value is trained by a loss, sampled from by a sampler and drawn by package plots.
//
// Any other GoMLX model makes an energy in three lines, by [ebm.Net].
package nn
