"""Many solves of one function, from many starts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Never

import numpy as np
from scipy.optimize import OptimizeResult

from .box import Box
from .methods import QUASI_NEWTON, default_method, unknown_method
from .minimize import attach, attached, minimize
from .options import Options, refuse
from .status import Status

__all__ = ["minimize_many"]

#: Options that make no sense for many runs, or need Python between the iterations.
_REFUSED = (
    "history", "return_all", "verbose", "disp", "maxtime", "checkpoint", "checkpoint_every",
    "checkpoint_seconds", "resume",
)  # fmt: skip


def minimize_many(
    fun: Callable[..., Any],
    X0: Any,
    method: str | None = None,
    jac: Any = True,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
    workers: int = 1,
    *,
    bounds: Any = None,
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
        ``check_curvature`` or ``check_derivatives`` every start is solved by `minimize`.
    workers : int, default 1
        Number of threads. Functions of Python are called in threads only where it is above 1.
    bounds : scipy.optimize.Bounds or sequence of n pairs, optional
        As in `quasinewton.minimize`, the same for all starts. Starts outside of them are moved into
        them, with one OptimizeWarning.

    Returns
    -------
    OptimizeResult
        ``x`` and ``jac`` of shape (k, n); ``fun, optimality, status, success, nit, nfev, njev``
        of shape (k,); ``execution_time`` of the whole; with bounds ``active`` of shape (k, n). See
        `quasinewton.minimize`.

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense, before `fun` is called.
    BaseException
        Whatever `fun` raises, and KeyboardInterrupt, once the evaluations and iterations under
        way have ended; with everything found so far as in `quasinewton.minimize`.

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
    began = time.perf_counter()
    starts = np.asarray(X0)
    if starts.ndim != 2 or starts.size == 0 or starts.dtype.kind not in "biuf":
        raise ValueError(
            "`X0` must be an array of real numbers of shape (k, n) with k, n >= 1, got shape "
            f"{starts.shape}, dtype {starts.dtype}"
        )
    if not isinstance(workers, int | np.integer) or workers < 1:
        raise ValueError(f"`workers` must be an integer >= 1, got {workers!r}")
    for name in _REFUSED:
        if name in (options or {}):
            raise ValueError(f"`minimize_many` does not take the option `{name}`")
    k, n = starts.shape
    if method is not None and method not in QUASI_NEWTON:
        raise ValueError(f"`method`: {unknown_method(method, QUASI_NEWTON)}")
    parsed = Options.parse(options, tol)
    dtype = np.float32 if starts.dtype == np.float32 else np.float64
    box = Box.parse(bounds, n, dtype)
    if box is not None:
        starts = box.start(starts.astype(dtype))
    batch = _Batch(dtype, starts, box)

    from .solver.compiled import Evaluation, many_limits

    evaluation = Evaluation.of(fun, jac, batch.x.dtype)
    if method is None:
        method = default_method(n)
    looked_at = parsed.check_curvature or parsed.check_derivatives or parsed.model is not None
    compiled = evaluation is not None and not looked_at

    # several parts a worker, since some starts take longer
    size = max(1, math.ceil(k / (8 * workers))) if workers > 1 else k
    parts = [slice(i, min(i + size, k)) for i in range(0, k, size)]
    if compiled:
        assert evaluation is not None
        batch.limits = many_limits(evaluation, batch.x, parsed, len(parts))

    def one_by_one(j: int) -> None:
        given, callback = (fun, jac), None
        if evaluation is not None:
            callback = batch.check
        elif workers > 1:
            given = batch.checking(fun), batch.checking(jac) if callable(jac) else jac
        for i in range(k)[parts[j]]:
            try:
                result = minimize(
                    given[0], starts[i], jac=given[1], method=method, tol=tol, options=options,
                    callback=callback, bounds=bounds,
                )  # fmt: skip
            except BaseException as error:
                partial = attached(error)
                if partial is not None:
                    batch.keep(i, partial)
                raise
            batch.keep(i, result)

    def in_machine_code(j: int) -> None:
        batch.solve(parts[j], evaluation, method, parsed, batch.limits[j : j + 1])

    work = in_machine_code if compiled else one_by_one
    try:
        if workers == 1 and not compiled:
            work(0)
        else:  # machine code in a thread of its own, since it would not see Ctrl-C
            batch.in_threads(work, len(parts), workers)
    except BaseException as error:
        result = batch.result(began)
        done = int(np.sum(result.status != Status.EXCEPTION))
        attach(error, result, f"raised after {done} of {k} starts; what was found so far")
        raise
    return batch.result(began)


class _Stopped(BaseException):
    """Another start has ended them all."""


class _Batch:
    """The arrays of a result, and what stops the threads that fill them."""

    def __init__(self, dtype: Any, starts: np.ndarray, box: Box | None) -> None:
        k, _ = starts.shape
        self.box = box
        self.x = np.array(starts, dtype, order="C")
        self.jac = np.full_like(self.x, np.nan)
        self.fun = np.full(k, np.nan)
        self.status = np.full(k, int(Status.EXCEPTION), np.int64)  # until it is known better
        self.counts = np.zeros((k, 3), np.int64)
        self.limits: np.ndarray = np.zeros(0)  # those of machine code, for each part
        self.stopped = False

    def in_threads(self, work: Callable[[int], None], parts: int, workers: int) -> None:
        """Do all parts; after an exception or Ctrl-C only the evaluations under way are ended."""

        def do(j: int) -> None:
            try:
                work(j)
            except _Stopped:
                return
            except BaseException:
                self.stop()
                raise

        pool = ThreadPoolExecutor(workers)
        try:
            for future in as_completed([pool.submit(do, j) for j in range(parts)]):
                future.result()
        finally:
            self.stop()
            pool.shutdown(cancel_futures=True)

    def stop(self) -> None:
        """Have every thread end."""
        self.stopped = True
        if self.limits.size:
            self.limits["stopped"] = 1.0

    def check(self, _: Any = None) -> None:
        """Raise where the threads are to end."""
        if self.stopped:
            raise _Stopped

    def checking(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that is called no more once the threads are to end."""

        def checked(*args: Any) -> Any:
            self.check()
            return function(*args)

        return checked

    def keep(self, i: int, result: OptimizeResult) -> None:
        self.x[i], self.fun[i], self.jac[i] = result.x, result.fun, result.jac
        self.status[i] = result.status
        self.counts[i] = result.nfev, result.njev, result.nit

    def solve(
        self, part: slice, evaluation: Any, method: str, options: Options, limits: np.ndarray
    ) -> None:
        from .solver.compiled import solve_many

        x, jac, ends, error = solve_many(
            evaluation, self.x[part], QUASI_NEWTON[method], options, limits,
            *(() if self.box is None else (self.box,)),
        )  # fmt: skip
        self.x[part], self.jac[part], self.fun[part] = x, jac, ends["f"]
        self.status[part] = ends["status"]
        for column, name in enumerate(("nfev", "njev", "nit")):
            self.counts[part, column] = ends[name]
        if error is not None:
            raise error

    def result(self, began: float) -> OptimizeResult:
        gradients, more = self.jac, {}
        if self.box is not None:
            gradients = self.box.residual(self.x, self.jac)
            more["active"] = self.box.active(self.x)
        return OptimizeResult(
            x=self.x,
            fun=self.fun,
            jac=self.jac,
            optimality=np.max(np.abs(gradients), axis=1),
            status=self.status,
            success=self.status == int(Status.CONVERGED),
            nfev=self.counts[:, 0],
            njev=self.counts[:, 1],
            nit=self.counts[:, 2],
            execution_time=time.perf_counter() - began,
            **more,
        )
