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

from ..kernels import copy, inline_kernel, kernel, max_abs
from ..methods.quasi_newton import (
    ACCEPTED,
    F_BEST,
    F_TRIAL,
    G_MAX,
    MOVED,
    PREDICTED,
    S_NORM,
    START,
    WITH_GRADIENT,
    WITHOUT_GRADIENT,
    F,
    advance,
    wants_gradient,
)
from ..status import Status
from .stopping import HARMLESS, start, stop

__all__ = ["Evaluation", "call", "iterate", "solve_many"]

# What an evaluation is asked for.
VALUE, GRADIENT = 0, 1

# Counters, by their place in the array `counts`.
NFEV, NJEV, NIT = range(3)

_RUNNING, _NONFINITE_START = int(Status.RUNNING), int(Status.NONFINITE_START)


@inline_kernel
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
        See `quasinewton.solver.stopping`.
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
            copy(trial, asked)
            counts[NFEV] += 1
            f = evaluate(asked, g_trial, VALUE)
            has_gradient = wants_gradient(f, q, ints, par)
            if joint:
                counts[NJEV] += 1
            elif has_gradient:
                copy(trial, asked)
                counts[NJEV] += 1
                evaluate(asked, g_trial, GRADIENT)
        before, step = q[F], q[S_NORM]
        q[F_TRIAL] = f
        advance(
            WITH_GRADIENT if has_gradient else WITHOUT_GRADIENT, kind, subproblem, rule, window,
            x, g, trial, g_trial, x_best, g_best, rows, gram, h, tau, cosine, order, products,
            lam, vectors, work, small, q, ints, par,
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
    evaluate, joint, limits, first, integers, progress, starts, f, jac, status, counts, asked,
    g_trial, kind, subproblem, rule, window, x, g, trial, x_best, g_best, rows, gram, h, tau,
    cosine, order, products, lam, vectors, work, small, q, ints, par,
):  # fmt: skip
    """Solve from every row of `starts`, in place.

    Parameters
    ----------
    evaluate, joint, limits
        As in `iterate`.
    first, integers : arrays
        `q` and `ints` at the start.
    progress : float64 array, shape (1,)
        The number of finished starts.
    starts : array, shape (k, n)
        On return the best points.
    f : float64 array, shape (k,)
    jac : array, shape (k, n)
    status : int64 array, shape (k,)
    counts : int64 array, shape (k, 3)

    The rest are the arrays of `iterate`, with any content.
    """
    for i in range(starts.shape[0]):
        copy(starts[i], x)
        copy(x, asked)
        counts[i, NFEV] += 1
        f[i] = evaluate(asked, g, VALUE)
        if not joint and math.isfinite(f[i]):
            copy(x, asked)
            evaluate(asked, g, GRADIENT)
        if joint or math.isfinite(f[i]):
            counts[i, NJEV] += 1
        copy(g, jac[i])
        finite = math.isfinite(f[i])
        for j in range(x.size):
            finite = finite and math.isfinite(g[j]) and math.isfinite(x[j])
        if finite:
            copy(first, q)
            copy(integers, ints)
            for j in range(h.size):
                h[j] = 0.0
            q[F] = f[i]
            advance(
                START, kind, subproblem, rule, window, x, g, trial, g_trial, x_best, g_best,
                rows, gram, h, tau, cosine, order, products, lam, vectors, work, small, q, ints,
                par,
            )  # fmt: skip
            start(limits, q[F], q[G_MAX])
            status[i] = stop(
                limits, x, q[F], q[F], math.inf, math.inf, q[G_MAX], False,
                ints[MOVED] == 0 or not q[PREDICTED] > 0.0, 0, counts[i, NFEV],
            )  # fmt: skip
            while status[i] == _RUNNING:
                status[i] = iterate(
                    evaluate, joint, 1, limits, counts[i], asked, g_trial, kind, subproblem, rule,
                    window, x, g, trial, x_best, g_best, rows, gram, h, tau, cosine, order,
                    products, lam, vectors, work, small, q, ints, par,
                )  # fmt: skip
                # kept after every iteration: the next evaluation may raise
                copy(x, starts[i])
                copy(g, jac[i])
                f[i] = q[F]
            if status[i] != 0 and q[F_BEST] < q[F]:
                copy(x_best, starts[i])
                copy(g_best, jac[i])
                f[i] = q[F_BEST]
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
_compiled: set[tuple[Any, np.dtype[Any]]] = set()


def call(function: Any, evaluation: Evaluation, dtype: Any, *args: Any) -> Any:
    """``function(evaluation.function, evaluation.joint, *args)`` for `iterate` or `solve_many`.

    numba would compile `function` anew for every objective; it is compiled here for a
    pointer to any objective, and then kept from compiling more. The types of `args` depend on
    `dtype` alone: to ask numba for them takes longer than a small solve.
    """
    args = (evaluation.joint, *args)
    if not hasattr(function, "disable_compile"):  # NUMBA_DISABLE_JIT
        return function(evaluation.function, *args)
    dtype = np.dtype(dtype)
    with _lock:
        if (function, dtype) not in _compiled:
            pointer = numba.types.FunctionType(_signature(dtype))
            function.disable_compile(False)
            function.compile((pointer, *map(numba.typeof, args)))
            function.disable_compile()
            _compiled.add((function, dtype))
    return function(evaluation.function, *args)
