"""Methods with constraints x CUTEst problems with constraints: who solves what, at what cost.

    python benchmarks/constraints/run.py                     # all 381, all that is installed
    python benchmarks/constraints/run.py --quarter 0 --methods sqp_hybrid SLSQP
    python benchmarks/constraints/run.py --half 1 --types n

A point is a vector x that f, the constraints c and their derivatives are evaluated at, all of them
together (for COBYQA f and c). A run has *solved* its problem at its first point with a violation of
at most 1e-6 and f <= f* + 1e-6 max(1, |f*|); no race ends there, and what is solved is decided
afterwards. f* is the least of all methods: of each, f at its best point with a violation of at most
1e-7 once that point has been moved onto the constraints by steps of least length (with multipliers
of 1e4 a violation of 1e-7 is worth 1e-3 of f, and an interior-point method that widens all sides by
1e-8 would set an f* that no feasible point has).
A *false success* is a run that claims success at an x that violates a constraint by more than 1e-4,
or whose f is not within 1e-4 max(1, |f*|) of f* while no multipliers of the right signs bring the
gradient of the Lagrangian below 1e-2 max(1, max|g|). Points outside of the bounds are counted; so
is processor time spent outside of the functions.

Linear constraints are given to SciPy's methods and ours as such (for SLSQP: as functions), and to
the others as functions.

Writes results.csv and summary.md, from runs.jsonl: a run that is there is not run again, so that
methods can be added, unless by --again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
import harness
import problems
from scipy import optimize

import quasinewton

#: Tolerances: of f and the violation where a problem is solved, of the violation at f*, and of
#: false successes in f and the violation, and in the gradient of the Lagrangian.
TOLERANCE, FEASIBLE, FALSE, STATIONARY = 1e-6, 1e-7, 1e-4, 1e-2
#: What is missed of a constraint at f*, beside the terms of its sum; most steps to there.
EXACT, RESTORING = 1e-13, 30
#: Room that a step of no length has.
TINY = 1e-300
BASE = "SLSQP"
TYPES = {"l": "Linear constraints", "n": "Nonlinear constraints"}


class Counter(harness.Points):
    """The functions of a problem, counted at distinct points, and how f fell at feasible ones."""

    def __init__(self, problem, budget, seconds):
        super().__init__(problem, budget, seconds)
        self.x0 = problem.x0.copy()
        self.outside = 0
        self.best, self.x_best = np.inf, None
        self.lows: list[tuple[int, float]] = []  # (points, f) where f was the least so far

    def evaluate(self, x):
        p = self.problem
        try:
            f, g = p.fg(x)
            return (f, g, *p.cj(x))
        except (ArithmeticError, TypeError, ValueError):  # as from the logarithm of no number
            return np.nan, np.full(p.n, np.nan), np.full(p.m, np.nan), np.full((p.m, p.n), np.nan)

    def violation(self, x, c):
        """The largest, of constraints and bounds."""
        p = self.problem
        most = np.max(np.maximum(p.c_lower - c, c - p.c_upper), initial=0.0)
        most = max(most, np.max(np.maximum(p.lower - x, x - p.upper)))
        return float(most) if np.isfinite(c).all() and np.isfinite(x).all() else np.inf

    def note(self, x, f, g, c, jacobian):
        self.outside += bool(np.any(x < self.problem.lower) or np.any(x > self.problem.upper))
        violation = self.violation(x, c)
        if not np.isfinite(f):
            return
        if violation <= FEASIBLE and f < self.best:
            self.best, self.x_best = f, x.copy()
        if violation <= TOLERANCE and (not self.lows or f < self.lows[-1][1]):
            self.lows.append((self.points, f))

    def on_constraints(self):
        """The least f, at its point once that is on the constraints, if steps lead there."""
        p, x = self.problem, self.x_best
        if x is None:
            return np.inf
        for _ in range(RESTORING):
            x = np.clip(x, p.lower, p.upper)
            f, _, c, jacobian = self.evaluate(x)
            missed = np.maximum(p.c_lower - c, 0.0) - np.maximum(c - p.c_upper, 0.0)
            terms = np.abs(c) + np.abs(jacobian) @ np.abs(x)
            if not (np.isfinite(f) and np.isfinite(jacobian).all()):
                break
            if (np.abs(missed) <= EXACT * np.maximum(1.0, terms)).all():
                return max(f, self.best)  # or else it has found something better on the way
            room = np.minimum(np.abs(c - p.c_lower), np.abs(c - p.c_upper))
            # those at their sides stay there: else one step misses what the one before has met
            rows, free = (missed != 0.0) | (room <= FEASIBLE), p.lower < p.upper
            short = 1e-7 * np.abs(jacobian[rows]).max() * np.eye(int(free.sum()))
            x[free] += optimize.lsq_linear(
                np.concatenate([jacobian[np.ix_(rows, free)], short]),
                np.append(missed[rows], np.zeros(len(short))),
                bounds=((p.lower - x)[free] - TINY, (p.upper - x)[free] + TINY), method="bvls",
            ).x  # fmt: skip
        return self.best

    def _at(self, x):
        if time.process_time() > self.deadline:  # also where a method asks for nothing new
            self._spend()
        return super()._at(x)

    def c(self, x):
        return self._at(x)[2].copy()

    def jacobian(self, x):
        return self._at(x)[3].copy()

    def sides(self):
        """Rows, signs and sides of all inequalities as sign (c[rows] - side) >= 0."""
        p = self.problem
        below = np.flatnonzero(~p.equal & np.isfinite(p.c_lower))
        above = np.flatnonzero(~p.equal & np.isfinite(p.c_upper))
        return (
            np.concatenate([below, above]),
            np.concatenate([np.ones(below.size), -np.ones(above.size)]),
            np.concatenate([p.c_lower[below], p.c_upper[above]]),
        )


def stationarity(problem, x, g, c, jacobian) -> float:
    """The least max|gradient of the Lagrangian| / max(1, max|g|), roughly: by least squares."""

    def near(v, side):
        return np.abs(v - side) <= FALSE * np.maximum(1.0, np.abs(v))

    below, above = near(c, problem.c_lower), near(c, problem.c_upper)
    axes = np.eye(problem.n)
    normals = np.concatenate([
        jacobian[below], -jacobian[above],
        axes[near(x, problem.lower)], -axes[near(x, problem.upper)],
    ]).T  # fmt: skip
    if not (np.isfinite(g).all() and np.isfinite(normals).all()):
        return np.inf
    left = g
    lengths = np.linalg.norm(normals, axis=0)
    normals = normals[:, lengths > 0] / lengths[lengths > 0]
    if normals.size:
        try:
            left = g - normals @ optimize.nnls(normals, g)[0]
        except RuntimeError:
            return np.inf
    return float(np.abs(left).max() / max(1.0, np.abs(g).max()))


def scipy_constraints(counter, second=False):
    """The constraints as SciPy's trust-constr and COBYQA and our methods take them."""
    p = counter.problem
    if p.type == "n":
        hess = {"hess": p.c_hess} if second else {}
        return optimize.NonlinearConstraint(
            counter.c, p.c_lower, p.c_upper, jac=counter.jacobian, **hess
        )
    c, jacobian = p.cj(p.x0)
    offset = c - jacobian @ p.x0
    return optimize.LinearConstraint(jacobian, p.c_lower - offset, p.c_upper - offset)


