"""The constraints of a problem: SciPy's forms of them, as one function of x."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import (
    Bounds,
    LinearConstraint,
    NonlinearConstraint,
    OptimizeWarning,
)
from scipy.optimize._numdiff import approx_derivative
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from .box import Box, violations
from .objective import as_dense, as_matrix, precision
from .objective.steps import parts_in_box
from .options import users_level

__all__ = ["Constraints", "have_second", "listed"]

_EXPECTED = (
    "expected a NonlinearConstraint, a LinearConstraint, a dict with 'type' ('eq' or 'ineq') and "
    "'fun', or a list of these"
)
#: What of a violation, beside the values, is none where a start is checked.
_ROUNDOFF = 1e-12
_DIFFERENCES = ("2-point", "3-point", "cs")


@dataclass
class _Part:
    """One constraint of the user: ``lower <= fun(x) <= upper``."""

    name: str
    fun: Callable[[np.ndarray], Any]
    lower: Any
    upper: Any
    jac: Any  # a callable, a matrix, or the name of a scheme of differences
    rel_step: Any = None
    hess: Any = None  # a callable, or nothing that is of use
    nfev: int = 0
    njev: int = 0
    nhev: int = 0
    kept: Any = False  # which of its values are to be in their sides at every point
    size: int = -1
    x: np.ndarray | None = None  # where `fun` was called last, and what it gave
    value: np.ndarray | None = None
    version: int = -1  # of the point and the multipliers of `held`
    held: Any = None  # the Hessian there; without `hess`, the gradient of v.c

    @property
    def linear(self) -> bool:
        """Whether its second derivatives are 0."""
        return isinstance(self.jac, np.ndarray)


class Constraints:
    """The constraints ``lower <= c(x) <= upper``, all of them stacked, in the user's order.

    Parameters
    ----------
    parts : list of _Part
        None: the values are told, not computed.
    lower, upper : array_like
        Sides of values that are told.

    Attributes
    ----------
    sides : array, shape (2, p)
        Known after `settle`.
    sizes : list of int
        How many values each of the user's constraints has.
    """

    def __init__(
        self, parts: list[_Part] | None, lower: Any = None, upper: Any = None,
        box: Box | None = None,
    ) -> None:  # fmt: skip
        self.parts, self.box = parts, box
        self._told = lower, upper
        self.sizes: list[int] = []
        self.sides = np.zeros((2, 0))
        self.settled = False

    @classmethod
    def parse(cls, constraints: Any, n: int, box: Box | None = None) -> Constraints | None:
        """The constraints in any of SciPy's forms; None where there are none.

        `scipy.optimize.Bounds` stand for the sides of values that will be told.

        Raises
        ------
        TypeError, ValueError
            Where one is of none of these forms, or its sides make no sense.
        """
        if constraints is None or isinstance(constraints, cls):
            return constraints
        if isinstance(constraints, Bounds):
            lower, upper = _sides("constraints", constraints.lb, constraints.ub)
            return cls(None, lower, upper, box)
        given = listed(constraints)
        parts = [_part(f"constraints[{i}]", one, n) for i, one in enumerate(given)]
        return cls(parts, box=box) if parts else None

    def __len__(self) -> int:
        """The number of values."""
        return self.sides.shape[1]

    def settle(self, sizes: list[int]) -> None:
        """Take note of how many values each constraint has; ValueError where sides are others."""
        pairs = [self._told] if self.parts is None else [(a.lower, a.upper) for a in self.parts]
        names = ["constraints"] if self.parts is None else [a.name for a in self.parts]
        sides = [np.zeros((2, 0))]
        for name, size, pair in zip(names, sizes, pairs, strict=True):
            for side in pair:
                if np.ndim(side) and np.shape(side) not in ((1,), (size,)):
                    raise ValueError(
                        f"`{name}` has {size} values and sides of shape {np.shape(side)}"
                    )
            sides.append(np.array([np.broadcast_to(side, (size,)) for side in pair]))
        self.sizes = sizes
        self.sides = np.array(np.concatenate(sides, axis=1), np.float64)
        self.settled = True

    def kept(self) -> np.ndarray:
        """Which values are to be in their sides at every point, shape (p,); not equalities."""
        parts = self.parts or []
        flags = [np.broadcast_to(a.kept, (n,)) for a, n in zip(parts, self.sizes, strict=False)]
        chosen = np.concatenate(flags) if flags else np.zeros(len(self), np.bool_)
        return np.asarray(chosen & (self.sides[0] < self.sides[1]))

    @np.errstate(invalid="ignore")
    def check_start(self, x0: np.ndarray) -> None:
        """Have ValueError raised if x0 is outside of what is to be kept."""
        for part in self.parts or []:
            if np.any(part.kept):
                value = part.fun(x0.astype(np.float64))
                sides = [np.broadcast_to(a, value.shape) for a in (part.lower, part.upper)]
                missed = violations(np.array(sides), value)[np.broadcast_to(part.kept, value.shape)]
                if missed.max(initial=0.0) > _ROUNDOFF * max(1.0, float(abs(value).max())):
                    raise ValueError(
                        f"`x0` violates `{part.name}`, which has `keep_feasible`, "
                        f"by {missed.max():.3g}"
                    )

    def check_told(self, c: Any) -> np.ndarray:
        """Values that are told as a float64 array of the right shape, perhaps the first."""
        if c is None and self.parts == []:
            return np.zeros(0)
        if c is None:
            raise TypeError("a run with constraints must be told their values too")
        values = np.atleast_1d(np.array(c, np.float64))
        if values.ndim != 1:
            raise ValueError(f"the constraints must have one dimension, got shape {values.shape}")
        if not self.settled:
            if self.parts is None:
                self.settle([values.size])
            elif len(self.parts) == 1:
                self.settle([values.size])
            else:
                raise ValueError("the sizes of several constraints are not known: `run` them")
        if values.size != len(self):
            raise ValueError(f"expected {len(self)} values of constraints, got {values.size}")
        return values

    def check_jacobian(self, jac: Any, n: int) -> np.ndarray:
        """A Jacobian that is told as a float64 array of shape (p, n)."""
        if jac is None and self.parts == []:
            return np.zeros((0, n))
        if jac is None:
            raise TypeError("a run with constraints must be told their Jacobian too")
        return _matrix("constraints", jac, len(self), n)

    def values(self, x: np.ndarray) -> np.ndarray:
        """c(x), shape (p,). x is not handed out, copies of it are."""
        assert self.parts is not None
        found = [self._evaluate(part, x) for part in self.parts]
        if not self.settled:
            self.settle([value.size for value in found])
        for part, value, size in zip(self.parts, found, self.sizes, strict=True):
            if value.size != size:
                raise ValueError(f"`{part.name}` returned {value.size} values, before {size}")
        return np.concatenate(found) if found else np.zeros(0)

    def _evaluate(self, part: _Part, x: np.ndarray) -> np.ndarray:
        part.nfev += 1
        value = _values(part.name, part.fun(x.copy()))
        if isinstance(part.jac, str):  # differences begin with it
            part.x, part.value = x.copy(), value
        return value

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """J(x), shape (p, n)."""
        assert self.parts is not None
        blocks = [
            self._jacobian(part, x, size) for part, size in zip(self.parts, self.sizes, strict=True)
        ]
        if len(blocks) == 1:  # whoever keeps it copies it
            return blocks[0]
        return np.concatenate(blocks) if blocks else np.zeros((0, x.size))

    def _jacobian(self, part: _Part, x: np.ndarray, size: int) -> np.ndarray:
        if callable(part.jac):
            part.njev += 1
            return _matrix(part.name, part.jac(x.copy()), size, x.size)
        if isinstance(part.jac, np.ndarray):
            return part.jac
        part.njev += 1
        return self._differences(part, x, size)

    def _differences(self, part: _Part, x: np.ndarray, size: int) -> np.ndarray:
        """By differences whose points are in the box."""
        x64 = x.astype(np.float64)
        jac = np.zeros((size, x.size))
        free = np.ones(x.size, np.bool_) if self.box is None else ~self.box.fixed
        if not free.any():
            return jac
        bounds = (-np.inf, np.inf)
        if self.box is not None:
            bounds = (self.box.lower[free].astype(float), self.box.upper[free].astype(float))

        def fun(y: np.ndarray) -> np.ndarray:
            z = x64.astype(y.dtype)
            z[free] = y
            if self.box is not None and z.dtype.kind == "f":
                z = np.clip(z, self.box.lower, self.box.upper)  # of which rounding may go too far
            part.nfev += 1
            return _values(part.name, part.fun(z.astype(x.dtype) if z.dtype.kind == "f" else z))

        known = None
        if part.x is not None and np.array_equal(part.x, x):
            known = part.value
        if known is not None and not np.isfinite(known).all():
            return np.full((size, x.size), np.nan)
        jac[:, free] = np.reshape(
            approx_derivative(
                fun, x64[free], method=part.jac, rel_step=part.rel_step, bounds=bounds,
                f0=known,
            ),
            (size, -1),
        )  # fmt: skip
        return jac

    @property
    def has_second(self) -> bool:
        """Whether second derivatives of all constraints are given."""
        return self.parts is not None and all(a.linear or callable(a.hess) for a in self.parts)

    def check_second(self) -> None:
        """Have ValueError raised if products with second derivatives cannot even be differences."""
        for part in self.parts or []:
            if not (part.linear or callable(part.hess) or callable(part.jac)):
                raise ValueError(
                    f"`{part.name}`: second derivatives need its `hess`, or a callable `jac` to "
                    "take differences of"
                )

    def _of_each(self, v: np.ndarray) -> list[tuple[_Part, np.ndarray]]:
        """The constraints that are curved, with their multipliers, where these are not 0."""
        assert self.parts is not None
        each = zip(self.parts, self.split(v), strict=True)
        return [(part, own) for part, own in each if not part.linear and own.any()]

    def product(self, x: np.ndarray, v: np.ndarray, d: np.ndarray, version: int) -> np.ndarray:
        """The product of d with the sum of all v_i Hess c_i(x), shape (n,).

        `version` changes whenever x or v does.
        """
        total = np.zeros(x.size)
        for part, own in self._of_each(v):
            if callable(part.hess):
                total += np.asarray(self._hessian(part, x, own, version) @ d).reshape(-1)
            else:
                total += self._second_difference(part, x, own, d, version)
        return total

    def hessian(self, x: np.ndarray, v: np.ndarray, version: int) -> np.ndarray:
        """The sum itself, where `has_second`."""
        total = np.zeros((x.size, x.size))
        for part, own in self._of_each(v):
            total += as_dense(self._hessian(part, x, own, version))
        return total

    def _hessian(self, part: _Part, x: np.ndarray, v: np.ndarray, version: int) -> Any:
        if part.version != version:
            part.nhev += 1
            matrix = part.hess(x.copy(), v.copy())
            if matrix is None:
                raise TypeError(f"`{part.name}`: `hess` returned None")
            part.held, part.version = as_matrix(matrix, x.size), version
        return part.held

    def _second_difference(
        self, part: _Part, x: np.ndarray, v: np.ndarray, d: np.ndarray, version: int
    ) -> np.ndarray:
        """By differences of the gradient of v.c along d, whose points are in the box."""

        def gradient(z: np.ndarray) -> np.ndarray:
            return np.asarray(v @ self._jacobian(part, z, v.size))

        box = self.box or Box(np.full(x.size, -np.inf), np.full(x.size, np.inf))
        d = np.where(box.fixed, 0.0, d).astype(x.dtype)
        total = np.zeros(x.size)
        if d.any():
            if part.version != version:
                part.held, part.version = gradient(x), version
            # Differences of differences ask for longer steps.
            power = 1.0 / 2.0 if callable(part.jac) else 1.0 / 3.0
            relative = precision(x) ** power * (float(np.linalg.norm(x)) or 1.0)
            for z, h in parts_in_box(x, d, relative / float(np.linalg.norm(d)), box):
                total += (gradient(z) - part.held) / h
        return total

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Values for all constraints as a list of those of each."""
        ends = np.cumsum(self.sizes, dtype=np.int64)
        return [values[end - size : end].copy() for size, end in zip(self.sizes, ends, strict=True)]


