"""Two versions of the code, or two values of a constant, from several starts of every problem.

    python benchmarks/starts.py --out before.json            # n < 100, five starts, some minutes
    python benchmarks/starts.py --out after.json --rule grow_convex=4
    python benchmarks/starts.py --compare before.json after.json

A run is a path that a change in the last digit bends, so that one start says little about a
change worth a few percent. Here the first start of a problem is its own, and each x_i of the others
is moved by a normal deviate of 0.02 max(|x_i|, mean|x|/10), the same for all that is compared. A
run costs its distinct points until max|g| (of the projected gradient, where there are bounds) is
at most 1e-6 max(1, max|g0|).

`--compare` tells for each set the geometric mean over the problems of the ratio of points, where
each problem has the mean of the logarithms over the starts that both solve; its standard error;
that of either half of the problems; and how many runs were solved.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "bounds"))
sys.path.insert(0, str(Path(__file__).parent))
from real import nist, newcomer  # isort: skip  # first: sets the number of threads
import classical
import cutest
import harness
import numpy as np
import problems as bounded
from real import problems as real
from scipy import optimize

import quasinewton

SETS = ("real", "cutest", "classical", "newcomer", "nist", "bounds")
SHIFT = 0.02


class Counter(harness.InBox):
    """Distinct points until the gradient, in a box the projected one, is small."""

    def note(self, x, f, g):
        if np.isfinite(f) and self.residual(x, g) <= harness.TOLERANCE * self.scale:
            self.end = "solved"


def load(name: str, smallest: int, largest: int) -> Iterator:
    """The problems of a set, those of a range of n; with bounds, if only infinite ones."""
    if name == "bounds":  # whose small ones are those of up to 100
        yield from bounded.load(smallest, 100 if largest == 99 else largest)
        return
    sources = {
        "real": lambda: (load_real(entry) for entry in real.NAMES),
        "cutest": lambda: (cutest.load(p, False) for p in cutest.names(smallest, largest)),
        "classical": lambda: map(classical.load, classical.names(smallest, largest)),
        "newcomer": newcomer.singles,
        "nist": lambda: map(nist.load, nist.PROBLEMS),
    }
    for problem in sources[name]():
        if problem is not None and smallest <= problem.n <= largest:
            none = np.full(problem.n, np.inf)
            yield bounded.Problem(problem.name, problem.x0, -none, none, problem.fg, None)


def load_real(name: str):
    try:
        return real.load(name)
    except ImportError as missing:
        print(f"{name}: {missing}", flush=True)
        return None


def starts(problem, number: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(zlib.crc32(problem.name.encode()))
    x0 = np.clip(np.array(problem.x0, np.float64), problem.lower, problem.upper)
    mean = float(np.abs(x0).mean()) or 1.0
    yield x0.copy()
    for _ in range(number - 1):
        away = SHIFT * np.maximum(np.abs(x0), 0.1 * mean) * rng.standard_normal(x0.size)
        yield np.clip(x0 + away, problem.lower, problem.upper)


def has_bounds(problem) -> bool:
    return bool(np.isfinite(problem.lower).any() or np.isfinite(problem.upper).any())


def points(problem, x0: np.ndarray, args: argparse.Namespace, rule: dict) -> int | None:
    """Points until solved; their negative number if not; None where the start is no start."""
    f0, g0 = problem.fg(x0)
    if not (np.isfinite(f0) and np.isfinite(g0).all()):
        return None
    counter = Counter(problem, args.budget, args.seconds, x0)
    bounds = optimize.Bounds(problem.lower, problem.upper) if has_bounds(problem) else None
    options = {
        "gtol": 0.1 * harness.TOLERANCE * counter.scale, "maxiter": harness.BIG,
        "rule_parameters": rule,
    }  # fmt: skip
    harness.race(
        lambda: quasinewton.minimize(
            counter.fg, x0, jac=True, method=args.method, bounds=bounds, options=options
        )
    )
    return counter.cost if counter.end == "solved" else -counter.cost


def compare(before: dict, after: dict) -> str:
    lines = ["| set | points | standard error | halves | problems | runs solved |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for name in before:
        if name not in after:
            continue
        means, halves, solved = [], ([], []), [0, 0]
        for problem, old in before[name].items():
            pairs = [
                (a, b) for a, b in zip(old, after[name].get(problem, ()), strict=False)
                if a is not None and b is not None
            ]  # fmt: skip
            solved[0] += sum(a > 0 for a, _ in pairs)
            solved[1] += sum(b > 0 for _, b in pairs)
            logs = [np.log(b / a) for a, b in pairs if a > 0 and b > 0]
            if logs:
                means.append(np.mean(logs))
                halves[harness.half(problem)].append(means[-1])
        if means:
            error = np.std(means) / np.sqrt(max(1, len(means) - 1))
            parts = " ".join(f"{np.exp(np.mean(half)):.3f}" for half in halves if half)
            lines.append(
                f"| {name} | {np.exp(np.mean(means)):.3f} | {error:.3f} | {parts} | {len(means)} | "
                f"{solved[0]}, {solved[1]} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--method", default="trust_hybrid")
    parser.add_argument("--rule", nargs="*", default=[], help="rule_parameters, as grow=2")
    parser.add_argument("--smallest", type=int, default=1)
    parser.add_argument("--largest", type=int, default=99)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--budget", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=10.0, help="most processor time of a run")
    args = parser.parse_args()
    if args.compare:
        print(compare(*(json.loads(path.read_text()) for path in args.compare)))
        return
    if args.out is None:
        parser.error("--out or --compare is needed")
    rule = {name: float(value) for name, _, value in (text.partition("=") for text in args.rule)}
    results: dict[str, dict[str, list[int | None]]] = {}
    compiled = set()
    for name in args.sets:
        results[name] = {}
        for problem in load(name, args.smallest, args.largest):
            kernels = has_bounds(problem), problem.n < 100  # which a run needs
            if kernels not in compiled:  # outside of the clock
                points(problem, next(starts(problem, 1)), args, rule)
                compiled.add(kernels)
            results[name][problem.name] = [
                points(problem, x0, args, rule) for x0 in starts(problem, args.starts)
            ]
            print(name, problem.name, *results[name][problem.name], flush=True)
        args.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