def ours(method, second=False, **options):
    def run(counter):
        return quasinewton.minimize(
            counter.fg, counter.x0, jac=True, method=method,
            hess=counter.problem.hess if second else None,
            bounds=optimize.Bounds(counter.problem.lower, counter.problem.upper),
            constraints=scipy_constraints(counter, second),
            options={"gtol": 0.1 * TOLERANCE, "maxiter": harness.BIG, **options},
        )  # fmt: skip

    return run


def scipy_method(method, derivatives=True, **options):
    def run(counter):
        return optimize.minimize(
            counter.fun, counter.x0, jac=counter.jac if derivatives else None, method=method,
            bounds=optimize.Bounds(counter.problem.lower, counter.problem.upper),
            constraints=scipy_constraints(counter), options=options,
        )  # fmt: skip

    return run


def slsqp(counter):
    p = counter.problem
    rows, signs, sides = counter.sides()
    equal = np.flatnonzero(p.equal)
    constraints = []
    if equal.size:
        constraints.append({
            "type": "eq", "fun": lambda x: counter.c(x)[equal] - p.c_lower[equal],
            "jac": lambda x: counter.jacobian(x)[equal],
        })  # fmt: skip
    if rows.size:
        constraints.append({
            "type": "ineq", "fun": lambda x: signs * (counter.c(x)[rows] - sides),
            "jac": lambda x: signs[:, None] * counter.jacobian(x)[rows],
        })  # fmt: skip
    return optimize.minimize(
        counter.fun, counter.x0, jac=counter.jac, method="SLSQP", constraints=constraints,
        bounds=optimize.Bounds(p.lower, p.upper), options={"maxiter": 10**5, "ftol": 1e-10},
    )  # fmt: skip


