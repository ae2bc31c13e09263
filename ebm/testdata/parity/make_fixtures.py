"""Writes the parity fixtures beside this file by running TorchEBM.

    pip install torchebm==0.8.9
    python make_fixtures.py

Everything is computed in float64 on the CPU. README.md describes the fields.
"""

import json
import math
import struct
from pathlib import Path

import torch
import torchebm
from torchebm.core import (
    AckleyModel,
    BoothModel,
    ConstantScheduler,
    CosineScheduler,
    CouplingResult,
    DoubleWellModel,
    ExponentialDecayScheduler,
    GaussianModel,
    HarmonicModel,
    HimmelblauModel,
    LinearScheduler,
    MultiStepScheduler,
    RastriginModel,
    RosenbrockModel,
    StyblinskiTangModel,
    TemperatureScheduler,
    WarmupScheduler,
)
from torchebm.integrators import EulerMaruyamaIntegrator, GeneralisedLeapfrogIntegrator, LeapfrogIntegrator
from torchebm.interpolants import CosineInterpolant, LinearInterpolant, VariancePreservingInterpolant
from torchebm.losses import ContrastiveDivergence, DenoisingScoreMatching, EnergyMatchingLoss, EquilibriumMatchingLoss, FlowMatchingLoss, ScoreMatching, SlicedScoreMatching
from torchebm.models import DiT, EqMEnergy, TimeConditionedMLP, dit_b_4, dit_s_2, dit_xl_8
from torchebm.samplers import (
    FlowSampler,
    GradientDescentSampler,
    HamiltonianMonteCarlo,
    LangevinDynamics,
    NesterovSampler,
    RiemannianManifoldHMC,
)

HERE = Path(__file__).parent
F64 = torch.float64
SOURCE = f"torchebm {torchebm.__version__}"

MEAN2 = [1.0, -1.0]
COV2 = [[1.0, 0.5], [0.5, 2.0]]
MEAN3 = [0.5, 0.0, -1.5]
COV3 = [[2.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 0.5]]


def normal(seed, *shape, scale=1.0):
    """Points rounded to six decimals, so that the file is short and exact."""
    g = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, dtype=F64, generator=g) * scale).mul(1e6).round().div(1e6)


def uniform(seed, *shape):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, dtype=F64, generator=g).mul(1e6).round().div(1e6)


def listed(x):
    return x.detach().tolist()


def rows(value):
    """JSON text of a list with one element a line, so that diffs are readable."""
    return "[\n" + ",\n".join("  " + json.dumps(v) for v in value) + "\n]"


def write(name, **fields):
    head = [f'"source": {json.dumps(SOURCE)}', '"dtype": "float64"']
    body = [f'"{k}": {rows(v)}' for k, v in fields.items()]
    (HERE / name).write_text("{\n" + ",\n".join(head + body) + "\n}\n")


def gaussian(mean, cov):
    return GaussianModel(torch.tensor(mean, dtype=F64), torch.tensor(cov, dtype=F64), dtype=F64)


def energies():
    cases = [
        ("Gaussian", {"mean": MEAN2, "cov": COV2}, gaussian(MEAN2, COV2), 2, 1.5),
        ("Gaussian", {"mean": MEAN3, "cov": COV3}, gaussian(MEAN3, COV3), 3, 1.5),
        ("DoubleWell", {"barrier_height": 2.0, "b": 1.0}, DoubleWellModel(), 2, 1.2),
        ("DoubleWell", {"barrier_height": 2.0, "b": 1.0}, DoubleWellModel(), 3, 1.2),
        ("DoubleWell", {"barrier_height": 3.0, "b": 1.5}, DoubleWellModel(3.0, 1.5), 2, 1.2),
        ("Harmonic", {"k": 1.0}, HarmonicModel(), 2, 2.0),
        ("Harmonic", {"k": 2.5}, HarmonicModel(2.5), 3, 2.0),
        ("Rosenbrock", {"a": 1.0, "b": 100.0}, RosenbrockModel(), 2, 1.0),
        ("Rosenbrock", {"a": 1.0, "b": 100.0}, RosenbrockModel(), 4, 1.0),
        ("Rosenbrock", {"a": 0.5, "b": 10.0}, RosenbrockModel(0.5, 10.0), 3, 1.0),
        ("Ackley", {"a": 20.0, "b": 0.2, "c": 2 * math.pi}, AckleyModel(), 2, 2.0),
        ("Ackley", {"a": 20.0, "b": 0.2, "c": 2 * math.pi}, AckleyModel(), 3, 2.0),
        ("Ackley", {"a": 10.0, "b": 0.3, "c": 3.0}, AckleyModel(10.0, 0.3, 3.0), 2, 2.0),
        ("Rastrigin", {"a": 10.0}, RastriginModel(), 2, 2.0),
        ("Rastrigin", {"a": 10.0}, RastriginModel(), 3, 2.0),
        ("Rastrigin", {"a": 5.0}, RastriginModel(5.0), 2, 2.0),
        ("Himmelblau", {}, HimmelblauModel(), 2, 3.0),
        ("Booth", {}, BoothModel(), 2, 3.0),
        ("StyblinskiTang", {}, StyblinskiTangModel(), 2, 3.0),
        ("StyblinskiTang", {}, StyblinskiTangModel(), 3, 3.0),
    ]
    out = []
    for i, (name, params, model, dim, scale) in enumerate(cases):
        x = normal(100 + i, 8, dim, scale=scale)
        out.append(
            {
                "model": name,
                "params": params,
                "x": listed(x),
                "energy": listed(model(x)),
                "gradient": listed(model.gradient(x)),
            }
        )
    write("energies.json", cases=out)


