"""The tests that end a run, one function for every driver of the loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..kernels import kernel, norm2
from ..options import Options
from ..status import Status

__all__ = ["limits", "stop"]

# Limits of a run, by their place in the array that `limits` makes.
TOLERANCE, ABYSS, F_TARGET, XTOL, FTOL, MAXITER, MAXFEV, GTOL, GRTOL, HARMLESS = range(10)

_RUNNING, _CONVERGED, _MAXITER, _MAXFEV, _F_TARGET, _PRECISION, _UNBOUNDED, _XTOL, _FTOL = map(
    int,
    (
        Status.RUNNING, Status.CONVERGED, Status.MAXITER, Status.MAXFEV, Status.F_TARGET,
        Status.PRECISION, Status.UNBOUNDED, Status.XTOL, Status.FTOL,
    ),
)  # fmt: skip


def limits(options: Options, n: int, dtype: Any) -> list[float]:
    """The limits of a run of n variables, as `stop` takes them; `start` completes them.

    A list, which Python reads faster; machine code takes an array of it.
    """
    numbers = [0.0] * 10
    numbers[F_TARGET], numbers[XTOL], numbers[FTOL] = options.f_target, options.xtol, options.ftol
    numbers[MAXITER] = max(1000, 200 * n) if options.maxiter is None else options.maxiter
    numbers[MAXFEV] = math.inf if options.maxfev is None else options.maxfev
    numbers[GTOL], numbers[GRTOL] = options.gtol, options.grtol
    # A step shorter than this cannot take a finite number out of range.
    numbers[HARMLESS] = 1e-20 * float(np.finfo(dtype).max)
    return numbers


@kernel
def start(limits, f, optimality):
    """Set what depends on f and max|g_i| at the start."""
    limits[TOLERANCE] = max(limits[GTOL], limits[GRTOL] * optimality)
    # No function of this scale that has a minimum has it down there.
    limits[ABYSS] = -1e100 * max(1.0, abs(f), optimality)


@kernel
def stop(limits, x, f, f_trial, before, step, optimality, accepted, stalled, nit, nfev):
    """The status after an iteration.

    Parameters
    ----------
    limits : float64 array or list
    x : array, shape (n,)
    f, optimality : float
        The objective and the largest absolute component of the gradient at x.
    f_trial, before : float
        The objective at the trial, and at the point that the step started from.
    step : float
        Length of the step.
    accepted, stalled : bool
        Whether the trial was accepted; whether the next one cannot be told from x.
    nit, nfev : int
    """
    if optimality <= limits[TOLERANCE]:
        return _CONVERGED
    if f_trial == -math.inf or f < limits[ABYSS]:
        return _UNBOUNDED
    if f <= limits[F_TARGET] and limits[F_TARGET] > -math.inf:
        return _F_TARGET
    if nit >= limits[MAXITER]:
        return _MAXITER
    if nfev >= limits[MAXFEV]:
        return _MAXFEV
    if stalled:
        return _PRECISION
    if accepted:
        xtol = limits[XTOL]
        if xtol > 0.0 and step <= xtol * (xtol + norm2(x)):
            return _XTOL
        if limits[FTOL] > 0.0 and before - f <= limits[FTOL] * max(abs(before), abs(f)):
            return _FTOL
    return _RUNNING
