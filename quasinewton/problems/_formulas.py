"""Derivatives of formulas of few variables, and constraints in rows.

Constraints come as rows that differ in all they do, for which groups of like terms, see
`_structure`, are too long.  Here a formula is written once, and evaluated either with numbers or
with jets, which carry a gradient and a Hessian matrix along: n^2 numbers for each operation, hence
for few variables only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike

from ._registry import Constraints, Functions, Parts, Vector

Formula = Callable[..., Any]
"""A function of the variables, one by one, of numbers as of jets."""

Sides = tuple[ArrayLike, ArrayLike]
"""Lower and upper bounds."""


class Jet(NDArrayOperatorsMixin):
    """A number, or a vector of numbers, with first and second derivatives.

    Attributes
    ----------
    value : ndarray of shape (...)
    grad : ndarray of shape (..., n)
    hess : ndarray of shape (..., n, n), or None
        None where only first derivatives are asked for.
    """

    __slots__ = ("grad", "hess", "value")

    def __init__(self, value: Any, grad: Any, hess: Any = None) -> None:
        self.value, self.grad, self.hess = value, grad, hess

    @classmethod
    def variables(cls, x: Vector, second: bool) -> Jet:
        """The variables themselves at x, a vector."""
        n = x.size
        hess = np.zeros((n, n, n), x.dtype) if second else None
        return cls(x, np.eye(n, dtype=x.dtype), hess)

    def __getitem__(self, k: Any) -> Jet:
        return Jet(self.value[k], self.grad[k], None if self.hess is None else self.hess[k])

    def __len__(self) -> int:
        return len(self.value)

    def sum(self) -> Jet:
        """The sum of a vector."""
        hess = None if self.hess is None else self.hess.sum(axis=0)
        return Jet(self.value.sum(), self.grad.sum(axis=0), hess)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        rule = _RULES.get(ufunc)
        if rule is None or method != "__call__" or kwargs:
            return NotImplemented
        return rule(*inputs)


def _chain(u: Jet, value: Any, first: Any, second: Any) -> Jet:
    """The jet of g(u), by the value of g and its derivatives at u."""
    hess = None
    if u.hess is not None:
        outer = u.grad[..., :, np.newaxis] * u.grad[..., np.newaxis, :]
        first_, second_ = (np.asarray(d)[..., np.newaxis, np.newaxis] for d in (first, second))
        hess = first_ * u.hess + second_ * outer
    return Jet(value, np.asarray(first)[..., np.newaxis] * u.grad, hess)


def _add(a: Any, b: Any) -> Jet:
    if not isinstance(a, Jet) or not isinstance(b, Jet):
        u, c = (a, b) if isinstance(a, Jet) else (b, a)
        value = u.value + c
        if np.shape(value) == np.shape(u.value):
            return Jet(value, u.grad, u.hess)
        shape, n = np.shape(value), u.grad.shape[-1]
        hess = None if u.hess is None else np.broadcast_to(u.hess, (*shape, n, n))
        return Jet(value, np.broadcast_to(u.grad, (*shape, n)), hess)
    hess = None if a.hess is None else a.hess + b.hess
    return Jet(a.value + b.value, a.grad + b.grad, hess)


def _multiply(a: Any, b: Any) -> Jet:
    if not isinstance(a, Jet) or not isinstance(b, Jet):
        u, c = (a, b) if isinstance(a, Jet) else (b, a)
        return _chain(u, u.value * c, c, np.zeros_like(c))
    v, w = np.asarray(a.value)[..., np.newaxis], np.asarray(b.value)[..., np.newaxis]
    hess = None
    if a.hess is not None:
        outer = a.grad[..., :, np.newaxis] * b.grad[..., np.newaxis, :]
        hess = v[..., np.newaxis] * b.hess + w[..., np.newaxis] * a.hess
        hess = hess + outer + np.swapaxes(outer, -1, -2)
    return Jet(a.value * b.value, v * b.grad + w * a.grad, hess)


def _power(u: Any, k: Any) -> Jet:
    assert isinstance(u, Jet) and not isinstance(k, Jet)
    # A factor of zero leaves nothing of a power that may be infinite.
    first = k * u.value ** (k - 1) if k != 1 else np.ones_like(u.value)
    second = k * (k - 1) * (np.ones_like(u.value) if k in (1, 2) else u.value ** (k - 2))
    return _chain(u, u.value**k, first, second)


def _divide(a: Any, b: Any) -> Jet:
    return _multiply(a, _power(b, -1.0) if isinstance(b, Jet) else 1 / b)


def _matmul(a: Any, u: Any) -> Jet:
    assert isinstance(u, Jet) and not isinstance(a, Jet)
    hess = None if u.hess is None else np.tensordot(a, u.hess, axes=1)
    return Jet(a @ u.value, a @ u.grad, hess)


def _sqrt(u: Jet) -> Jet:
    root = np.sqrt(u.value)
    return _chain(u, root, 0.5 / root, -0.25 / (root * u.value))


def _exp(u: Jet) -> Jet:
    e = np.exp(u.value)
    return _chain(u, e, e, e)


def _sin(u: Jet) -> Jet:
    s = np.sin(u.value)
    return _chain(u, s, np.cos(u.value), -s)


def _cos(u: Jet) -> Jet:
    c = np.cos(u.value)
    return _chain(u, c, -np.sin(u.value), -c)


_RULES: dict[np.ufunc, Callable[..., Jet]] = {
    np.add: _add,
    np.subtract: lambda a, b: _add(a, -b),
    np.negative: lambda u: _multiply(u, -1.0),
    np.multiply: _multiply,
    np.divide: _divide,
    np.power: _power,
    np.matmul: _matmul,
    np.sqrt: _sqrt,
    np.exp: _exp,
    np.log: lambda u: _chain(u, np.log(u.value), 1 / u.value, -1 / (u.value * u.value)),
    np.sin: _sin,
    np.cos: _cos,
}


def objective(formula: Formula) -> Functions:
    """Return the function that a formula of the vector x is, with its derivatives."""
    return Functions(
        formula,
        lambda x: np.asarray(formula(Jet.variables(x, False)).grad),
        lambda x, p: np.asarray(formula(Jet.variables(x, True)).hess @ p),
    )


def rows(*blocks: tuple[Formula, ArrayLike, ArrayLike], x0: ArrayLike) -> Constraints:
    """Return constraints that are written row by row.

    Parameters
    ----------
    *blocks : tuple
        ``(formula, lower, upper)``: the formula returns some rows for the vector x, a sequence of
        them or a vector, which are to be between `lower` and `upper`, numbers or one for each row.
    x0 : array_like
        A point to count the rows at.
    """
    start = np.asarray(x0, dtype=np.float64)

    def each(x: Any) -> Iterable[Any]:
        for formula, _, _ in blocks:
            yield from formula(x)

    def fun(x: Vector) -> Vector:
        return np.array(list(each(x)), dtype=x.dtype)

    def jac(x: Vector) -> Vector:
        return np.array([row.grad for row in each(Jet.variables(x, False))])

    def hess(x: Vector, v: Vector) -> Vector:
        return np.asarray(sum(w * row.hess for w, row in zip(
            v, each(Jet.variables(x, True)), strict=True
        )))  # fmt: skip

    with np.errstate(all="ignore"):
        counts = [len(formula(start)) for formula, _, _ in blocks]
    lower, upper = (
        np.concatenate([
            np.broadcast_to(np.asarray(block[side], np.float64), (count,))
            for block, count in zip(blocks, counts, strict=True)
        ])
        for side in (1, 2)
    )  # fmt: skip
    return Constraints(fun, jac, hess, lower, upper)


def constrained(
    f: Formula,
    x0: ArrayLike,
    *,
    nonnegative: Formula | None = None,
    zero: Formula | None = None,
    between: tuple[Formula, ArrayLike, ArrayLike] | None = None,
    bounds: Sides | None = None,
    minimizers: Iterable[ArrayLike] = (),
    fmin: float | None = None,
    other_minima: Iterable[float] = (),
    whole: bool = False,
) -> Parts:
    """Return a problem with constraints by its formulas.

    Parameters
    ----------
    f, nonnegative, zero : callable
        The objective; the rows that are to be at least zero, and those to be zero, as tuples or
        vectors.  The arguments are the variables.
    between : tuple
        ``(formula, lower, upper)``, rows with bounds on two sides.
    x0, bounds, minimizers, other_minima
        As in `Parts`.
    fmin : float, optional
        By default the value at the first minimiser.
    whole : bool
        Whether the formulas take one vector instead of the variables one by one.
    """

    def taking(formula: Formula) -> Formula:
        return formula if whole else lambda x: formula(*x)

    blocks: list[tuple[Formula, ArrayLike, ArrayLike]] = []
    if nonnegative is not None:
        blocks.append((taking(nonnegative), 0.0, np.inf))
    if between is not None:
        blocks.append((taking(between[0]), *between[1:]))
    if zero is not None:
        blocks.append((taking(zero), 0.0, 0.0))
    functions = objective(taking(f))
    points = [np.asarray(x, dtype=np.float64) for x in minimizers]
    if fmin is None and points:
        fmin = float(functions.fun(points[0]))
    return Parts(
        functions,
        x0=x0,
        fmin=fmin,
        minimizers=points,
        other_minima=tuple(other_minima),
        bounds=bounds,
        constraints=rows(*blocks, x0=x0),
    )