def schedules():
    cases = [
        ("Constant", {"start": 0.3}, ConstantScheduler(0.3)),
        ("ExponentialDecay", {"start": 1.0, "decay_rate": 0.9, "min": 0.0},
         ExponentialDecayScheduler(1.0, 0.9)),
        ("ExponentialDecay", {"start": 0.5, "decay_rate": 0.7, "min": 0.05},
         ExponentialDecayScheduler(0.5, 0.7, min_value=0.05)),
        ("Linear", {"start": 1.0, "end": 0.1, "n_steps": 10}, LinearScheduler(1.0, 0.1, 10)),
        ("Linear", {"start": 0.01, "end": 0.5, "n_steps": 7}, LinearScheduler(0.01, 0.5, 7)),
        ("Cosine", {"start": 0.05, "end": 0.005, "n_steps": 10}, CosineScheduler(0.05, 0.005, 10)),
        ("Cosine", {"start": 0.1, "end": 1.0, "n_steps": 7}, CosineScheduler(0.1, 1.0, 7)),
        ("MultiStep", {"start": 1.0, "milestones": [3, 7, 12], "gamma": 0.1},
         MultiStepScheduler(1.0, [3, 7, 12])),
        ("MultiStep", {"start": 0.2, "milestones": [1, 5], "gamma": 0.5},
         MultiStepScheduler(0.2, [1, 5], gamma=0.5)),
        ("Warmup", {"main": "Cosine", "start": 0.1, "end": 0.01, "n_steps": 10,
                    "warmup_steps": 4, "warmup_init_factor": 0.01},
         WarmupScheduler(CosineScheduler(0.1, 0.01, 10), 4)),
        ("Warmup", {"main": "Linear", "start": 1.0, "end": 0.2, "n_steps": 6,
                    "warmup_steps": 5, "warmup_init_factor": 0.2},
         WarmupScheduler(LinearScheduler(1.0, 0.2, 6), 5, warmup_init_factor=0.2)),
        ("Temperature", {"epsilon_max": 0.15, "tau_star": 0.8, "n_steps": 10,
                         "t_start": 0.0, "t_end": 1.0, "sqrt": True},
         TemperatureScheduler(0.15, n_steps=10)),
        ("Temperature", {"epsilon_max": 0.15, "tau_star": 0.5, "n_steps": 10,
                         "t_start": 0.2, "t_end": 1.2, "sqrt": False},
         TemperatureScheduler(0.15, tau_star=0.5, n_steps=10, t_start=0.2, t_end=1.2, sqrt=False)),
    ]
    out = []
    for name, params, s in cases:
        values = [s.get_value()] + [s.step() for _ in range(16)]
        out.append({"schedule": name, "params": params, "values": [float(v) for v in values]})
    write("schedules.json", cases=out)


class GivenNoise(EulerMaruyamaIntegrator):
    """Euler–Maruyama whose normal draws are handed in, one [n, d] tensor a step."""

    def __init__(self, noise):
        super().__init__(dtype=F64)
        self.noise = iter(noise)

    def step(self, *args, **kwargs):
        return super().step(*args, noise=next(self.noise), **kwargs)