def listed(constraints: Any) -> list[Any]:
    """What a user gave as one constraint or several as a list; TypeError where it is neither."""
    if isinstance(constraints, NonlinearConstraint | LinearConstraint | Mapping):
        return [constraints]
    try:
        return list(constraints)
    except TypeError as error:
        raise TypeError(f"`constraints`: {_EXPECTED}, got {type(constraints).__name__}") from error


def have_second(constraints: list[Any]) -> bool:
    """Whether second derivatives of all of these are given."""
    return all(
        isinstance(one, LinearConstraint) or callable(getattr(one, "hess", None))
        for one in constraints
    )


def _part(name: str, given: Any, n: int) -> _Part:
    if isinstance(given, LinearConstraint):
        matrix = given.A.toarray() if issparse(given.A) else np.asarray(given.A)
        matrix = np.atleast_2d(np.asarray(matrix, np.float64))
        if matrix.ndim != 2 or matrix.shape[1] != n:
            raise ValueError(f"`{name}` is a matrix of shape {matrix.shape} for {n} variables")
        if not np.isfinite(matrix).all():
            raise ValueError(f"`{name}` is a matrix with elements that are not finite")
        part = _Part(name, lambda x: matrix @ x, *_sides(name, given.lb, given.ub), matrix)
        part.kept = np.asarray(given.keep_feasible, np.bool_)
        if part.kept.shape not in ((), (1,), (len(matrix),)):
            raise ValueError(
                f"`{name}`: `keep_feasible` has shape {part.kept.shape} for {len(matrix)} rows"
            )
        return part
    if isinstance(given, NonlinearConstraint):
        if not callable(given.fun):
            raise TypeError(f"`{name}`: `fun` must be callable, got {type(given.fun).__name__}")
        _note_feasible(name, given)
        return _Part(
            name, given.fun, *_sides(name, given.lb, given.ub), _jac(name, given.jac),
            given.finite_diff_rel_step, given.hess if callable(given.hess) else None,
        )  # fmt: skip
    if isinstance(given, Mapping):
        return _old_part(name, given)
    raise TypeError(f"`{name}`: {_EXPECTED}, got {type(given).__name__}")


