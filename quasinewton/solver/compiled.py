"""Iterations in machine code, around an objective that is a numba function.

The user's function is called through a pointer, so these kernels are compiled
once for all objectives and kept on disk; only a small adapter is compiled for each function.
They call the same kernels as `QuasiNewton`, through pointers too, so that nothing is compiled
twice, or for kinds of models that are not used; and they stop by the same test.
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
    OWN_ROWS,
    OWN_ROWS_IN_BOX,
    REPORTED,
    WANTED,
    WITHOUT,
    InBox,
    QuasiNewton,
    begin,
    give_up_model,
    goes_on,
    make_no_room,
    receive,
    renew_nothing,
    solve_by_spectrum,
    start_state,
    wants_gradient,
)
from ..models.model import planes
from ..models.reduced import make_room, renew_reduced
from ..records import STATE
from ..status import Status
from ..vectors import copy, largest_number, max_abs
from .stopping import Limits, start, stop

if TYPE_CHECKING:
    from ..box import Box
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
def _work_rows(points, state):
    """The spare rows."""
    first = OWN_ROWS if state[0].bounded == 0 else OWN_ROWS_IN_BOX
    return points[first], points[first + 1]


@inline_kernel
def _start_rows(points, state, i):
    """The rows of a start and of its gradient."""
    first = (OWN_ROWS if state[0].bounded == 0 else OWN_ROWS_IN_BOX) + _SPARE
    return points[first + 2 * i], points[first + 2 * i + 1]


@inline_kernel
def _judge_trial(evaluate, receive, limits, points, rows, ring, state, rule):
    """Evaluate the trial and judge it; the value there, f before, and the length of the step."""
    record, limit = state[0], limits[0]
    trial = points[2]
    asked, g_trial = _work_rows(points, state)
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
    return f, before, step


@inline_kernel
def _status_after(limits, points, state, f, before, step):
    """The status once the next trial is made."""
    record = state[0]
    record.nit += 1
    status = stop(
        limits[0], points[0], record.f, f, before, step, record.g_max, record.accepted != 0,
        record.nit, record.nfev,
    )  # fmt: skip
    if status == _RUNNING and not goes_on(record):
        return _PRECISION
    return status


@inline_kernel
def _renew(renew, make_room, arrays):
    """Bring the model up to date."""
    points, rows, ring, gram, work, lines, state, _ = arrays
    if renew(points, rows, ring, gram, work, lines, state):
        basis, product, _, _, _, _ = planes(work)
        make_room(rows, ring, gram, basis, product, lines, state)


@inline_kernel
def _find(renew, make_room, find, by_spectrum, arrays):
    """The next trial, as `QuasiNewton` makes it."""
    points, rows, ring, gram, work, lines, state, rule = arrays
    if state[0].g_max > 0.0:
        _renew(renew, make_room, arrays)
    find(points, rows, ring, gram, work, lines, state, rule)
    while state[0].pending == WANTED:
        by_spectrum(ring, gram, work, lines, state, rule)
        find(points, rows, ring, gram, work, lines, state, rule)


@inline_kernel
def _find_in_box(renew, make_room, step_in_box, arrays, box):
    """The next trial of a run in a box, as `QuasiNewton` makes it."""
    points, rows, ring, gram, work, lines, state, rule = arrays
    attempts = 2 if state[0].g_max > 0.0 else 0
    for _attempt in range(attempts):
        _renew(renew, make_room, arrays)
        if step_in_box(points, rows, ring, gram, work, lines, state, rule, box):
            break
        give_up_model(state)


@inline_kernel
def _iterate(evaluate, receive, renew, make_room, find, by_spectrum, limits, arrays):
    """At most `most` iterations; the status.

    Parameters
    ----------
    evaluate : function
        ``evaluate(x, g, what) -> f``: for VALUE the objective, and where `joint` the gradient
        into g; for GRADIENT the gradient into g. It may change x.
    receive, renew, make_room, find, by_spectrum : functions
        Those of a `QuasiNewton`.
    limits : LIMITS array
    arrays : tuple
        `points`, of which the method's rows are followed by the spare ones, and the other arrays
        of a `QuasiNewton`, after `begin`; the counts are in its `state`.
    """
    points, rows, ring, _, _, _, state, rule = arrays
    status = _RUNNING
    most = state[0].nit + limits[0].most
    while status == _RUNNING and state[0].nit < most:
        f, before, step = _judge_trial(
            evaluate, receive, limits, points, rows, ring, state, rule
        )
        _find(renew, make_room, find, by_spectrum, arrays)
        status = _status_after(limits, points, state, f, before, step)
    return status


@inline_kernel
def _iterate_in_box(evaluate, receive, renew, make_room, step_in_box, limits, arrays, box):
    """The same of a run in a box."""
    points, rows, ring, _, _, _, state, rule = arrays
    status = _RUNNING
    most = state[0].nit + limits[0].most
    while status == _RUNNING and state[0].nit < most:
        f, before, step = _judge_trial(
            evaluate, receive, limits, points, rows, ring, state, rule
        )
        _find_in_box(renew, make_room, step_in_box, arrays, box)
        status = _status_after(limits, points, state, f, before, step)
    return status


@inline_kernel
def _begin_start(evaluate, limits, points, gram, state, i):
    """Evaluate a start; whether it is finite."""
    record, limit = state[0], limits[0]
    x, g = points[0], points[1]
    asked, _ = _work_rows(points, state)
    x_end, g_end = _start_rows(points, state, i)
    end = state[2 + i]
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
    if not (math.isfinite(end.f) and math.isfinite(max_abs(g)) and math.isfinite(max_abs(x))):
        end.status = _NONFINITE_START
        return False
    if record.dense == 0:  # the products with g of no pairs
        for j in range(gram.shape[1]):
            gram[gram.shape[1], j] = 0.0
    record.f = end.f
    begin(points, state)
    return True


@inline_kernel
def _status_at_start(limits, points, state):
    record, limit = state[0], limits[0]
    start(limit, record.f, record.g_max)
    status = stop(
        limit, points[0], record.f, record.f, math.inf, math.inf, record.g_max, False, 0,
        record.nfev,
    )  # fmt: skip
    if status == _RUNNING and not goes_on(record):
        return _PRECISION
    return status


@inline_kernel
def _keep_end(points, state, i, status):
    """What is known so far of the solve from a start; the best point where it has ended."""
    record, end = state[0], state[2 + i]
    x_end, g_end = _start_rows(points, state, i)
    copy(points[0], x_end)
    copy(points[1], g_end)
    end.f = record.f
    end.nit, end.nfev, end.njev = record.nit, record.nfev, record.njev
    if status != 0 and status != _RUNNING and record.f_best < record.f:
        copy(points[3], x_end)
        copy(points[4], g_end)
        end.f = record.f_best
    end.status = status if status != _RUNNING else _EXCEPTION


@kernel
def _solve_many(evaluate, receive, renew, make_room, find, by_spectrum, limits, arrays):
    """Solve from many starts, in place.

    Parameters
    ----------
    evaluate, receive, renew, make_room, find, by_spectrum, limits
        As in `_iterate`, with `most` = 1.
    arrays : tuple
        As in `_iterate`, with any content, but `points` and `state` hold more. `points`: after the
        spare rows a start and a row for its gradient, in turns; on return the best points and the
        gradients there. `state`: the record to work in, what it is at a start, and one for the end
        of every solve: f, the counts and the status, EXCEPTION for what has not ended.
    """
    points, _, _, gram, _, _, state, _ = arrays
    for i in range(state.size - 2):
        if limits[0].stopped != 0.0:
            break
        if not _begin_start(evaluate, limits, points, gram, state, i):
            continue
        _find(renew, make_room, find, by_spectrum, arrays)
        status = _status_at_start(limits, points, state)
        _keep_end(points, state, i, status)
        while status == _RUNNING and limits[0].stopped == 0.0:
            status = _iterate(
                evaluate, receive, renew, make_room, find, by_spectrum, limits, arrays
            )
            # kept after every iteration: the next evaluation may raise
            _keep_end(points, state, i, status)


@kernel
def _solve_many_in_box(
    evaluate, receive, renew, make_room, step_in_box, limits, arrays, box
):
    """The same in a box."""
    points, _, _, gram, _, _, state, _ = arrays
    for i in range(state.size - 2):
        if limits[0].stopped != 0.0:
            break
        if not _begin_start(evaluate, limits, points, gram, state, i):
            continue
        _find_in_box(renew, make_room, step_in_box, arrays, box)
        status = _status_at_start(limits, points, state)
        _keep_end(points, state, i, status)
        while status == _RUNNING and limits[0].stopped == 0.0:
            status = _iterate_in_box(
                evaluate, receive, renew, make_room, step_in_box, limits, arrays, box
            )
            _keep_end(points, state, i, status)


def iterate(method: QuasiNewton, evaluation: Evaluation, limits: np.ndarray) -> int:
    """At most so many iterations of a method in machine code as the limits say; the status.

    The counts in the method's `state` go on.
    """
    method.make_room(_SPARE)
    arrays = (method.points, *method.arrays)
    kernels = (_iterate, _iterate_in_box)
    status: int = _call(kernels, evaluation, method, limits, arrays)
    return status


def many_limits(
    evaluation: Evaluation, starts: np.ndarray, options: Options, parts: int
) -> np.ndarray:
    """A LIMITS array of a record for each of so many calls of `solve_many`."""
    limits = Limits.of(options, starts.shape[1], largest_number(starts))
    return np.repeat(limits.record(evaluation.joint, 1.0), parts)


def solve_many(
    evaluation: Evaluation, starts: np.ndarray, recipe: Recipe, options: Options,
    limits: np.ndarray, box: Box | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, BaseException | None]:
    """Solve from every row of `starts` in machine code.

    Parameters
    ----------
    limits : LIMITS array, shape (1,)
        See `many_limits`. Where another thread sets `stopped`, this returns after the iteration
        under way.
    box : Box, optional
        Bounds on the variables, which the starts keep.

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
    method = QuasiNewton(starts[0], 0.0, zero, recipe, options, box)
    own = len(method.points)
    state = np.zeros(2 + k, STATE)
    state["status"][2:] = _EXCEPTION
    state[1] = start_state(method.model, recipe, options, box is not None)[0]
    state["f_best"][1] = np.inf
    points = np.zeros((own + _SPARE + 2 * k, n), starts.dtype)
    points[:own] = method.points
    ends, gradients = points[own + _SPARE :: 2], points[own + _SPARE + 1 :: 2]
    ends[:], gradients[:] = starts, np.nan
    state["f"][2:] = np.nan
    rows, ring, gram, work, lines, _, rule = method.arrays
    error = None
    try:
        arrays = (points, rows, ring, gram, work, lines, state, rule)
        _call((_solve_many, _solve_many_in_box), evaluation, method, limits, arrays)
    except BaseException as raised:
        error = raised
        i = int(np.argmax(state["status"][2:] == _EXCEPTION))  # the start under way
        record, end, value = state[0], state[2 + i], float(limits["value"][0])
        end.nfev, end.njev = record.nfev, record.njev
        if value < min(end.f, record.f_best):
            end.f, ends[i], gradients[i] = value, points[2], np.nan
        elif record.f_best < end.f:
            end.f, ends[i], gradients[i] = record.f_best, points[3], points[4]
    return ends, gradients, state[2:], error


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
                    _fill(gradient(x), g)
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
                _fill(slope, g)
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
def _fill(slope, g):  # type: ignore[no-untyped-def]
    if len(slope) != g.size:
        raise ValueError("the gradient must have shape (n,)")
    # not g[:] = slope, whose check of the shapes numba compiles for two seconds
    for i in range(g.size):
        g[i] = slope[i]


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
_compiled: set[tuple[Any, ...]] = set()