MODELS = {
    "DoubleWell": lambda: DoubleWellModel(dtype=F64),
    "Gaussian": lambda: gaussian(MEAN2, COV2),
    "Himmelblau": lambda: HimmelblauModel(dtype=F64),
}


def samplers():
    out = []

    def case(sampler, model, params, x, trajectory, **extra):
        out.append({"sampler": sampler, "model": model, "params": params, "x": listed(x), **extra,
                    "states": listed(trajectory.transpose(0, 1))})

    n, dim, steps = 4, 2, 5
    for i, (name, make) in enumerate(MODELS.items()):
        eta = 1e-3 if name == "Himmelblau" else 0.02
        x = normal(200 + i, n, dim)
        z = normal(300 + i, steps, n, dim)

        s = GradientDescentSampler(make(), step_size=eta, dtype=F64)
        case("GradientDescent", name, {"step_size": eta}, x, s.sample(x=x, n_steps=steps, return_trajectory=True))

        s = NesterovSampler(make(), step_size=eta, momentum=0.8, dtype=F64)
        case("Nesterov", name, {"step_size": eta, "momentum": 0.8}, x,
             s.sample(x=x, n_steps=steps, return_trajectory=True))

        s = LangevinDynamics(make(), step_size=eta, noise_scale=0.7, dtype=F64, integrator=GivenNoise(z))
        case("Langevin", name, {"step_size": eta, "noise_scale": 0.7}, x,
             s.sample(x=x, n_steps=steps, return_trajectory=True), noise=listed(z))

    x, z = normal(210, n, dim), normal(310, steps, n, dim)
    s = LangevinDynamics(
        DoubleWellModel(dtype=F64), dtype=F64, integrator=GivenNoise(z), clamp=(-1.0, 1.0),
        step_size=LinearScheduler(0.05, 0.01, 4), noise_scale=ExponentialDecayScheduler(1.0, 0.8))
    case("Langevin", "DoubleWell",
         {"step_size": {"schedule": "Linear", "start": 0.05, "end": 0.01, "n_steps": 4},
          "noise_scale": {"schedule": "ExponentialDecay", "start": 1.0, "decay_rate": 0.8},
          "clamp": [-1.0, 1.0]},
         x, s.sample(x=x, n_steps=steps, return_trajectory=True), noise=listed(z))
    write("samplers.json", cases=out)


def leapfrog():
    out = []
    masses = [None, 2.0, [0.5, 3.0]]
    for i, (name, make) in enumerate(MODELS.items()):
        for j, mass in enumerate(masses):
            model = make()
            h = 0.005 if name == "Himmelblau" else 0.1
            x, p = normal(400 + 10 * i + j, 4, 2), normal(500 + 10 * i + j, 4, 2)
            m = torch.tensor(mass, dtype=F64) if isinstance(mass, list) else mass
            state = {"x": x, "p": p}
            xs, ps = [], []
            for _ in range(7):
                state = LeapfrogIntegrator(dtype=F64).step(
                    state, step_size=torch.tensor(h, dtype=F64), mass=m, drift=lambda y, t: -model.gradient(y))
                xs.append(listed(state["x"]))
                ps.append(listed(state["p"]))
            out.append({"model": name, "step_size": h, "mass": mass, "x": listed(x), "p": listed(p),
                        "positions": xs, "momenta": ps})
    write("leapfrog.json", cases=out)


def hmc():
    """Whole transitions with the standard normals and the uniforms handed in."""
    out = []
    for i, (name, make) in enumerate(MODELS.items()):
        for j, mass in enumerate([None, 2.0, [0.5, 3.0]]):
            # Large enough a step that some of the proposals are rejected.
            h = {"DoubleWell": 0.25, "Gaussian": 0.9, "Himmelblau": 0.08}[name]
            steps, n, L = 4, 6, 5
            x, z, u = normal(600 + 10 * i + j, n, 2), normal(700 + 10 * i + j, steps, n, 2), uniform(800 + 10 * i + j, steps, n)
            m = torch.tensor(mass, dtype=F64) if isinstance(mass, list) else mass
            s = HamiltonianMonteCarlo(make(), step_size=h, n_leapfrog_steps=L, mass=m, dtype=F64)
            root = 1.0 if m is None else torch.as_tensor(m, dtype=F64).sqrt()
            zs, us = iter(z), iter(u)
            s._initialize_momentum = lambda shape, generator=None: next(zs) * root
            rand, torch.rand = torch.rand, lambda *a, **k: next(us)
            try:
                trajectory, diagnostics = s.sample(x=x, n_steps=steps, return_trajectory=True, return_diagnostics=True)
            finally:
                torch.rand = rand
            out.append({"model": name, "step_size": h, "n_leapfrog_steps": L, "mass": mass, "x": listed(x),
                        "normals": listed(z), "uniforms": listed(u),
                        "states": listed(trajectory.transpose(0, 1)),
                        "accepted": [round(r * n) for r in listed(diagnostics["acceptance_rate"])]})
    write("hmc.json", cases=out)


