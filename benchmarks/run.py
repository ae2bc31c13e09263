"""Times GoEBM, TorchEBM and JAX on the same work, taking turns in one run.

    python benchmarks/run.py                       everything; about a quarter of an hour
    python benchmarks/run.py --quick               fewer rounds, to check that it works
    python benchmarks/run.py --rows 'hmc*' --quick some rows; the others keep their earlier numbers
    python benchmarks/run.py --rows 'ess*'         effective sample sizes a second, beside BlackJAX
    python benchmarks/run.py --rows 'dit*' --memory  the rows' peaks of memory alone, each in a process of its own
    python benchmarks/run.py --render              the table again from what was measured
    python benchmarks/run.py --gpu                 all engines on an NVIDIA GPU; writes raw-gpu.json, results-gpu.json and a table of its own

Writes results.json (one entry a row and GoEBM backend), raw.json (the machine, versions and all
medians with their quartiles) and the table in README.md. `go run ./benchmarks/plot` draws results.json.
"""

import argparse
import datetime
import fnmatch
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import work as w

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

# The engines, in the order in which they take turns. Only GoEBM has several backends.
XLA, GO = "xla:cpu", "go"
GPU = ""  # in the names of a GPU's files: "-gpu"
ENGINES = [f"goebm {XLA}", f"goebm {GO}", "torchebm", "jax", "jax sharded"]
GO_ROWS = {"langevin_doublewell_10000x2x1000", "langevin_doublewell_1000x2x100", "pcd10_train_step_128", "first_sample"}
OWN = {row for row, work in w.ROWS.items() if "+" in work.energy} | {"dit_s2_gradients_64x16x16"}  # GoEBM alone
TRANSFORMER_ROWS = [row for row, work in w.ROWS.items() if w.transformer_size(work)]
UNSHARDED = {"hmc_gaussian10d_L10_1000x10x100", "first_sample", "adaptive_dopri5_mixed"} | {row for row, work in w.ROWS.items() if work.sampler in w.LOSSES or work.sampler == "gradients"}

# Ratios to reach: row, backend → (against TorchEBM, against JAX).
TARGETS = {
    ("langevin_doublewell_10000x2x1000", XLA): (8, 2.5),
    ("langevin_doublewell_1000x2x100", XLA): (10, 2),
    ("langevin_mlp_1000x2x1000", XLA): (4, 1.5),
    ("langevin_mlp_10000x2x100", XLA): (3, 1),
    ("langevin_mlp_128x2x100", XLA): (9, 1.1),
    ("hmc_gaussian10d_L10_1000x10x100", XLA): (12, 1),
    ("pcd10_train_step_128", XLA): (6, 1.1),
    ("sm_exact_train_step_128", XLA): (12, 1),
    ("ssm5_train_step_128", XLA): (12, 1),
    ("dsm_train_step_128", XLA): (6, 1),
    ("eqm_train_step_128", XLA): (5, 1),
    ("fm_train_step_256", XLA): (5, 1),
    ("flow_sample_heun50_10000", XLA): (5, 1),
    ("adaptive_dopri5_mixed", XLA): (3, None),
    ("dit_s2_gradients_32x8x8", XLA): (1.5, None),
    ("dit_s2_gradients_16x16x16", XLA): (1.5, None),
    ("guided_heun50_64x8x8", XLA): (2, None),
    ("first_sample", XLA): (5, None),
    ("langevin_doublewell_10000x2x1000", GO): (1, None),
    ("langevin_doublewell_1000x2x100", GO): (1, None),
    ("pcd10_train_step_128", GO): (0.6, None),
}

