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

from quasinewton import plot

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
    """A picture of performance and data profiles for each class of sizes."""
    methods = list(dict.fromkeys(r.method for r in records))
    for label, low, high, _ in CLASSES:
        size = {r.problem: r.n for r in records if low <= r.n <= high}
        if not size:
            continue
        cost = {(r.method, r.problem): r.cost if r.solved else np.inf for r in records}
        costs = {m: np.array([cost.get((m, p), np.inf) for p in size]) for m in methods}
        figure = plot.profiles(costs, np.array(list(size.values())), label)
        figure.savefig(folder / f"profile_{low}.png", dpi=100)


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