def riemannian():
    """Trajectories and whole transitions under the metric I + xxᵀ/2."""
    def metric(x):
        return torch.eye(2, dtype=F64) + 0.5 * x.unsqueeze(-1) * x.unsqueeze(-2)

    out = []
    for i, (name, make) in enumerate(MODELS.items()):
        h = {"DoubleWell": 0.2, "Gaussian": 0.7, "Himmelblau": 0.08}[name]
        steps, n, L, iterations = 4, 6, 3, 8
        x, p = normal(1000 + i, n, 2), normal(1010 + i, n, 2)
        z, u = normal(1020 + i, steps, n, 2), uniform(1030 + i, steps, n)
        integrator = GeneralisedLeapfrogIntegrator(dtype=F64, solver_max_iter=iterations)
        s = RiemannianManifoldHMC(make(), metric, step_size=h, n_leapfrog_steps=L, dtype=F64, integrator=integrator)
        state, xs, ps = {"x": x, "p": p}, [], []
        for _ in range(3):
            state = integrator.step(state, h, force=s._force, velocity=s._velocity)
            xs.append(listed(state["x"]))
            ps.append(listed(state["p"]))
        zs, us = iter(z), iter(u)
        s._initialize_momentum = lambda x, L=None, generator=None: torch.einsum("bij,bj->bi", L, next(zs))
        rand, torch.rand = torch.rand, lambda *a, **k: next(us)
        try:
            trajectory, diagnostics = s.sample(x=x, n_steps=steps, return_trajectory=True, return_diagnostics=True)
        finally:
            torch.rand = rand
        out.append({"model": name, "step_size": h, "n_leapfrog_steps": L, "solver_max_iter": iterations,
                    "x": listed(x), "p": listed(p), "positions": xs, "momenta": ps,
                    "normals": listed(z), "uniforms": listed(u), "states": listed(trajectory.transpose(0, 1)),
                    "accepted": [round(r * n) for r in listed(diagnostics["acceptance_rate"])]})
    write("riemannian.json", cases=out)


def contrastive_divergence():
    out = []
    for i, (name, make) in enumerate(MODELS.items()):
        for weight in [0.0, 0.001, 0.1]:
            model = make()
            cd = ContrastiveDivergence(model, LangevinDynamics(model, dtype=F64), energy_reg_weight=weight, dtype=F64)
            x, negatives = normal(900 + i, 6, 2), normal(950 + i, 6, 2)
            out.append({"model": name, "energy_reg_weight": weight, "x": listed(x), "negatives": listed(negatives),
                        "loss": cd.compute_loss(x, negatives).item()})
    write("contrastive_divergence.json", cases=out)


def score_matching():
    """The three losses; projections and noise are handed in."""
    out = []
    n = 6
    for i, (name, make) in enumerate(MODELS.items()):
        x = normal(1000 + i, n, 2)
        out.append({"loss": "ScoreMatching", "model": name, "x": listed(x),
                    "value": ScoreMatching(make(), dtype=F64).compute_loss(x).item()})

        for k, kind in [(1, "rademacher"), (3, "gaussian"), (5, "sphere")]:
            v = normal(1010 + 10 * i + k, k * n, 2)
            if kind == "rademacher":
                v = v.sign()
            elif kind == "sphere":
                v = torch.nn.functional.normalize(v, dim=-1) * math.sqrt(2)
            loss = SlicedScoreMatching(make(), n_projections=k, projection_type=kind, dtype=F64)
            loss._get_random_projections = lambda shape, generator=None: v
            out.append({"loss": "SlicedScoreMatching", "model": name, "x": listed(x), "projections": k,
                        "directions": listed(v), "value": loss.compute_loss(x).item()})

        for sigma in [0.01, 0.3]:
            z = normal(1050 + i, n, 2)
            loss = DenoisingScoreMatching(make(), noise_scale=sigma, dtype=F64)
            loss.perturb_data = lambda x, generator=None: (x + sigma * z, sigma * z)
            out.append({"loss": "DenoisingScoreMatching", "model": name, "x": listed(x), "sigma": sigma,
                        "noise": listed(z), "value": loss.compute_loss(x).item()})
    write("score_matching.json", cases=out)