# TorchEBM's own published medians on an A100, ms (its benchmark repository, version 0.5.12, 2026-04-20).
A100 = {
    "langevin": (23.1, 42.6, 82.3),
    "hmc": (234.6, 466.7, 930.0),
    "gradient_descent": (13.1, 22.4, 42.6),
    "nesterov": (13.9, 23.9, 44.5),
    "euler_maruyama": (34.4, 67.4, 87.9),
    "heun": (44.1, 79.5, 158.5),
    "rk4": (71.6, 133.9, 261.1),
    "leapfrog": (32.0, 56.7, 111.6),
}
GRID_SIZES = ("64x8x50", "256x32x100", "1024x128x200")
A100_ROWS = {f"grid_{s}_{size}": ms for s, all_ms in A100.items() for size, ms in zip(GRID_SIZES, all_ms)}

STEPS = {row: w.ROWS[row].steps for row in w.ROWS if row.startswith("steps_")}  # time by steps
MIXED = "adaptive_dopri5_mixed"

# Who draws for effective sample sizes, in the order in which they take turns: the engine, and further words of the request.
TOGETHER, ALONE = "BlackJAX, chains together", "BlackJAX, each for itself"
ESS_ENGINES = {"GoEBM": (f"goebm {XLA}", []), TOGETHER: ("jax", []), ALONE: ("jax", ["alone"])}
ESS_TARGET = 1  # against BlackJAX with the same adaptation
ESS_OFF = 5  # standard errors that a mean or mean square of the draws may be off

ROWS = [*w.ROWS, "first_sample", *w.ESS_ROWS]


class RowFailed(Exception):
    """An engine could not do a row; it can still do others."""


