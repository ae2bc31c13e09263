"""Writes arviz.json beside this file: draws of chains and what ArviZ makes of them.

    pip install arviz==0.23.4 arviz-stats==0.8.0 numpy==2.4.6 scipy==1.17.1
    python make_arviz.py

The draws are float32 numbers, so that both sides read the same ones; everything is computed from them in float64.
arviz has all figures but nested R-hat. That is arviz-stats' formula for rank-normalised chains that are not split, where
arviz-stats itself splits them first: a half chain more in the same superchain tells nothing of convergence.
"""

import json
from pathlib import Path

import arviz
import arviz_stats
import numpy as np
from arviz.stats.diagnostics import _ess_mean, _ess_sd, _mcse_sd, _z_scale
from arviz_stats.base import array_stats

rng = np.random.default_rng(1)


def ar1(chains, draws, rho):
    x = np.empty((chains, draws))
    x[:, 0] = rng.normal(size=chains)
    for t in range(1, draws):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * rng.normal(size=chains)
    return x


def stuck(chains, draws):
    x = rng.normal(size=(chains, draws))
    x[0] = x[0, 0]
    return x


def rejections(chains, draws):
    """Random-walk Metropolis on a Gaussian: many draws repeat the one before."""
    x = np.empty((chains, draws))
    at = rng.normal(size=chains)
    for t in range(draws):
        to = at + 6 * rng.normal(size=chains)
        at = np.where(np.log(rng.uniform(size=chains)) < (at**2 - to**2) / 2, to, at)
        x[:, t] = at
    return x


CASES = {
    "white noise": rng.normal(size=(4, 100)),
    "one chain": rng.normal(size=(1, 150)),
    "odd number of draws": ar1(3, 67, 0.3),
    "AR(1) 0.9": ar1(4, 200, 0.9),
    "AR(1) -0.6, antithetic": ar1(2, 200, -0.6),
    "one stuck chain": stuck(4, 60),
    "different means": ar1(3, 80, 0.5) + 3 * np.arange(3)[:, None],
    "different scales": rng.normal(size=(4, 80)) * np.array([1, 1, 1, 5])[:, None],
    "trend": ar1(2, 90, 0.2) + np.linspace(0, 4, 90),
    "heavy tails": rng.standard_cauchy(size=(4, 100)),
    "far from zero": 1000 + 1e-2 * ar1(2, 100, 0.5),
    "rejections": rejections(4, 100),
    "short": rng.normal(size=(6, 10)),
    "constant": np.full((2, 12), 1.5),
    "all stuck apart": np.repeat([[0.0], [1.0], [2.5], [4.0]], 12, axis=1),
}


def number(v):
    """JSON has no infinity and no NaN."""
    v = float(v)
    return v if np.isfinite(v) else str(v)


def figures(x):
    chains = x.shape[0]
    out = {
        "ess_bulk": arviz.ess(x, method="bulk"),
        "ess_tail": arviz.ess(x, method="tail"),
        "ess_mean": _ess_mean(x),
        "ess_sd": _ess_sd(x),
        "ess_q10": arviz.ess(x, method="quantile", prob=0.1),
        "ess_median": arviz.ess(x, method="median"),
        "mcse_mean": arviz.mcse(x, method="mean"),
        "mcse_sd": _mcse_sd(x),
        "mcse_q10": arviz.mcse(x, method="quantile", prob=0.1),
        "mcse_median": arviz.mcse(x, method="median"),
    }
    if chains > 1:
        # As summary does, folding about the median of all draws; rhat() takes that of the split chains, without the middle draw.
        out["rhat"] = arviz.stats.diagnostics._multichain_statistics(x)[-1]
    for superchains in (2, 3):
        if chains % superchains == 0 and chains > superchains:
            ids = np.repeat(np.arange(superchains), chains // superchains)
            out[f"rhat_nested_{superchains}"] = max(
                array_stats._rhat_nested(_z_scale(x), ids),
                array_stats._rhat_nested(_z_scale(abs(x - np.median(x))), ids),
            )
    out["ebfmi"] = [number(v) for v in arviz.bfmi(x)]
    acov = np.array([arviz.autocov(row) for row in x]).mean(axis=0)
    out["autocorr"] = [number(v) for v in (acov / acov[0])[:6]]
    if chains == 1:
        assert np.allclose(out["autocorr"], arviz.autocorr(x[0])[:6])
    return {k: v if isinstance(v, list) else number(v) for k, v in out.items()}


def main():
    np.seterr(all="ignore")
    cases = []
    for name, x in CASES.items():
        x32 = x.astype(np.float32)
        # The shortest decimals that a float32 parser reads back.
        draws = "[" + ", ".join(np.format_float_scientific(v, unique=True, trim="-") for v in x32.ravel()) + "]"
        head = json.dumps({"name": name, "chains": x.shape[0], **figures(x32.astype(np.float64))})
        cases.append(f'{head[:-1]}, "draws": {draws}}}')
    source = f"arviz {arviz.__version__}, arviz-stats {arviz_stats.__version__} for nested R-hat"
    text = f'{{\n"source": {json.dumps(source)},\n"cases": [\n' + ",\n".join(cases) + "\n]\n}\n"
    json.loads(text)
    (Path(__file__).parent / "arviz.json").write_text(text)


main()
