"""Every way a run can end, in one place."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["MESSAGES", "Status"]


class Status(IntEnum):
    """Why a run ended. Only `CONVERGED` counts as success.

    Codes 0-3 and 99 mean what they mean in `scipy.optimize`.
    """

    RUNNING = -1
    CONVERGED = 0
    MAXITER = 1
    BAD_MODEL = 2
    LINEAR_ALGEBRA = 3
    MAXFEV = 4
    MAXTIME = 5
    F_TARGET = 6
    PRECISION = 7
    NONFINITE_START = 8
    UNBOUNDED = 9
    XTOL = 10
    FTOL = 11
    INFEASIBLE = 12
    EXCEPTION = 98
    CALLBACK = 99


MESSAGES = {
    Status.RUNNING: "The run has not ended.",
    Status.CONVERGED: "Optimization terminated successfully.",
    Status.MAXITER: "Maximum number of iterations has been exceeded.",
    Status.BAD_MODEL: "A bad approximation caused failure to predict improvement.",
    Status.LINEAR_ALGEBRA: "A linalg error occurred, such as a non-psd Hessian.",
    Status.MAXFEV: "Maximum number of function evaluations has been exceeded.",
    Status.MAXTIME: "Time limit has been exceeded.",
    Status.F_TARGET: "The objective reached `f_target` before the gradient reached `gtol`.",
    Status.PRECISION: "Desired error not necessarily achieved due to precision loss.",
    Status.NONFINITE_START: "The objective or its gradient is not finite at `x0`.",
    Status.UNBOUNDED: "The objective seems to be unbounded below.",
    Status.XTOL: "The step became smaller than `xtol` before the gradient reached `gtol`.",
    Status.FTOL: "The decrease became smaller than `ftol` before the gradient reached `gtol`.",
    Status.INFEASIBLE: "The constraints seem to be infeasible: their violation cannot be zero.",
    Status.EXCEPTION: "An exception ended the run.",
    Status.CALLBACK: "`callback` raised `StopIteration`.",
}