def _old_part(name: str, given: Mapping[str, Any]) -> _Part:
    """A dict: ``fun(x, *args) >= 0`` or ``== 0``."""
    kind = str(given.get("type", "")).lower()
    if kind not in ("eq", "ineq"):
        raise ValueError(f"`{name}`: 'type' must be 'eq' or 'ineq', got {given.get('type')!r}")
    fun, jac, args = given.get("fun"), given.get("jac"), given.get("args", ())
    if not callable(fun):
        raise TypeError(f"`{name}`: 'fun' must be callable, got {type(fun).__name__}")
    args = args if isinstance(args, tuple) else (args,)
    zero, none = np.array(0.0), np.array(np.inf)
    jac = _jac(name, jac)
    return _Part(
        name, _with(fun, args), zero, zero if kind == "eq" else none,
        _with(jac, args) if callable(jac) else jac,
    )  # fmt: skip


def _with(function: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[np.ndarray], Any]:
    """The function of x alone that has these further arguments."""
    return (lambda x: function(x, *args)) if args else function


def _jac(name: str, jac: Any) -> Any:
    if jac is None:
        return "2-point"
    if callable(jac) or (isinstance(jac, str) and jac in _DIFFERENCES):
        return jac
    raise TypeError(f"`{name}`: `jac` must be callable or one of {_DIFFERENCES}, got {jac!r}")


