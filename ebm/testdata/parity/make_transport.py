"""Writes assignment.json with SciPy (`pip install scipy`) and sinkhorn.json with POT (`pip install pot`)."""

import json

import numpy as np
import ot
import scipy
from scipy.optimize import linear_sum_assignment


def uniforms(seed, count):
    """A congruential generator that the Go test repeats."""
    out, state = [], seed
    for _ in range(count):
        state = (1103515245 * state + 12345) % 2**31
        out.append(state / 2**31)
    return np.array(out)


def points(kind, n, seed):
    x = uniforms(seed, 4 * n)
    if kind == "collapsed":
        x[2 * n + 2 :] = 0.5 + 1e-3 * x[2 * n + 2 :]
    return x[: 2 * n].reshape(n, 2), x[2 * n :].reshape(n, 2)


def cost_of(kind, n, seed):
    if kind == "uniform":
        return uniforms(seed, n * n).reshape(n, n)
    if kind == "ties":
        return np.floor(10 * uniforms(seed, n * n)).reshape(n, n)
    x, y = points(kind, n, seed)
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def write(name, source, cases):
    with open(name, "w") as f:
        f.write('{"source": "%s", "dtype": "float64", "cases": [\n' % source)
        f.write(",\n".join(json.dumps(c) for c in cases) + "\n]}\n")


assignments = []
for k, kind in enumerate(["uniform", "ties", "plane", "collapsed"]):
    for n in [2, 10, 50, 128, 256]:
        seed = 1000 * k + n
        cost = cost_of(kind, n, seed)
        rows, cols = linear_sum_assignment(cost)
        assignments.append({"kind": kind, "n": n, "seed": seed, "total": float(cost[rows, cols].sum())})
write("assignment.json", "scipy " + scipy.__version__, assignments)

plans = []
for n in [2, 6, 12]:
    for reg in [0.05, 0.3]:
        x, y = (np.round(v, 6) for v in points("plane", n, 77 + n))
        x = np.round(2 * x, 6)
        cost = ((x[:, None] - y[None]) ** 2).sum(-1)
        eps = reg * cost.mean()
        ones = np.full(n, 1 / n)
        case = {"reg": reg, "x0": x.tolist(), "x1": y.tolist()}
        plan = ot.sinkhorn(ones, ones, cost, eps, method="sinkhorn_log", numItermax=200_000, stopThr=1e-15)
        plans.append(case | {"marginal": 0, "plan": plan.tolist()})
        for marginal in [0.5, 2.0]:  # in units of the mean cost too
            rho = marginal * cost.mean()
            # reg_type "kl" penalises against the product of the marginals, which leaves the plan of the entropy up to a factor
            plan = ot.unbalanced.sinkhorn_unbalanced(
                ones, ones, cost, eps, rho, reg_type="kl", numItermax=200_000, stopThr=1e-15
            )
            plans.append(case | {"marginal": marginal, "plan": plan.tolist()})
write("sinkhorn.json", "POT " + ot.__version__, plans)
