"""The problem type, and the table of the problems by name."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, NonlinearConstraint

Vector = NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """A smooth minimisation problem with its derivatives, with constraints or bounds or without.

    The three functions leave their arguments alone.  Where the function overflows they return
    ``inf`` or ``nan`` without a warning.  Arguments in single precision are accepted, and the
    result then is in single precision too; integers are converted to double precision.

    Attributes
    ----------
    name : str
        The name under which `get` returns the problem.
    fun : callable
        ``fun(x) -> float``, the objective function.
    grad : callable
        ``grad(x) -> ndarray``, its gradient.
    hessp : callable
        ``hessp(x, p) -> ndarray``, the product of the Hessian matrix at `x` with `p`.
    x0 : ndarray of shape (n,)
        The standard starting point (read-only).
    fmin : float or None
        The least known value of the objective at a feasible point, None where it is not known at
        this size, or where `description` says that there is none.  It is the global minimum,
        except where `description` calls it a local one.
    minimizers : tuple of ndarray
        Points at which `fmin` is attained, empty if they are not known.
    source : str
        Where the problem comes from, with its number or name there.
    description : str
        The formula in plain text.
    convex : bool
        Whether the objective is known to be convex, within the bounds if there are any; and, with
        constraints, the feasible set too: equalities are linear, inequalities concave where they
        are bounded from below.
    other_minima : tuple of float
        Values at other local minimisers, or in the limit at infinity, or at saddle points, where
        a descent method may end.  With constraints all these are feasible.
    bounds : scipy.optimize.Bounds or None
        Bounds on the variables, with `x0` and the minimisers in them; None where there are none.
        Beyond them the functions may have no values.
    constraints : scipy.optimize.NonlinearConstraint or None
        The other constraints, linear ones too, None where there are none: ``lb <= fun(x) <= ub``
        with `fun` of shape (p,), equal bounds for equalities, ``jac(x)`` of shape (p, n), and
        ``hess(x, v)``, the sum of the Hessian matrices of the rows times v.  They are what is said
        above of the three functions.  The minimisers are feasible up to rounding, `x0` need not
        be.
    """

    name: str
    fun: Callable[[Vector], float]
    grad: Callable[[Vector], Vector]
    hessp: Callable[[Vector, Vector], Vector]
    x0: Vector
    fmin: float | None
    minimizers: tuple[Vector, ...]
    source: str
    description: str
    convex: bool
    other_minima: tuple[float, ...]
    bounds: Bounds | None = None
    constraints: NonlinearConstraint | None = None

    @property
    def n(self) -> int:
        """The number of variables."""
        return self.x0.size

    def __repr__(self) -> str:
        """Name, size, least value and formula: no vectors, which may be long."""
        least = "" if self.fmin is None else f", fmin = {self.fmin:g}"
        return f"<Problem {self.name}, n = {self.n}{least}: {self.description}>"


class Functions(NamedTuple):
    """Objective, gradient and Hessian-vector product, for points of the right shape and dtype."""

    fun: Callable[[Vector], Any]
    grad: Callable[[Vector], Vector]
    hessp: Callable[[Vector, Vector], Vector]


class Constraints(NamedTuple):
    """Rows between bounds, for points of the right shape and dtype; see `Problem.constraints`."""

    fun: Callable[[Vector], Vector]
    jac: Callable[[Vector], Vector]
    hess: Callable[[Vector, Vector], Vector]
    lb: Vector
    ub: Vector


@dataclass(frozen=True)
class Parts:
    """What the builder of one problem returns; see `Problem` for the fields."""

    functions: Functions
    x0: ArrayLike
    fmin: float | None = None
    minimizers: Sequence[ArrayLike] = ()
    other_minima: Sequence[float] = ()
    bounds: tuple[ArrayLike, ArrayLike] | None = None
    constraints: Constraints | None = None


@dataclass(frozen=True)
class Size:
    """The admissible numbers of variables.

    These are ``least <= n <= most`` with `multiple` dividing n, or only the squares of these.
    """

    standard: int
    least: int = 1
    most: int | None = None
    multiple: int = 1
    square: bool = False

    def admits(self, n: int) -> bool:
        if self.square and (n < 0 or math.isqrt(n) ** 2 != n):
            return False
        return n >= self.least and (self.most is None or n <= self.most) and n % self.multiple == 0

    def __str__(self) -> str:
        if self.least == self.most:
            return f"n = {self.least}"
        text = f"n >= {self.least}" if self.most is None else f"{self.least} <= n <= {self.most}"
        text = text if self.multiple == 1 else f"{text}, n a multiple of {self.multiple}"
        return f"{text}, n a square" if self.square else text


@dataclass(frozen=True)
class _Entry:
    builder: Callable[..., Parts]
    size: Size
    scalable: bool
    source: str
    description: str
    convex: bool
    bounded: bool
    constrained: bool


_ENTRIES: dict[str, _Entry] = {}

Builder = Callable[..., Parts]


def register(
    size: int | Size,
    *,
    source: str,
    description: str,
    convex: bool = False,
    bounded: bool = False,
    constrained: bool = False,
    name: str | None = None,
) -> Callable[[Builder], Builder]:
    """Enter the decorated builder of a problem into the table.

    Parameters
    ----------
    size : int or Size
        An int for a problem of fixed size; the builder then does not take n.
    source, description, convex
        As in `Problem`.
    bounded : bool
        Whether the problem has bounds.
    constrained : bool
        Whether it has other constraints; the builder alone says whether there are bounds too.
    name : str, optional
        By default the name of the builder.
    """

    def enter(builder: Builder) -> Builder:
        key = builder.__name__ if name is None else name
        if key in _ENTRIES:
            raise ValueError(f"problem {key!r} is registered twice")
        scalable = isinstance(size, Size)
        sizes = size if isinstance(size, Size) else Size(size, least=size, most=size)
        _ENTRIES[key] = _Entry(
            builder, sizes, scalable, source, description, convex, bounded, constrained
        )
        return builder

    return enter


def _point(x: ArrayLike, n: int) -> Vector:
    x = np.asarray(x)
    if x.shape != (n,):
        raise ValueError(f"expected an array of shape ({n},), got one of shape {x.shape}")
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _checked(functions: Functions, n: int) -> Functions:
    """Put the checks and conversions shared by all problems around the bare functions."""

    def fun(x: ArrayLike) -> float:
        x = _point(x, n)
        with np.errstate(all="ignore"):
            return float(functions.fun(x))

    # Coefficients are in double precision and promote the result of a single-precision argument,
    # hence the conversion back.
    def grad(x: ArrayLike) -> Vector:
        x = _point(x, n)
        with np.errstate(all="ignore"):
            return functions.grad(x).astype(x.dtype, copy=False)

    def hessp(x: ArrayLike, p: ArrayLike) -> Vector:
        x = _point(x, n)
        p = _point(p, n).astype(x.dtype, copy=False)
        with np.errstate(all="ignore"):
            return functions.hessp(x, p).astype(x.dtype, copy=False)

    return Functions(fun, grad, hessp)


def _frozen(x: ArrayLike) -> Vector:
    array = np.array(x, dtype=np.float64)
    array.flags.writeable = False
    return array


def _bounds(sides: tuple[ArrayLike, ArrayLike], n: int) -> Bounds:
    return Bounds(*(_frozen(np.broadcast_to(side, (n,))) for side in sides))


def _constraints(rows: Constraints, n: int) -> NonlinearConstraint:
    """Put the same checks and conversions around the rows of constraints."""

    def fun(x: ArrayLike) -> Vector:
        x = _point(x, n)
        with np.errstate(all="ignore"):
            return rows.fun(x).astype(x.dtype, copy=False)

    def jac(x: ArrayLike) -> Vector:
        x = _point(x, n)
        with np.errstate(all="ignore"):
            return rows.jac(x).astype(x.dtype, copy=False)

    def hess(x: ArrayLike, v: ArrayLike) -> Vector:
        x = _point(x, n)
        v = _point(v, rows.lb.size).astype(x.dtype, copy=False)
        with np.errstate(all="ignore"):
            return rows.hess(x, v).astype(x.dtype, copy=False)

    return NonlinearConstraint(fun, _frozen(rows.lb), _frozen(rows.ub), jac=jac, hess=hess)


def _entry(name: str) -> _Entry:
    try:
        return _ENTRIES[name]
    except KeyError:
        close = difflib.get_close_matches(str(name).lower().replace("-", "_"), _ENTRIES, n=5)
        every = "names() and names(bounded=True), names(constrained=True) list all of them"
        hint = f"did you mean {', '.join(close)}?" if close else every
        raise ValueError(f"unknown problem {name!r}; {hint}") from None


def get(name: str, n: int | None = None, **params: Any) -> Problem:
    """Return the problem of the given name.

    Parameters
    ----------
    name : str
        One of `names`, with or without bounds or other constraints.
    n : int, optional
        The number of variables.  By default the standard size of the problem.
    **params
        Further parameters of the problem, such as ``l2`` of the logistic regressions or
        ``condition`` of the quadratics.

    Returns
    -------
    Problem
        A new object, which shares no writeable array with any other.

    Raises
    ------
    ValueError
        If there is no such problem, or it does not come in that size.
    TypeError
        If the problem has no such parameter.

    Examples
    --------
    >>> problem = get("chained_rosenbrock", n=5)
    >>> problem.n, problem.fmin, problem.fun(problem.minimizers[0])
    (5, 0.0, 0.0)
    """
    entry = _entry(name)
    size = entry.size.standard if n is None else int(n)
    if (n is not None and size != n) or not entry.size.admits(size):
        raise ValueError(f"problem {name!r} needs {entry.size}, not n = {n}")
    arguments = (size,) if entry.scalable else ()
    try:
        inspect.signature(entry.builder).bind(*arguments, **params)
    except TypeError as error:
        raise TypeError(f"problem {name!r}: {error}") from None
    parts = entry.builder(*arguments, **params)
    assert (parts.constraints is not None) is entry.constrained, name
    assert entry.constrained or (parts.bounds is not None) is entry.bounded, name
    return Problem(
        name=name,
        **_checked(parts.functions, size)._asdict(),
        x0=_frozen(parts.x0),
        fmin=None if parts.fmin is None else float(parts.fmin),
        minimizers=tuple(_frozen(x) for x in parts.minimizers),
        source=entry.source,
        description=entry.description,
        convex=entry.convex,
        other_minima=tuple(float(value) for value in parts.other_minima),
        bounds=None if parts.bounds is None else _bounds(parts.bounds, size),
        constraints=None if parts.constraints is None else _constraints(parts.constraints, size),
    )


def names(*, bounded: bool = False, constrained: bool = False) -> tuple[str, ...]:
    """Return the names of all problems of one of three kinds, sorted.

    Parameters
    ----------
    bounded : bool
        The problems with bounds and no other constraints.  By default those without bounds, which
        every method can solve.
    constrained : bool
        The problems with other constraints, be there bounds too or not.

    Raises
    ------
    ValueError
        If both are asked for: no problem is of two kinds.

    Examples
    --------
    >>> "hs1" in names(), "hs1" in names(bounded=True)
    (False, True)
    >>> "hs6" in names(constrained=True), "hs6" in names(bounded=True)
    (True, False)
    """
    if bounded and constrained:
        raise ValueError("bounded and constrained exclude each other; ask for one of them")
    return tuple(
        sorted(
            name
            for name, entry in _ENTRIES.items()
            if entry.constrained is constrained and (constrained or entry.bounded is bounded)
        )
    )


def scalable(*, bounded: bool = False, constrained: bool = False) -> tuple[str, ...]:
    """Return the names of the problems with n as a parameter, sorted.

    Parameters
    ----------
    bounded, constrained : bool
        As in `names`.
    """
    found = names(bounded=bounded, constrained=constrained)
    return tuple(name for name in found if _ENTRIES[name].scalable)


def admits(name: str, n: int) -> bool:
    """Return whether the problem of the given name comes with n variables."""
    return _entry(name).size.admits(n)


def iterate(
    n: int | None = None, *, bounded: bool = False, constrained: bool = False
) -> Iterator[Problem]:
    """Iterate over the problems, in the order of `names`.

    Parameters
    ----------
    n : int, optional
        Only the problems which come with n variables, in that size.  By default all problems,
        each in its standard size.
    bounded, constrained : bool
        As in `names`.

    Yields
    ------
    Problem
    """
    for name in names(bounded=bounded, constrained=constrained):
        if n is None or admits(name, n):
            yield get(name, n)