def _note_feasible(name: str, given: Any) -> None:
    if np.any(getattr(given, "keep_feasible", False)):
        warnings.warn(
            f"`{name}`: `keep_feasible` is kept on the way for linear constraints and bounds only",
            OptimizeWarning, stacklevel=users_level(),
        )  # fmt: skip


def _sides(name: str, lower: Any, upper: Any) -> tuple[np.ndarray, np.ndarray]:
    try:
        sides = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}`: its sides must be real numbers") from error
    for side in sides:
        if side.ndim > 1:
            raise ValueError(f"`{name}` has a side of shape {side.shape}, expected one dimension")
    try:
        with np.errstate(invalid="ignore"):
            wrong = ~(sides[0] <= sides[1])
    except ValueError as error:
        raise ValueError(
            f"`{name}` has sides of shapes {sides[0].shape} and {sides[1].shape}"
        ) from error
    if np.any(wrong) or np.any(sides[0] == np.inf) or np.any(sides[1] == -np.inf):
        raise ValueError(
            f"`{name}`: expected lower sides <= upper sides, got {sides[0]} and {sides[1]}"
        )
    return sides


def _values(name: str, value: Any) -> np.ndarray:
    """What the function of a constraint returned, as a float64 or complex vector."""
    try:
        array = np.atleast_1d(np.asarray(value))
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must return real numbers, got {value!r:.100}") from error
    if array.dtype.kind not in "biufc" or value is None:
        raise TypeError(f"`{name}` must return real numbers, got {value!r:.100}")
    if array.ndim > 1:
        if max(array.shape) != array.size:
            raise ValueError(f"`{name}` must return one dimension, got shape {array.shape}")
        array = array.ravel()
    return array if array.dtype.kind == "c" else array.astype(np.float64)


def _matrix(name: str, value: Any, p: int, n: int) -> np.ndarray:
    """What a Jacobian is returned as, as a float64 array of shape (p, n)."""
    if value is None:
        raise TypeError(f"`{name}`: the Jacobian is None: is there a `return` at its end?")
    if issparse(value):
        value = value.toarray()
    elif isinstance(value, LinearOperator):
        value = value.rmatmat(np.eye(p)).T if p < n else value.matmat(np.eye(n))
    try:
        array = np.asarray(value, np.float64)  # whoever keeps it copies it
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}`: the Jacobian must be real, got {value!r:.100}") from error
    if array.size == p * n and (array.ndim < 2 or p == 1):
        array = array.reshape(p, n)
    if array.shape != (p, n):
        raise ValueError(f"`{name}`: expected a Jacobian of shape {(p, n)}, got {array.shape}")
    return array
