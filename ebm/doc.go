// Package ebm holds the contracts of energy-based modelling and the one driver that runs them, on GoMLX.
//
// An [Energy] assigns each point x a number E(x); it stands for the density p(x) ∝ exp(−E(x)). A [Kernel] is one MCMC
// move or optimiser step, a pure graph function from state to state. A [Sampler] runs any kernel on any energy for
// many chains at once: on XLA as one compiled loop, on the pure Go backend as unrolled chunks; [Unroll] builds the same
// steps inside a loss. Noise is a function of key, step and element ([Rand]), so that all three give the same draws.
//
//	energy  := ebm.DoubleWell{BarrierHeight: 2}
//	sampler := must.M1(ebm.NewSampler(backend, nil, energy, samplers.Langevin{StepSize: ebm.Fixed(0.01)}))
//	out     := must.M1(sampler.Sample(ctx, ebm.Options{Chains: 1000, Dim: 2, Steps: 500, Seed: 1}))
//
// Where each thing is:
//
//	energy, its gradient      Energy, EnergyFunc, Net, ValueGrad       ebm (analytic ones), ebm/nn (networks)
//	vector field, as energy   Field, FieldNet, DotEnergy, SumEnergy    ebm, ebm/nn (networks)
//	paths from noise to data  Interpolant, Diffusion, Times, Decay     ebm/flow
//	pairs of noise and data   Coupling, Paired                         ebm/flow
//	steps along a field       Integrator, Tableau, SDE, Solver         ebm/flow
//	noise to data, and back   Sampler, Transport                       ebm/flow
//	one step of a sampler     Kernel, State, Info, Env                 ebm/samplers
//	many steps                Sampler, Options, Samples, Unroll        ebm
//	a number that changes     Schedule; Ladder, of noise levels        ebm
//	noise                     Rand, Threefry                           ebm
//	training                  Loss, Chained, Train, ShardRows          ebm, ebm/losses
//	runs shared by processes  Coupled, MergeCheckpoints                ebm
//	data, judgement, pictures                                          ebm/datasets, ebm/metrics, ebm/plots
//	which backend                                                      ebm/backend
//
// Methods that build graphs panic on wrong shapes, as GoMLX's operations do; functions on the host return errors.
package ebm
