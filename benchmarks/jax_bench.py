"""JAX's side of the benchmark: whole loops under one jit, float32, written by hand.

HMC on the Gaussian is BlackJAX's; on the grid it is a batched one written out here, which is faster.
With --devices N, XLA's CPU is split into N devices and the chains are sharded over them by hand.
"""

import os
import sys
from functools import cache, partial

import work as w

os.environ["JAX_PLATFORMS"] = w.DEVICE
DEVICES = int(sys.argv[sys.argv.index("--devices") + 1]) if "--devices" in sys.argv else 1
if DEVICES > 1:
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={DEVICES}"


def double_well(x):
    return 2 * ((x * x - 1) ** 2).sum(-1)


def spread(jax, x):
    """Shards the chain axis over the devices; the loop and its noise follow."""
    if DEVICES == 1:
        return x
    mesh = jax.make_mesh((DEVICES,), ("chains",), axis_types=(jax.sharding.AxisType.Auto,))
    return jax.lax.with_sharding_constraint(x, jax.sharding.NamedSharding(mesh, jax.P("chains")))


def langevin(jax, energy, chains, dim, steps, h):
    """Returns jitted key → samples."""
    grad = jax.grad(lambda x: energy(x).sum())

    @jax.jit
    def sample(key):
        start, noise = jax.random.split(key)

        def step(i, x):
            z = spread(jax, jax.random.normal(jax.random.fold_in(noise, i), x.shape, x.dtype))
            return x - h * grad(x) + (2 * h) ** 0.5 * z

        return jax.lax.fori_loop(0, steps, step, spread(jax, jax.random.normal(start, (chains, dim))))

    return sample


def first_sample():
    """What a new process needs to import the library and draw its first samples."""
    import jax

    langevin(jax, double_well, 1000, 2, 100, 0.01)(jax.random.key(0)).block_until_ready()


