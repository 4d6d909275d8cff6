"""Many solves of one function, from many starts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Never

import numpy as np
from scipy.optimize import OptimizeResult

from ..box import Box
from ..methods import QUASI_NEWTON, default_method, unknown_method
from ..minimize import attach
from ..options import Options, refuse, users_level
from ..workers import Pool, as_workers
from .batch import Batch, CallbackStopped
from .dispatch import Dispatch, in_order, mapped
from .tasks import Stop, Task

__all__ = ["minimize_many"]

#: Options that make no sense for many runs, or need Python between the iterations.
_REFUSED = (
    "history", "return_all", "verbose", "disp", "maxtime", "checkpoint", "checkpoint_every",
    "checkpoint_seconds", "resume", "workers",
)  # fmt: skip


def minimize_many(
    fun: Callable[..., Any],
    X0: Any,
    method: str | None = None,
    jac: Any = True,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    workers: Any = 1,
    *,
    bounds: Any = None,
    batched: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    callback: Callable[..., Any] | None = None,
    **unexpected: Never,
) -> OptimizeResult:
    """Minimise one function from each of many starts.

    If `fun` is compiled by numba, whole solves run in machine code, and threads run side by side.
    With a function of Python, `minimize` solves from each start, and threads take turns.

    Parameters
    ----------
    fun : callable
        As in `quasinewton.minimize`. A numba function returns (f, gradient), or is
        ``fun(x, g) -> f`` and fills g, where `jac` is True; else it returns f beside a numba
        function `jac`.
    X0 : array_like, shape (k, n)
        A start in each row; never changed.
    method : str, optional
        A quasi-Newton method of `quasinewton.minimize`; default as there.
    jac : callable or bool, default True
        As in `quasinewton.minimize`.
    tol, options
        As in `quasinewton.minimize`, without ``history``, ``return_all``, ``verbose``, ``disp``,
        ``maxtime`` and checkpoints; limits hold for each solve. With ``model``,
        ``check_curvature``, ``check_derivatives`` or ``noise='estimate'`` every start is solved
        by `minimize`.
    workers : int, executor or callable, default 1
        Who solves. A number: so many threads (-1: one for each core); functions of Python are
        called in threads only where it is not 1. An executor of `concurrent.futures`, or of
        another library in its form (a Client of dask.distributed, loky, mpi4py.futures), or a
        callable like `map`: what that calls, which may be processes or other machines. `fun` and
        `jac` must then be what it can send.
    bounds : scipy.optimize.Bounds or sequence of n pairs, optional
        As in `quasinewton.minimize`, the same for all starts. Starts outside of them are moved into
        them, with one OptimizeWarning.
    batched : bool, default False
        Whether `fun` takes an array of points, shape (m, n), and returns values, shape (m,), and
        gradients, shape (m, n); or values alone and a callable `jac` the gradients. The solves go
        in step: each call has the points that all of them ask for. m is k, until half of the
        solves have ended, and half as many then, and so on, so that a function that is compiled
        for each shape is compiled few times; rows that nobody asks for are copies of the last.
    checkpoint : str or path, optional
        A file that is written at the start, about every second in which starts have ended, and at
        the end, also that by an exception. If it is there, starts that have ended in it are not
        solved again. ValueError if it is of other starts, bounds, options or another method.
    callback : callable, optional
        ``callback(intermediate_result)``, called whenever starts have ended: with an
        OptimizeResult of the lowest point so far, ``done`` and ``starts`` (how many there are),
        and the sums of the counts. `quasinewton.progress()` shows them. If it raises
        StopIteration, what has not ended gets the status CALLBACK.

    Returns
    -------
    OptimizeResult
        ``x`` and ``jac`` of shape (k, n); ``fun, optimality, status, success, nit, nfev, njev``
        of shape (k,); ``execution_time`` of the whole; with bounds ``active`` of shape (k, n). See
        `quasinewton.minimize`.

    Warns
    -----
    RuntimeWarning
        If the process was lost that solved from a start, and lost again when that was tried once
        more; or a callable like `map` itself raised for it alone. It names the starts; their
        status is EXCEPTION.

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense, before `fun` is called.
    BaseException
        Whatever `fun` raises, and KeyboardInterrupt, once the evaluations and iterations under
        way have ended (in other processes they end by themselves); with everything found so far
        as in `quasinewton.minimize`.

    Examples
    --------
    >>> import numba, numpy as np
    >>> from quasinewton import minimize_many
    >>> @numba.njit
    ... def sphere(x):
    ...     return (x * x).sum(), 2.0 * x
    >>> minimize_many(sphere, np.ones((3, 2))).success
    array([ True,  True,  True])
    """
    refuse("minimize_many", unexpected)
    starts = np.asarray(X0)
    if starts.ndim != 2 or starts.size == 0 or starts.dtype.kind not in "biuf":
        raise ValueError(
            "`X0` must be an array of real numbers of shape (k, n) with k, n >= 1, got shape "
            f"{starts.shape}, dtype {starts.dtype}"
        )
    for name in _REFUSED:
        if name in (options or {}):
            raise ValueError(f"`minimize_many` does not take the option `{name}`")
    k, n = starts.shape
    if method is not None and method not in QUASI_NEWTON:
        raise ValueError(f"`method`: {unknown_method(method, QUASI_NEWTON)}")
    given = Options.parse(options, tol)
    engine = as_workers("`workers`", workers)
    if callback is not None and not callable(callback):
        raise TypeError(f"`callback` must be callable, got {type(callback).__name__}")
    if batched and not (jac is True or callable(jac)):
        raise ValueError(f"`jac` must be True or callable where `batched` is True, got {jac!r}")
    if batched and (given.check_curvature or given.check_derivatives):
        raise ValueError(
            "`minimize_many` checks no curvature and no derivatives where `batched` is True"
        )
    dtype = np.dtype(np.float32 if starts.dtype == np.float32 else np.float64)
    box = Box.parse(bounds, n, dtype)
    starts = np.array(starts, dtype, order="C")
    if box is not None:
        starts = box.start(starts)
    method = method or default_method(n)
    task = Task(fun, jac, method, given, box, bool(batched), engine != 1, os.getpid())
    pool = Pool(engine, ThreadPoolExecutor)
    if pool.map is None and isinstance(engine, int):  # compiled once, and errors before any work
        from ..solver.compiled import Evaluation

        compiled = not batched and Evaluation.of(fun, jac, dtype) is not None
    else:
        compiled = False
    batch, stop = Batch(starts, box, method, given, checkpoint, callback), Stop()
    lost: list[int] = []
    try:
        with batch:
            if pool.map is not None:
                lost = mapped(task, batch, pool.map, stop)
            elif engine == 1 and not compiled:
                in_order(task, batch, stop)
            else:  # machine code in a thread of its own, since it would not see Ctrl-C
                dispatch = Dispatch(pool, task, batch, stop)
                lost = dispatch.lost
                dispatch.run(whole=engine == 1 and checkpoint is None and callback is None)
    except CallbackStopped:
        batch.stopped()
    except BaseException as error:
        attach(
            error, batch.result(),
            f"raised after {batch.done} of {k} starts; what was found so far",
        )  # fmt: skip
        raise
    finally:
        stop.stop()  # threads of the user's, which a function like `map` leaves at work
        pool.close(at_once=True)
    if lost:
        warnings.warn(
            f"workers were lost, twice, with the starts {sorted(lost)}: their status is EXCEPTION",
            RuntimeWarning,
            stacklevel=users_level(),
        )
    return batch.result()

