"""How far from the minimum runs on noisy functions end, with the option `noise` and without.

    python benchmarks/noise.py          # some minutes; writes benchmarks/results/noise.md

Noise of normal distribution is added to f, anew at every call, on the problems of
`quasinewton.problems` of at most 12 variables with a known minimum. Its standard deviation is a
part of f(x0) - min f. Three kinds of gradients: none, so that methods take differences; exact; and
one with noise too, of that part of |g(x0)|. The distance is that of f without noise at the end, in
standard deviations of the noise; a run that ends in another minimum of the list counts from that.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize

import quasinewton
from quasinewton import problems

LEVELS = (1e-6, 1e-4, 1e-2)
KINDS = ("differences", "exact gradient", "noisy gradient")
#: Methods, and whether they know the noise.
RUNS: tuple[tuple[str, str], ...] = (
    *itertools.product(("trust_hybrid", "arc_lsr1", "trust_cg"), ("", "given", "estimate")),
    ("BFGS", ""), ("L-BFGS-B", ""), ("Nelder-Mead", ""),
)  # fmt: skip
#: Evaluations that a run may take, for each variable and one.
MOST = 300


def chosen() -> list[Any]:
    return [
        p for p in map(problems.get, problems.names())
        if p.x0.size <= 12 and p.fmin is not None and np.isfinite(p.fun(p.x0))
        and p.fun(p.x0) > p.fmin
    ]  # fmt: skip


class Noisy:
    """A problem with noise in f, and if `g_noise` > 0 in its gradient."""

    def __init__(self, problem: Any, f_noise: float, g_noise: float, seed: int) -> None:
        self.problem, self.f_noise, self.g_noise = problem, f_noise, g_noise
        name = zlib.crc32(problem.name.encode())
        self.rng = np.random.default_rng([seed, name])
        self.calls = 0

    def fun(self, x: np.ndarray) -> float:
        self.calls += 1
        return float(self.problem.fun(x)) + self.f_noise * self.rng.standard_normal()

    def jac(self, x: np.ndarray) -> np.ndarray:
        g = self.problem.grad(x)
        if self.g_noise > 0.0:
            g = g + self.g_noise / math.sqrt(g.size) * self.rng.standard_normal(g.size)
        return g


def distance(problem: Any, x: np.ndarray) -> float:
    """f(x) - min f, of the nearest minimum below."""
    f = float(problem.fun(x))
    if not math.isfinite(f):
        return math.inf
    minima = [m for m in (problem.fmin, *problem.other_minima) if m <= f]
    return f - max(minima, default=f)


def run(name: str, knows: str, problem: Any, kind: str, level: float, seed: int) -> tuple:
    """Distance in standard deviations of the noise, evaluations, and how the run ended."""
    f_noise = level * (float(problem.fun(problem.x0)) - problem.fmin)
    g_noise = level * float(np.linalg.norm(problem.grad(problem.x0)))
    noisy = Noisy(problem, f_noise, g_noise if kind == "noisy gradient" else 0.0, seed)
    jac = None if kind == "differences" else noisy.jac
    most = MOST * (problem.x0.size + 1)
    with np.errstate(all="ignore"):
        if name in ("BFGS", "L-BFGS-B", "Nelder-Mead"):
            limit = {"BFGS": {}, "L-BFGS-B": {"maxfun": most}, "Nelder-Mead": {"maxfev": most}}
            r = optimize.minimize(
                noisy.fun, problem.x0, jac=jac, method=name, options=limit[name]
            )
        else:
            options: dict[str, Any] = {"maxfev": most}
            if knows == "given":
                options["noise"] = (f_noise, noisy.g_noise)
            elif knows:
                options["noise"] = knows
            r = quasinewton.minimize(noisy.fun, problem.x0, jac=jac, method=name, options=options)
    return distance(problem, r.x) / f_noise, noisy.calls, int(r.status)


def table(
    seeds: int, names: list[str] | None = None, runs: Any = RUNS, kinds: Any = KINDS,
    tell: Callable[[str], None] = print, only: Any = None,
) -> str:  # fmt: skip
    """The tables as Markdown."""
    these = [p for p in only or chosen() if not names or p.name in names]
    text = []
    for kind in kinds:
        text += [
            f"\n## {kind[0].upper()}{kind[1:]}\n",
            "| method | noise | " + " | ".join(f"{level:g}" for level in LEVELS)
            + " | within 10 | evaluations |",
            "|---|---|" + "---|" * (len(LEVELS) + 2),
        ]  # fmt: skip
        for name, knows in runs:
            if name == "Nelder-Mead" and kind != "differences":
                continue
            began = time.process_time()
            columns, ends = [], []
            for level in LEVELS:
                results = [
                    run(name, knows, p, kind, level, seed) for p in these for seed in range(seeds)
                ]
                far = np.sort([r[0] for r in results])
                columns.append(
                    f"{np.median(far):.2g}, {far[int(0.9 * (len(far) - 1))]:.2g}"
                )
                ends += results
            share = np.mean([r[0] <= 10.0 for r in ends])
            columns += [f"{100.0 * share:.0f} %", f"{np.median([r[1] for r in ends]):.0f}"]
            text.append(f"| {name} | {knows or 'not told'} | " + " | ".join(columns) + " |")
            tell(f"{text[-1]}  {time.process_time() - began:.1f} s")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default=Path(__file__).parent / "results" / "noise.md")
    args = parser.parse_args()
    count = len(chosen())
    warnings.simplefilter("ignore")  # of peers that end badly
    text = table(args.seeds)
    Path(args.out).write_text(
        f"# Noisy functions\n\n`python benchmarks/noise.py --seeds {args.seeds}`: {count} "
        f"problems, {args.seeds} seeds. Distances of f from its minimum at the end, in standard "
        "deviations of the noise: median, 90th percentile, for noise of three parts of "
        "f(x0) - min f; runs within 10; the median of the evaluations of f.\n"
        f"{text}\n"
    )


if __name__ == "__main__":
    main()