def main():
    import blackjax
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax
    from blackjax.adaptation.base import get_filter_adapt_info_fn
    from blackjax.adaptation.mass_matrix import mass_matrix_adaptation
    from blackjax.adaptation.step_size import dual_averaging_adaptation
    from blackjax.adaptation.window_adaptation import build_schedule

    def field(params, x):
        for weight, bias in params[:-1]:
            x = jax.nn.silu(x @ weight + bias)
        weight, bias = params[-1]
        return x @ weight + bias

    def mlp(params, x):
        return field(params, x)[:, 0]

    def flow(params, x, t):
        return field(params, jnp.concatenate([x, jnp.broadcast_to(t, (len(x),))[:, None]], 1))

    def mlp_params(work):
        return [(jnp.array(a, jnp.float32), jnp.array(b, jnp.float32)) for a, b in w.mlp_weights(work.energy, work.dim)]

    def gaussian(dim):
        i = jnp.arange(dim)
        precision = jnp.linalg.inv(w.CORRELATION ** jnp.abs(i[:, None] - i[None, :]).astype(jnp.float32))
        return lambda x: 0.5 * ((x @ precision) * x).sum(-1)

    def normal(key, chains, dim):
        return spread(jax, jax.random.normal(key, (chains, dim)))

    def blackjax_hmc(energy, chains, dim, steps, h):
        kernel = blackjax.hmc(lambda x: -energy(x[None])[0], step_size=h, inverse_mass_matrix=jnp.ones(dim),
                              num_integration_steps=w.LEAPFROG_STEPS)

        @jax.jit
        def sample(key):
            start, moves = jax.random.split(key)
            states = jax.vmap(kernel.init)(normal(start, chains, dim))

            def step(i, states):
                return jax.vmap(kernel.step)(jax.random.split(jax.random.fold_in(moves, i), chains), states)[0]

            return jax.lax.fori_loop(0, steps, step, states).position

        return sample

    def hmc(energy, chains, dim, steps, h):
        value_grad = jax.vmap(jax.value_and_grad(lambda x: energy(x[None])[0]))

        @jax.jit
        def sample(key):
            start, moves = jax.random.split(key)

            def step(i, state):
                x, e, g = state
                momentum, accept = jax.random.split(jax.random.fold_in(moves, i))
                p0 = normal(momentum, chains, dim)
                p, y = p0 - h / 2 * g, x
                for _ in range(w.LEAPFROG_STEPS - 1):
                    y = y + h * p
                    p = p - h * value_grad(y)[1]
                y = y + h * p
                e1, g1 = value_grad(y)
                p = p - h / 2 * g1
                log_ratio = e - e1 + 0.5 * ((p0 * p0).sum(-1) - (p * p).sum(-1))
                ok = jnp.log(jax.random.uniform(accept, (chains,))) < log_ratio
                return jnp.where(ok[:, None], y, x), jnp.where(ok, e1, e), jnp.where(ok[:, None], g1, g)

            x = normal(start, chains, dim)
            return jax.lax.fori_loop(0, steps, step, (x, *value_grad(x)))[0]

        return sample

    def gradient_descent(energy, chains, dim, steps, h):
        grad = jax.grad(lambda x: energy(x).sum())

        @jax.jit
        def sample(key):
            return jax.lax.fori_loop(0, steps, lambda _, x: x - h * grad(x), normal(key, chains, dim))

        return sample

    def nesterov(energy, chains, dim, steps, h):
        grad = jax.grad(lambda x: energy(x).sum())

        @jax.jit
        def sample(key):
            def step(_, state):
                x, v = state
                v = w.MOMENTUM * v - h * grad(x + w.MOMENTUM * v)
                return x + v, v

            x = normal(key, chains, dim)
            return jax.lax.fori_loop(0, steps, step, (x, jnp.zeros_like(x)))[0]

        return sample

    def euler_maruyama(energy, chains, dim, steps, h):
        grad = jax.grad(lambda x: energy(x).sum())

        @jax.jit
        def sample(key):
            start, noise = jax.random.split(key)

            def step(i, x):
                return x - h * grad(x) + (2 * w.DIFFUSION * h) ** 0.5 * normal(jax.random.fold_in(noise, i), chains, dim)

            return jax.lax.fori_loop(0, steps, step, normal(start, chains, dim))

        return sample

    def heun(energy, chains, dim, steps, h):
        grad = jax.grad(lambda x: energy(x).sum())

        @jax.jit
        def sample(key):
            start, noise = jax.random.split(key)

            def step(i, x):
                k1 = grad(x)
                k2 = grad(x - h * k1)
                return x - h / 2 * (k1 + k2) + (2 * w.DIFFUSION * h) ** 0.5 * normal(jax.random.fold_in(noise, i), chains, dim)

            return jax.lax.fori_loop(0, steps, step, normal(start, chains, dim))

        return sample

    def rk4(energy, chains, dim, steps, h):
        grad = jax.grad(lambda x: -energy(x).sum())

        @jax.jit
        def sample(key):
            def step(i, x):
                k1 = grad(x)
                k2 = grad(x + h / 2 * k1)
                k3 = grad(x + h / 2 * k2)
                k4 = grad(x + h * k3)
                return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

            return jax.lax.fori_loop(0, steps, step, normal(key, chains, dim))

        return sample

    def leapfrog(energy, chains, dim, steps, h):
        grad = jax.grad(lambda x: energy(x).sum())

        @jax.jit
        def sample(key):
            start, momentum = jax.random.split(key)

            def step(i, state):
                x, p, g = state
                p = p - h / 2 * g
                x = x + h * p
                g = grad(x)
                return x, p - h / 2 * g, g

            x = normal(start, chains, dim)
            return jax.lax.fori_loop(0, steps, step, (x, normal(momentum, chains, dim), grad(x)))[0]

        return sample

    samplers = {"langevin": partial(langevin, jax), "hmc": hmc, "gradient_descent": gradient_descent, "nesterov": nesterov,
                "euler_maruyama": euler_maruyama, "heun": heun, "rk4": rk4, "leapfrog": leapfrog}

    def flow_heun(params, chains, dim, steps):
        @jax.jit
        def sample(key):
            h = 1 / steps

            def step(i, x):
                k1 = flow(params, x, i * h)
                k2 = flow(params, x + h * k1, (i + 1) * h)
                return x + h / 2 * (k1 + k2)

            return jax.lax.fori_loop(0, steps, step, normal(key, chains, dim))

        return sample

    def transformer(work):
        """A DiT as a function of its weights, (w, b) by name, and of pictures, times and labels."""
        width, depth, heads = w.transformer_size(work)
        grid = work.dim // 2
        omega = 10000 ** (-np.arange(width // 4) / (width // 4))
        rows, columns = (np.outer(v.ravel(), omega) for v in np.mgrid[:grid, :grid])
        positions = jnp.array(np.concatenate([np.sin(columns), np.cos(columns), np.sin(rows), np.cos(rows)], 1), jnp.float32)
        params = {name: (jnp.array(weight), jnp.array(bias)) for name, weight, bias in w.transformer_weights(work)}

        def linear(p, name, x):
            weight, bias = p[name]
            return x @ weight + bias

        def norm(h, shift, scale):
            h = h - h.mean(-1, keepdims=True)
            return h / jnp.sqrt((h**2).mean(-1, keepdims=True) + 1e-6) * (1 + scale) + shift

        def attention(p, at, h):
            n, tokens, _ = h.shape
            q, k, v = jnp.moveaxis(linear(p, at + "attn.qkv", h).reshape(n, tokens, 3, heads, -1), 2, 0)
            scores = jax.nn.softmax(jnp.einsum("nqhd,nkhd->nhqk", q, k) / (width // heads) ** 0.5)
            return linear(p, at + "attn.out_proj", jnp.einsum("nhqk,nkhd->nqhd", scores, v).reshape(h.shape))

        def field(p, x, t, y):
            n = len(x)
            angle = t[:, None] * jnp.exp(-np.log(10000) * jnp.arange(w.FREQUENCIES // 2) / (w.FREQUENCIES // 2))
            c = linear(p, "t_embedder.mlp.0", jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], 1))
            c = jax.nn.silu(linear(p, "t_embedder.mlp.2", jax.nn.silu(c)) + p["y_embedder.embedding"][0][y])
            patches = x.reshape(n, grid, 2, grid, 2).transpose(0, 1, 3, 2, 4).reshape(n, grid * grid, 4)
            h = linear(p, "patch_embed.proj", patches) + positions
            for i in range(depth):
                at = f"blocks.{i}."
                m = jnp.split(linear(p, at + "modulation.1", c)[:, None], 6, -1)
                h = h + m[2] * attention(p, at, norm(h, m[0], m[1]))
                h = h + m[5] * linear(p, at + "mlp.net.3", jax.nn.gelu(linear(p, at + "mlp.net.0", norm(h, m[3], m[4]))))
            h = linear(p, "head.proj", norm(h, *jnp.split(linear(p, "head.modulation.1", c)[:, None], 2, -1)))
            return h.reshape(n, grid, grid, 2, 2).transpose(0, 1, 3, 2, 4).reshape(x.shape)

        x, t, y = w.pictures(work)
        return field, params, jnp.array(x).reshape(-1, work.dim, work.dim), jnp.array(t, jnp.float32), jnp.array(y)

    def prepare_gradients(work):
        field, params, x, t, y = transformer(work)
        gradient, out = jax.jit(jax.grad(lambda p: (field(p, x, t, y) ** 2).mean())), None

        def call():
            nonlocal out
            out = jax.block_until_ready(gradient(params))

        return call, 1, lambda: w.same(sum((leaf**2).sum() for leaf in jax.tree.leaves(out)) ** 0.5)

    def prepare_guided(work):
        field, params, x, _, y = transformer(work)
        h = 1 / work.steps

        def guided(p, x, t):
            f = field(p, jnp.concatenate([x, x]), jnp.full(2 * len(x), t), jnp.concatenate([y, jnp.full_like(y, w.CLASSES)]))
            given, none = jnp.split(f, 2)
            return none + w.GUIDANCE * (given - none)

        def step(i, p, x):
            k1 = guided(p, x, i * h)
            return x + h / 2 * (k1 + guided(p, x + h * k1, (i + 1) * h))

        run = jax.jit(lambda p, x: jax.lax.fori_loop(0, work.steps, lambda i, x: step(i, p, x), spread(jax, x)))
        draw = jax.jit(lambda key: jax.random.normal(key, x.shape))
        seed = 0

        def call():
            nonlocal seed
            seed += 1
            run(params, draw(jax.random.key(seed))).block_until_ready()

        return call, 1, lambda: w.same((run(params, x) ** 2).mean())

    def prepare_mixed(work):
        """Dopri5 of one chain in a while_loop, under vmap, with the step control of TorchEBM's; each chain has its own steps."""
        rates, starts = (jnp.array(v, jnp.float32) for v in w.mixed(work.chains))
        a = ((1 / 5,), (3 / 40, 9 / 40), (44 / 45, -56 / 15, 32 / 9), (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
             (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656), (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84))
        c = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1)
        e = (71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)

        def solve(rate, x):
            def slope(x, t):
                return -rate * (x - jnp.cos(t))

            def step(state):
                x, t, h, first, evaluations = state
                h = jnp.minimum(h, w.MIXED_TIME - t)
                k = [first]
                for row, at in zip(a, c):
                    y = x + h * sum(weight * v for weight, v in zip(row, k))
                    k.append(slope(y, t + at * h))
                off = h * sum(weight * v for weight, v in zip(e, k))
                ratio = jnp.abs(off) / (w.ATOL + w.RTOL * jnp.maximum(jnp.abs(x), jnp.abs(y)))
                ok = ratio <= 1
                left = jnp.where(h >= w.MIXED_TIME - t, w.MIXED_TIME, t + h)
                size = h * jnp.clip(0.9 * ratio ** (-1 / 5), 0.2, 10)
                return jnp.where(ok, y, x), jnp.where(ok, left, t), size, jnp.where(ok, k[-1], first), evaluations + 6

            begin = x, jnp.float32(0), jnp.float32(work.step_size), slope(x, 0), 1
            x, *_, evaluations = jax.lax.while_loop(lambda state: state[1] < w.MIXED_TIME, step, begin)
            return x, evaluations

        solved, out = jax.jit(jax.vmap(solve)), None

        def call():
            nonlocal out
            out = jax.block_until_ready(solved(rates, starts))

        return call, 1, lambda: w.mean_error(out[0] ** 2), lambda: w.mixed_figures(out[0].tolist(), out[1].tolist())

    def contrastive_divergence(work):
        """Negatives as TorchEBM's: stratified starts, 5 % of them fresh, written back; L2 of energies."""
        n, h = work.chains, work.step_size
        fresh = max(1, int(n * w.FRESH))
        stride = w.BUFFER // n

        def negatives(params, buffer, key):
            slots, start, noise = jax.random.split(key, 3)
            index = jnp.arange(n) * stride + jax.random.randint(slots, (n,), 0, stride)
            x = buffer[index].at[:fresh].set(jax.random.normal(start, (fresh, work.dim)))
            grad = jax.grad(lambda x: mlp(params, x).sum())

            def step(k, x):
                z = jax.random.normal(jax.random.fold_in(noise, k), x.shape, x.dtype)
                return x - h * grad(x) + (2 * h) ** 0.5 * z

            x = jax.lax.fori_loop(0, work.steps, step, x)
            return x, buffer.at[index].set(x)

        def loss(params, data, negatives):
            pos, neg = mlp(params, data), mlp(params, negatives)
            return pos.mean() - neg.mean() + w.REGULARISATION * ((pos**2).mean() + (neg**2).mean())

        return negatives, loss

    def score_matching(work):
        def loss(params, data, key):
            grad = jax.grad(lambda x: mlp(params, x[None])[0])
            return jax.vmap(lambda x: 0.5 * (grad(x) ** 2).sum() - jnp.trace(jax.jacfwd(grad)(x)))(data).mean()

        return loss

    def sliced_score_matching(work):
        def loss(params, data, key):
            v = jax.random.rademacher(key, (work.steps, *data.shape), data.dtype)
            grad = jax.grad(lambda x: mlp(params, x).sum())
            g, hv = jax.vmap(lambda v: jax.jvp(grad, (data,), (v,)))(v)
            return (0.5 * (v * g).sum(-1) ** 2 - (v * hv).sum(-1)).mean()

        return loss

    def denoising_score_matching(work):
        def loss(params, data, key):
            z = jax.random.normal(key, data.shape, data.dtype)
            g = jax.grad(lambda x: mlp(params, x).sum())(data + work.step_size * z)
            return 0.5 * ((g - z / work.step_size) ** 2).sum(-1).mean()

        return loss

    def equilibrium_matching(work):
        def loss(params, data, key):
            noise, time = jax.random.split(key)
            x0, t = jax.random.normal(noise, data.shape, data.dtype), jax.random.uniform(time, (len(data), 1))
            c = 4 * jnp.minimum(1, (1 - t) / 0.2)
            return ((field(params, t * data + (1 - t) * x0) - (x0 - data) * c) ** 2).mean()

        return loss

    def flow_matching(work):
        def loss(params, data, key):
            noise, time = jax.random.split(key)
            x0, t = jax.random.normal(noise, data.shape, data.dtype), jax.random.uniform(time, (len(data),))
            x = t[:, None] * data + (1 - t[:, None]) * x0
            return ((flow(params, x, t) - (data - x0)) ** 2).mean()

        return loss

    losses = {"sm": score_matching, "ssm": sliced_score_matching, "dsm": denoising_score_matching,
              "eqm": equilibrium_matching, "fm": flow_matching}

    def prepare_training(work):
        n = work.chains
        adam = optax.adam(w.LEARNING_RATE)
        batches = [jnp.array(b, jnp.float32) for b in zip(*[iter(w.two_moons())] * n)]
        if work.sampler == "pcd":
            negatives, loss = contrastive_divergence(work)
        else:
            loss = losses[work.sampler](work)

        @partial(jax.jit, donate_argnums=(0, 1, 2))
        def train_step(params, opt, buffer, key, i, data):
            key = jax.random.fold_in(key, i)
            if work.sampler == "pcd":
                key, buffer = negatives(params, buffer, key)
            value, grads = jax.value_and_grad(loss)(params, data, key)
            updates, opt = adam.update(grads, opt, params)
            return optax.apply_updates(params, updates), opt, buffer, value

        key = jax.random.key(0)
        params = mlp_params(work)
        buffer = jax.random.normal(key, (w.BUFFER, work.dim)) if work.sampler == "pcd" else ()
        state = [params, adam.init(params), buffer]
        i = 0

        def call():
            nonlocal i
            for _ in range(w.TRAIN_STEPS):
                *state[:], value = train_step(*state, key, i, batches[i % len(batches)])
                i += 1
            value.block_until_ready()

        return call, w.TRAIN_STEPS, lambda: None

    def blackjax_adapt():
        """BlackJAX's kernels and adaptation on the Gaussian of an ESS row, all chains under vmap, warm-up and draws under a jit each."""

        @cache
        def compiled(row, alone):
            deviation = jnp.array(w.deviations(row), jnp.float32)

            def logdensity(x):
                return -0.5 * ((x / deviation) ** 2).sum()

            # HMC of one leapfrog step h is MALA of η = h²/2; blackjax.mala itself takes no mass matrix.
            moves = blackjax.hmc.build_kernel() if row.mass else blackjax.mala.build_kernel()
            algorithm = blackjax.hmc if row.mass else blackjax.mala

            def move(key, state, step_size, inverse_mass):
                if row.mass:
                    h = jnp.sqrt(2 * step_size) if row.kernel == "mala" else step_size
                    return moves(key, state, logdensity, h, inverse_mass, row.leapfrog)
                return moves(key, state, logdensity, step_size)

            def starts(key):
                return jax.random.normal(key, (w.ESS_CHAINS, w.ESS_DIM))

            @jax.jit
            def each_for_itself(key):
                """window_adaptation under vmap."""
                start, going = jax.random.split(key)
                warm_up = blackjax.window_adaptation(
                    blackjax.hmc, logdensity, target_acceptance_rate=row.target, initial_step_size=w.ESS_STEP_SIZE,
                    num_integration_steps=row.leapfrog, adaptation_info_fn=get_filter_adapt_info_fn())

                def run(key, x):
                    (state, found), _ = warm_up.run(key, x, num_steps=w.ESS_WARM_UP)
                    h = found["step_size"]
                    return state, h**2 / 2 if row.kernel == "mala" else h, found["inverse_mass_matrix"]

                return jax.vmap(run)(jax.random.split(going, w.ESS_CHAINS), starts(start))

            @jax.jit
            def together(key):
                """The parts of window_adaptation with one step size and mass for all chains: from their mean acceptance and all their draws."""
                start, going = jax.random.split(key)
                averaging, next_step_size, mean_step_size = dual_averaging_adaptation(row.target)
                no_draws, add_draw, new_mass = mass_matrix_adaptation(is_diagonal_matrix=True)
                slow, last = build_schedule(w.ESS_WARM_UP).T.astype(bool) & row.mass

                def end_window(found):
                    adapting, mass = found
                    return averaging(mean_step_size(adapting)), new_mass(mass)

                def step(carry, at):
                    states, adapting, mass = carry
                    key, slow, last = at
                    states, info = jax.vmap(move, (0, 0, None, None))(
                        jax.random.split(key, w.ESS_CHAINS), states, jnp.exp(adapting.log_step_size), mass.inverse_mass_matrix)
                    adapting = next_step_size(adapting, info.acceptance_rate.mean())
                    add = lambda mass: jax.lax.scan(lambda m, x: (add_draw(m, x), None), mass, states.position)[0]
                    mass = jax.lax.cond(slow, add, lambda mass: mass, mass)
                    adapting, mass = jax.lax.cond(last, end_window, lambda found: found, (adapting, mass))
                    return (states, adapting, mass), None

                states = jax.vmap(lambda x: algorithm.init(x, logdensity))(starts(start))
                begin = states, averaging(w.ESS_STEP_SIZE), no_draws(w.ESS_DIM)
                (states, adapting, mass), _ = jax.lax.scan(step, begin, (jax.random.split(going, w.ESS_WARM_UP), slow, last))
                return states, mean_step_size(adapting), mass.inverse_mass_matrix

            @jax.jit
            def sample(key, states, step_size, inverse_mass):
                shared = 0 if alone else None

                def step(states, key):
                    states, info = jax.vmap(move, (0, 0, shared, shared))(
                        jax.random.split(key, w.ESS_CHAINS), states, step_size, inverse_mass)
                    return states, (states.position, info.acceptance_rate.mean())

                _, (draws, accept) = jax.lax.scan(step, states, jax.random.split(key, row.draws))
                return draws, accept.mean()

            return each_for_itself if alone else together, sample

        def adapt(row, seed, alone):
            warm_up, sample = compiled(row, alone)
            warm, going = jax.random.split(jax.random.key(seed))
            states, step_size, inverse_mass = jax.block_until_ready(warm_up(warm))

            def draw():
                draws, accept = jax.block_until_ready(sample(going, states, step_size, inverse_mass))
                return lambda: np.ascontiguousarray(np.asarray(draws).transpose(1, 0, 2)), accept

            return draw, step_size.mean()

        return adapt

    def prepare(work):
        if w.transformer_size(work):
            return (prepare_gradients if work.sampler == "gradients" else prepare_guided)(work)
        if work.sampler in w.LOSSES:
            return prepare_training(work)
        if work.energy == "mixed":
            return prepare_mixed(work)
        if work.energy == "flow":
            energy, sample = lambda x: (x**2).mean(1), flow_heun(mlp_params(work), work.chains, work.dim, work.steps)
        else:
            if work.energy in ("mlp", "mlp128"):
                energy = partial(mlp, mlp_params(work))
            else:
                energy = double_well if work.energy == "doublewell" else gaussian(work.dim)
            sampler = blackjax_hmc if work.energy == "gaussian" else samplers[work.sampler]
            sample = sampler(energy, work.chains, work.dim, work.steps, work.step_size)
        seed, x = 0, None

        def call():
            nonlocal seed, x
            seed += 1
            x = sample(jax.random.key(seed)).block_until_ready()

        return call, 1, lambda: w.mean_error(energy(x))

    w.serve("jax", {"version": jax.__version__, "blackjax": blackjax.__version__,
                    "devices": len(jax.devices())}, prepare, blackjax_adapt())


if __name__ == "__main__":
    first_sample() if "--first-sample" in sys.argv else main()
