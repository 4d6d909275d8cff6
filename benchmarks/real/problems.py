"""All the problems, by name.

    python benchmarks/real/problems.py                       # a table of them
    python benchmarks/real/problems.py --check --largest 30  # derivatives beside differences
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from real.registry import ENTRIES, Problem, load  # isort: skip  # sets the number of threads

import numpy as np

from real import atoms, design, inverse, learning, likelihood, regression  # noqa: F401

NAMES = tuple(ENTRIES)


def error(problem: Problem) -> float:
    """Largest relative error of the gradient and of a product along a random direction, at x0."""
    d = np.random.default_rng(0).standard_normal(problem.n)
    d /= np.linalg.norm(d)
    h = 1e-5 * max(1.0, float(np.linalg.norm(problem.x0)) / np.sqrt(problem.n))
    g = problem.fg(problem.x0)[1]
    h = min(h, 1e-3 * max(1.0, abs(problem.fg(problem.x0)[0])) / (1 + np.abs(g).max()))
    (f1, g1), (f0, g0) = problem.fg(problem.x0 + h * d), problem.fg(problem.x0 - h * d)
    worst = abs((f1 - f0) / (2 * h) - g @ d) / max(abs(g @ d), 1e-2 * float(np.linalg.norm(g)))
    if problem.hessp is not None:
        change = (g1 - g0) / (2 * h)
        wrong = np.abs(problem.hessp(problem.x0, d) - change).max()
        worst = max(worst, wrong / np.abs(change).max())
    return float(worst)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--check", action="store_true", help="compare derivatives with differences")
    parser.add_argument("--largest", type=int, default=10**9)
    args = parser.parse_args()
    last = "error of derivatives" if args.check else "after"
    print(f"| problem | domain | n | convex | products | what | {last} |\n{'|---' * 7}|")
    for name in args.names:
        try:
            problem = load(name)
        except ImportError as missing:
            print(f"{name}: {missing}", file=sys.stderr)
            continue
        if problem.n > args.largest:
            continue
        text = f"{error(problem):.0e}" if args.check else problem.source
        print(
            f"| {name} | {problem.domain} | {problem.n} | {'yes' if problem.convex else ''} | "
            f"{'yes' if problem.hessp else ''} | {problem.about} | {text} |", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
