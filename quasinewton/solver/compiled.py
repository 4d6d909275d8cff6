"""Iterations in machine code, around an objective that is a numba function.

The user's function is called through a pointer, so these kernels are compiled
once for all objectives and kept on disk; only a small adapter is compiled for each function.
They call the same kernels as `QuasiNewton` and stop by the same test.
"""

from __future__ import annotations

import functools
import inspect
import math
import sys
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from ..kernels import inline_kernel, kernel
from ..methods.quasi_newton import (
    GIVEN,
    OFFERED,
    WITHOUT,
    QuasiNewton,
    begin,
    find_trial,
    goes_on,
    receive,
    start_state,
    wants_gradient,
)
from ..records import STATE
from ..status import Status
from ..vectors import copy, largest_number, max_abs
from .stopping import Limits, start, stop

if TYPE_CHECKING:
    from ..methods.recipes import Recipe
    from ..options import Options

__all__ = ["Evaluation", "iterate", "many_limits", "solve_many"]

# What an evaluation is asked for.
VALUE, GRADIENT = 0, 1

_RUNNING, _PRECISION, _NONFINITE_START, _EXCEPTION = (
    int(Status.RUNNING), int(Status.PRECISION), int(Status.NONFINITE_START), int(Status.EXCEPTION),
)  # fmt: skip

#: Rows of `points` after those of a method: what a function is asked at, which it may change, and
#: the gradient that it returns.
_SPARE = 2


@inline_kernel
def _work_rows(points):
    """The spare rows."""
    return points[5], points[6]


@inline_kernel
def _unless_stalled(status, record):
    """The status, but for PRECISION if a run that goes on has no next trial."""
    return _PRECISION if status == _RUNNING and not goes_on(record) else status


@inline_kernel
def _iterate(evaluate, limits, points, rows, ring, gram, work, lines, state, rule):
    """At most `most` iterations; the status.

    Parameters
    ----------
    evaluate : function
        ``evaluate(x, g, what) -> f``: for VALUE the objective, and where `joint` the gradient
        into g; for GRADIENT the gradient into g. It may change x.
    limits : LIMITS array
    points : array, shape (>= 7, n)
        Those of a `QuasiNewton` and the spare rows.

    The rest are the arrays of `QuasiNewton`, after `begin`; the counts are in `state`.
    """
    record, limit = state[0], limits[0]
    x, trial = points[0], points[2]
    asked, g_trial = _work_rows(points)
    most = record.nit + limit.most
    while record.nit < most:
        f = math.inf
        gradient = WITHOUT
        # A trial that overflows is rejected without being asked.
        if record.step_norm <= limit.harmless or math.isfinite(max_abs(trial)):
            copy(trial, asked)
            record.nfev += 1
            f = evaluate(asked, g_trial, VALUE)
            if limit.joint != 0.0:
                record.njev += 1
                gradient = OFFERED
            elif wants_gradient(f, state, rule):
                copy(trial, asked)
                record.njev += 1
                limit.value = f  # which is not to be lost if that raises
                evaluate(asked, g_trial, GRADIENT)
                limit.value = math.nan
                gradient = GIVEN
        before, step = record.f, record.step_norm
        receive(f, gradient, points, g_trial, rows, ring, state, rule)
        find_trial(points, rows, ring, gram, work, lines, state, rule)
        record.nit += 1
        status = stop(
            limit, x, record.f, f, before, step, record.g_max, record.accepted != 0, record.nit,
            record.nfev,
        )  # fmt: skip
        status = _unless_stalled(status, record)
        if status != _RUNNING:
            return status
    return _RUNNING


@kernel
def _solve_many(evaluate, limits, points, rows, ring, gram, work, lines, state, rule):
    """Solve from many starts, in place.

    Parameters
    ----------
    evaluate, limits
        As in `_iterate`, with `most` = 1.
    points : array, shape (7 + 2k, n)
        After the spare rows a start and a row for its gradient, in turns; on return the best
        points and the gradients there.
    state : STATE array, shape (2 + k,)
        The record to work in, what it is at a start, and one for the end of every solve: f, the
        counts and the status, EXCEPTION for what has not ended.

    The rest are the arrays of `QuasiNewton`, with any content.
    """
    record, limit = state[0], limits[0]
    x, g = points[0], points[1]
    asked, _ = _work_rows(points)
    for i in range(state.size - 2):
        if limit.stopped != 0.0:
            break
        x_end, g_end, end = points[7 + 2 * i], points[8 + 2 * i], state[2 + i]
        copy(x_end, x)
        copy(x, asked)
        state[0] = state[1]
        end.nfev = record.nfev = 1
        end.f = evaluate(asked, g, VALUE)
        joint = limit.joint != 0.0
        if not joint and math.isfinite(end.f):
            copy(x, asked)
            evaluate(asked, g, GRADIENT)
        if joint or math.isfinite(end.f):
            end.njev = record.njev = 1
        copy(g, g_end)
        if not (
            math.isfinite(end.f) and math.isfinite(max_abs(g)) and math.isfinite(max_abs(x))
        ):
            end.status = _NONFINITE_START
            continue
        if record.dense == 0:  # the products with g of no pairs
            for j in range(gram.shape[1]):
                gram[gram.shape[1], j] = 0.0
        record.f = end.f
        begin(points, state)
        find_trial(points, rows, ring, gram, work, lines, state, rule)
        start(limit, record.f, record.g_max)
        status = stop(
            limit, x, record.f, record.f, math.inf, math.inf, record.g_max, False, 0, record.nfev
        )
        status = _unless_stalled(status, record)
        while status == _RUNNING and limit.stopped == 0.0:
            status = _iterate(evaluate, limits, points, rows, ring, gram, work, lines, state, rule)
            # kept after every iteration: the next evaluation may raise
            copy(x, x_end)
            copy(g, g_end)
            end.f = record.f
            end.nit, end.nfev, end.njev = record.nit, record.nfev, record.njev
        if status != 0 and record.f_best < record.f:
            copy(points[3], x_end)
            copy(points[4], g_end)
            end.f = record.f_best
        end.status = status if status != _RUNNING else _EXCEPTION


