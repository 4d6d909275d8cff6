"""Checks of a gradient and of Hessian products against central differences."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..box import Box
from .objective import as_matrix, as_vector
from .steps import reach

__all__ = ["Comparison", "DerivativeCheck", "DerivativeError", "check_gradient", "check_hessp"]

Vector = NDArray[Any]

#: Steps relative to max(|x|, 1). Which is best depends on the third derivative and on the
#: roundoff in f, neither of which is known.
STEPS = tuple(10.0**-k for k in range(1, 9))

#: Where none of these comes close, as near the edge of a domain, shorter ones are tried, which
#: count if roundoff leaves a tenth of the tolerance in them.
SHORT_STEPS = tuple(10.0**-k for k in range(9, 15))

#: How far off, relative to max(|x|, 1), the size of the derivative is taken that stands in for
#: its size at x where that is about zero.
_NEARBY = 1e-2

#: The square of a shorter distance might be zero.
_TINY = 1e-150


@dataclass(frozen=True)
class Comparison:
    """One derivative as given and by differences.

    Attributes
    ----------
    label : str
        Which derivative: ``direction 3``, ``x[0]``, ``symmetry 1, 2``.
    given : float
        ``g.d`` or ``|H d|``; for a symmetry, ``u.Hv``.
    difference : float
        The same by central differences with the best step; for a symmetry, ``v.Hu``.
    error : float
        Relative error; inf where something is not finite.
    step : float
        Step relative to ``max(|x|, 1)`` whose difference comes closest to `given`; NaN for a
        symmetry, which takes no step.
    note : str
        Further hints on where an error sits.
    """

    label: str
    given: float
    difference: float
    error: float
    step: float
    note: str = ""


@dataclass(frozen=True, repr=False)
class DerivativeCheck:
    """The outcome of a check; `print` shows it as a table with a verdict.

    Attributes
    ----------
    what : str
        What was checked.
    n : int
        Number of variables.
    rows : tuple of Comparison
    tolerance : float
        Largest relative error that passes.
    """

    what: str
    n: int
    rows: tuple[Comparison, ...]
    tolerance: float

    @property
    def worst(self) -> float:
        """The largest relative error."""
        return max(row.error for row in self.rows)

    @property
    def ok(self) -> bool:
        """Whether every relative error is within `tolerance`."""
        return self.worst <= self.tolerance

    def __repr__(self) -> str:
        """The verdict; `print` shows the table."""
        verdict = "ok" if self.ok else "FAILED"
        return f"<DerivativeCheck {verdict}: {self.what}, n = {self.n}, worst {self.worst:.1e}>"

    def __str__(self) -> str:
        width = max(len("where"), *(len(row.label) for row in self.rows))
        lines = [
            f"{self.what}, n = {self.n}",
            f"{'where':<{width}} {'given':>16} {'difference':>16} {'rel. error':>10} {'step':>7}",
        ]
        for row in self.rows:
            step = "-" if math.isnan(row.step) else f"{row.step:.0e}"
            notes = [row.note] if row.note else []
            if not row.error <= self.tolerance:
                notes.insert(0, "FAILS")
            lines.append(
                f"{row.label:<{width}} {row.given:16.8e} {row.difference:16.8e} "
                f"{row.error:10.1e} {step:>7}  {', '.join(notes)}".rstrip()
            )
        worst = max(self.rows, key=lambda row: row.error)
        if self.ok:
            verdict = f"ok: no relative error above {self.tolerance:.0e}; the largest is "
        else:
            failures = sum(not row.error <= self.tolerance for row in self.rows)
            verdict = (
                f"FAILED: {failures} of {len(self.rows)} relative errors above "
                f"{self.tolerance:.0e}; the largest is "
            )
        lines.append(f"{verdict}{worst.error:.1e} at {worst.label}")
        return "\n".join(lines)


class DerivativeError(ValueError):
    """A derivative differs from differences; the message holds the worst place and the table.

    Attributes
    ----------
    check : DerivativeCheck
    """

    def __init__(self, name: str, check: DerivativeCheck) -> None:
        worst = max(check.rows, key=lambda row: row.error)
        super().__init__(
            f"`{name}` differs from differences at `x0`, most at {worst.label}: "
            f"{worst.given:.6g} given, {worst.difference:.6g} expected, where a relative error of "
            f"{check.tolerance:g} passes (the option `check_derivatives` may be another one)\n"
            f"{check}"
        )
        self.check = check


def require_derivatives(
    fun: Callable[..., Any],
    x0: Vector,
    args: tuple[Any, ...],
    jac: Any,
    hess: Any,
    hessp: Any,
    tolerance: float | None = None,
    box: Box | None = None,
) -> None:
    """Raise a `DerivativeError` where a derivative that the user gives is wrong at x0."""
    if jac is True:
        value, gradient = (lambda x: fun(x, *args)[0]), (lambda x: fun(x, *args)[1])
    elif callable(jac):
        value, gradient = (lambda x: fun(x, *args)), (lambda x: jac(x, *args))
    else:
        return
    if not (
        math.isfinite(_value(value, x0))
        and np.isfinite(_vector("jac", gradient(x0.copy()), x0)).all()
    ):
        return  # the run will say so
    if box is not None and not _wide(x0, box).any():
        return  # nothing to take a difference along
    check = check_gradient(value, gradient, x0, tolerance=tolerance, bounds=box)
    if not check.ok:
        raise DerivativeError("jac", check)
    if hessp is not None:
        check = check_hessp(
            gradient, lambda x, p: hessp(x, p, *args), x0, tolerance=tolerance, bounds=box
        )
    elif callable(hess):
        check = check_hessp(
            gradient, lambda x, p: as_matrix(hess(x, *args), x.size) @ p, x0, tolerance=tolerance,
            bounds=box,
        )  # fmt: skip
    if not check.ok:
        raise DerivativeError("hess" if hessp is None else "hessp", check)


def check_gradient(
    fun: Callable[[Vector], Any],
    grad: Callable[[Vector], ArrayLike],
    x: ArrayLike,
    *,
    directions: int = 8,
    coordinates: int = 8,
    seed: int | np.random.Generator = 0,
    tolerance: float | None = None,
    bounds: Any = None,
) -> DerivativeCheck:
    r"""Compare a gradient with central differences of the function.

    Parameters
    ----------
    fun : callable
        ``fun(x) -> float``.
    grad : callable
        ``grad(x) -> array, shape (n,)``.
    x : array_like, shape (n,)
        Where to compare. Away from a minimiser and without zeros is best: where a derivative
        vanishes, a wrong factor does not show. float32 stays float32.
    directions : int, default 8
        Number of random unit vectors d along which ``g.d`` is compared. An error in any
        coordinate shows in them.
    coordinates : int, default 8
        Number of coordinates compared singly: all if n is not larger, else the first, the
        last and a random choice of the others.
    seed : int or numpy.random.Generator, default 0
    tolerance : float, optional
        Largest relative error that passes; default 1e-5, or 5e-3 where `x`, or what the functions
        return, is in single precision, also if it comes as a float.
    bounds : scipy.optimize.Bounds or sequence of n pairs, optional
        As in `quasinewton.minimize`. Nothing is evaluated outside of them: steps are shorter, or to
        one side, and there are none along variables whose bounds are the same. `x` is within them.

    Returns
    -------
    DerivativeCheck
        If only random directions fail, a coordinate with a wrong derivative is sought by
        bisection and added to the rows.

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense, naming the argument, and where `fun` is not finite
        at `x`.

    Notes
    -----
    Differences are taken with steps :math:`h/\max(|x|, 1) = 10^{-1}, \ldots, 10^{-8}`, and
    that which comes closest counts; in a coordinate, :math:`|x_i|` stands for :math:`|x|`. If none
    is within the tolerance, steps down to :math:`10^{-14}` are tried, of which those count that
    roundoff leaves exact enough.
    The absolute error is divided by

    .. math:: \max\bigl(|g^T d|,\; |D_h|,\;
              \epsilon^{1/3} \max(|g|,\; |f| / L,\; |d^T H d| L,\; |D_{L/100}|)\bigr),
              \quad L = \max(|x|, 1).

    The last term decides where the derivative itself is about zero: roundoff in f leaves
    :math:`\epsilon^{2/3} |f| / L` in the best difference, and the truncation error there is in
    proportion to the derivative at nearby points.

    Examples
    --------
    >>> from scipy.optimize import rosen, rosen_der
    >>> from quasinewton.objective import check_gradient
    >>> check_gradient(rosen, rosen_der, [-1.2, 1.0]).ok
    True
    >>> check_gradient(rosen, lambda x: 2 * rosen_der(x), [-1.2, 1.0]).ok
    False
    """
    x, rng, tol = _arguments(x, directions, coordinates, seed, tolerance, fun=fun, grad=grad)
    box = _box(bounds, x)
    f0 = _value(fun, x)
    if not math.isfinite(f0):
        raise ValueError(f"`fun` must be finite at `x`, got {f0}")
    returned = grad(x.copy())
    g = _vector("grad", returned, x)
    near = [_value(fun, z) for z in _near(x, box)]
    eps = _eps(x, returned, single=_fits_single([f0, *near]))
    tol = tol or _TOLERANCE[eps]
    g_norm = _norm(g[np.isfinite(g)])

    def compare(label: str, d: Vector, length: float, note: str = "") -> Comparison:
        line = _Line(x, d, box)
        # a NaN elsewhere is no matter of this direction
        given = float(g[d != 0] @ d[d != 0])

        def difference(h: float) -> tuple[float, float]:
            """The quotient, and what roundoff in f and x may leave in it."""
            slope, gap, most = line.slope(lambda z: _value(fun, z), f0, h)
            rounded = most + float(np.abs(g * x)[d != 0].sum())
            return slope, 2.0 * eps * rounded / gap

        z_plus, z_minus, middle, h = line.around(_NEARBY * length)
        plus, minus = _value(fun, z_plus), _value(fun, z_minus)
        at_middle = f0 if middle is x else _value(fun, middle)
        bend = abs(plus - 2 * at_middle + minus) / h**2 * length
        slope = abs(plus - minus) / (2 * h)
        floor = math.cbrt(eps) * _largest(g_norm, abs(f0) / length, bend, slope)
        best = Comparison(label, given, math.nan, math.inf, STEPS[0], note)
        for step in (*STEPS, *SHORT_STEPS):
            if step < STEPS[-1] and best.error <= tol:
                break
            value, roundoff = difference(step * length)
            floor = max(floor, line.hidden(roundoff, length) / tol)
            if step < STEPS[-1] and not roundoff <= 0.1 * tol * abs(value):
                break  # shorter ones will be no better
            error = _relative(abs(given - value), max(abs(given), abs(value), floor))
            if error < best.error or math.isnan(best.difference):
                best = Comparison(label, given, value, error, step, note)
        return best

    length = max(_norm(x), 1.0)
    units = [_inward(x, d, length, box) for d in _directions(rng, directions, x)]
    rows = [compare(f"direction {k}", d, length) for k, d in enumerate(units, 1)]
    chosen = _free(x, _coordinates(rng, coordinates, x.size), box)
    rows += [compare(f"x[{i}]", *_unit(x, i)) for i in chosen]
    failing = [k for k in range(directions) if not rows[k].error <= tol]
    if failing and all(row.error <= tol for row in rows[directions:]):
        i = _bisect(compare, units[failing[0]], length)
        if i not in chosen and _free(x, [i], box):
            rows.append(compare(f"x[{i}]", *_unit(x, i), note="found by bisection"))
    return DerivativeCheck("gradient against central differences", x.size, tuple(rows), tol)


def check_hessp(
    grad: Callable[[Vector], ArrayLike],
    hessp: Callable[[Vector, Vector], ArrayLike],
    x: ArrayLike,
    *,
    directions: int = 8,
    coordinates: int = 8,
    seed: int | np.random.Generator = 0,
    tolerance: float | None = None,
    bounds: Any = None,
) -> DerivativeCheck:
    r"""Compare products of the Hessian with central differences of the gradient.

    Parameters
    ----------
    grad : callable
        ``grad(x) -> array, shape (n,)``.
    hessp : callable
        ``hessp(x, p) -> array, shape (n,)``, the product of the Hessian at x with p.
    x : array_like, shape (n,)
        Where to compare.
    directions, coordinates, seed, tolerance, bounds
        As in `check_gradient`; the products with the directions are also tested for symmetry,
        ``u.Hv = v.Hu``, by pairs of successive ones.

    Returns
    -------
    DerivativeCheck
        The rows show the 2-norms of the products; the error is that of the vector,
        ``|H d - D| / max(|H d|, |D|)``, with a floor under the denominator as in
        `check_gradient`, a derivative higher. Rows that fail name the component that is
        furthest off.

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense, naming the argument, and where `grad` is not finite
        at `x`.

    Examples
    --------
    >>> from scipy.optimize import rosen_der, rosen_hess_prod
    >>> from quasinewton.objective import check_hessp
    >>> check_hessp(rosen_der, rosen_hess_prod, [-1.2, 1.0]).ok
    True
    """
    x, rng, tol = _arguments(x, directions, coordinates, seed, tolerance, grad=grad, hessp=hessp)
    box = _box(bounds, x)
    g0 = _vector("grad", grad(x.copy()), x)
    if not np.isfinite(g0).all():
        raise ValueError("`grad` must be finite at `x`, got nan or inf among its elements")
    eps = _eps(x, grad(x.copy()), hessp(x.copy(), np.ones_like(x)))
    tol = tol or _TOLERANCE[eps]
    small = math.cbrt(eps)

    def gradient(z: Vector) -> Vector:
        with np.errstate(all="ignore"):
            return _vector("grad", grad(z.copy()), x)

    def product(d: Vector) -> Vector:
        return _vector("hessp", hessp(x.copy(), d.astype(x.dtype)), x)

    def compare(label: str, d: Vector, length: float) -> Comparison:
        given = product(d)
        size = _norm(given)
        line = _Line(x, d, box)
        z_plus, z_minus, middle, h = line.around(_NEARBY * length)
        plus, minus = gradient(z_plus), gradient(z_minus)
        at_middle = g0 if middle is x else gradient(middle)
        with np.errstate(all="ignore"):
            bend = _norm(plus - 2 * at_middle + minus) / h**2 * length
            slope = _norm(plus - minus) / (2 * h)
        floor = small * _largest(_norm(g0) / length, bend, slope)
        best = Comparison(label, size, math.nan, math.inf, STEPS[0])
        for step in (*STEPS, *SHORT_STEPS):
            if step < STEPS[-1] and best.error <= tol:
                break
            with np.errstate(all="ignore"):
                value, gap, most = line.slope(gradient, g0, step * length)
                off = np.abs(given - value)
            norm = _norm(value)
            rounded = most + norm * _norm(x)
            roundoff = 2.0 * eps * rounded / gap
            floor = max(floor, line.hidden(roundoff, length) / tol)
            if step < STEPS[-1] and not roundoff <= 0.1 * tol * norm:
                break  # shorter ones will be no better
            error = _relative(_norm(off), max(size, norm, floor))
            if error < best.error or math.isnan(best.difference):
                # argmax finds the first NaN, if there is one
                note = "" if error <= tol else f"most in component {int(np.argmax(off))}"
                best = Comparison(label, size, norm, error, step, note)
        return best

    length = max(_norm(x), 1.0)
    units = [_inward(x, d, length, box) for d in _directions(rng, directions, x)]
    rows = [compare(f"direction {k}", d, length) for k, d in enumerate(units, 1)]
    chosen = _free(x, _coordinates(rng, coordinates, x.size), box)
    rows += [compare(f"x[{i}]", *_unit(x, i)) for i in chosen]
    if x.size > 1:
        products = [product(d) for d in units]
        for k in range(1, directions):
            (u, hu), (v, hv) = (units[k - 1], products[k - 1]), (units[k], products[k])
            a, b = float(u @ hv), float(v @ hu)
            # both may be small by chance, beside products that are not
            size = small * max(_norm(hu), _norm(hv))
            error = _relative(abs(a - b), max(abs(a), abs(b), size))
            rows.append(Comparison(f"symmetry {k}, {k + 1}", a, b, error, math.nan))
    what = "norms of Hessian products against central differences of the gradient"
    return DerivativeCheck(what, x.size, tuple(rows), tol)


def _arguments(
    x: ArrayLike,
    directions: int,
    coordinates: int,
    seed: Any,
    tolerance: float | None,
    **functions: Any,
) -> tuple[Vector, np.random.Generator, float | None]:
    """The checked point, the generator and the tolerance, if one is given."""
    for name, function in functions.items():
        if not callable(function):
            raise TypeError(f"`{name}` must be callable, got {type(function).__name__}")
    try:
        point = np.atleast_1d(np.asarray(x))
    except ValueError as error:
        raise ValueError(f"`x` must be a vector of real numbers, got {x!r}") from error
    if point.dtype.kind not in "biuf":
        raise TypeError(f"`x` must hold real numbers, got an array of dtype {point.dtype}")
    if point.ndim != 1 or point.size == 0:
        raise ValueError(f"`x` must have shape (n,) with n > 0, got shape {point.shape}")
    if not np.isfinite(point).all():
        raise ValueError("`x` must be finite, got nan or inf among its elements")
    point = np.array(point, np.float32 if point.dtype == np.float32 else np.float64)
    for name, count in (("directions", directions), ("coordinates", coordinates)):
        if not isinstance(count, numbers.Integral):
            raise TypeError(f"`{name}` must be an integer, got {count!r}")
        if count < 0:
            raise ValueError(f"`{name}` must be an integer >= 0, got {count!r}")
    if directions == coordinates == 0:
        raise ValueError("`directions` and `coordinates` must not both be 0")
    try:
        rng = np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise type(error)(f"`seed` must be an integer >= 0 or a Generator, got {seed!r}") from error
    if tolerance is None:
        return point, rng, None
    if not isinstance(tolerance, numbers.Real):
        raise TypeError(f"`tolerance` must be a number, got {tolerance!r}")
    if not tolerance > 0:
        raise ValueError(f"`tolerance` must be a number > 0, got {tolerance!r}")
    return point, rng, float(tolerance)


def _box(bounds: Any, x: Vector) -> Box | None:
    """The checked bounds, with x among them."""
    box = Box.parse(bounds, x.size, x.dtype)
    if box is not None and not box.contains(x):
        raise ValueError("`x` must be within `bounds`")
    if box is not None and not _wide(x, box).any():
        raise ValueError("`bounds` leave no variable to take differences along")
    return box


def _wide(x: Vector, box: Box) -> Vector:
    """Where there is room for a difference that rounding leaves some digits."""
    point = x.astype(np.float64)
    room = np.maximum(box.upper - point, point - box.lower)
    return np.asarray(room >= math.sqrt(_eps(x)) * np.maximum(np.abs(point), 1.0))


class _Line:
    """The points x + t d, of which those in a box are looked at."""

    def __init__(self, x: Vector, d: Vector, box: Box | None) -> None:
        self._x, self._d, self._box = x, d, box
        self._ahead = self._behind = self._least = math.inf
        if box is not None:
            ahead, behind = reach(x, d, box)
            self._ahead, self._behind = float(ahead.min()), float(behind.min())

    def _at(self, t: float) -> Vector:
        z = _moved(self._x, self._d, t)
        return z if self._box is None else self._box.project(z)  # rounding may go too far

    def hidden(self, roundoff: float, length: float) -> float:
        """What roundoff leaves in the longest step, if the box makes that a short one; else 0."""
        if max(self._ahead, self._behind) >= _NEARBY * length or not roundoff < self._least:
            return 0.0
        self._least = roundoff
        return roundoff

    def slope(
        self, value: Callable[[Vector], Any], at_x: Any, h: float
    ) -> tuple[Any, float, float]:
        """The derivative of `value` along d at x with step h, or a shorter one where that fits.

        With it the distance of the points, and the largest norm of a value at them. Where there
        is room to one side only, it is that of the parabola through three values.
        """
        x, d = self._x, self._d
        ahead, behind = min(h, self._ahead), min(h, self._behind)
        side = min(ahead, behind)
        if 2.0 * side >= max(ahead, behind):
            plus, minus = self._at(side), self._at(-side)
            a, b, gap = value(plus), value(minus), _gap(plus, minus, d)
            return (a - b) / gap, gap, max(_size(a), _size(b))
        far, sign = (ahead, 1.0) if ahead > behind else (behind, -1.0)
        near_end, far_end = self._at(sign * 0.5 * far), self._at(sign * far)
        a, b = value(near_end), value(far_end)
        p, q = _gap(near_end, x, sign * d), _gap(far_end, x, sign * d)
        between = q - p if q > p else math.nan
        slope = (a - at_x) / p * (q / between) - (b - at_x) / q * (p / between)
        return sign * slope, 0.5 * p, max(_size(a), _size(b))

    def around(self, h: float) -> tuple[Vector, Vector, Vector, float]:
        """Points at one distance to both sides of x or of another point, that one, the distance."""
        side = min(h, self._ahead, self._behind)
        ahead, behind = min(h, self._ahead), min(h, self._behind)
        if 2.0 * side >= max(ahead, behind):
            return self._at(side), self._at(-side), self._x, max(side, _TINY)
        far = ahead if ahead >= behind else -behind
        ends = self._at(far), self._at(0.0)
        return *(ends if far > 0.0 else ends[::-1]), self._at(0.5 * far), max(0.5 * abs(far), _TINY)


def _inward(x: Vector, d: Vector, length: float, box: Box | None) -> Vector:
    """A unit vector by d, turned away from bounds that are near, with little of narrow variables.

    Else the narrowest one would make all steps too short.
    """
    if box is None:
        return d
    above, below = box.upper - x.astype(np.float64), x.astype(np.float64) - box.lower
    room, wanted = np.maximum(above, below), 0.1 * length
    sign = np.where(np.minimum(above, below) >= wanted, np.sign(d), np.where(above >= below, 1, -1))
    inward: Vector = sign * np.abs(d) * np.minimum(1.0, room / wanted) * _wide(x, box)
    size = _norm(inward)
    return inward / size


def _free(x: Vector, coordinates: list[int], box: Box | None) -> list[int]:
    """Those along which a step can be taken."""
    return coordinates if box is None else [i for i in coordinates if _wide(x, box)[i]]


def _value(fun: Callable[[Vector], Any], x: Vector) -> float:
    # far from x a function may well overflow, which is no error here
    with np.errstate(all="ignore"):
        value = fun(x.copy())
    try:
        return float(np.asarray(value).item())
    except (TypeError, ValueError) as error:
        raise ValueError(f"`fun` must return a scalar, got {value!r}") from error


def _vector(name: str, value: ArrayLike, x: Vector) -> Vector:
    vector = as_vector(f"array that `{name}` returns", value, x.shape)
    if vector.dtype.kind not in "biufO":
        raise TypeError(f"`{name}` must return real numbers, got {type(value).__name__}")
    try:  # a copy: the user's function may hand out the same array every time
        return np.array(vector, np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must return real numbers, got {value!r:.200}") from error


def _directions(rng: np.random.Generator, count: int, x: Vector) -> list[Vector]:
    vectors = rng.standard_normal((count, x.size))
    return [d / np.linalg.norm(d) for d in vectors]


def _coordinates(rng: np.random.Generator, count: int, n: int) -> list[int]:
    """All or `count` of them: mistakes like to sit at both ends of a sum."""
    if n <= count:
        return list(range(n))
    ends = [0, n - 1][:count]
    inner = 1 + rng.choice(n - 2, count - len(ends), replace=False) if count > 2 else ()
    return sorted([*ends, *map(int, inner)])


def _unit(x: Vector, i: int) -> tuple[Vector, float]:
    """The i-th unit vector and the length to which steps along it are relative."""
    d = np.zeros(x.size)
    d[i] = 1.0
    return d, max(abs(float(x[i])), 1.0)


def _moved(x: Vector, d: Vector, h: float) -> Vector:
    return (x + h * d).astype(x.dtype)


def _gap(plus: Vector, minus: Vector, d: Vector) -> float:
    """The distance from `minus` to `plus` along d after rounding; NaN where nothing is left."""
    gap = float((plus.astype(np.float64) - minus) @ d)
    return gap if gap > 0 else math.nan


_SINGLE, _DOUBLE = float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)
_TOLERANCE = {_SINGLE: 5e-3, _DOUBLE: 1e-5}


def _eps(x: Vector, *returned: Any, single: bool = False) -> float:
    """The rounding unit of the coarsest arithmetic among those of x and of returned arrays."""
    coarse = single or any(
        np.asarray(v).dtype in (np.float16, np.float32) for v in (x, *returned)
    )
    return _SINGLE if coarse else _DOUBLE


def _near(x: Vector, box: Box | None) -> list[Vector]:
    """A few points about x whose coordinates have all their digits."""
    rng = np.random.default_rng(0)
    length = max(_norm(x), 1.0)
    near = [_moved(x, d, _NEARBY * length) for d in _directions(rng, 3, x)]
    return near if box is None else [box.project(z) for z in near]


def _fits_single(values: list[float]) -> bool:
    """Whether numbers, some of them with digits, all are of single precision."""
    finite = [value for value in values if math.isfinite(value) and value % 1.0]
    with np.errstate(over="ignore"):
        return bool(finite) and all(float(np.float32(value)) == value for value in finite)


def _norm(v: Vector) -> float:
    return float(np.linalg.norm(v))


def _size(v: Any) -> float:
    return abs(v) if isinstance(v, float) else _norm(v)


def _largest(*sizes: float) -> float:
    """The largest that is finite: a function may overflow some way off x."""
    return max((size for size in sizes if math.isfinite(size)), default=0.0)


def _relative(error: float, size: float) -> float:
    if error == 0.0:
        return 0.0
    if not (math.isfinite(error) and math.isfinite(size)):
        return math.inf
    return error / size if size > 0.0 else math.inf


def _bisect(
    compare: Callable[[str, Vector, float], Comparison], d: Vector, length: float
) -> int:
    """A coordinate that is to blame for the failure along d."""
    low, high = 0, d.size
    while high - low > 1:
        middle = (low + high) // 2
        errors = []
        for part in (slice(low, middle), slice(middle, high)):
            half = np.zeros(d.size)
            half[part] = d[part]
            size = _norm(half)
            if size == 0.0:  # of variables that are fixed
                errors.append(0.0)
                continue
            row = compare("", half / size, length)
            # of the two, that which contributes more to the error along d
            off = abs(row.given - row.difference) * size
            errors.append(off if math.isfinite(off) else math.inf)
        low, high = (low, middle) if errors[0] >= errors[1] else (middle, high)
    return low
