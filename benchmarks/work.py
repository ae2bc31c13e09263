"""The work that every engine does, and the line protocol over which the runner asks for it.

The runner writes "ROW REPETITIONS" to an engine's standard input and reads one line of JSON:
{"row", "first_ms", "times_ms", "check"} or {"row", "error"}. first_ms is the first call in the
process, compile included (null on later requests); check is the mean energy of what was sampled
and its standard error, which the runner compares across engines: the same work gives the same number.
Where there is no energy it is the mean square, of "gradients" the
length of the gradient, and of "guided" the mean square from starting points that all engines share. "figures", where a row has some, are what else is known of the last call.

"ESS_ROW REPETITIONS SEED FILE" asks for a warm-up and then that many timed runs that keep all draws, those of the last in
FILE, float32 [chains, draws, dim]. The answer: {"row", "warm_ms", "times_ms", "accept", "step_size"}. A fifth word, "alone", lets every
chain adapt for itself. "judge ESS_ROW FILE", which GoEBM alone answers, is for the ESS of draws: {"row", "ess", "off"}.

benchmarks/goebm does the same; change the two together.
"""

import json
import math
import os
import sys
import time
from dataclasses import dataclass
from random import Random

DEVICE = os.environ.get("BENCH_DEVICE", "cpu")  # of TorchEBM and JAX: "cpu" or "cuda"


@dataclass(frozen=True)
class Work:
    energy: str  # "doublewell" (h=2, b=1), "gaussian" (10-d), "mixed" (see MIXED), or a network of SIZES or TRANSFORMERS
    sampler: str  # "langevin", "hmc", "gradient_descent", "nesterov", one of INTEGRATORS, one of LOSSES, "dopri5", adaptive, "gradients" or "guided"
    chains: int  # of a loss: the batch
    dim: int  # of pictures: the side
    steps: int  # of "pcd" its k, of "ssm" its projections
    step_size: float  # of "dsm" its noise, of "dopri5" the first


ROWS = {
    "langevin_doublewell_10000x2x1000": Work("doublewell", "langevin", 10000, 2, 1000, 1e-2),
    "langevin_doublewell_1000x2x100": Work("doublewell", "langevin", 1000, 2, 100, 1e-2),
    "langevin_mlp_1000x2x1000": Work("mlp", "langevin", 1000, 2, 1000, 1e-2),
    "langevin_mlp_10000x2x100": Work("mlp", "langevin", 10000, 2, 100, 1e-2),
    "langevin_mlp_128x2x100": Work("mlp", "langevin", 128, 2, 100, 1e-2),
    "hmc_gaussian10d_L10_1000x10x100": Work("gaussian", "hmc", 1000, 10, 100, 0.15),
    # The time is that of one training step (of TRAIN_STEPS, one call each).
    "pcd10_train_step_128": Work("mlp", "pcd", 128, 2, 10, 1e-2),
    "sm_exact_train_step_128": Work("mlp", "sm", 128, 2, 0, 0),
    "ssm5_train_step_128": Work("mlp", "ssm", 128, 2, 5, 0),
    "dsm_train_step_128": Work("mlp", "dsm", 128, 2, 0, 0.1),
    "eqm_train_step_128": Work("field", "eqm", 128, 2, 0, 0),
    "fm_train_step_256": Work("flow", "fm", 256, 2, 0, 0),
    "flow_sample_heun50_10000": Work("flow", "heun", 10000, 2, 50, 1 / 50),
    "adaptive_dopri5_mixed": Work("mixed", "dopri5", 1000, 1, 0, 1e-3),
    # Loss and gradient of a batch of square pictures of one channel; and sampling with guidance.
    "dit_s2_gradients_32x8x8": Work("dit_s2", "gradients", 32, 8, 0, 0),
    "dit_s2_gradients_16x16x16": Work("dit_s2", "gradients", 16, 16, 0, 0),
    "guided_heun50_64x8x8": Work("dit_128x6", "guided", 64, 8, 50, 1 / 50),
    # GoEBM's options, behind a +: products of bfloat16, and blocks that the gradient builds again.
    "dit_s2_bfloat16_32x8x8": Work("dit_s2+bfloat16", "gradients", 32, 8, 0, 0),
    "dit_s2_gradients_64x16x16": Work("dit_s2", "gradients", 64, 16, 0, 0),
    "dit_s2_recompute_64x16x16": Work("dit_s2+recompute", "gradients", 64, 16, 0, 0),
}
LOSSES = {"pcd", "sm", "ssm", "dsm", "eqm", "fm"}
INTEGRATORS = ("euler_maruyama", "heun", "rk4", "leapfrog")
for _sampler in ("langevin", "hmc", "gradient_descent", "nesterov"):
    for _n, _d, _k in ((64, 8, 50), (256, 32, 100), (1024, 128, 200)):
        ROWS[f"grid_{_sampler}_{_n}x{_d}x{_k}"] = Work("doublewell", _sampler, _n, _d, _k, 1e-3)