def nlopt_method(algorithm, inner=None):
    def run(counter):
        import nlopt

        p = counter.problem
        rows, signs, sides = counter.sides()
        equal = np.flatnonzero(p.equal)

        def f(x, gradient):
            value, g = counter.fg(x)
            if gradient.size:
                gradient[:] = g
            return value

        def equations(result, x, gradient):
            result[:] = counter.c(x)[equal] - p.c_lower[equal]
            if gradient.size:
                gradient[:] = counter.jacobian(x)[equal]

        def inequalities(result, x, gradient):
            result[:] = -signs * (counter.c(x)[rows] - sides)
            if gradient.size:
                gradient[:] = -signs[:, None] * counter.jacobian(x)[rows]

        solver = nlopt.opt(getattr(nlopt, algorithm), p.n)
        for one in (solver, nlopt.opt(getattr(nlopt, inner), p.n) if inner else None):
            if one is not None:
                one.set_ftol_rel(1e-12)
                one.set_xtol_rel(1e-10)
            if one is not solver and inner:
                solver.set_local_optimizer(one)
        solver.set_min_objective(f)
        solver.set_lower_bounds(p.lower)
        solver.set_upper_bounds(p.upper)
        if equal.size:
            solver.add_equality_mconstraint(equations, np.full(equal.size, 1e-8))
        if rows.size:
            solver.add_inequality_mconstraint(inequalities, np.full(rows.size, 1e-8))
        x = solver.optimize(counter.x0)
        result = solver.last_optimize_result()
        return optimize.OptimizeResult(x=x, success=result > 0, message=f"nlopt {result}")

    return run


def ipopt(counter):
    p = counter.problem
    functions = {"constraints": counter.c, "jacobian": lambda x: counter.jacobian(x).ravel()}
    return harness.ipopt(counter, p.lower, p.upper, functions, (p.c_lower, p.c_upper))


METHODS = {
    "sqp_hybrid": ours("sqp_hybrid"),
    "sqp_lsr1": ours("sqp_lsr1"),
    "sqp_newton": ours("sqp_newton", second=True),
    "sqp_hybrid checked": ours("sqp_hybrid", check_curvature=True),
    "SLSQP": slsqp,
    "trust-constr": scipy_method("trust-constr", maxiter=10**5, gtol=1e-8, xtol=1e-10),
    "COBYQA": scipy_method("COBYQA", derivatives=False, maxiter=10**5, maxfev=10**5,
                           final_tr_radius=1e-8),
    "nlopt AUGLAG LBFGS": nlopt_method("LD_AUGLAG", "LD_LBFGS"),
    "nlopt MMA": nlopt_method("LD_MMA"),
    "nlopt SLSQP": nlopt_method("LD_SLSQP"),
    "cyipopt limited memory": ipopt,
}  # fmt: skip
#: Methods for inequalities only.
INEQUALITIES = ("nlopt MMA",)


@dataclass
class Run:
    """One run, before anything is decided."""

    method: str
    problem: str
    type: str
    n: int
    m: int
    points: int
    outside: int
    overhead: float  # microseconds a point
    best: float  # the least f with a violation of at most FEASIBLE, once on the constraints
    lows: list[tuple[int, float]] = field(repr=False)
    success: bool
    f: float  # at the x of a run that claims success, as the next two
    violation: float
    stationarity: float
    end: str


def limited(method, counter, seconds):
    """Run a method that may ask for no point any more, as trust-constr on HS105, and go on."""

    def late(*_):
        counter.end = "time"
        raise harness.Done

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        return method(counter)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


def run(name, problem, budget, seconds) -> Run:
    counter = Counter(problem, budget, seconds)
    began = time.process_time()
    result, note = harness.race(lambda: limited(METHODS[name], counter, 1.0 + seconds))
    seconds = time.process_time() - began - counter.inside
    success, f, violation, residual = False, np.nan, np.nan, np.nan
    if result is not None and not counter.end and result.get("success"):
        success = True
        x = np.asarray(result.x, np.float64)
        with np.errstate(all="ignore"):
            f, g, c, jacobian = counter.evaluate(x)
            violation = counter.violation(x, c)
            residual = stationarity(problem, x, g, c, jacobian)
    with np.errstate(all="ignore"):
        least = counter.on_constraints()
    return Run(
        name, problem.name, problem.type, problem.n, problem.m, counter.points, counter.outside,
        1e6 * seconds / max(1, counter.points), least, counter.lows, success, f, violation,
        residual, counter.end or note[:100],
    )  # fmt: skip


@dataclass
class Record:
    """One run, decided."""

    method: str
    problem: str
    type: str
    n: int
    m: int
    solved: bool
    cost: int  # points until it was solved, or all
    points: int
    least: float  # f*
    best: float
    success: bool
    false: bool
    f: float
    violation: float
    stationarity: float
    outside: int
    overhead: float
    end: str


