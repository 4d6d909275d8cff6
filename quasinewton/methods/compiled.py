"""Whole solves in machine code, around an objective that is a numba function.

The user's function is called through a pointer, so `iterate` and `solve_many` are compiled
once for all objectives and kept on disk; only a small adapter is compiled for each function.
They call the same kernels as `QuasiNewton` and stop by the same test.
"""

from __future__ import annotations

import functools
import inspect
import math
import sys
import threading
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from ..kernels import kernel, max_abs
from ..models.compact import workspace
from ..status import Status
from ..stopping import HARMLESS, start, stop
from .quasi_newton import (
    ACCEPTED,
    F_BEST,
    F_TRIAL,
    G_MAX,
    INTEGERS,
    MOVED,
    PREDICTED,
    S_NORM,
    SCALARS,
    F,
    advance,
    begin,
    wants_gradient,
)

__all__ = ["Evaluation", "call", "iterate", "solve_many"]

# What an evaluation is asked for.
VALUE, GRADIENT = 0, 1

# Counters, by their place in the array `counts`.
NFEV, NJEV, NIT = range(3)

_RUNNING, _NONFINITE_START = int(Status.RUNNING), int(Status.NONFINITE_START)


@kernel
def iterate(
    evaluate, joint, most, limits, counts, asked, g_trial, kind, subproblem, rule, window, x, g,
    trial, x_best, g_best, rows, gram, h, tau, cosine, order, products, lam, vectors, work, small,
    q, ints, par,
):  # fmt: skip
    """At most `most` iterations; returns the status.

    Parameters
    ----------
    evaluate : function
        ``evaluate(x, g, what) -> f``: for VALUE the objective, and where `joint` the gradient
        into g; for GRADIENT the gradient into g. It may change x.
    joint : bool
        Whether the gradient comes with the value.
    most : int
    limits : float64 array
        See `quasinewton.stopping`.
    counts : int64 array, shape (3,)
    asked, g_trial : arrays, shape (n,)
        Workspace.

    The rest are the arrays of `QuasiNewton`, after `begin`.
    """
    for _ in range(most):
        f = math.inf
        has_gradient = False
        # A trial that overflows is rejected without being asked.
        if q[S_NORM] <= limits[HARMLESS] or math.isfinite(max_abs(trial)):
            asked[:] = trial
            counts[NFEV] += 1
            f = evaluate(asked, g_trial, VALUE)
            has_gradient = wants_gradient(f, q, ints, par)
            if joint:
                counts[NJEV] += 1
            elif has_gradient:
                asked[:] = trial
                counts[NJEV] += 1
                evaluate(asked, g_trial, GRADIENT)
        before, step = q[F], q[S_NORM]
        q[F_TRIAL] = f
        advance(
            has_gradient, kind, subproblem, rule, window, x, g, trial, g_trial, x_best, g_best,
            rows, gram, h, tau, cosine, order, products, lam, vectors, work, small, q, ints, par,
        )  # fmt: skip
        counts[NIT] += 1
        status = stop(
            limits, x, q[F], f, before, step, q[G_MAX], ints[ACCEPTED] != 0,
            ints[MOVED] == 0 or not q[PREDICTED] > 0.0, counts[NIT], counts[NFEV],
        )  # fmt: skip
        if status != _RUNNING:
            return status
    return _RUNNING