def iterate(method: QuasiNewton, evaluation: Evaluation, limits: np.ndarray) -> int:
    """At most so many iterations of a method in machine code as the limits say; the status.

    The counts in the method's `state` go on.
    """
    method.make_room(_SPARE)
    status: int = _call(
        _iterate, evaluation, method.x.dtype,
        limits, method.points, *method.arrays,
    )  # fmt: skip
    return status


def many_limits(
    evaluation: Evaluation, starts: np.ndarray, options: Options, parts: int
) -> np.ndarray:
    """A LIMITS array of a record for each of so many calls of `solve_many`."""
    limits = Limits.of(options, starts.shape[1], largest_number(starts))
    return np.repeat(limits.record(evaluation.joint, 1.0), parts)


def solve_many(
    evaluation: Evaluation, starts: np.ndarray, recipe: Recipe, options: Options,
    limits: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, BaseException | None]:
    """Solve from every row of `starts` in machine code.

    Parameters
    ----------
    limits : LIMITS array, shape (1,)
        See `many_limits`. Where another thread sets `stopped`, this returns after the iteration
        under way.

    Returns
    -------
    x, g : arrays, shape (k, n)
        The best points and the gradients there.
    ends : STATE array, shape (k,)
        `f`, `nit`, `nfev`, `njev` and `status` count.
    error : BaseException or None
        What the objective raised. Starts that had not ended have the status EXCEPTION.
    """
    k, n = starts.shape
    zero = np.zeros_like(starts[0])
    method = QuasiNewton(zero, 0.0, zero, recipe, options)
    state = np.zeros(2 + k, STATE)
    state["status"][2:] = _EXCEPTION
    state[1] = start_state(method.model, recipe, options)[0]
    state["f_best"][1] = np.inf
    points = np.zeros((5 + _SPARE + 2 * k, n), starts.dtype)
    points[7::2] = starts
    points[8::2] = np.nan
    state["f"][2:] = np.nan
    rows, ring, gram, work, lines, _, rule = method.arrays
    error = None
    try:
        _call(
            _solve_many, evaluation, starts.dtype, limits, points, rows, ring, gram, work, lines,
            state, rule,
        )  # fmt: skip
    except BaseException as raised:
        error = raised
        i = int(np.argmax(state["status"][2:] == _EXCEPTION))  # the start under way
        record, end, value = state[0], state[2 + i], float(limits["value"][0])
        end.nfev, end.njev = record.nfev, record.njev
        if value < min(end.f, record.f_best):
            end.f, points[7 + 2 * i], points[8 + 2 * i] = value, points[2], np.nan
        elif record.f_best < end.f:
            end.f, points[7 + 2 * i], points[8 + 2 * i] = record.f_best, points[3], points[4]
    return points[7::2], points[8::2], state[2:], error


