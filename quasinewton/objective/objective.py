"""What the user gives - fun, jac, hess, hessp in all their forms - made uniform and counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import HessianUpdateStrategy
from scipy.optimize._numdiff import approx_derivative
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from ..vectors import norm2

__all__ = ["Counts", "Objective", "OutOfBudget", "as_value"]

_DIFFERENCES = ("2-point", "3-point", "cs")


class Counts:
    """Evaluations of the objective, the gradient, and Hessians or their products."""

    __slots__ = ("nfev", "nhev", "njev")

    def __init__(self, nfev: int = 0, njev: int = 0, nhev: int = 0) -> None:
        self.nfev, self.njev, self.nhev = nfev, njev, nhev


class OutOfBudget(Exception):
    """No further evaluation is allowed, in the middle of a difference."""


class Objective:
    """An objective at one point after another.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``, or ``-> (float, array)`` where `jac` is True.
    x0 : array, shape (n,)
        Gives shape and dtype.
    args : tuple
    jac : callable, bool, None or one of '2-point', '3-point', 'cs'
    hess : callable, HessianUpdateStrategy, one of '2-point', '3-point', 'cs', or None
        A callable returns an array, a sparse matrix or a LinearOperator.
    hessp : callable or None
        ``hessp(x, p, *args) -> array``.
    rel_step : float or None
        Relative step of differences.
    counts : Counts, optional
        Where to go on counting.
    spent : callable, optional
        ``spent() -> bool``, asked before each evaluation of a difference: whether that is one
        too many. `OutOfBudget` is then raised.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        x0: np.ndarray,
        args: tuple[Any, ...] = (),
        jac: Any = None,
        hess: Any = None,
        hessp: Any = None,
        rel_step: float | None = None,
        counts: Counts | None = None,
        spent: Callable[[], bool] = lambda: False,
    ) -> None:
        if not callable(fun):
            raise TypeError(f"`fun` must be callable, got {type(fun).__name__}")
        if isinstance(jac, str):
            if jac not in _DIFFERENCES:
                raise ValueError(f"`jac` must be one of {_DIFFERENCES} as a string, got {jac!r}")
        elif not (jac is None or isinstance(jac, bool | np.bool_) or callable(jac)):
            raise TypeError(
                f"`jac` must be callable, a bool, None or one of {_DIFFERENCES}, got {jac!r}"
            )
        if hessp is not None and not callable(hessp):
            raise TypeError(f"`hessp` must be callable or None, got {type(hessp).__name__}")
        if isinstance(hess, str) and hess not in _DIFFERENCES:
            raise ValueError(f"`hess` must be one of {_DIFFERENCES} as a string, got {hess!r}")
        if not (
            hess is None or callable(hess) or isinstance(hess, str)
            or _is_strategy(hess) or _is_matrix(hess)
        ):  # fmt: skip
            raise TypeError(
                "`hess` must be callable, a matrix, a HessianUpdateStrategy, None or one of "
                f"{_DIFFERENCES}, got {type(hess).__name__}"
            )
        self.counts = Counts() if counts is None else counts
        self._spent = spent
        self.n = x0.size
        self._x0_norm = norm2(x0)
        self._fun, self._jac, self._hess, self._hessp = fun, jac, hess, hessp
        self._args = args
        self.joint = isinstance(jac, bool | np.bool_) and bool(jac)
        self._scheme: str | None = None  # of differences for the gradient
        if isinstance(jac, str):
            self._scheme = jac
        elif not (callable(jac) or self.joint):
            self._scheme = "2-point"
        self._rel_step = rel_step
        self._x: np.ndarray | None = None  # where `fun` was called last
        self._f = math.nan
        self.held: Any = None  # the gradient, where it came with the value
        self._version = -1  # of the point whose Hessian is held
        self._matrix: Any = None
        self._previous: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def differences(self) -> bool:
        """Whether the gradient is made of differences of f."""
        return self._scheme is not None

    def fun(self, x: np.ndarray) -> float:
        """The objective at x. x is handed to the user, who may keep or change it."""
        self.counts.nfev += 1
        if not self.joint:
            self._x = x.copy()
        value = self._fun(x, *self._args)
        if self.joint:
            self.counts.njev += 1
            try:
                value, self.held = value
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"`fun` must return (f, gradient) where `jac` is True, got {value!r}"
                ) from error
        self._f = as_value(value)
        if self.joint and self.held is None and math.isfinite(self._f):
            raise TypeError("`fun` must return (f, gradient) where `jac` is True, got (f, None)")
        return self._f

    def gradient(self) -> np.ndarray:
        """The gradient at the point of the last call of `fun`."""
        if self.joint:
            return self.held  # type: ignore[no-any-return]
        assert self._x is not None
        return self._gradient_at(self._x, self._f)

    def _gradient_at(self, x: np.ndarray, f: float | None) -> np.ndarray:
        if self.joint:
            self.counts.nfev += 1
            self.counts.njev += 1
            return self._fun(x.copy(), *self._args)[1]  # type: ignore[no-any-return]
        self.counts.njev += 1
        if self._scheme is None:
            return self._jac(x.copy(), *self._args)  # type: ignore[no-any-return]

        def counted(z: np.ndarray) -> Any:
            if self._spent():
                raise OutOfBudget
            self.counts.nfev += 1
            value = self._fun(z.copy(), *self._args)
            return value if self._scheme == "cs" else as_value(value)

        gradient = approx_derivative(
            counted, x.astype(np.float64), method=self._scheme, rel_step=self._rel_step, f0=f
        )
        return np.atleast_1d(gradient)

    def product(self, x: np.ndarray, g: np.ndarray, d: np.ndarray, version: int) -> np.ndarray:
        """H(x) d.

        Parameters
        ----------
        x, g, d : arrays, shape (n,)
            Point, gradient there, direction.
        version : int
            Changes whenever x does.
        """
        if self._hessp is not None:
            self.counts.nhev += 1
            product = self._hessp(x.copy(), d.copy(), *self._args)
            if product is None:
                raise TypeError("`hessp` returned None: is there a `return` at its end?")
            return np.asarray(product).reshape(-1)
        if self._hess is None or isinstance(self._hess, str):
            return self._difference(x, g, d)
        if version != self._version:
            self._renew(x, g)
            self._version = version
        if _is_strategy(self._matrix):
            return self._matrix.dot(d)  # type: ignore[no-any-return]
        return np.asarray(self._matrix @ d).reshape(-1)

    def _renew(self, x: np.ndarray, g: np.ndarray) -> None:
        """Make the Hessian that `hess` stands for that of x."""
        hess = self._hess
        if _is_strategy(hess):
            if self._previous is None:
                hess.initialize(self.n, "hess")
            else:
                hess.update(x - self._previous[0], g - self._previous[1])
            self._previous = (x.copy(), g.copy())
            self._matrix = hess
            return
        if _is_matrix(hess):
            self._matrix = hess
        else:
            self.counts.nhev += 1
            self._matrix = hess(x.copy(), *self._args)
            if self._matrix is None:
                raise TypeError("`hess` returned None: is there a `return` at its end?")
            if not _is_matrix(self._matrix):
                self._matrix = np.asarray(self._matrix)
        if self._matrix.shape != (self.n, self.n):
            raise ValueError(
                f"the Hessian must have shape {(self.n, self.n)}, got {self._matrix.shape}"
            )

    def _difference(self, x: np.ndarray, g: np.ndarray, d: np.ndarray) -> np.ndarray:
        """(g(x + h d) - g(x)) / h, with h |d| in proportion to |x|."""
        eps = float(np.finfo(x.dtype).eps)
        if self._scheme in ("2-point", "3-point"):
            eps = eps ** (2.0 / 3.0)  # the gradient is itself a difference
        scale = max(norm2(x), self._x0_norm) or 1.0
        relative = self._rel_step or math.sqrt(eps)
        h = relative * scale / norm2(d)
        shifted = (x + h * d).astype(x.dtype)
        gradient = np.asarray(self._gradient_at(shifted, None), np.float64).reshape(-1)
        return np.asarray((gradient - g) / h, x.dtype)


def as_value(value: Any) -> float:
    """A float from what `fun` returned: a number or an array of one."""
    if type(value) is float:
        return value
    if hasattr(value, "detach"):  # a tensor of PyTorch, with the graph that made it
        value = value.detach()
    try:
        return float(np.asarray(value).item())
    except (TypeError, ValueError) as error:
        hint = ""
        if value is None:
            hint = ": is there a `return` at its end?"
        elif isinstance(value, tuple) and len(value) == 2:
            hint = "; if it returns (f, gradient), pass `jac=True`"
        raise ValueError(
            f"The user-provided objective function must return a scalar value, got {value!r}{hint}"
        ) from error


def _is_strategy(hess: Any) -> bool:
    return isinstance(hess, HessianUpdateStrategy)


def _is_matrix(hess: Any) -> bool:
    return isinstance(hess, np.ndarray | LinearOperator) or issparse(hess)
