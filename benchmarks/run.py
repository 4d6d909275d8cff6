"""Methods x problems x peers: a table, profiles and a summary.

    python benchmarks/run.py                     # all that is installed, to benchmarks/results/
    python benchmarks/run.py --largest 99 --methods arc_lsr1 "L-BFGS-B"

Problems: the unconstrained CUTEst problems of cutest_problems.txt, from the package sif2jax.
Writes results.csv (a row a run), about.json (machine, versions, date), summary.md, and
performance and data profiles as pictures. Figures in docs/benchmarks.md come from summary.md.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import importlib.metadata
import json
import os
import platform
from pathlib import Path

# Before numpy: one thread each, so that methods are timed alike; GALAHAD wants the second.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_CANCELLATION", "TRUE")

import cutest
import harness
import numpy as np

BASE = "L-BFGS-B"
#: (label, smallest n, largest n, budget)
CLASSES = (("n < 100", 1, 99, 1500), ("100 <= n < 1000", 100, 999, 5000),
           ("n >= 1000", 1000, 10**9, 5000))  # fmt: skip
PACKAGES = ("quasinewton", "numpy", "scipy", "numba", "jax", "sif2jax", "nlopt", "fides")


def about() -> dict[str, str]:
    """Machine, versions and date."""
    facts = {
        "date": datetime.date.today().isoformat(),
        "machine": platform.processor() or platform.machine(),
        "cpus": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        facts["machine"] = next(x.split(":")[1].strip() for x in lines if "model name" in x)
    except (OSError, StopIteration):
        pass
    for name in PACKAGES:
        try:
            facts[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            facts[name] = "not installed"
    return facts


def summary(records: list[harness.Record]) -> str:
    """Solved counts and geometric means beside `BASE`, as Markdown."""
    methods = list(dict.fromkeys(r.method for r in records))
    lines = []
    for label, low, high, _ in CLASSES:
        here = [r for r in records if low <= r.n <= high]
        if not here:
            continue
        base = [r for r in here if r.method == BASE]
        total = len({r.problem for r in here})
        lines += [f"### {label} ({total} problems)", "",
                  "| method | solved | cost | on a random half | cost, f counted too | seconds |",
                  "|---|---|---|---|---|---|"]  # fmt: skip
        rng = np.random.default_rng(0)
        half = {r.problem for r in base if rng.random() < 0.5}
        for method in methods:
            mine = [r for r in here if r.method == method]
            if not mine:
                continue
            cost, _ = harness.geometric_mean(mine, base)
            part, _ = harness.geometric_mean(mine, [b for b in base if b.problem in half])
            both, _ = harness.geometric_mean(mine, base, lambda r: max(r.nfev, r.njev) + r.nhev)
            solved = sum(r.solved for r in mine)
            lines.append(
                f"| {method} | {solved} of {len(mine)} ({100 * solved / len(mine):.0f} %) | "
                f"{cost:.2f} | {part:.2f} | {both:.2f} | {sum(r.seconds for r in mine):.0f} |"
            )
        lines.append("")
    unsolved: dict[str, list[str]] = {}
    for r in records:
        if not r.solved:
            unsolved.setdefault(r.method, []).append(r.problem)
    lines += ["### Not solved", ""]
    lines += [f"- {method}: {', '.join(names)}" for method, names in unsolved.items()]
    return "\n".join(lines) + "\n"


def profiles(records: list[harness.Record], folder: Path) -> None:
    """Performance profile (Dolan & More 2002) and data profile (More & Wild 2009)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    methods = list(dict.fromkeys(r.method for r in records))
    colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
    styles = ["-", "--", ":"]
    for label, low, high, _ in CLASSES:
        here = [r for r in records if low <= r.n <= high]
        problems = sorted({r.problem for r in here})
        if not problems:
            continue
        cost = {(r.method, r.problem): r.cost if r.solved else np.inf for r in here}
        size = {r.problem: r.n for r in here}
        best = {p: min(cost.get((m, p), np.inf) for m in methods) for p in problems}
        figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
        for k, method in enumerate(methods):
            values = np.array([cost.get((method, p), np.inf) for p in problems])
            least = np.array([best[p] for p in problems])
            with np.errstate(invalid="ignore"):
                ratios = np.sort(np.where(np.isfinite(values), values / least, np.inf))
            units = np.sort(values / np.array([size[p] + 1 for p in problems]))
            share = np.arange(1, len(problems) + 1) / len(problems)
            style = {"color": colours[k % 7], "ls": styles[k // 7 % 3], "label": method}
            for axes, x in ((left, ratios), (right, units)):
                solved = np.isfinite(x)
                axes.step(x[solved], share[solved], where="post", **style)
        left.set(xscale="log", xlim=(1, 30), ylim=(0, 1), xlabel="cost / least cost")
        left.set(ylabel="share of problems solved", title=f"Performance profile, {label}")
        right.set(xscale="log", ylim=(0, 1), xlabel="cost / (n + 1)")
        right.set(title=f"Data profile, {label}")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=9)
        figure.savefig(folder / f"profile_{low}.png", dpi=100)
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="*", default=list(harness.METHODS))
    parser.add_argument("--smallest", type=int, default=1)
    parser.add_argument("--largest", type=int, default=10**9)
    parser.add_argument("--seconds", type=float, default=60.0, help="most seconds a run")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    arguments = parser.parse_args()
    methods = [m for m in arguments.methods if harness.available(m)]
    if BASE not in methods:
        methods.append(BASE)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for method in methods:  # compile before the clock starts
        harness.run(method, cutest.load("ROSENBR"), 50)
    records = []
    for name in cutest.names(arguments.smallest, arguments.largest):
        problem = cutest.load(name)
        budget = next(b for _, low, high, b in CLASSES if low <= problem.n <= high)
        for method in methods:
            if harness.dense(method) and problem.n > 3000:
                continue
            records.append(harness.run(method, problem, budget, arguments.seconds))
        print(f"{name:12s} n = {problem.n:6d}", *(
            f"{r.method}: {r.cost if r.solved else '-'}" for r in records if r.problem == name
        ), flush=True)  # fmt: skip
    rows = [r.row() for r in records]
    with (arguments.out / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (arguments.out / "about.json").write_text(json.dumps(about(), indent=1) + "\n")
    text = summary(records)
    (arguments.out / "summary.md").write_text(text)
    profiles(records, arguments.out)
    print(text)


if __name__ == "__main__":
    main()