for _sampler in INTEGRATORS:
    for _n, _d, _k in ((64, 8, 50), (256, 32, 100), (1024, 128, 200)):
        ROWS[f"grid_{_sampler}_{_n}x{_d}x{_k}"] = Work("mlp128", _sampler, _n, _d, _k, 1e-3)
for _k in (2, 8, 64, 256):
    ROWS[f"steps_heun_10000x2x{_k}"] = Work("flow", "heun", 10000, 2, _k, 1 / _k)

@dataclass(frozen=True)
class Ess:
    """Effective sample sizes on N(0, diag), standard deviations spread evenly in their logarithms from `narrowest` to 1."""

    kernel: str  # "hmc", or "mala"
    leapfrog: int  # gradients a step
    target: float  # acceptance
    narrowest: float
    mass: bool  # a diagonal mass matrix and the step size from Stan's windows, else dual averaging of the step size alone
    draws: int


ESS_ROWS = {
    "ess_hmc_gaussian100d_L3": Ess("hmc", 3, 0.8, 0.01, True, 1000),
    "ess_mala_gaussian100d": Ess("mala", 1, 0.574, 0.01, True, 2000),
    "ess_mala_nomass_gaussian100d": Ess("mala", 1, 0.574, 0.1, False, 4000),
}
ESS_CHAINS, ESS_DIM, ESS_WARM_UP, ESS_STEP_SIZE = 64, 100, 1000, 0.1  # the last is what adaptation begins with

LEAPFROG_STEPS = 10
MOMENTUM = 0.9
CORRELATION = 0.5  # the Gaussian's covariance is CORRELATION^|i−j|
DIFFUSION = 0.1  # D of euler_maruyama and of heun on an energy: dx = −∇E dt + √(2D) dW

# The networks, SiLU between layers; 0 stands for the dimension of x. "flow" is told the time as one more number behind x.
SIZES = {"mlp": (2, 64, 64, 1), "field": (2, 64, 64, 2), "flow": (3, 64, 64, 2), "mlp128": (0, 128, 128, 1)}

# DiTs with patches of 2 and labels: width, blocks, heads. "dit_s2" is the size S/2 of the paper.
TRANSFORMERS = {"dit_s2": (384, 12, 6), "dit_128x6": (128, 6, 4)}
CLASSES, GUIDANCE, FREQUENCIES = 10, 2, 256
SAME = 0.0002  # how far the numbers of engines that do the same without noise may be apart, of their size

# "mixed": x' = −λᵢ(x − cos t) for each chain, from x = 2 sin(i+1) at t = 0 on, with λ spread evenly in its logarithm.
MIXED_RATES, MIXED_TIME, RTOL, ATOL = (1, 1000), 2, 1e-4, 1e-6

# Training, by Adam on 3000 points of two moons in batches. With the L2 penalty that TorchEBM defaults to for persistent
# contrastive divergence, 1e-3, the energy collapses after some 2000 steps; with 0.1 it trains for as long as the benchmark lasts.
TRAIN_STEPS = 50
BUFFER, FRESH, REGULARISATION, LEARNING_RATE = 8192, 0.05, 0.1, 1e-3
POINTS, NOISE = 3000, 0.05


def mlp_weights(network, dim):
    """The weights of a network of SIZES, the same in every engine: [(w as rows [in][out], b as [out])]."""
    layers, k = [], 0
    sizes = [size or dim for size in SIZES[network]]
    for n_in, n_out in zip(sizes, sizes[1:]):
        scale = math.sqrt(3 / n_in)
        w = [[scale * math.sin(12.9898 * (k + i * n_out + j + 1)) for j in range(n_out)] for i in range(n_in)]
        k += n_in * n_out
        layers.append((w, [0.0] * n_out))
    return layers


