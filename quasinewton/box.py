"""Bounds on the variables: a box that no point of a run leaves."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from scipy.optimize import OptimizeWarning

from .options import users_level

__all__ = ["Box", "violations"]

#: The first of it in SciPy's words.
_LENGTH = "`bounds`: The number of bounds is not compatible with the length of `x0`."
_EXPECTED = (
    "expected a scipy.optimize.Bounds, or a pair (lower, upper) for each variable, with None or "
    "an infinity where there is no bound"
)


class Box:
    """The points x with lower <= x <= upper.

    Parameters
    ----------
    lower, upper : arrays, shape (n,)
        Of one dtype, checked: what comes from a user goes through `parse`.

    Attributes
    ----------
    lower, upper : arrays, shape (n,)
        Of the dtype of x0, contiguous; infinite where there is no bound.
    fixed : array of bool, shape (n,)
        Where both bounds are the same number.
    """

    def __init__(self, lower: np.ndarray, upper: np.ndarray) -> None:
        self.lower, self.upper = lower, upper
        self.fixed: np.ndarray = lower == upper

    def __repr__(self) -> str:
        """How many bounds there are: no vectors, which may be long."""
        below, above = np.isfinite(self.lower).sum(), np.isfinite(self.upper).sum()
        text = f"<Box n = {self.lower.size}, {below} lower and {above} upper bounds"
        return f"{text}, {self.fixed.sum()} fixed>" if self.fixed.any() else f"{text}>"

    @classmethod
    def parse(cls, bounds: Any, n: int, dtype: Any = np.float64) -> Box | None:
        """The box of what a user gave as `bounds`; None where that bounds nothing.

        Parameters
        ----------
        bounds : scipy.optimize.Bounds, sequence of n pairs, Box, or None
            `lb` and `ub` of Bounds may be numbers, for all variables. `keep_feasible` is not
            looked at: no point of a run is outside of the bounds.
        n : int
            Number of variables.
        dtype : float32 or float64
            That of x0. In float32 the bounds are rounded to the inside, so that no point is
            outside of those that were given.

        Raises
        ------
        TypeError, ValueError
            Naming `bounds`, what was given and what is expected.
        """
        if bounds is None:
            return None
        given: tuple[Any, Any]
        if isinstance(bounds, cls):
            given = bounds.lower, bounds.upper
        elif hasattr(bounds, "lb") and hasattr(bounds, "ub"):
            given = bounds.lb, bounds.ub
        else:
            given = _columns(bounds, n)
        lower = _side("lower", given[0], n, -math.inf)
        upper = _side("upper", given[1], n, math.inf)
        for name, side, wrong in (("lower", lower, math.inf), ("upper", upper, -math.inf)):
            if np.isnan(side).any():
                i = int(np.argmax(np.isnan(side)))
                raise ValueError(
                    f"`bounds`: the {name} bound of variable {i} is NaN, expected a number, or "
                    "None or an infinity where there is none"
                )
            if (side == wrong).any():
                i = int(np.argmax(side == wrong))
                raise ValueError(
                    f"`bounds`: the {name} bound of variable {i} is {wrong}, expected a finite "
                    f"number, or None or {-wrong} where there is none"
                )
        if (lower > upper).any():
            i = int(np.argmax(lower > upper))
            raise ValueError(
                "`bounds`: An upper bound is less than the corresponding lower bound. The lower "
                f"bound of variable {i} is {lower[i]!s}, the upper one {upper[i]!s}; expected "
                "lower <= upper"
            )
        if np.dtype(dtype) == np.float32:
            given = lower, upper
            lower, upper = _rounded(lower, np.inf), _rounded(upper, -np.inf)
            empty = (lower > upper) | (lower == np.inf) | (upper == -np.inf)
            if empty.any():
                i = int(np.argmax(empty))
                raise ValueError(
                    f"`bounds`: there is no float32 number between the bounds of variable {i}, "
                    f"{given[0][i]!s} and {given[1][i]!s}, and `x0` is float32; expected wider "
                    "bounds, or `x0` in float64"
                )
        if np.isneginf(lower).all() and np.isposinf(upper).all():
            return None
        return cls(lower, upper)

    def start(self, x0: np.ndarray) -> np.ndarray:
        """A start, or several in rows, moved into the box, with a warning where that is needed.

        What is not finite stays as it is: it is no start at all.
        """
        outside = np.isfinite(x0).all(axis=-1) & ~self.within(x0)
        if not outside.any():
            return x0
        warnings.warn(
            "Initial guess is not within the specified bounds; it is moved into them",
            OptimizeWarning,
            stacklevel=users_level(),
        )
        return np.where(outside[..., None], self.project(x0), x0)

    def within(self, x: np.ndarray) -> np.ndarray:
        """Whether x, or each row of it, is in the box."""
        return np.asarray(((self.lower <= x) & (x <= self.upper)).all(axis=-1))

    def contains(self, x: np.ndarray) -> bool:
        """Whether x is in the box; False where one of its elements is NaN."""
        return bool(self.within(x))

    def equals(self, other: Box | None) -> bool:
        """Whether two boxes are the same."""
        return (
            other is not None
            and np.array_equal(self.lower, other.lower)
            and np.array_equal(self.upper, other.upper)
        )

    def project(self, x: np.ndarray) -> np.ndarray:
        """The point of the box that is next to x, a new array of the dtype of x."""
        return np.asarray(np.clip(x, self.lower, self.upper), x.dtype)

    def residual(self, x: np.ndarray, g: np.ndarray) -> np.ndarray:
        """x - P(x - g), in float64: zero where no first-order decrease is left in the box.

        P projects into the box, in which x is. Where no bound is in the way it is g.
        """
        # As a clipped gradient: the difference of points would round a small g away.
        x64 = np.asarray(x, np.float64)
        return np.asarray(np.clip(np.asarray(g, np.float64), x64 - self.upper, x64 - self.lower))

    def optimality(self, x: np.ndarray, g: np.ndarray) -> float:
        """The largest absolute element of the residual."""
        return float(np.max(np.abs(self.residual(x, g)), initial=0.0))

    def active(self, x: np.ndarray) -> np.ndarray:
        """-1 where x is at its lower bound, else 1 where at its upper one, else 0; int64.

        So a variable whose bounds are the same number has -1.
        """
        below, above = x <= self.lower, x >= self.upper
        return np.where(below, -1, np.where(above, 1, 0)).astype(np.int64)

    def free(self, x: np.ndarray, g: np.ndarray, least: float = 0.0) -> np.ndarray:
        """The variables that are not held at x, as bools.

        Those are held whose bounds are the same, and those at a bound over which -g leads, where
        ``|g_i|``, the multiplier of the bound, is more than `least`.
        """
        held = self.fixed | ((x <= self.lower) & (g > least)) | ((x >= self.upper) & (g < -least))
        return np.asarray(~held)


def _columns(bounds: Any, n: int) -> tuple[list[float], list[float]]:
    """Lower and upper bounds from pairs."""
    if isinstance(bounds, str | bytes):
        raise TypeError(f"`bounds`: {_EXPECTED}, got {bounds!r:.100}")
    try:
        pairs = list(bounds)
    except TypeError as error:
        raise TypeError(f"`bounds`: {_EXPECTED}, got {type(bounds).__name__}") from error
    if len(pairs) != n:
        raise ValueError(f"{_LENGTH} {_EXPECTED}; got {len(pairs)} for {n} variables")
    lower, upper = [], []
    for i, pair in enumerate(pairs):
        try:
            low, up = pair
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`bounds`: {_EXPECTED}; got {pair!r:.100} for variable {i}"
            ) from error
        lower.append(-math.inf if low is None else _number("lower", low))
        upper.append(math.inf if up is None else _number("upper", up))
    return lower, upper


def _side(name: str, values: Any, n: int, none: float) -> np.ndarray:
    """One side of the bounds as n new float64 numbers."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`bounds`: {_EXPECTED}; the {name} ones are {values!r:.100}") from error
    if array.dtype.kind == "O":
        array = np.array([none if v is None else _number(name, v) for v in array.flat]).reshape(
            array.shape
        )
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"`bounds`: {_EXPECTED}; the {name} ones are no real numbers but of dtype {array.dtype}"
        )
    if array.shape not in ((), (1,), (n,)):
        raise ValueError(
            f"{_LENGTH} expected a number or {n} numbers as the {name} ones, "
            f"got shape {array.shape}"
        )
    return np.array(np.broadcast_to(array, (n,)), np.float64, order="C")


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, str | bytes):
            raise TypeError("a string is no number")
        return float(np.asarray(value).item())
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"`bounds`: {_EXPECTED}; a {name} bound is {value!r:.100}") from error


def _rounded(side: np.ndarray, inside: float) -> np.ndarray:
    """In float32, to the side on which the inside of the box is."""
    with np.errstate(over="ignore", under="ignore"):
        single = side.astype(np.float32)
        outside = single < side if inside > 0.0 else single > side
        single[outside] = np.nextafter(single[outside], np.float32(inside))
    return single


def violations(sides: np.ndarray, c: np.ndarray) -> np.ndarray:
    """By how much each constraint is missed, shape (p,); NaN where an infinity is at its side.

    Of which NumPy warns, unless the caller has it be silent.
    """
    missed: np.ndarray = np.maximum(np.maximum(sides[0] - c, c - sides[1]), 0.0)
    return missed
