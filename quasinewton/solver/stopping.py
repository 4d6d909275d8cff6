"""The tests that end a run, one function for every driver of the loop."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields, replace

import numpy as np

from ..kernels import kernel
from ..options import Options
from ..status import Status
from ..vectors import norm2

__all__ = ["LIMITS", "Limits", "start", "stop"]


@dataclass(slots=True)
class Limits:
    """What ends a run: an object for Python and, field by field, a record for machine code.

    Attributes
    ----------
    gtol, grtol, xtol, ftol, f_target, maxiter, maxfev : float
        As in `quasinewton.options.Options`.
    harmless : float
        A step shorter than this cannot take a finite number out of range.
    depth : float
        No function has a minimum so many times below its scale at the start.
    tolerance, abyss : float
        Of max|g_i|, and the f below which a function is unbounded; set by `start`.
    joint : float
        In machine code: whether the gradient comes with the value.
    most : float
        In machine code: iterations until Python is asked again.
    value : float
        In machine code: the objective at a trial whose gradient is being evaluated, else NaN.
    stopped : float
        In machine code: set by another thread to have it return after the iteration under way.
    """

    gtol: float
    grtol: float
    xtol: float
    ftol: float
    f_target: float
    maxiter: float
    maxfev: float
    harmless: float
    depth: float
    tolerance: float = 0.0
    abyss: float = -math.inf
    joint: float = 0.0
    most: float = math.inf
    value: float = math.nan
    stopped: float = 0.0

    @classmethod
    def of(cls, options: Options, n: int, largest: float) -> Limits:
        """The limits of a run of n variables, `largest` the largest number of their dtype."""
        return cls(
            gtol=options.gtol, grtol=options.grtol, xtol=options.xtol, ftol=options.ftol,
            f_target=options.f_target,
            maxiter=max(1000, 200 * n) if options.maxiter is None else options.maxiter,
            maxfev=math.inf if options.maxfev is None else options.maxfev,
            harmless=1e-20 * largest, depth=min(1e100, math.sqrt(largest)),
        )  # fmt: skip

    def record(self, joint: bool, most: float = math.inf) -> np.ndarray:
        """The same as a LIMITS array, shape (1,)."""
        numbers = replace(self, joint=float(joint), most=most)
        return np.array([astuple(numbers)], LIMITS)


LIMITS = np.dtype((np.record, [(f.name, "f8") for f in fields(Limits)]), align=True)

_RUNNING, _CONVERGED, _MAXITER, _MAXFEV, _F_TARGET, _UNBOUNDED, _XTOL, _FTOL = map(
    int,
    (
        Status.RUNNING, Status.CONVERGED, Status.MAXITER, Status.MAXFEV, Status.F_TARGET,
        Status.UNBOUNDED, Status.XTOL, Status.FTOL,
    ),
)  # fmt: skip


@kernel
def start(limits, f, optimality):
    """Set what depends on f and max|g_i| at the start."""
    limits.tolerance = max(limits.gtol, limits.grtol * optimality)
    limits.abyss = -limits.depth * max(1.0, abs(f), optimality)


@kernel
def stop(limits, x, f, f_trial, before, step, optimality, accepted, nit, nfev):
    """The status after an iteration.

    Parameters
    ----------
    limits : Limits, or an element of a LIMITS array
    x : array, shape (n,)
    f, optimality : float
        The objective and the largest absolute component of the gradient at x.
    f_trial, before : float
        The objective at the trial, and at the point that the step started from.
    step : float
        Length of the step.
    accepted : bool
        Whether the trial was accepted.
    nit, nfev : int
    """
    if optimality <= limits.tolerance:
        return _CONVERGED
    if f_trial == -math.inf or f < limits.abyss:
        return _UNBOUNDED
    if f <= limits.f_target and limits.f_target > -math.inf:
        return _F_TARGET
    if nit >= limits.maxiter:
        return _MAXITER
    if nfev >= limits.maxfev:
        return _MAXFEV
    if accepted:
        xtol = limits.xtol
        if xtol > 0.0 and step <= xtol * (xtol + norm2(x)):
            return _XTOL
        if limits.ftol > 0.0 and before - f <= limits.ftol * max(abs(before), abs(f)):
            return _FTOL
    return _RUNNING