def hashed(n, begin=0):
    """Numbers begin to begin+n of a sequence that looks like noise in (−1, 1), the same in every language: float32."""
    import numpy as np  # late, since the runner and the tests do without

    h = np.arange(begin, begin + n, dtype=np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(2**-23) - np.float32(1)


def transformer_size(work):
    """Width, blocks and heads, or None where the work has no transformer."""
    return TRANSFORMERS.get(work.energy.partition("+")[0])


def transformer_layers(work):
    """The linear layers of a network of TRANSFORMERS: TorchEBM's name, inputs, outputs. The label table is one without biases."""
    width, depth, _ = transformer_size(work)
    layers = [("patch_embed.proj", 4, width), ("t_embedder.mlp.0", FREQUENCIES, width), ("t_embedder.mlp.2", width, width),
              ("y_embedder.embedding", CLASSES + 1, width)]
    for i in range(depth):
        at = f"blocks.{i}."
        layers += [(at + "modulation.1", width, 6 * width), (at + "attn.qkv", width, 3 * width), (at + "attn.out_proj", width, width),
                   (at + "mlp.net.0", width, 4 * width), (at + "mlp.net.3", 4 * width, width)]
    return [*layers, ("head.modulation.1", width, 2 * width), ("head.proj", width, 4)]


def transformer_weights(work):
    """Gives (name, w as array [in, out], b as array [out]) of each layer: weights of variance 1/in, small biases. The field is not 0."""
    begin = 0
    for name, n_in, n_out in transformer_layers(work):
        weight = hashed(n_in * n_out, begin).reshape(n_in, n_out)
        weight *= math.sqrt(3 / n_in)
        bias = hashed(n_out, begin + n_in * n_out)
        bias *= 0.02
        begin += (n_in + 1) * n_out
        yield name, weight, bias


def pictures(work):
    """A batch for a network of TRANSFORMERS: numbers [n·side²], times [n], labels [n]."""
    n = work.chains
    return hashed(n * work.dim**2, 1 << 31), [(i + 0.5) / n for i in range(n)], [i % CLASSES for i in range(n)]


def same(x):
    """A number for the runner to compare, of work without noise: as if SAME were six standard errors."""
    return [float(x), SAME * abs(float(x)) / 6]


def mixed(chains):
    """λᵢ and where the chains start, of "mixed"."""
    low, high = MIXED_RATES
    rates = [low * (high / low) ** (i / (chains - 1)) for i in range(chains)]
    return rates, [2 * math.sin(i + 1) for i in range(chains)]


def mixed_exact(rate, start, t):
    """x at t, of "mixed"."""
    def way(t):  # to which x falls
        return (rate * rate * math.cos(t) + rate * math.sin(t)) / (1 + rate * rate)

    return way(t) + (start - way(0)) * math.exp(-rate * t)


def mixed_figures(x, evaluations):
    """The figures of "mixed", of where the chains are at MIXED_TIME and of how often each has evaluated its slope."""
    rates, starts = mixed(len(x))
    error = max(abs(float(v) - mixed_exact(rate, start, MIXED_TIME)) for v, rate, start in zip(x, rates, starts))
    return {"evaluations": sum(evaluations) / len(evaluations), "most": max(evaluations), "error": error}


def two_moons():
    """POINTS points near two half circles, in an order that mixes them."""
    half, random = POINTS // 2, Random(0)
    points = []
    for i in range(POINTS):
        j = (i * 1237) % POINTS
        a = math.pi * (j % half) / (half - 1)
        x, y = (math.cos(a), math.sin(a)) if j < half else (1 - math.cos(a), 0.5 - math.sin(a))
        points.append((random.gauss(x, NOISE), random.gauss(y, NOISE)))
    return points


def deviations(row):
    """The Gaussian's standard deviations, of an Ess."""
    return [row.narrowest ** (1 - i / (ESS_DIM - 1)) for i in range(ESS_DIM)]


def serve(engine, about, prepare, adapt=None):
    """Answers the runner until standard input closes.

    prepare(work) returns (call, units, check), and a function that gives the figures if there are some: call() does the work and
    waits for it to end, a call is worth `units` of what the row times, check() is [mean, standard error] of the energy after the
    last call, or None.

    adapt(row, seed, alone), for ESS_ROWS, warms up and waits for that, and returns (sample, step size):
    sample() draws and waits, and gives (a function that copies the draws into a numpy array [chains, draws, dim], mean acceptance).
    """
    print(json.dumps({"engine": engine, **about}), flush=True)
    prepared = {}
    for line in sys.stdin:
        row, repetitions, *ess = line.split()
        try:
            if ess:
                answer = measure_ess(row, adapt, int(repetitions), *ess)
                print(json.dumps(answer), flush=True)
                continue
            first = None
            if row not in prepared:
                prepared[row] = prepare(ROWS[row])
                first = timed(*prepared[row][:2])
            call, units, check, *figures = prepared[row]
            times = [timed(call, units) for _ in range(int(repetitions))]
            answer = {"row": row, "first_ms": first, "times_ms": times, "check": check()}
            if figures:
                answer["figures"] = figures[0]()
        except Exception as e:  # the runner shows it and goes on with the other rows
            answer = {"row": row, "error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)


def measure_ess(row, adapt, repetitions, seed, file, alone=None):
    start = time.perf_counter()
    sample, step_size = adapt(ESS_ROWS[row], int(seed), alone == "alone")
    warm_ms = (time.perf_counter() - start) * 1e3
    sample()  # compiles, where it has not yet
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        draws, accept = sample()
        times.append((time.perf_counter() - start) * 1e3)
    draws().tofile(file)
    return {"row": row, "warm_ms": warm_ms, "times_ms": times, "accept": float(accept), "step_size": float(step_size)}


def mean_error(energies):
    """[mean, standard error] of a one-dimensional tensor or array."""
    return [float(energies.mean()), float(energies.std()) / len(energies) ** 0.5]


def timed(call, units):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3 / units