INTERPOLANTS = [
    ("Linear", {}, LinearInterpolant()),
    ("Cosine", {}, CosineInterpolant()),
    ("VariancePreserving", {"beta_min": 0.1, "beta_max": 20.0}, VariancePreservingInterpolant()),
    ("VariancePreserving", {"beta_min": 0.5, "beta_max": 8.0}, VariancePreservingInterpolant(0.5, 8.0)),
]


def interpolants():
    out = []
    t = torch.tensor([0.0, 0.1, 0.25, 0.5, 0.8, 0.99, 0.999], dtype=F64)
    for i, (name, params, interpolant) in enumerate(INTERPOLANTS):
        x0, x1 = normal(1000 + i, len(t), 2), normal(1010 + i, len(t), 2)
        (alpha, d_alpha), (sigma, d_sigma) = interpolant.compute_alpha_t(t), interpolant.compute_sigma_t(t)
        point, velocity = interpolant.interpolate(x0, x1, t)
        out.append({"interpolant": name, "params": params, "t": listed(t), "x0": listed(x0), "x1": listed(x1),
                    "alpha": listed(alpha), "d_alpha": listed(d_alpha), "sigma": listed(sigma), "d_sigma": listed(d_sigma),
                    "point": listed(point), "velocity": listed(velocity)})
    write("interpolants.json", cases=out)


class SmallField(torch.nn.Module):
    """f(x, t) = tanh(x W + t v) U; the hyperbolic tangents are its features."""

    W = [[0.8, -0.5, 0.3], [0.2, 0.6, -0.9]]
    V = [0.4, -0.7, 0.1]
    U = [[0.5, -1.0], [0.7, 0.4], [-0.6, 0.9]]

    def __init__(self, features=False):
        super().__init__()
        self.features = features
        self.w, self.v, self.u = (torch.nn.Parameter(torch.tensor(v, dtype=F64)) for v in (self.W, self.V, self.U))

    def forward(self, x, t):
        h = torch.tanh(x @ self.w + t[:, None] * self.v)
        return (h @ self.u, h) if self.features else h @ self.u


def equilibrium_matching():
    out = []
    x = normal(1100, 6, 2)

    def case(i, name, interpolant, energy="none", decay="truncated", threshold=0.8, scale=4.0, time_dependent=False, dispersion=None):
        x0, t = normal(1200 + i, 6, 2), uniform(1300 + i, 6)
        field = SmallField(features=dispersion is not None)
        loss = EquilibriumMatchingLoss(
            model=field, interpolant=interpolant, coupling="independent", energy_type=energy, ct=decay, ct_threshold=threshold,
            ct_multiplier=scale, time_invariant=not time_dependent, t_sampler=lambda *a, **k: t, dtype=F64,
            apply_dispersion=dispersion is not None, dispersion_weight=dispersion or 0.0)
        value = loss(x, x0=x0)
        value.backward()
        out.append({"interpolant": name, "energy": energy, "decay": decay, "from": threshold, "scale": scale,
                    "time_dependent": time_dependent, "dispersion": dispersion or 0.0, "x0": listed(x0), "x1": listed(x),
                    "t": listed(t), "c": listed(loss._compute_ct(t)), "loss": value.item(),
                    "gradient": [listed(p.grad if p.grad is not None else torch.zeros_like(p)) for p in (field.w, field.v, field.u)]})

    for i, (name, _, interpolant) in enumerate(INTERPOLANTS[:3]):
        for j, energy in enumerate(["none", "dot", "l2"]):
            case(10 * i + j, name, interpolant, energy)
    linear = INTERPOLANTS[0][2]
    case(40, "Linear", linear, decay="linear", scale=2.0)
    case(41, "Linear", linear, decay="constant", scale=1.5)
    case(42, "Linear", linear, "dot", threshold=0.5, scale=1.0)
    case(43, "Linear", linear, time_dependent=True)
    case(44, "Linear", linear, dispersion=0.5)
    case(45, "Cosine", INTERPOLANTS[1][2], decay="linear", time_dependent=True, dispersion=0.25)
    write("equilibrium_matching.json", cases=out)


