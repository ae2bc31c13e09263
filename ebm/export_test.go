package ebm

// What the tests of package ebm_test see of the inside.
var (
	ThreefryHost  = threefryHost
	ThreefryGraph = threefryGraph
	Normal32      = normal32
	Normal64      = normal64

	HostNormals32 = normals32
	HostNormal64  = normalHost64
	HostLog32     = log32
)

// Words draws the raw bits behind a Float32 draw of a shape.
var Words = (*Rand).words

// BarOn is Bar, told whether w is a terminal.
var BarOn = barOn

// SetLap makes a sampler take loops of n steps, as it does on CUDA, before one for the rest.
func SetLap(s *Sampler, n int) { s.lap = n }
