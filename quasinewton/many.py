"""Many solves of one function, from many starts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from .methods import QUASI_NEWTON, default_method
from .minimize import minimize
from .options import Options
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
        Number of threads.

    Returns
    -------
    OptimizeResult
        ``x`` and ``jac`` of shape (k, n); ``fun, optimality, status, success, nit, nfev, njev``
        of shape (k,); ``execution_time`` of the whole.

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense, before `fun` is called.
    BaseException
        Whatever `fun` raises, with everything found so far in its attribute ``result``.

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
        raise ValueError(
            f"`method` must be one of {', '.join(QUASI_NEWTON)}, got {method!r}"
        )
    parsed = Options.parse(options, tol)
    batch = _Batch(np.float32 if starts.dtype == np.float32 else np.float64, starts)

    from .solver.compiled import Evaluation

    evaluation = Evaluation.of(fun, jac, batch.x.dtype)
    if method is None:
        method = default_method(n)

    def one_by_one(part: slice) -> None:
        for i in range(part.start, part.stop):
            try:
                batch.keep(
                    i, minimize(fun, starts[i], jac=jac, method=method, tol=tol, options=options)
                )
            except BaseException as error:
                if hasattr(error, "result"):
                    batch.keep(i, error.result)
                raise

    def compiled(part: slice) -> None:
        assert evaluation is not None
        batch.solve(part, evaluation, method, parsed)

    # several parts a worker, since some starts take longer
    size = max(1, math.ceil(k / (8 * workers))) if workers > 1 else k
    parts = [slice(i, min(i + size, k)) for i in range(0, k, size)]
    looked_at = parsed.check_curvature or parsed.check_derivatives or parsed.model is not None
    work = one_by_one if evaluation is None or looked_at else compiled
    try:
        if workers == 1:
            work(parts[0])
        else:
            with ThreadPoolExecutor(workers) as pool:
                for future in [pool.submit(work, part) for part in parts]:
                    future.result()
    except BaseException as error:
        error.result = batch.result(began)  # type: ignore[attr-defined]
        raise
    return batch.result(began)


class _Batch:
    """The arrays of a result."""

    def __init__(self, dtype: Any, starts: np.ndarray) -> None:
        k, _ = starts.shape
        self.x = np.array(starts, dtype, order="C")
        self.jac = np.full_like(self.x, np.nan)
        self.fun = np.full(k, np.nan)
        self.status = np.full(k, int(Status.EXCEPTION), np.int64)  # until it is known better
        self.counts = np.zeros((k, 3), np.int64)

    def keep(self, i: int, result: OptimizeResult) -> None:
        self.x[i], self.fun[i], self.jac[i] = result.x, result.fun, result.jac
        self.status[i] = result.status
        self.counts[i] = result.nfev, result.njev, result.nit

    def solve(self, part: slice, evaluation: Any, method: str, options: Options) -> None:
        from .solver.compiled import solve_many

        x, jac, ends, error = solve_many(
            evaluation, self.x[part], QUASI_NEWTON[method], options
        )
        self.x[part], self.jac[part], self.fun[part] = x, jac, ends["f"]
        self.status[part] = ends["status"]
        for column, name in enumerate(("nfev", "njev", "nit")):
            self.counts[part, column] = ends[name]
        if error is not None:
            raise error

    def result(self, began: float) -> OptimizeResult:
        return OptimizeResult(
            x=self.x,
            fun=self.fun,
            jac=self.jac,
            optimality=np.max(np.abs(self.jac), axis=1),
            status=self.status,
            success=self.status == int(Status.CONVERGED),
            nfev=self.counts[:, 0],
            njev=self.counts[:, 1],
            nit=self.counts[:, 2],
            execution_time=time.perf_counter() - began,
        )
