// Package losses holds what energies are trained with, one objective a file. Each is an [ebm.Loss], a plain value, and goes to
// [ebm.Train] or into a model function of one's own.
//
//	ContrastiveDivergence   chains chase the data's energy down, from the data (CD-k) or persistently (PCD)
//	ScoreMatching           the slope of the energy fits the data's: no chains, one second derivative, exact or by probes
//	SlicedScoreMatching     the same along random directions
//	DenoisingScoreMatching  the same for data with noise of one level added: one gradient
//	MultiscaleDenoising     at every level of a ladder, for noise-conditional energies; samplers.AnnealedLangevin samples them
//	ParallelTemperingCD     persistent chains at several temperatures, which get from mode to mode
//	EnergyDiscrepancy       data against noisy neighbours; no chains and no derivatives
//	NoiseContrastive        data against noise of known density; a normalised density
//	EquilibriumMatching     a field, or the gradient of an energy, that leads from noise to data by descent
//	EnergyMatching          one energy, down which noise flows to data and whose density is that of the data there
//	FlowMatching            a field in time, along which noise flows to data: a velocity, score, noise or data prediction
//	ScoreFlowMatching       a velocity and a score, for a process with noise between two sets of points: Schrödinger bridges
//
// Around any of these:
//
//	DropLabels              replaces some labels by the null label, for nn.Guided
//
// Regularisers:
//
//	Penalised               any of these with EnergyL2, GradientPenalty or a Penalty of one's own
//	SpectralNorm            of nn.MLP and nn.ConvEnergy bounds the slopes of the energy
//	Noise                   of ContrastiveDivergence blurs the data
//	TrainOptions            has WeightDecay
//
// A loss of the slope ∇E trains convolutional energies too: nn.ConvEnergy of any sizes, and networks of GoMLX's own convolutions where kernels have
// odd size and strides are 1. GoMLX has no second gradient of strided convolutions nor of pooling, and says so.
package losses