def _call(
    kernels: tuple[Any, Any], evaluation: Evaluation, method: QuasiNewton, limits: np.ndarray,
    arrays: tuple[np.ndarray, ...],
) -> Any:  # fmt: skip
    """Call the first of the kernels with the functions of a method, or the second for one in a box.

    numba would compile a kernel anew for every objective and every kind of model; it is compiled
    here for pointers to any, and then kept from compiling more. The types of the arguments depend
    on the dtype alone: to ask numba for them takes longer than a small solve.
    """
    box: Any = method.find
    boxed = isinstance(box, InBox)
    function = kernels[1 if boxed else 0]
    renewal: tuple[Any, Any] = renew_nothing, make_no_room
    if method.model.reduced:
        renewal = renew_reduced, make_room
    elif boxed:
        renewal = box.renew, make_no_room
    named = (receive, *renewal, method.kernel, *(() if boxed else (solve_by_spectrum,)))
    moves = tuple(getattr(move, "compiled", move) for move in named)
    args = (limits, arrays, box.box) if boxed else (limits, arrays)
    if not hasattr(function, "disable_compile"):  # NUMBA_DISABLE_JIT
        return function(evaluation.function, *moves, *args)
    key = function, moves, arrays[0].dtype
    if key not in _compiled:
        with _lock:
            _compile(function, moves, args)
            _compiled.add(key)
    return function(evaluation.function, *moves, *args)


def _compile(function: Any, moves: tuple[Any, ...], args: tuple[Any, ...]) -> None:
    """Compile the moves, and the function for pointers to functions of their types."""
    types, typeof = numba.types, numba.typeof
    points, *others = map(typeof, args[1])
    rows, ring, gram, work, lines, state, rule = others
    vector = points.dtype[::1]
    model = (points, rows, ring, gram, work, lines, state)
    plane = types.Array(work.dtype, 2, "C")
    numbers = types.UniTuple(types.float64, REPORTED)
    signatures = [
        types.none(types.float64, types.int64, points, vector, rows, ring, state, rule),
        types.boolean(*model),
        types.none(rows, ring, gram, plane, plane, lines, state),
        numbers(*model, rule),
        types.none(ring, gram, work, lines, state, rule),
    ]
    if len(args) == 3:
        box = typeof(args[2])
        signatures[3:] = [types.boolean(*model, rule, box)]
    for move, signature in zip(moves, signatures, strict=True):
        move.compile(signature.args)
    pointers = map(types.FunctionType, [_signature(args[1][0].dtype), *signatures])
    function.disable_compile(False)
    function.compile((*pointers, *map(typeof, args)))
    function.disable_compile()