@kernel
def solve_many(
    evaluate, joint, limits, first, progress, kind, subproblem, rule, window, m, x, f, g, status,
    counts, par,
):  # fmt: skip
    """Solve from every row of x, in place.

    Parameters
    ----------
    evaluate, joint, limits
        As in `iterate`.
    first : float64 array
        See `quasi_newton.start_array`.
    progress : float64 array, shape (1,)
        The number of finished starts.
    m : int
        Memory.
    x : array, shape (k, n)
        Starts; on return the best points.
    f : float64 array, shape (k,)
    g : array, shape (k, n)
    status : int64 array, shape (k,)
    counts : int64 array, shape (k, 3)
    """
    k, n = x.shape
    most = min(n, 2 * m)
    x_i, g_i, trial, g_trial = x[0].copy(), g[0].copy(), x[0].copy(), x[0].copy()
    asked, x_best, g_best = x[0].copy(), x[0].copy(), x[0].copy()
    rows = np.zeros((2 * m, n), x.dtype)
    gram = np.zeros((2 * m, 2 * m))
    h = np.zeros(2 * m)
    tau, cosine, order = np.zeros(m), np.zeros(m), np.zeros(m, np.int64)
    products = np.zeros((2 * m, 3))
    lam = np.zeros(most)
    vectors = np.zeros((most, n if n <= 2 * m else 2 * m))
    work = np.zeros(workspace(n, m))
    small = np.zeros((4, max(2 * m, most + 1)))
    q = np.zeros(SCALARS)
    ints = np.zeros(INTEGERS, np.int64)
    for i in range(k):
        x_i[:] = x[i]
        asked[:] = x_i
        counts[i, NFEV] += 1
        f[i] = evaluate(asked, g_i, VALUE)
        if not joint and math.isfinite(f[i]):
            asked[:] = x_i
            evaluate(asked, g_i, GRADIENT)
        if joint or math.isfinite(f[i]):
            counts[i, NJEV] += 1
        g[i] = g_i
        finite = math.isfinite(f[i])
        for j in range(n):
            finite = finite and math.isfinite(g_i[j]) and math.isfinite(x_i[j])
        if finite:
            q[F] = f[i]
            ints[:] = 0
            h[:] = 0.0
            begin(
                kind, subproblem, rule, window, x_i, g_i, trial, rows, gram, h, tau, cosine,
                order, lam, vectors, work, small, q, ints, first,
            )  # fmt: skip
            start(limits, q[F], q[G_MAX])
            status[i] = stop(
                limits, x_i, q[F], q[F], math.inf, math.inf, q[G_MAX], False,
                ints[MOVED] == 0 or not q[PREDICTED] > 0.0, 0, counts[i, NFEV],
            )  # fmt: skip
            while status[i] == _RUNNING:
                status[i] = iterate(
                    evaluate, joint, 1, limits, counts[i], asked, g_trial, kind, subproblem, rule,
                    window, x_i, g_i, trial, x_best, g_best, rows, gram, h, tau, cosine, order,
                    products, lam, vectors, work, small, q, ints, par,
                )  # fmt: skip
                # kept after every iteration: the next evaluation may raise
                x[i], g[i], f[i] = x_i, g_i, q[F]
            if status[i] != 0 and q[F_BEST] < q[F]:
                x[i], g[i], f[i] = x_best, g_best, q[F_BEST]
        else:
            status[i] = _NONFINITE_START
        progress[0] = i + 1.0


class Evaluation:
    """A numba objective as `iterate` calls it.

    Attributes
    ----------
    function : compiled function
        ``function(x, g, what) -> f``.
    joint : bool
        Whether the gradient comes with the value.
    """

    def __init__(self, function: Any, joint: bool) -> None:
        self.function, self.joint = function, joint

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The objective and the gradient at x, which may be changed."""
        g = np.empty_like(x)
        f = self.function(x.copy(), g, VALUE)
        if not self.joint:
            self.function(x, g, GRADIENT)
        return f, g

    @staticmethod
    def of(fun: Any, jac: Any, dtype: Any) -> Evaluation | None:
        """The evaluation of `fun` and `jac` if both are numba functions of x alone, else None."""
        if not is_compiled(fun):
            return None
        if jac is True:
            return _adapt(fun, None, np.dtype(dtype))
        return _adapt(fun, jac, np.dtype(dtype)) if is_compiled(jac) else None


def is_compiled(function: Any) -> bool:
    """Whether this is a function compiled by numba (which is not imported to find out)."""
    module = sys.modules.get("numba.core.dispatcher")
    return module is not None and isinstance(function, module.Dispatcher)


@functools.lru_cache(maxsize=128)
def _adapt(fun: Any, jac: Any, dtype: np.dtype[Any]) -> Evaluation:
    adapter: Callable[..., Any]
    if jac is not None:

        def adapter(x, g, what):  # type: ignore[no-untyped-def]
            if what == GRADIENT:
                g[:] = jac(x)
                return 0.0
            return fun(x)

    elif len(inspect.signature(fun.py_func).parameters) == 1:

        def adapter(x, g, what):  # type: ignore[no-untyped-def]
            f, gradient = fun(x)
            g[:] = gradient
            return f

    else:

        def adapter(x, g, what):  # type: ignore[no-untyped-def]
            return fun(x, g)

    try:
        function = numba.njit(_signature(dtype), nogil=True)(adapter)
    except numba.core.errors.TypingError as error:
        raise TypeError(
            "`fun` as a numba function must take one float vector and return (f, gradient) - or "
            "take x and an array that it fills with the gradient, and return f - or return f "
            f"beside a `jac` that returns the gradient: {error}"
        ) from error
    return Evaluation(function, jac is None)


def _signature(dtype: np.dtype[Any]) -> Any:
    vector = numba.from_dtype(dtype)[::1]
    return numba.types.float64(vector, vector, numba.types.int64)


_lock = threading.Lock()


def call(function: Any, evaluation: Evaluation, dtype: Any, *args: Any) -> Any:
    """``function(evaluation.function, evaluation.joint, *args)`` for `iterate` or `solve_many`.

    numba would compile `function` anew for every objective; it is compiled here for a
    pointer to any objective, and then kept from compiling more.
    """
    args = (evaluation.joint, *args)
    if not hasattr(function, "disable_compile"):  # NUMBA_DISABLE_JIT
        return function(evaluation.function, *args)
    pointer = numba.types.FunctionType(_signature(np.dtype(dtype)))
    types = (pointer, *map(numba.typeof, args))
    with _lock:
        if types not in function.overloads:
            function.disable_compile(False)
            function.compile(types)
            function.disable_compile()
    return function(evaluation.function, *args)
