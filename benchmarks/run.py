"""Methods x problems x peers: a table, profiles and a summary.

    python benchmarks/run.py                     # all that is installed, to benchmarks/results/
    python benchmarks/run.py --set classical
    python benchmarks/run.py --largest 99 --methods arc_lsr1 "L-BFGS-B"
    python benchmarks/run.py --keep --methods arc_lsr1     # the other rows stay

Problems: the unconstrained CUTEst problems of cutest_problems.txt, from the package sif2jax, or
those of `quasinewton.problems`. Writes results.csv (a row a run, as they come), about.json
(machine, versions, date), summary.md, and performance and data profiles as pictures. Figures in
docs/benchmarks.md come from summary.md.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

# Before numpy: one thread each, so that methods are timed alike. GALAHAD's linear solver wants the
# next two, and without the last its threads take ten times the time, waiting for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_CANCELLATION", "TRUE")
os.environ.setdefault("OMP_PROC_BIND", "TRUE")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import classical
import cutest
import harness
import numpy as np

from quasinewton.display import plot

BASE = "L-BFGS-B"
#: (label, smallest n, largest n, budget)
CLASSES = (("n < 100", 1, 99, 1500), ("100 <= n < 1000", 100, 999, 5000),
           ("1000 <= n < 100000", 1000, 99_999, 5000),
           ("n >= 100000", 10**5, 10**9, 200))  # fmt: skip
SETS = {"cutest": cutest, "classical": classical}


def summary(records: list[harness.Record]) -> str:
    """Solved counts and geometric means beside `BASE`, as Markdown."""
    lines = []
    for label, low, high, budget in CLASSES:
        here = [r for r in records if low <= r.n <= high]
        if not here:
            continue
        base = [r for r in here if r.method == BASE]
        total = len({r.problem for r in here})
        lines += [f"### {label} ({total} problems, at most {budget} gradients and products)", "",
                  "| method | solved | cost | on a random half | cost, f counted too | seconds |",
                  "|---|---|---|---|---|---|"]  # fmt: skip
        rng = np.random.default_rng(0)
        half = {r.problem for r in base if rng.random() < 0.5}
        for method in dict.fromkeys(r.method for r in here):
            mine = [r for r in here if r.method == method]
            cost, _ = harness.geometric_mean(mine, base)
            part, _ = harness.geometric_mean(mine, [b for b in base if b.problem in half])
            both, _ = harness.geometric_mean(mine, base, lambda r: max(r.nfev, r.njev) + r.nhev)
            solved = sum(r.solved for r in mine)
            lines.append(
                f"| {method} | {solved} of {total} ({100 * solved / total:.0f} %) | "
                f"{cost:.2f} | {part:.2f} | {both:.2f} | {sum(r.seconds for r in mine):.0f} |"
            )
        lines.append("")
    lines += ["### Not solved", "", "A star: the method gave up. Others: budget spent.", ""]
    for method in dict.fromkeys(r.method for r in records):
        names = [
            r.problem + ("" if r.note in ("budget", "time") else "*")
            for r in records
            if r.method == method and not r.solved
        ]
        lines.append(f"- {method}: {', '.join(names) or 'none'}")
    # Such runs are the ones that another machine may end otherwise.
    late = [f"{r.method} on {r.problem}" for r in records if r.note == "time"]
    lines += ["", f"Ended by the time limit, not by its budget: {', '.join(late) or 'no run'}."]
    return "\n".join(lines) + "\n"


def profiles(records: list[harness.Record], folder: Path) -> None:
    """A picture of performance and data profiles for each class of sizes."""
    for label, low, high, _ in CLASSES:
        here = [r for r in records if low <= r.n <= high and r.method not in harness.VARIANTS]
        if not here:
            continue
        methods = dict.fromkeys(r.method for r in here)
        size = {r.problem: r.n for r in here}
        cost = {(r.method, r.problem): r.cost if r.solved else np.inf for r in here}
        costs = {m: np.array([cost.get((m, p), np.inf) for p in size]) for m in methods}
        figure = plot.profiles(costs, np.array(list(size.values())), label)
        figure.savefig(folder / f"profile_{low}.png", dpi=100)


def budget(n: int) -> int:
    """Most gradients and products of a run in n variables."""
    return next(most for _, low, high, most in CLASSES if low <= n <= high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=SETS, default="cutest", help="source of the problems")
    parser.add_argument("--methods", nargs="*", default=list(harness.METHODS))
    parser.add_argument("--keep", action="store_true", help="keep the old rows of other runs")
    parser.add_argument("--problems", nargs="*", help="only these of the set")
    parser.add_argument("--smallest", type=int, default=1)
    parser.add_argument("--largest", type=int, default=10**9)
    parser.add_argument("--seconds", type=float, default=120.0, help="most processor time of a run")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    arguments = parser.parse_args()
    unknown = set(arguments.methods) - set(harness.METHODS)
    if unknown:
        parser.error(f"unknown methods {sorted(unknown)}; known: {list(harness.METHODS)}")
    methods = [m for m in arguments.methods if harness.available(m)]
    arguments.out.mkdir(parents=True, exist_ok=True)
    table = arguments.out / "results.csv"
    source = SETS[arguments.set]
    names = source.names(arguments.smallest, arguments.largest)
    if arguments.problems is not None:
        names = [name for name in names if name in arguments.problems]
    facts = harness.about()
    old = harness.read(table) if arguments.keep and table.exists() else []
    if BASE not in methods and BASE not in {r.method for r in old}:
        methods.append(BASE)
    records = [r for r in old if r.method not in methods or r.problem not in names]
    if records:
        before = json.loads((arguments.out / "about.json").read_text())
        dates = {r.method: before["kept"].get(r.method, before["date"]) for r in records}
        facts["kept"] = {m: date for m, date in dates.items() if date != facts["date"]}
    (arguments.out / "about.json").write_text(json.dumps(facts, indent=1) + "\n")
    order = {m: k for k, m in enumerate(harness.METHODS)}
    warm = source.load({"cutest": "ROSENBR", "classical": "rosenbrock"}[arguments.set])
    for method in methods:  # compile before the clock starts
        harness.run(method, warm, 50)
    for name in names:
        problem = source.load(name)
        fresh = [
            harness.run(method, problem, budget(problem.n), arguments.seconds)
            for method in methods
            if problem.n <= harness.LARGEST.get(method, problem.n)
        ]
        records += fresh
        harness.write(table, sorted(records, key=lambda r: order[r.method]))
        print(f"{name:12s} n = {problem.n:6d}", *(
            f"{r.method}: {r.cost if r.solved else '-'}" for r in fresh
        ), flush=True)  # fmt: skip
    records = harness.read(table)
    text = summary(records)
    (arguments.out / "summary.md").write_text(text)
    profiles(records, arguments.out)
    print(text)


if __name__ == "__main__":
    main()