class Engine:
    """One long-lived process that answers the line protocol of work.py."""

    def __init__(self, name, command, env):
        self.name, self.command, self.env = name, command, env
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(line)

    def ask(self, row, *words):
        return self.request(row, " ".join([row, *map(str, words)]))

    def request(self, row, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.read()
        if "error" in answer:
            raise RowFailed(f"{row}: {self.name}: {answer['error']}")
        return answer

    def first_sample(self):
        """Milliseconds from starting a new process to its end, having drawn its first samples."""
        start = time.perf_counter()
        subprocess.run([*self.command, "--first-sample"], env=self.env, check=True)
        return (time.perf_counter() - start) * 1e3

    def peak_mb(self):
        """The most memory that the process has had in use, MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start_engines(names, build_dir):
    """Builds GoEBM's side, with GOEXPERIMENT=simd for the pure Go backend, and starts the engines."""
    on_gpu = {"BENCH_DEVICE": "cuda", "JAX_DEFAULT_MATMUL_PRECISION": "highest"}  # float32, as GoEBM and PyTorch multiply
    base = dict(os.environ) | (on_gpu if GPU else {"CUDA_VISIBLE_DEVICES": ""})
    engines = []
    for name in names:
        env = dict(base)
        if name.startswith("goebm"):
            backend = name.split()[1]
            binary = Path(build_dir) / backend.replace(":", "_")
            build_env = {**base, "GOEXPERIMENT": "simd"} if backend == GO else base
            subprocess.run(["go", "build", "-o", binary, "./benchmarks/goebm"], cwd=ROOT, env=build_env, check=True)
            env.update(GOMLX_BACKEND=backend, GOMLX_NO_AUTO_INSTALL="1")
            command = [str(binary)]
        else:
            command = [sys.executable, str(HERE / f"{name.split()[0]}_bench.py")]
            if name == "jax sharded":
                command += ["--devices", str(os.cpu_count())]
        engines.append(Engine(name, command, env))
    return engines


def takes_part(engine, row):
    if row in OWN:
        return engine == f"goebm {XLA}"
    if engine == f"goebm {GO}":
        return row in GO_ROWS
    return not (engine == "jax sharded" and row in UNSHARDED)


def measure(row, engines, rounds, seconds):
    """Returns engine name → {"ms", "low", "high" (quartiles), "n", "first_ms", "check"}, and whether all went well."""
    engines = [e for e in engines if takes_part(e.name, row)]
    times = {e.name: [] for e in engines}
    first, check, figures, repetitions = {}, {}, {}, {}
    good = True
    if row == "first_sample":
        for e in engines:
            e.first_sample()  # fills the page cache
        for _ in range(rounds):
            for e in engines:
                times[e.name].append(e.first_sample())
    else:
        for e in list(engines):
            try:
                answer = e.ask(row, 2)
            except RowFailed as failure:
                print(failure, file=sys.stderr)
                engines.remove(e)
                good = False
                continue
            if answer["first_ms"] is not None:
                first[e.name] = answer["first_ms"]
            call_ms = answer["times_ms"][-1] * (w.TRAIN_STEPS if w.ROWS[row].sampler in w.LOSSES else 1)
            repetitions[e.name] = max(1, min(200, round(seconds * 1e3 / call_ms)))
        for _ in range(rounds):
            for e in engines:
                answer = e.ask(row, repetitions[e.name])
                times[e.name] += answer["times_ms"]
                check[e.name] = answer["check"]
                if "figures" in answer:
                    figures[e.name] = {"figures": answer["figures"]}
    result = {}
    for name, t in times.items():
        if not t:
            continue
        low, _, high = statistics.quantiles(t, n=4) if len(t) > 1 else (t[0],) * 3
        result[name] = {"ms": statistics.median(t), "low": low, "high": high, "n": len(t),
                        "first_ms": first.get(name), "check": check.get(name)} | figures.get(name, {})
    return result, good


def measure_memory(row, names, build_dir):
    """Returns engine name → {"peak_mb", "idle_mb"}: the most memory of a process that does the row three times, and of one that has only begun."""
    result = {}
    for name in names:
        if takes_part(name, row) and name != f"goebm {GO}":
            [engine] = start_engines([name], build_dir)
            idle = engine.peak_mb()
            engine.ask(row, 2)
            result[name] = {"peak_mb": engine.peak_mb(), "idle_mb": idle}
            engine.close()
    return result


def measure_ess(row, engines, seeds, repetitions, folder):
    """Returns who → medians over the seeds and over all runs' times, and whether all went well. Each seed is a warm-up and its runs."""
    engines = {e.name: e for e in engines}
    judge = engines.get(f"goebm {XLA}")
    if judge is None:
        print(f"{row}: left out: GoEBM on {XLA} computes the ESS of all engines", file=sys.stderr)
        return {}, True
    who = {name: (engines[engine], words) for name, (engine, words) in ESS_ENGINES.items()
           if engine in engines and (w.ESS_ROWS[row].mass or name != ALONE)}
    answers = {name: [] for name in who}
    good = True
    for seed in range(1, seeds + 1):
        for name, (engine, words) in who.items():
            file = Path(folder) / "draws"
            try:
                answer = engine.ask(row, repetitions, seed, file, *words)
                answer |= judge.request(row, f"judge {row} {file}")
            except RowFailed as failure:
                print(failure, file=sys.stderr)
                good = False
                continue
            if answer["off"] > ESS_OFF:
                print(f"{row}: {name}, seed {seed}: a mean or mean square is {answer['off']:.1f} standard errors off", file=sys.stderr)
                good = False
            answers[name].append(answer)
    result = {}
    for name, given in answers.items():
        if not given:
            continue
        times = [t for a in given for t in a["times_ms"]]
        low, _, high = statistics.quantiles(times, n=4)
        median = {key: statistics.median(a[key] for a in given) for key in ("accept", "step_size", "ess")}
        ess = [a["ess"] for a in given]
        result[name] = {"ms": statistics.median(times), "low": low, "high": high, "n": len(times), "seeds": len(given),
                        "first_warm_ms": given[0]["warm_ms"], "ess_low": min(ess), "ess_high": max(ess),
                        "off": max(a["off"] for a in given), **median}
    return result, good


def same_work(row, measured):
    """Complains unless all engines sampled the same mean energy, or mean square, within six standard errors."""
    checks = {name: m["check"] for name, m in measured.items() if m["check"]}
    pairs = [(a, b) for a in checks for b in checks if a < b]
    wrong = [f"{a} {checks[a][0]:.4g}, {b} {checks[b][0]:.4g}" for a, b in pairs
             if abs(checks[a][0] - checks[b][0]) > 6 * (checks[a][1] ** 2 + checks[b][1] ** 2) ** 0.5]
    for text in wrong:
        print(f"{row}: the means differ, so this is not the same work: {text}", file=sys.stderr)
    return not wrong


def results(raw):
    """The entries of results.json."""
    def rounded(x):
        return None if x is None else float(f"{x:.4g}")

    out = []
    for row in ROWS:
        measured = raw["rows"].get(row, {})
        for backend in (XLA, GO):
            go = measured.get(f"goebm {backend}")
            if not go or "ms" not in go:
                continue
            torch, jax = (measured.get(e, {}).get("ms") for e in ("torchebm", "jax"))
            units = w.TRAIN_STEPS if row in w.ROWS and w.ROWS[row].sampler in w.LOSSES else 1
            out.append({
                "row": row,
                "backend": backend,
                "goebm_ms": rounded(go["ms"]),
                "torchebm_ms": rounded(torch),
                "jax_ms": rounded(jax),
                "vs_torchebm": rounded(torch and torch / go["ms"]),
                "vs_jax": rounded(jax and jax / go["ms"]),
                "compile_ms": rounded(go["first_ms"] and max(0, go["first_ms"] - go["ms"]) * units),
            })
            if "peak_mb" in go:
                out[-1] |= {f"{e.split()[0]}_peak_mb": rounded(measured.get(e, {}).get("peak_mb")) for e in (f"goebm {backend}", "torchebm", "jax")}
    for row, measured in raw.get("ess", {}).get("rows", {}).items():
        rate = {who: m["ess"] / m["ms"] * 1e3 for who, m in measured.items()}
        if "GoEBM" in rate:
            out.append({
                "row": row,
                "backend": XLA,
                "goebm_ess_per_s": rounded(rate["GoEBM"]),
                "blackjax_ess_per_s": rounded(rate.get(TOGETHER)),
                "blackjax_alone_ess_per_s": rounded(rate.get(ALONE)),
                "vs_blackjax": rounded(TOGETHER in rate and rate["GoEBM"] / rate[TOGETHER] or None),
                "vs_blackjax_alone": rounded(ALONE in rate and rate["GoEBM"] / rate[ALONE] or None),
            })
    return out


def number(x):
    return "" if x is None else f"{x:.3g}" if x < 1000 else f"{x:.0f}"


def ratio(x, target):
    """A ratio beside its target, in bold where it falls short."""
    if x is None:
        return ""
    text = f"{x:.2g}" if x < 1 else f"{x:.1f}" if x < 100 else f"{x:.0f}"
    if target is None:
        return text
    return f"{text} (≥ {target:g})" if x >= target else f"**{text} (≥ {target:g})**"


def ess_table(ess):
    machine = ess["machine"]
    load = f" while other programs were running, load average {machine['load']:.1f}: compare the engines, which took turns, and not the times" if machine["load"] > 0.5 else ""
    lines = [
        "",
        f"Effective samples a second on a Gaussian of {w.ESS_DIM} dimensions, {w.ESS_CHAINS} chains (measured {machine['date']}{load}): the smallest bulk ESS of all coordinates by the",
        "time of sampling alone. Medians over the seeds; warm-up is the first seed's, compile included.",
        "",
        "| row | engine | warm-up, ms | step size | acceptance | sampling, ms | ESS | ESS a 1000 gradients | ESS/s | GoEBM's ESS/s by this |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in w.ESS_ROWS:
        measured = ess["rows"].get(row, {})
        for who, m in measured.items():
            work = w.ESS_ROWS[row]
            gradients = w.ESS_CHAINS * work.draws * work.leapfrog
            rate = m["ess"] / m["ms"]
            against = ""
            if who != "GoEBM" and "GoEBM" in measured:
                against = ratio(measured["GoEBM"]["ess"] / measured["GoEBM"]["ms"] / rate, ESS_TARGET if who == TOGETHER else None)
            lines.append(f"| {row} | {who} | {number(m['first_warm_ms'])} | {m['step_size']:.3g} | {m['accept']:.3f} | {number(m['ms'])} | {number(m['ess'])} "
                         f"| {number(m['ess'] / gradients * 1e3)} | {number(rate * 1e3)} | {against} |")
    return lines


def table(raw, entries):
    machine = raw["machine"]
    lines = [
        f"{machine.get('gpu') or machine['cpu']}, {machine['cores']} cores, {machine['os']}; measured {machine['date']}.",
        "; ".join(f"{name}: " + ", ".join(f"{k} {v}" for k, v in about.items()) for name, about in raw["about"].items()) + ".",
        "",
        "Milliseconds, medians. Ratios: how many times faster GoEBM is; in brackets the target; bold falls short of it.",
        "",
        "| row | backend | GoEBM | compile | TorchEBM | JAX | JAX, sharded | vs TorchEBM | vs JAX |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for e in entries:
        if e["row"] in A100_ROWS or e["row"] in STEPS or e["row"] in w.ESS_ROWS or e["row"] in TRANSFORMER_ROWS:
            continue
        target = TARGETS.get((e["row"], e["backend"]), (None, None))
        sharded = raw["rows"][e["row"]].get("jax sharded", {}).get("ms")
        lines.append(
            f"| {e['row']} | {e['backend']} | {number(e['goebm_ms'])} | {number(e['compile_ms'])} | {number(e['torchebm_ms'])} "
            f"| {number(e['jax_ms'])} | {number(sharded)} | {ratio(e['vs_torchebm'], target[0])} | {ratio(e['vs_jax'], target[1])} |")
    lines += grid_table(raw, [e for e in entries if e["row"] in A100_ROWS and w.ROWS[e["row"]].sampler not in w.INTEGRATORS], [
        "TorchEBM's own grid: double well, chains × dimension × steps, step 1e-3. The A100 column is what TorchEBM publishes for",
        f"that GPU (version 0.5.12); everything else was measured here. The target is to be below it, on this {'GPU' if GPU else 'CPU'}, in every cell.",
    ])
    integrators = [e for e in entries if e["row"] in A100_ROWS and w.ROWS[e["row"]].sampler in w.INTEGRATORS]
    if integrators:
        lines += grid_table(raw, integrators, [
            "TorchEBM's grid of integrators: −∇E of an MLP d-128-128-1, chains × dimension × steps, step 1e-3; Euler–Maruyama and Heun with",
            f"noise, D = {w.DIFFUSION:g}. The last column again has a target of 1.",
        ])
    lines += steps_table(raw)
    if MIXED in raw["rows"]:
        lines += mixed_table(raw["rows"][MIXED])
    lines += transformer_table(raw, entries)
    if "ess" in raw:
        lines += ess_table(raw["ess"])
    return "\n".join(lines)


def grid_table(raw, entries, head):
    lines = [
        "",
        *head,
        "",
        "| row | GoEBM | compile | TorchEBM | JAX | JAX, sharded | vs TorchEBM | vs JAX | TorchEBM on an A100 | A100 time / GoEBM's |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for e in entries:
        sharded = raw["rows"][e["row"]].get("jax sharded", {}).get("ms")
        a100 = A100_ROWS[e["row"]]
        lines.append(
            f"| {e['row'].removeprefix('grid_')} | {number(e['goebm_ms'])} | {number(e['compile_ms'])} | {number(e['torchebm_ms'])} "
            f"| {number(e['jax_ms'])} | {number(sharded)} | {ratio(e['vs_torchebm'], None)} | {ratio(e['vs_jax'], None)} "
            f"| {a100:g} | {ratio(a100 / e['goebm_ms'], 1)} |")
    return lines


def steps_table(raw):
    """Times by the number of steps."""
    rows = [row for row in STEPS if row in raw["rows"]]
    if not rows:
        return []
    lines = [
        "",
        "Milliseconds by the number of steps: 10 000 points, Heun, as in flow_sample_heun50_10000; in brackets a step's.",
        "",
        "| engine | " + " | ".join(f"{STEPS[row]} steps" for row in rows) + " |",
        "|---|" + "--:|" * len(rows),
    ]
    for name in ENGINES:
        times = [raw["rows"][row].get(name) for row in rows]
        if any(times):
            lines.append(f"| {name} | " + " | ".join(f"{number(t['ms'])} ({t['ms'] / STEPS[row]:.2g})" if t else "" for row, t in zip(rows, times)) + " |")
    return lines


def transformer_table(raw, entries):
    """Times and memory of the rows with a transformer."""
    entries = [e for e in entries if e["row"] in TRANSFORMER_ROWS]
    if not entries:
        return []
    machine = raw["transformers"]
    busy = f" while other programs were running, load average {machine['load']:.1f}" if machine["load"] > 0.5 else ""
    lines = [
        "",
        f"Transformers (measured {machine['date']}{busy}); memory is the most that a process of the engine's own had in use for the row, in brackets",
        "what it has before it.",
        "",
        "| row | GoEBM, ms | compile | TorchEBM | JAX | JAX, sharded | vs TorchEBM | vs JAX | GoEBM, MB | TorchEBM | JAX |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for e in entries:
        measured = raw["rows"][e["row"]]
        target = TARGETS.get((e["row"], e["backend"]), (None, None))
        peaks = [f"{m['peak_mb']:.0f} ({m['idle_mb']:.0f})" if "peak_mb" in m else "" for m in (measured.get(n, {}) for n in (f"goebm {XLA}", "torchebm", "jax"))]
        lines.append(
            f"| {e['row']} | {number(e['goebm_ms'])} | {number(e['compile_ms'])} | {number(e['torchebm_ms'])} | {number(e['jax_ms'])} "
            f"| {number(measured.get('jax sharded', {}).get('ms'))} | {ratio(e['vs_torchebm'], target[0])} | {ratio(e['vs_jax'], target[1])} | " + " | ".join(peaks) + " |")
    return lines


def mixed_table(measured):
    lines = [
        "",
        f"Adaptive Dopri5 on chains of many time scales ({MIXED}):",
        "",
        "| engine | ms | evaluations a chain, mean | most | largest error |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, m in measured.items():
        f = m["figures"]
        lines.append(f"| {name} | {number(m['ms'])} | {f['evaluations']:.0f} | {f['most']:.0f} | {f['error']:.1e} |")
    return lines


def render(raw):
    entries = results(raw)
    text = "[\n" + ",\n".join("  " + json.dumps(e) for e in entries) + "\n]\n"
    (HERE / f"results{GPU}.json").write_text(text)
    readme = HERE / "README.md"
    begin, end = f"<!-- results{GPU} -->", f"<!-- /results{GPU} -->"
    head, rest = readme.read_text().split(begin)
    _, tail = rest.split(end)
    readme.write_text(f"{head}{begin}\n{table(raw, entries)}\n{end}{tail}")


def machine():
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())
    return {"cpu": cpu, "cores": os.cpu_count(), "os": platform.system(), "date": datetime.date.today().isoformat()}


def use_gpu(measure):
    """Everything on a GPU: the engines' CUDA counterparts, files of their own, and no targets. Gives its name; to measure, ends the program where there is none."""
    global XLA, ENGINES, ESS_ENGINES, GPU
    try:
        found = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        found = ""
    if measure and not found.startswith("GPU"):
        sys.exit("benchmarks: there is no NVIDIA GPU here (nvidia-smi -L lists none), and --gpu needs one; `make bench` measures the CPU")
    XLA, GPU = "xla:cuda", "-gpu"
    ENGINES = [f"goebm {XLA}", "torchebm", "jax"]
    ESS_ENGINES = {"GoEBM": (f"goebm {XLA}", []), TOGETHER: ("jax", []), ALONE: ("jax", ["alone"])}
    return found.partition("\n")[0].removeprefix("GPU 0: ").partition(" (UUID")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two short rounds instead of seven")
    parser.add_argument("--rounds", type=int, help="how many rounds, in the place of seven")
    parser.add_argument("--rows", default="*", help="only rows that match one of these patterns, with commas between them")
    parser.add_argument("--engines", default="*", help="only engines that match this pattern, such as 'goebm*'")
    parser.add_argument("--render", action="store_true", help="measure nothing, write the table again")
    parser.add_argument("--memory", action="store_true", help="measure the peaks of memory and no times")
    parser.add_argument("--gpu", action="store_true", help="on an NVIDIA GPU")
    parser.add_argument("--no-write", action="store_true", help="print what was measured and write nothing")
    args = parser.parse_args()

    gpu = use_gpu(not args.render) if args.gpu else None
    path = HERE / f"raw{GPU}.json"
    raw = json.loads(path.read_text()) if path.exists() else {"rows": {}, "about": {}}
    if args.render:
        return render(raw)

    rows = [r for r in ROWS if any(fnmatch.fnmatch(r, pattern) for pattern in args.rows.split(","))]
    names = [e for e in ENGINES if fnmatch.fnmatch(e, args.engines)]
    if not rows or not names:
        parser.error(f"--rows {args.rows!r} and --engines {args.engines!r} leave nothing to run; rows: {', '.join(ROWS)}")
    if args.memory:
        with tempfile.TemporaryDirectory() as build_dir:
            for row in rows:
                for name, peak in measure_memory(row, names, build_dir).items():
                    print(f"{row:36}{name}: {peak['peak_mb']:.0f} MB, idle {peak['idle_mb']:.0f}", flush=True)
                    raw["rows"].setdefault(row, {}).setdefault(name, {}).update(peak)
        if not args.no_write:
            path.write_text(json.dumps(raw, indent=1) + "\n")
            render(raw)
        return 0
    rounds, seconds = (2, 0.2) if args.quick else (7, 1.0)
    rounds = args.rounds or rounds
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"other programs are running (load average {load:.1f}); TorchEBM's threads suffer most from that, so these "
              "numbers are not to be published", file=sys.stderr)
    good = True
    with tempfile.TemporaryDirectory() as build_dir:
        engines = start_engines(names, build_dir)
        now = machine() | {"load": load} | ({"gpu": gpu} if gpu else {})
        if set(rows) - set(w.ESS_ROWS) - set(TRANSFORMER_ROWS) or "machine" not in raw:
            raw["machine"] = now
        if set(rows) & set(TRANSFORMER_ROWS):
            raw["transformers"] = now
        for e in engines:
            raw["about"][e.name] = {k: v for k, v in e.about.items() if k != "engine"}
        for row in rows:
            if row in w.ESS_ROWS:
                measured, done = measure_ess(row, engines, *((2, 2) if args.quick else (5, 5)), build_dir)
                good = done and good
                shown = {name: f"{number(m['ess'])} in {number(m['ms'])} ms" for name, m in measured.items()}
                kept = raw.setdefault("ess", {"rows": {}})
                kept["machine"] = machine() | {"load": load}
            else:
                measured, done = measure(row, engines, rounds, seconds)
                good = same_work(row, measured) and done and good
                shown = {name: number(m["ms"]) for name, m in measured.items()}
                kept = raw
            print(f"{row:36}" + "  ".join(f"{name} {text}" for name, text in shown.items()), flush=True)
            for name, m in measured.items():  # beside a peak of memory
                kept["rows"].setdefault(row, {}).setdefault(name, {}).update(m)
            if not args.no_write:  # after every row, so that stopping loses little
                path.write_text(json.dumps(raw, indent=1) + "\n")
                render(raw)
        for e in engines:
            e.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