def field_energies():
    out = []
    for i, energy in enumerate(["dot", "l2", "implicit"]):
        x, model = normal(1400 + i, 8, 2), EqMEnergy(SmallField(), energy)
        fields = {} if energy == "implicit" else {"value": listed(model(x))}  # there the value is that of "dot"
        out.append({"energy": energy, "x": listed(x), **fields, "gradient": listed(model.gradient(x))})
    write("field_energies.json", cases=out)


def flow_matching():
    out = []
    for i, (name, params, interpolant) in enumerate(INTERPOLANTS):
        x0, x1, t = normal(1500 + i, 6, 2), normal(1510 + i, 6, 2), uniform(1520 + i, 6)
        field = SmallField()
        loss = FlowMatchingLoss(model=field, interpolant=interpolant, coupling="independent", t_sampler=lambda *a, **k: t, dtype=F64)
        value = loss(x1, x0=x0)
        value.backward()
        out.append({"interpolant": name, "params": params, "x0": listed(x0), "x1": listed(x1), "t": listed(t), "loss": value.item(),
                    "gradient": [listed(p.grad) for p in (field.w, field.v, field.u)]})
    write("flow_matching.json", cases=out)


def flow_sampler():
    """Without noise in the diffusion, so that its last step alone is seen."""
    out = []
    for i, (name, params, interpolant) in enumerate(INTERPOLANTS[:3]):
        for j, prediction in enumerate(["velocity", "score", "noise"]):
            x = normal(1600 + 10 * i + j, 4, 2)
            sampler = FlowSampler(SmallField(), interpolant=interpolant, prediction=prediction, sample_eps=0.05, integrator="rk4", dtype=F64)
            begin, end = sampler._check_interval()
            out.append({"interpolant": name, "params": params, "predict": prediction, "from": begin, "to": end, "steps": 8, "last": "None",
                        "x": listed(x), "end": listed(sampler.sample(x=x, n_steps=8))})
            for last in ["Mean", "Tweedie"]:
                sampler = FlowSampler(SmallField(), mode="sde", interpolant=interpolant, prediction=prediction, sample_eps=0.05, diffusion_form="constant",
                                      diffusion_norm=1e-30, last_step=last, last_step_size=0.1, integrator="euler_maruyama", dtype=F64)
                begin, end = sampler._check_interval()
                out.append({"interpolant": name, "params": params, "predict": prediction, "from": begin, "to": end, "steps": 8, "last": last,
                            "x": listed(x), "end": listed(sampler.sample(x=x, n_steps=8))})
    write("flow_sampler.json", cases=out)
def energy_matching():
    """The potential is x · f(x, 0) of SmallField. Times, noise, the pairs' weights, the smoothing normals and the negatives are handed in."""
    out = []

    def case(i, name, interpolant, sigma=0.1, cutoff=0.8, contrast=0.0, trim=0.1, clamp=0.02, weighted=False, scale=2.0):
        x0, x1, z, t = normal(1500 + i, 6, 2), normal(1520 + i, 6, 2), normal(1540 + i, 6, 2), uniform(1560 + i, 6)
        negatives = normal(1580 + i, 12, 2, scale=scale)
        weights = uniform(1600 + i, 6)
        weights = torch.ones(6, dtype=F64) if not weighted else (weights / weights.mean())
        field = SmallField()
        loss = EnergyMatchingLoss(
            EqMEnergy(field, "dot"), interpolant=interpolant, sigma=sigma, flow_weight_cutoff=cutoff, lambda_cd=contrast, cd_trim_fraction=trim,
            cd_clamp=clamp, t_sampler=lambda *a, **k: t, dtype=F64)
        loss.coupling = lambda x0, x1, **k: CouplingResult(x0, x1, weights=weights if weighted else None)
        loss._sample_negatives = lambda *a, **k: negatives
        randn_like, torch.randn_like = torch.randn_like, lambda *a, **k: z
        try:
            terms = loss.training_losses(x1, x0=x0)
        finally:
            torch.randn_like = randn_like
        terms["loss"].backward()
        out.append({"interpolant": name, "sigma": sigma, "cutoff": cutoff, "contrast": contrast, "trim": trim, "floor": clamp or 0.0,
                    "x0": listed(x0), "x1": listed(x1), "t": listed(t), "normals": listed(z), "weights": listed(weights),
                    "negatives": listed(negatives), "flow": terms["flow_loss"].item(), "cd": terms["cd_loss"].item(), "loss": terms["loss"].item(),
                    "gradient": [listed(p.grad if p.grad is not None else torch.zeros_like(p)) for p in (field.w, field.u)]})

    linear, cosine = INTERPOLANTS[0][2], INTERPOLANTS[1][2]
    case(0, "Linear", linear)
    case(1, "Linear", linear, cutoff=0.5, sigma=0.3, weighted=True)
    case(2, "Cosine", cosine, cutoff=1.0)
    case(3, "Linear", linear, contrast=2.0, scale=0.1)
    case(4, "Linear", linear, contrast=2.0, clamp=None, trim=0.25)
    case(5, "Linear", linear, contrast=0.7, clamp=None, trim=0.0, weighted=True)
    case(6, "Cosine", cosine, contrast=2.0, clamp=0.1, trim=0.5)
    case(7, "Linear", linear, contrast=2.0, clamp=0.1, trim=0.3, scale=0.1)
    case(8, "Linear", linear, contrast=1.0, clamp=5.0, trim=0.08, scale=0.1)
    write("energy_matching.json", cases=out)


