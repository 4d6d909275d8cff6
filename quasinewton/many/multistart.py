"""Minima of a function with several, by solves from points that are spread over a box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from ..box import Box
from ..status import MESSAGES, Status
from .solve import minimize_many

__all__ = ["multistart"]

_SAMPLERS = ("sobol", "latin")


def multistart(
    fun: Callable[..., Any],
    where: Any,
    k: int = 64,
    method: str | None = None,
    jac: Any = True,
    *,
    sampler: str = "sobol",
    seed: int | np.random.Generator | None = None,
    bounded: bool = True,
    xtol: float = 1e-3,
    ftol: float = 1e-6,
    **more: Any,
) -> OptimizeResult:
    r"""Minimise from many points, and tell the minima apart.

    Parameters
    ----------
    fun, method, jac
        As in `quasinewton.minimize_many`.
    where : scipy.optimize.Bounds, sequence of n pairs, or callable
        Finite bounds, between which the starts are spread; or ``where(k, rng) -> array``, shape
        (k, n), that draws them, with a numpy.random.Generator.
    k : int, default 64
        Number of starts.
    sampler : {'sobol', 'latin'}, default 'sobol'
        How starts are spread between bounds: a scrambled Sobol sequence or a Latin hypercube, by
        `scipy.stats.qmc`.
    seed : int or numpy.random.Generator, optional
        The starts are the same for the same integer.
    bounded : bool, default True
        Whether the solves too keep `where`, if it is bounds.
    xtol, ftol : float, default 1e-3, 1e-6
        Two ends are one minimum if their values differ by at most ``ftol max(1, |f|)``, and no
        variable by more than xtol times the range of the starts in it. A minimum is an end of
        status CONVERGED; each joins the lowest such end that it is close to.
    **more
        What else `quasinewton.minimize_many` takes: ``tol, options, workers, batched,
        checkpoint, callback``, and ``bounds`` if `where` is a callable.

    Returns
    -------
    OptimizeResult
        ``x, fun, jac, status, success, message, optimality`` of the best end: the lowest of those
        with success, if there are any. ``minima`` of shape (m, n), ``minima_fun`` and ``counts``
        of shape (m,): the distinct minima, from the lowest up, their values, and how many starts
        have led to each. ``nit, nfev, njev``, sums; ``execution_time``; ``starts`` of shape (k, n);
        ``ends``, the result of `quasinewton.minimize_many`.

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense, before `fun` is called.

    Notes
    -----
    That all starts lead to few minima is a hint that these are all there are, and no proof. If many
    minima have been found once only, there are likely others.

    Examples
    --------
    >>> import numpy as np
    >>> from quasinewton import multistart
    >>> def double_well(x):
    ...     return ((x * x - 1.0) ** 2).sum(), 4.0 * x * (x * x - 1.0)
    >>> result = multistart(double_well, [(-2.0, 2.0)] * 2, k=32, seed=0)
    >>> np.sort(result.minima.round(3), axis=0)[[0, -1]].tolist(), int(result.counts.sum())
    ([[-1.0, -1.0], [1.0, 1.0]], 32)
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"`k` must be an integer >= 1, got {k!r}")
    for name, value in (("xtol", xtol), ("ftol", ftol)):
        if not value >= 0.0:
            raise ValueError(f"`{name}` must be a number >= 0, got {value!r}")
    rng = np.random.default_rng(seed)
    if callable(where):
        starts = np.asarray(where(k, rng))
    else:
        if "bounds" in more:
            raise TypeError("`bounds` are given by `where`")
        starts = _spread(where, int(k), sampler, rng)
        if bounded:
            more["bounds"] = where
    ends = minimize_many(fun, starts, method, jac, **more)
    best = _best(ends)
    minima, counts = _distinct(ends, np.ptp(starts, axis=0), xtol, ftol)
    return OptimizeResult(
        x=ends.x[best].copy(),
        fun=float(ends.fun[best]),
        jac=ends.jac[best].copy(),
        status=int(ends.status[best]),
        success=bool(ends.success[best]),
        message=MESSAGES[Status(int(ends.status[best]))],
        optimality=float(ends.optimality[best]),
        minima=ends.x[minima],
        minima_fun=ends.fun[minima],
        counts=counts,
        nit=int(ends.nit.sum()),
        nfev=int(ends.nfev.sum()),
        njev=int(ends.njev.sum()),
        execution_time=ends.execution_time,
        starts=starts,
        ends=ends,
    )


def _spread(bounds: Any, k: int, sampler: str, rng: np.random.Generator) -> np.ndarray:
    """Points between finite bounds."""
    from scipy.stats import qmc

    if sampler not in _SAMPLERS:
        raise ValueError(f"`sampler` must be one of {_SAMPLERS}, got {sampler!r}")
    n = np.size(bounds.lb) if hasattr(bounds, "lb") else len(bounds)
    if hasattr(bounds, "ub"):
        n = max(n, np.size(bounds.ub))
    box = Box.parse(bounds, n)
    if box is None or not (np.isfinite(box.lower) & np.isfinite(box.upper)).all():
        raise ValueError("`where` must be finite bounds, or a callable that draws the starts")
    if sampler == "latin":
        unit = qmc.LatinHypercube(n, seed=rng).random(k)
    else:  # whose points are balanced in numbers that are powers of 2
        unit = qmc.Sobol(n, seed=rng).random_base2((k - 1).bit_length())[:k]
    points: np.ndarray = box.project(box.lower + unit * (box.upper - box.lower))
    return points


def _best(ends: OptimizeResult) -> int:
    values = np.where(np.isfinite(ends.fun), ends.fun, np.inf)
    return int(np.lexsort((values, ~ends.success))[0])


def _distinct(
    ends: OptimizeResult, width: np.ndarray, xtol: float, ftol: float
) -> tuple[np.ndarray, np.ndarray]:
    """The ends that stand for the minima, from the lowest up, and how many ends each stands for."""
    width = np.where(width > 0.0, width, 1.0)
    chosen: list[int] = []
    counts: list[int] = []
    order = np.argsort(ends.fun, kind="stable")
    for i in order[ends.success[order]]:
        known = np.array(chosen, dtype=int)
        near = np.all(np.abs(ends.x[known] - ends.x[i]) <= xtol * width, axis=1) & (
            np.abs(ends.fun[known] - ends.fun[i]) <= ftol * max(1.0, abs(ends.fun[i]))
        )
        if near.any():
            counts[int(np.argmax(near))] += 1
        else:
            chosen.append(int(i))
            counts.append(1)
    return np.array(chosen, dtype=int), np.array(counts, dtype=int)