def decide(runs) -> list[Record]:
    """What is solved, and what is false; of the runs of a method on a problem the last counts."""
    least: dict[str, float] = {}
    for r in runs:
        least[r.problem] = min(r.best, least.get(r.problem, np.inf))
    records = []
    for r in {(r.problem, r.method): r for r in runs}.values():
        f = least[r.problem]
        margin = max(1.0, abs(f))
        reached = [points for points, low in r.lows if low <= f + TOLERANCE * margin < np.inf]
        elsewhere = not r.f <= f + FALSE * margin or not np.isfinite(f)
        false = r.success and (
            not r.violation <= FALSE or (elsewhere and not r.stationarity <= STATIONARY)
        )
        records.append(Record(
            r.method, r.problem, r.type, r.n, r.m, bool(reached), (reached or [r.points])[0],
            r.points, f, r.best, r.success, false, r.f, r.violation, r.stationarity, r.outside,
            r.overhead, r.end,
        ))  # fmt: skip
    return records


def table(records) -> str:
    """One table: a line a method."""
    by_problem: dict[str, dict[str, Record]] = {}
    for r in records:
        by_problem.setdefault(r.problem, {})[r.method] = r
    never = sum(not np.isfinite(next(iter(runs.values())).least) for runs in by_problem.values())
    lines = [
        f"{len(by_problem)} problems, {never} of them without a feasible point of any method\n",
        f"| | solved | of | {BASE} of these | points, {BASE} = 1 | on | false successes | outside "
        "| microseconds a point |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    order = {name: i for i, name in enumerate(METHODS)}
    for method in sorted({r.method for r in records}, key=order.get):
        own = [runs[method] for runs in by_problem.values() if method in runs]
        base = [by_problem[r.problem].get(BASE) for r in own]
        both = [(r, b) for r, b in zip(own, base, strict=True) if b and b.solved and r.solved]
        logs = [np.log(r.cost / b.cost) for r, b in both]
        ratio = f"{np.exp(np.mean(logs)):.2f}" if logs else ""
        overhead = np.exp(np.mean([np.log(max(r.overhead, 0.1)) for r in own]))
        lines.append(
            f"| {method} | {sum(r.solved for r in own)} | {len(own)} "
            f"| {sum(bool(b and b.solved) for b in base)} | {ratio} | {len(logs)} "
            f"| {sum(r.false for r in own)} | {sum(r.outside for r in own)} | {overhead:.0f} |"
        )
    return "\n".join(lines) + "\n"


def summary(records) -> str:
    """The tables, one of each type."""
    parts = []
    for type, title in TYPES.items():
        own = [r for r in records if r.type == type]
        if own:
            parts.append(f"## {title}\n\n{table(own)}")
    return "\n".join(parts)


def warm() -> None:
    """Have the kernels compiled outside of the clock."""
    for n in (3, 12):
        for method in ("sqp_hybrid", "sqp_lsr1"):
            quasinewton.minimize(
                lambda x: (float(x @ x), 2 * x), np.ones(n), jac=True, method=method,
                bounds=[(0.1, 2.0)] * n,
                constraints=[optimize.LinearConstraint(np.ones((1, n)), 0.3 * n, np.inf),
                             optimize.NonlinearConstraint(lambda x: x[0] * x[1], 0.2, 0.2)],
            )  # fmt: skip


def read(path: Path) -> list[Run]:
    """The runs of a file, if there is one."""
    if not path.exists():
        return []
    return [Run(**json.loads(line)) for line in path.read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quarter", type=int, nargs="+", choices=range(4), help="index modulo 4")
    parser.add_argument("--half", type=int, choices=(0, 1), help="0: to develop on; 1: to test")
    parser.add_argument("--types", nargs="+", default=list(TYPES), choices=list(TYPES))
    parser.add_argument("--problems", nargs="+")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--again", action="store_true", help="run what has been run too")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    methods = [method for method in args.methods if harness.available(method)]
    for method in set(args.methods) - set(methods):
        print(f"{method}: cannot be imported")
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "runs.jsonl"
    runs = read(path)
    done = set() if args.again else {(r.problem, r.method) for r in runs}
    warm()
    with path.open("a") as file:
        for index, (name, type) in enumerate(problems.names().items()):
            if (
                type not in args.types
                or (args.problems and name not in args.problems)
                or (args.quarter is not None and index % 4 not in args.quarter)
                or (args.half is not None and harness.half(name) != args.half)
            ):
                continue
            left = [method for method in methods if (name, method) not in done]
            if not left:
                continue
            problem = problems.load(name, type)
            for method in left:
                if method in INEQUALITIES and problem.equal.any():
                    continue
                runs.append(run(method, problem, args.budget, args.seconds))
                file.write(json.dumps(asdict(runs[-1])) + "\n")
                file.flush()
    records = decide(runs)
    with (args.out / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, Record.__dataclass_fields__)
        writer.writeheader()
        writer.writerows(asdict(r) for r in records)
    text = summary(records)
    (args.out / "summary.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
