// Package nn has the energies and fields that are neural networks.
//
//   - [MLP], and [MLPEnergy] for short: a multilayer perceptron, with or without conditioning and spectral normalisation.
//   - [ConvEnergy]: a convolutional energy of pictures.
//   - [MLPField]: the same layers from an event to an event, a velocity or the gradient of an energy.
//   - [ConditionalTransformer2D]: a field of pictures, told time and labels; [Transformer] gives the usual sizes.
//   - [TimeConditionedMLP]: a field of any events, told them in the same way.
//   - Their parts: [Patchify], [SinCosPositions], [TimeEmbedding], [LabelEmbedding], [AdaLNZeroBlock], [AdaLNZeroMLPBlock], [AdaLNZeroHead], [SiLU].
//   - [Guided]: a conditional field whose labels count more.
//   - LoadTorch gives these networks the weights of TorchEBM's models, from files that [ReadSafetensors] reads.
//
// A network is a plain value: which layers, and the scope of a GoMLX store where its weights live. The weights come into
// being when the network is first built; every build after that, in the same graph or in another, shares them. So the
// same value is trained by a loss, sampled from by a sampler and drawn by package plots.
//
// Any other GoMLX model makes an energy in three lines, by [ebm.Net], and a field by [ebm.FieldNet].
package nn
