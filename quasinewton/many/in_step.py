"""Many solves in step, around a function that takes many points at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..solver import Solver

__all__ = ["solve_in_step"]


def solve_in_step(
    fun: Callable[..., Any], jac: Any, solvers: list[Solver], check: Callable[[], None]
) -> None:
    """Run solvers to their ends, each round with one call of the function.

    A call gets as many rows as there are solvers until half of them have ended, then half as many,
    and so on: so a function that is compiled for the shape of what it gets, as by JAX, is compiled
    few times. Rows beyond those that run are copies of the last.

    Parameters
    ----------
    fun, jac
        As in `minimize_many` where `batched` is True.
    solvers : list of Solver
    check : callable
        Called before each round, to raise where there is to be no other.
    """
    running = [solver for solver in solvers if solver.running]
    rows = len(running)
    while running:
        check()
        while rows >= 2 * len(running):
            rows = (rows + 1) // 2
        values, gradients = _evaluate(fun, jac, running, rows)
        for solver, f, g in zip(running, values, gradients, strict=True):
            solver.tell(f, g)
        running = [solver for solver in running if solver.running]


def _evaluate(
    fun: Callable[..., Any], jac: Any, solvers: list[Solver], rows: int
) -> tuple[Any, Any]:
    """The values, and the gradients or None, that the solvers want to be told."""
    points = _padded(np.stack([solver.ask() for solver in solvers]), rows)
    count, shape = len(solvers), points.shape
    if jac is True:
        returned = fun(points)
        try:
            f, g = returned
        except (TypeError, ValueError) as error:
            raise ValueError(
                "`fun` must return (values, gradients) where `jac` is True and `batched` too, "
                f"got {returned!r:.200}"
            ) from error
        return _array("values", f, shape[:1])[:count], _array("gradients", g, shape)[:count]
    f = _array("values", fun(points.copy()), shape[:1])[:count]
    wanting = [j for j in range(count) if solvers[j]._wants_gradient(float(f[j]))]
    gradients: list[Any] = [None] * count
    if wanting:
        few = len(wanting)
        asked = _padded(points[wanting], min(rows, 1 << math.ceil(math.log2(few))))
        g = _array("gradients", jac(asked.copy()), asked.shape)
        for j, row in zip(wanting, g, strict=False):
            gradients[j] = row
    return f, gradients


def _padded(points: np.ndarray, rows: int) -> np.ndarray:
    """The points, and copies of the last for so many rows."""
    more = max(0, rows - len(points))
    return np.concatenate([points, np.repeat(points[-1:], more, axis=0)]) if more else points


def _array(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """What a function returned for many points."""
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(f"the {name} must have shape {shape}, got {array.shape}")
    return array