def safetensors(name, model):
    """Writes a model's weights in the safetensors format."""
    head, body = {}, b""
    for key, value in model.state_dict().items():
        data = value.contiguous().numpy().tobytes()
        head[key] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(head).encode()
    (HERE / name).write_bytes(struct.pack("<Q", len(text)) + text + body)


def networks():
    """In float32; all weights drawn, since a network that begins at 0 tells nothing."""
    out = []

    def case(kind, file, model, x, y=None, cond=None):
        g = torch.Generator().manual_seed(len(out))
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(0.3 * torch.randn(p.shape, generator=g))
        safetensors(file, model)
        t = uniform(1700 + len(out), len(x)).float()
        c = None if cond is None else cond.float()
        with torch.no_grad():
            f = model(x.float(), t, y, cond=c)
        out.append({"network": kind, "file": file, "x": listed(x), "t": listed(t), "labels": None if y is None else listed(y),
                    "cond": None if cond is None else listed(cond), "f": listed(f), "parameters": sum(p.numel() for p in model.parameters())})

    labels = torch.tensor([0, 3, 1])
    case("S/2", "dit_s2.safetensors", dit_s_2(input_size=8, in_channels=1, embed_dim=16, depth=2, num_heads=2, num_classes=3), normal(1710, 3, 1, 8, 8), labels)
    case("B/4", "dit_b4.safetensors",
         dit_b_4(input_size=(8, 12), in_channels=2, out_channels=3, embed_dim=16, depth=1, num_heads=4, mlp_ratio=2.0, cond_dim=8, num_classes=4,
                 pos_embed="learnable", head_dim=12, head_depth=1, head_num_heads=3), normal(1711, 3, 2, 8, 12), labels, normal(1712, 3, 8))
    case("no positions", "dit.safetensors", DiT(input_size=4, in_channels=1, embed_dim=8, depth=1, num_heads=1, pos_embed=None), normal(1713, 3, 1, 4, 4))
    case("adaln", "mlp_adaln.safetensors", TimeConditionedMLP(in_dim=2, hidden_dim=16, depth=2, num_classes=3), normal(1714, 3, 2), labels)
    case("concat", "mlp_concat.safetensors", TimeConditionedMLP(in_dim=2, hidden_dim=16, depth=2, conditioning="concat", cond_dim=8, num_classes=3),
         normal(1715, 3, 2), labels, normal(1716, 3, 8))
    counts = []
    with torch.device("meta"):
        for size, patch, make in [("Small", 2, dit_s_2), ("Base", 4, dit_b_4), ("XLarge", 8, dit_xl_8)]:
            model = make(input_size=32, in_channels=4, num_classes=1000)
            counts.append({"size": size, "patch": patch, "parameters": sum(p.numel() for p in model.parameters())})
    write("networks.json", cases=out, counts=counts)


if __name__ == "__main__":
    energies()
    schedules()
    samplers()
    leapfrog()
    hmc()
    riemannian()
    contrastive_divergence()
    score_matching()
    interpolants()
    equilibrium_matching()
    field_energies()
    flow_matching()
    flow_sampler()
    energy_matching()
    networks()