class Evaluation:
    """A numba objective as the kernels call it.

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
    def of(
        fun: Any, jac: Any, dtype: Any, announce: Callable[[str], None] | None = None
    ) -> Evaluation | None:
        """The evaluation of `fun` and `jac` if both are numba functions of x alone, else None.

        `announce` is told what is about to be compiled.
        """
        if not is_compiled(fun) or not (jac is True or is_compiled(jac)):
            return None
        if announce is not None and fun not in _met:
            announce("Compiling the objective, for some seconds.")
        _met.add(fun)
        if jac is True:
            return _adapt(fun, None, np.dtype(dtype))
        return _adapt(fun, jac, np.dtype(dtype))


def is_compiled(function: Any) -> bool:
    """Whether this is a function compiled by numba (which is not imported to find out)."""
    module = sys.modules.get("numba.core.dispatcher")
    return module is not None and isinstance(function, module.Dispatcher)


#: The objectives that this process has compiled for.
_met: weakref.WeakSet[Any] = weakref.WeakSet()


@functools.lru_cache(maxsize=128)
def _adapt(fun: Any, jac: Any, dtype: np.dtype[Any]) -> Evaluation:
    adapter: Callable[..., Any]
    vector = numba.from_dtype(dtype)[::1]
    arguments = inspect.signature(fun.py_func).parameters.values()
    fills = sum(a.default is a.empty and a.kind is a.POSITIONAL_OR_KEYWORD for a in arguments) > 1
    try:
        if jac is not None:
            value, gradient = _returning_number(fun, vector), _returning_vector(jac, vector)

            def adapter(x, g, what):  # type: ignore[no-untyped-def]
                if what == GRADIENT:
                    slope = gradient(x)
                    if len(slope) != g.size:  # one would be taken for all
                        raise ValueError("the gradient must have shape (n,)")
                    g[:] = slope
                    return 0.0
                return value(x)

        elif fills:
            value = _returning_number(fun, vector, vector)

            def adapter(x, g, what):  # type: ignore[no-untyped-def]
                return value(x, g)

        else:
            both = _returning_both(fun, vector)

            def adapter(x, g, what):  # type: ignore[no-untyped-def]
                f, slope = both(x)
                if len(slope) != g.size:
                    raise ValueError("the gradient must have shape (n,)")
                g[:] = slope
                return f

        function = numba.njit(_signature(dtype), nogil=True)(adapter)
    except numba.core.errors.TypingError as error:
        raise TypeError(
            "`fun` as a numba function must take one float vector and return (f, gradient) - or "
            "take x and an array that it fills with the gradient, and return f - or return f "
            f"beside a `jac` that returns the gradient: {error}"
        ) from error
    return Evaluation(function, jac is None)


def _returned(function: Any, *arguments: Any) -> Any:
    """The type that numba infers for what a function returns."""
    context = numba.core.registry.cpu_target.typing_context
    return numba.typeof(function).get_call_type(context, arguments, {}).return_type


@numba.njit
def _item(value, x):  # type: ignore[no-untyped-def]
    return value.item()


@numba.njit
def _row(gradient, x):  # type: ignore[no-untyped-def]
    if gradient.size != x.size or max(gradient.shape) != x.size:
        raise ValueError("the gradient must have shape (n,)")
    return gradient.ravel()


@numba.njit
def _single(gradient, x):  # type: ignore[no-untyped-def]
    if x.size != 1:
        raise ValueError("the gradient must have shape (n,), got a number")
    return np.full(1, gradient)


@numba.njit
def _same(value, x):  # type: ignore[no-untyped-def]
    return value


def _to_number(returned: Any) -> Any:
    return _item if isinstance(returned, numba.types.Array) else _same


def _to_vector(returned: Any) -> Any:
    if isinstance(returned, numba.types.Number):
        return _single
    return _row if isinstance(returned, numba.types.Array) and returned.ndim > 1 else _same


def _returning_number(fun: Any, *arguments: Any) -> Any:
    """`fun`, or around it a function that makes a number of an array of one."""
    convert = _to_number(_returned(fun, *arguments))
    if convert is _same:
        return fun
    if len(arguments) > 1:
        return numba.njit(lambda x, g: convert(fun(x, g), x))
    return numba.njit(lambda x: convert(fun(x), x))


def _returning_vector(jac: Any, vector: Any) -> Any:
    """`jac`, or around it a function that makes a vector of a row, a column or a number."""
    convert = _to_vector(_returned(jac, vector))
    return jac if convert is _same else numba.njit(lambda x: convert(jac(x), x))


def _returning_both(fun: Any, vector: Any) -> Any:
    """The same for a function that returns value and gradient."""
    types: Any = getattr(_returned(fun, vector), "types", ())
    if len(types) != 2:
        return fun  # which is an error that its caller explains
    to_number, to_vector = _to_number(types[0]), _to_vector(types[1])
    if to_number is _same and to_vector is _same:
        return fun

    @numba.njit
    def both(x):  # type: ignore[no-untyped-def]
        f, gradient = fun(x)
        return to_number(f, x), to_vector(gradient, x)

    return both


def _signature(dtype: np.dtype[Any]) -> Any:
    vector = numba.from_dtype(dtype)[::1]
    return numba.types.float64(vector, vector, numba.types.int64)


_lock = threading.Lock()
_compiled: set[tuple[Any, np.dtype[Any]]] = set()


def _call(function: Any, evaluation: Evaluation, dtype: Any, *args: Any) -> Any:
    """``function(evaluation.function, *args)`` for a kernel of this module.

    numba would compile `function` anew for every objective; it is compiled here for a
    pointer to any objective, and then kept from compiling more. The types of `args` depend on
    `dtype` alone: to ask numba for them takes longer than a small solve.
    """
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
