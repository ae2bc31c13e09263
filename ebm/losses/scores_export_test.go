package losses

// What the tests of package losses_test see of the inside: losses for given noise.
var (
	DenoisingGiven  = DenoisingScoreMatching.given
	MultiscaleGiven = MultiscaleDenoising.given
	Evenly          = evenly
)
