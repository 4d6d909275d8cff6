"""Derivatives of sums of simple terms.

Almost all classical test functions have one of two structures, from which the gradient and the
Hessian-vector product follow by the chain rule:

* group partial separability [1]_, ``f(x) = sum_k sum_i g_k(e_k(x[s_1][i], ..., x[s_a][i]))``,
  where g is the identity, the square or the fourth power, e has a few arguments, and each
  argument runs over a slice of x, see `group_separable`;
* a sum of squares ``f(x) = sum_i r_i(x)^2`` whose residuals involve all variables, see
  `least_squares`.

References
----------
.. [1] A. R. Conn, N. I. M. Gould and Ph. L. Toint, "An introduction to the structure of large
   scale nonlinear optimization problems and the LANCELOT project", in Computing Methods in
   Applied Sciences and Engineering, SIAM, 1990, pp. 42-54.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._registry import Functions, Vector

Outer = tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]
"""A function of one variable, its first and its second derivative."""

SQUARE: Outer = (lambda r: r * r, lambda r: 2 * r, lambda r: 2)
QUARTIC: Outer = (lambda r: (r * r) ** 2, lambda r: 4 * r**3, lambda r: 12 * (r * r))


def at(i: int) -> slice:
    """Return the slice of the single index i >= 0, for a variable shared by all terms."""
    return slice(i, i + 1)


@dataclass(frozen=True)
class Group:
    """The terms ``outer(value(x[where[0]], x[where[1]], ...))``, to be summed.

    Attributes
    ----------
    where : tuple of slice
        For each argument the slice of x it runs over.  All have the same length, or length one.
    value, grad : callable
        The element function e and the sequence of its partial derivatives.
    hess : callable or None
        The nonzero second derivatives of e, as a mapping from (a, b), a <= b.  None if e is
        linear.
    outer : tuple of callable or None
        The function g with two derivatives, None for the identity.
    terms : int or None
        The number of terms, needed if all slices have length one.
    """

    where: tuple[slice, ...]
    value: Callable[..., Any]
    grad: Callable[..., tuple[Any, ...]]
    hess: Callable[..., Mapping[tuple[int, int], Any]] | None = None
    outer: Outer | None = None
    terms: int | None = None


class _Located:
    """A group with its slices resolved for vectors of length n."""

    def __init__(self, group: Group, n: int) -> None:
        self.group = group
        self.lengths = [len(range(*s.indices(n))) for s in group.where]
        self.terms = max(self.lengths) if group.terms is None else group.terms

    def value(self, x: Vector) -> Any:
        e = self.group.value(*[x[s] for s in self.group.where])
        if self.group.outer is not None:
            e = self.group.outer[0](e)
        return np.sum(np.broadcast_to(e, (self.terms,)))

    def _scatter(self, out: Vector, a: int, term: Any) -> None:
        if self.lengths[a] == 1:
            term = np.sum(np.broadcast_to(term, (self.terms,)))
        out[self.group.where[a]] += term

    def add_grad(self, x: Vector, out: Vector) -> None:
        group = self.group
        arguments = [x[s] for s in group.where]
        partial = group.grad(*arguments)
        slope = None if group.outer is None else group.outer[1](group.value(*arguments))
        for a, d in enumerate(partial):
            self._scatter(out, a, d if slope is None else slope * d)

    def add_hessp(self, x: Vector, p: Vector, out: Vector) -> None:
        group = self.group
        arguments = [x[s] for s in group.where]
        direction = [p[s] for s in group.where]
        slope = None
        if group.outer is not None:
            e = group.value(*arguments)
            slope = group.outer[1](e)
            partial = group.grad(*arguments)
            bend = group.outer[2](e) * sum(d * q for d, q in zip(partial, direction, strict=True))
            for a, d in enumerate(partial):
                self._scatter(out, a, bend * d)
        if group.hess is not None:
            for (a, b), h in group.hess(*arguments).items():
                weight = h if slope is None else slope * h
                self._scatter(out, a, weight * direction[b])
                if a != b:
                    self._scatter(out, b, weight * direction[a])


def group_separable(n: int, *groups: Group, constant: float = 0.0) -> Functions:
    """Return ``f(x) = constant + sum of all groups`` of n variables with its derivatives."""
    located = [_Located(group, n) for group in groups]

    def fun(x: Vector) -> Any:
        return constant + sum(group.value(x) for group in located)

    def grad(x: Vector) -> Vector:
        out = np.zeros_like(x)
        for group in located:
            group.add_grad(x, out)
        return out

    def hessp(x: Vector, p: Vector) -> Vector:
        out = np.zeros_like(x)
        for group in located:
            group.add_hessp(x, p, out)
        return out

    return Functions(fun, grad, hessp)


def least_squares(
    residual: Callable[[Vector], Vector],
    jvp: Callable[[Vector, Vector], Vector],
    vjp: Callable[[Vector, Vector], Vector],
    curvature: Callable[[Vector, Vector, Vector], Vector],
) -> Functions:
    """Return ``f(x) = sum_i r_i(x)^2`` with its derivatives.

    Parameters
    ----------
    residual : callable
        ``residual(x)``, the vector r(x).
    jvp, vjp : callable
        ``jvp(x, v)``, the Jacobian matrix times v, and ``vjp(x, u)``, its transpose times u.
    curvature : callable
        ``curvature(x, r, v)``, the matrix ``sum_i r_i H_i(x)`` times v, where H_i is the Hessian
        matrix of the i-th residual.
    """

    def fun(x: Vector) -> Any:
        r = residual(x)
        return r @ r

    def grad(x: Vector) -> Vector:
        return np.asarray(2 * vjp(x, residual(x)))

    def hessp(x: Vector, p: Vector) -> Vector:
        return np.asarray(2 * (vjp(x, jvp(x, p)) + curvature(x, residual(x), p)))

    return Functions(fun, grad, hessp)
