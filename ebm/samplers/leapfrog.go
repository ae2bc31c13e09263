package samplers

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Leapfrog follows Hamilton's equations x˙ = M⁻¹p, p˙ = −∇E(x) for a number of steps of size h, by
//
//	p½ = p − ½h∇E(x),   x' = x + hM⁻¹p½,   p' = p½ − ½h∇E(x')
//
// with neighbouring half steps joined, so that n steps take n gradients. It is time-reversible and keeps volume,
// and its error in the energy is of order h² and does not grow with n; stable for h < 2/ω at the highest
// frequency ω² of M⁻¹∇²E. Also known as velocity Verlet.
//
//   - valueGrad builds the energy, [n], and its gradient
//   - x, p and grad = ∇E(x) are [n, event...]; h is a scalar, or [n, 1...] of x's rank: a size for each chain
//   - results: position, momentum, and energy and gradient there. With steps = 0 there is no energy: nil.
//
// Leimkuhler and Reich, Simulating Hamiltonian Dynamics, 2004, doi:10.1017/CBO9780511614118, §4.
func Leapfrog(valueGrad func(x *Node) (value, grad *Node), mass Mass, x, p, grad, h *Node, steps int) (newX, newP, value, newGrad *Node) {
	half := MulScalar(h, 0.5)
	for i := range steps {
		kick := h
		if i == 0 {
			kick = half
		}
		p = Sub(p, Mul(grad, kick))
		x = Add(x, Mul(mass.Velocity(p), h))
		value, grad = valueGrad(x)
	}
	if steps > 0 {
		p = Sub(p, Mul(grad, half))
	}
	return x, p, value, grad
}
