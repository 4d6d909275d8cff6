"""Methods with bounds x CUTEst problems with bounds: who solves what, and for how many points.

    python benchmarks/bounds/run.py                              # n <= 100, all that is installed
    python benchmarks/bounds/run.py --smallest 400 --largest 10000
    python benchmarks/bounds/run.py --half 1 --methods L-BFGS-B trust_hybrid

A point is a vector x that f, and the gradient with it, is evaluated at; a product with the Hessian
counts as one too. A run has *solved* its problem once the largest element of x - P(x - g) is at
most 1e-6 max(1, max|g0|), g0 the gradient at the start where no bound holds the variable; the race
ends there. It is *at the best* where its f is then at most 1e-6 max(1, |f|) above that of all
methods. A *false success* is a run that claims success with a residual above 1e-4 max(1, max|g0|).
Points outside of the box are counted; so is processor time spent outside of the functions.

Writes results.csv and summary.md.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
import harness
import problems
from harness import BIG
from scipy import optimize

import quasinewton

TOLERANCE, FALSE, SAME = 1e-6, 1e-4, 1e-4
BASE = "L-BFGS-B"


class Counter(harness.InBox):
    """The functions of a problem, counted at distinct points; solved by the projected gradient."""

    def __init__(self, problem, budget, seconds):
        super().__init__(problem, budget, seconds)
        self.outside = 0
        self.f = np.inf

    def note(self, x, f, g):
        self.outside += bool(np.any(x < self.lower) or np.any(x > self.upper))
        finite = np.isfinite(f) and np.isfinite(g).all()
        if finite and self.residual(x, g) <= TOLERANCE * self.scale:
            self.end, self.f = "solved", f


def scipy_method(method, **options):
    def run(counter):
        bounds = optimize.Bounds(counter.lower, counter.upper)
        return optimize.minimize(
            counter.fg, counter.x0, jac=True, method=method, bounds=bounds, options=options
        )

    return run


def ours(method, products=False, **options):
    def run(counter):
        hessp = counter.hessp if products and counter.problem.hessp else None
        return quasinewton.minimize(
            counter.fg, counter.x0, jac=True, hessp=hessp, method=method,
            bounds=optimize.Bounds(counter.lower, counter.upper),
            options={"gtol": 0.1 * TOLERANCE * counter.scale, "maxiter": BIG, **options},
        )  # fmt: skip

    return run


def nlopt_lbfgs(counter):
    import nlopt

    def f(x, gradient):
        value, g = counter.fg(x)
        if gradient.size:
            gradient[:] = g
        return value

    solver = nlopt.opt(nlopt.LD_LBFGS, counter.x0.size)
    solver.set_min_objective(f)
    solver.set_lower_bounds(counter.lower)
    solver.set_upper_bounds(counter.upper)
    x = solver.optimize(counter.x0)
    return optimize.OptimizeResult(x=x, success=solver.last_optimize_result() > 0)


def fides_bfgs(counter):
    import fides

    solver = fides.Optimizer(
        counter.fg, ub=counter.upper, lb=counter.lower, verbose=50, hessian_update=fides.BFGS(),
        options={"maxiter": 10**5, "fatol": 0.0, "frtol": 0.0, "gatol": 0.0, "grtol": 0.0},
    )  # fmt: skip
    solver.minimize(counter.x0)


METHODS = {
    "trust_hybrid": ours("trust_hybrid"),
    "trust_hybrid 10": ours("trust_hybrid", memory=10),
    "arc_hybrid": ours("arc_hybrid"),
    "arc_lsr1": ours("arc_lsr1"),
    "trust_lsr1": ours("trust_lsr1"),
    "trust_cg": ours("trust_cg", products=True),
    "trust_cg Newton": ours("trust_cg", products=True, enriched=False),
    "L-BFGS-B": scipy_method("L-BFGS-B", maxiter=BIG, maxfun=BIG, ftol=0.0, gtol=1e-9),
    "L-BFGS-B 30": scipy_method("L-BFGS-B", maxcor=30, maxiter=BIG, maxfun=BIG, ftol=0.0,
                                gtol=1e-9),
    "TNC": scipy_method("TNC", maxfun=BIG, ftol=0.0, xtol=0.0, gtol=1e-12),
    "SLSQP": scipy_method("SLSQP", maxiter=10**5, ftol=1e-16),
    "nlopt LBFGS": nlopt_lbfgs,
    "fides BFGS": fides_bfgs,
    "cyipopt limited memory": lambda counter: harness.ipopt(counter, counter.lower, counter.upper),
}  # fmt: skip
#: Methods whose work grows as n^3.
SMALL = ("SLSQP", "fides BFGS")


@dataclass
class Record:
    """One run."""

    method: str
    problem: str
    n: int
    solved: bool
    cost: int
    products: int
    f: float
    outside: int
    false: bool
    overhead: float  # microseconds a point
    end: str


def run(name, problem, budget, seconds):
    counter = Counter(problem, budget, seconds)
    began = time.process_time()
    result, note = harness.race(lambda: METHODS[name](counter))
    seconds = time.process_time() - began - counter.inside
    false = False
    if result is not None and not counter.end and result.get("success"):
        _, g = problem.fg(np.asarray(result.x))
        false = not counter.residual(result.x, g) <= FALSE * counter.scale
    return Record(
        name, problem.name, problem.n, counter.end == "solved", counter.cost, counter.products,
        counter.f, counter.outside, false, 1e6 * seconds / max(1, counter.cost),
        note[:100] or counter.end,
    )  # fmt: skip


def close(f, best, tolerance):
    return f <= best + tolerance * max(1.0, abs(best))


def summary(records) -> str:
    """The table: a line a method."""
    by_problem: dict[str, dict[str, Record]] = {}
    for r in records:
        by_problem.setdefault(r.problem, {})[r.method] = r
    lines = [
        f"{len(by_problem)} problems\n",
        f"| | solved | at the best f | points, {BASE} = 1 | on | false successes | outside "
        "| microseconds a point |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method in dict.fromkeys(r.method for r in records):
        own = [runs[method] for runs in by_problem.values() if method in runs]
        at_best, logs = 0, []
        for r in own:
            runs = by_problem[r.problem]
            best = min((other.f for other in runs.values() if other.solved), default=np.inf)
            at_best += r.solved and close(r.f, best, 1e-6)
            base = runs.get(BASE)
            if base and base.solved and r.solved:
                if close(r.f, base.f, SAME) and close(base.f, r.f, SAME):
                    logs.append(np.log(r.cost / base.cost))
        ratio = f"{np.exp(np.mean(logs)):.2f}" if logs else ""
        overhead = np.exp(np.mean([np.log(max(r.overhead, 0.1)) for r in own]))
        lines.append(
            f"| {method} | {sum(r.solved for r in own)} | {at_best} | {ratio} | {len(logs)} "
            f"| {sum(r.false for r in own)} | {sum(r.outside for r in own)} | {overhead:.0f} |"
        )
    return "\n".join(lines) + "\n"


def warm() -> None:
    """Have the kernels compiled outside of the clock."""
    for n in (3, 120):
        for options in ({}, {"memory": 1}):
            quasinewton.minimize(
                lambda x: (float(x @ x), 2 * x), np.ones(n), jac=True, bounds=[(0.5, 2.0)] * n,
                options=options,
            )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smallest", type=int, default=1)
    parser.add_argument("--largest", type=int, default=100)
    parser.add_argument("--half", type=int, choices=(0, 1), help="0: to develop on; 1: to test")
    parser.add_argument("--problems", nargs="+")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--budget", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    missing = {method for method in args.methods if not harness.available(method)}
    for method in missing:
        print(f"{method}: not installed")
    args.out.mkdir(parents=True, exist_ok=True)
    warm()
    records = []
    with (args.out / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, Record.__dataclass_fields__)
        writer.writeheader()
        for problem in problems.load(args.smallest, args.largest, args.problems):
            if args.half is not None and harness.half(problem.name) != args.half:
                continue
            for method in args.methods:
                if method in missing or (method in SMALL and problem.n > 100):
                    continue
                records.append(run(method, problem, args.budget, args.seconds))
                writer.writerow(asdict(records[-1]))
                file.flush()
    text = summary(records)
    (args.out / "summary.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
