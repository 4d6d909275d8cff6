"""Runs of different methods on one target, counted alike, and tables of them."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from ..minimize import minimize
from ..status import Status
from .target import Target

__all__ = ["SCIPY", "Run", "failed", "run_ours", "run_scipy", "table", "text_table"]

#: SciPy's methods for comparison, with what each needs: products with the Hessian, n x n arrays.
SCIPY: dict[str, str] = {
    "L-BFGS-B": "",
    "BFGS": "matrix",
    "CG": "",
    "trust-ncg": "products",
    "trust-krylov": "products",
    "Newton-CG": "products",
}

#: In SciPy's options there is no value for "no limit".
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class Run:
    """One line of a comparison.

    `products` counts Hessian-vector products. `history`, where asked for, holds arrays as the
    option `history` of `minimize` does - ``fun, optimality, nfev, time`` - over the evaluations
    that found no higher f than all before.
    """

    method: str
    f: float
    optimality: float
    nit: int
    nfev: int
    njev: int
    products: int
    seconds: float
    converged: bool
    status: str
    history: dict[str, np.ndarray] | None = None


class _Counted:
    """The functions of a target with their calls counted, which SciPy does not do for products.

    With `record`, `rows` are what `Run.history` is made of.
    """

    def __init__(self, target: Target, record: bool = False) -> None:
        self._target = target
        self.rows: list[tuple[float, ...]] | None = [] if record else None
        self._last: tuple[np.ndarray, float] | None = None  # x and f
        self._start = time.perf_counter()
        self.nfev = self.njev = self.products = 0
        self._at: np.ndarray | None = None
        self._g = np.empty(0)
        jac: Any = "2-point"
        if target.joint:
            jac = True
        elif target.grad is not None:
            jac = self.grad
        self.functions = {
            "fun": self.fun,
            "jac": jac,
            "hessp": None if target.hessp is None else self.hessp,
        }

    def fun(self, x: np.ndarray) -> Any:
        self.nfev += 1
        value = self._target.fun(x)
        if self._target.joint:
            self.njev += 1
            self._at, self._g = x.copy(), np.array(value[1])
        if self.rows is not None:
            self._last = x.copy(), float(value[0] if self._target.joint else value)
            if self._target.grad is None and not self._target.joint:
                self._note(np.nan)
            elif self._at is not None and np.array_equal(self._at, x):
                self._note(self._g)
        return value

    def grad(self, x: np.ndarray) -> np.ndarray:
        # The stop test below asks where SciPy has asked or will ask.
        if self._at is None or not np.array_equal(self._at, x):
            self.njev += 1
            self._at, self._g = x.copy(), np.array(self._target.gradient(x))
            if self._last is not None and np.array_equal(self._last[0], x):
                self._note(self._g)
        return self._g.copy()

    def _note(self, g: Any) -> None:
        assert self.rows is not None and self._last is not None
        f = self._last[1]
        if f <= (self.rows[-1][0] if self.rows else math.inf):
            seconds = time.perf_counter() - self._start
            self.rows.append((f, float(np.max(np.abs(g))), self.nfev, seconds))

    def hessp(self, x: np.ndarray, p: np.ndarray) -> Any:
        assert self._target.hessp is not None
        self.products += 1
        return self._target.hessp(x, p)


def run_ours(
    target: Target, method: str, options: Mapping[str, Any], tolerance: float, record: bool = False
) -> Run:
    """Run a method of this package.

    Parameters
    ----------
    target : Target
    method : str
        A name in `quasinewton.methods.METHODS`.
    options : mapping
        As for `quasinewton.minimize`.
    tolerance : float
        `Run.converged` says whether max|g| <= tolerance.
    record : bool, default False
        Whether to keep `Run.history`.
    """
    _warm(method)
    counted = _Counted(target, record)
    start = time.perf_counter()
    result = minimize(x0=target.x0, method=method, options=options, **counted.functions)
    seconds = time.perf_counter() - start
    status = Status(result.status).name.lower()
    return _run(method, target, counted, result, seconds, tolerance, status)


def run_scipy(
    target: Target, method: str, options: Mapping[str, Any], tolerance: float, record: bool = False
) -> Run:
    """Run a method of SciPy, as `run_ours`, with `maxiter`, `maxfev` and `memory` of `options`."""
    counted = _Counted(target, record)
    functions = dict(counted.functions)
    # Where roundoff ends all progress, trust regions shrink on without end: our default limit.
    most = max(1000, 200 * target.x0.size) if "products" in SCIPY[method] else _NO_LIMIT
    limits: dict[str, Any] = {"maxiter": options.get("maxiter") or most, "gtol": tolerance}
    callback = None
    if method == "L-BFGS-B":
        limits["ftol"] = 0.0
        limits["maxfun"] = options.get("maxfev") or _NO_LIMIT
        if options.get("memory"):
            limits["maxcor"] = options["memory"]
    elif "products" in SCIPY[method]:
        # Their own tests are others: |g| in the 2-norm, or the length of the step.
        if method == "Newton-CG":
            del limits["gtol"]
            limits["xtol"] = np.finfo(float).tiny  # old SciPy fails at 0

        seen = np.full_like(target.x0, np.nan)

        def callback(x: np.ndarray) -> None:
            if np.array_equal(x, seen):
                return  # after a rejected step
            seen[:] = x
            if float(np.max(np.abs(counted.grad(x)))) <= tolerance:
                raise StopIteration

    if "products" not in SCIPY[method]:
        functions["hessp"] = None
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = optimize.minimize(
            x0=target.x0, method=method, options=limits, callback=callback, **functions
        )
    seconds = time.perf_counter() - start
    status = str(result.message).partition("\n")[0].strip(" :.")
    if len(status) > 40:
        status = status[:37] + "..."
    return _run(f"SciPy {method}", target, counted, result, seconds, tolerance, status)


def failed(method: str, error: Exception) -> Run:
    """The line of a method that raised an exception."""
    status = f"{type(error).__name__}: {error}".partition("\n")[0]
    return Run(method, math.nan, math.nan, 0, 0, 0, 0, math.nan, False, status[:60])


def _run(
    method: str,
    target: Target,
    counted: _Counted,
    result: Any,
    seconds: float,
    tolerance: float,
    status: str,
) -> Run:
    differences = target.grad is None and not target.joint
    if differences:
        # the difference of differences would be another gradient than the one that was used
        optimality, njev = float(np.max(np.abs(result.jac))), int(result.njev)
    else:
        optimality, njev = float(np.max(np.abs(target.gradient(result.x)))), counted.njev
    converged = optimality <= tolerance
    history = None
    if counted.rows is not None:
        last = math.nan if differences else optimality
        rows = [*counted.rows, (float(result.fun), last, counted.nfev, seconds)]
        names = ("fun", "optimality", "nfev", "time")
        history = dict(zip(names, np.array(rows).T, strict=True))
    return Run(
        method, float(result.fun), optimality, int(result.nit), counted.nfev, njev,
        counted.products, seconds, converged, "converged" if converged else status, history,
    )  # fmt: skip


def _warm(method: str) -> None:
    """Have numba compile, or load, the kernels of a method before time is taken."""
    from scipy.optimize import rosen, rosen_der, rosen_hess_prod

    minimize(rosen, [-1.2, 1.0], jac=rosen_der, hessp=rosen_hess_prod, method=method)


def table(runs: Sequence[Run]) -> str:
    """Runs side by side."""
    head = ("method", "f", "max|g|", "iterations", "nfev", "njev", "products", "seconds", "status")
    rows = [
        (
            run.method, f"{run.f:.8e}", f"{run.optimality:.1e}", str(run.nit), str(run.nfev),
            str(run.njev), str(run.products), f"{run.seconds:.4f}", run.status,
        )
        for run in runs
    ]  # fmt: skip
    return text_table(head, rows, "<>>>>>>><")


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """Columns of text, aligned by the characters of `align`."""
    lines = [head, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return "\n".join(
        "  ".join(
            f"{cell:{how}{width}}" for cell, how, width in zip(line, align, widths, strict=True)
        ).rstrip()
        for line in lines
    )
