"""Differences: how long steps are under noise, and which fit into a box, and to which side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.optimize._numdiff import approx_derivative

from ..box import Box

__all__ = ["NoisySteps", "difference_in_box", "parts_in_box", "reach"]

#: A step along a direction may be shorter by this factor than is best; else d is taken in parts.
_SHORTER = 0.1
#: A variable with less room than so many units in its last place has no curvature to be seen.
_UNITS = 8.0


def difference_in_box(
    fun: Callable[[np.ndarray], Any],
    x: np.ndarray,
    f: float | None,
    steps: np.ndarray,
    scheme: str,
    box: Box,
) -> np.ndarray:
    """The gradient at a point of a box by differences of values at points of the box.

    SciPy's `approx_derivative` takes bounds too, but x + (upper - x) may round to a point above
    `upper`, and it divides by zero where two bounds are the same.

    Parameters
    ----------
    fun : callable
        ``fun(x) -> float``; where `scheme` is 'cs' of a complex x.
    x : array, shape (n,)
    f : float or None
        The value at x, if that is known; 'cs' does not look at it, nor does '3-point' if there is
        room, '2-point' needs it. The points do not depend on any value.
    steps : array, shape (n,)
        Steps that are wanted. Their signs say to which side '2-point' goes if there is room.
    scheme : {'2-point', '3-point', 'cs'}
    box : Box

    Returns
    -------
    array of float64, shape (n,)
        0 where both bounds are the same, which takes no evaluation.
    """
    gradient = np.zeros(x.shape)
    free = ~box.fixed
    if scheme == "cs":
        if free.any():

            def inner(y: np.ndarray) -> Any:
                z = x.astype(y.dtype)
                z[free] = y
                return fun(z)

            slopes = approx_derivative(
                inner, x[free], method="cs", abs_step=steps[free],
                f0=math.nan,  # which it does not look at
            )  # fmt: skip
            gradient[free] = np.ravel(slopes)
        return gradient

    def value(i: int, z: Any) -> float:
        point = x.copy()
        point[i] = z
        return float(fun(point))

    for i in map(int, np.flatnonzero(free)):
        low, up, h = box.lower[i], box.upper[i], _visible(x[i], float(steps[i]))
        if scheme == "2-point":
            assert f is not None
            z = _to_a_side(x[i], h, low, up)
            gradient[i] = (value(i, z) - f) / (float(z) - float(x[i]))
            continue
        a, b = _to_two_places(x[i], abs(h), low, up)
        if b == x[i]:  # there is no third number between the bounds
            if f is None:
                f = float(fun(x.copy()))
            gradient[i] = (value(i, a) - f) / (float(a) - float(x[i]))
        elif a < x[i] < b and _is_central(x[i], a, b):
            gradient[i] = (value(i, b) - value(i, a)) / (float(b) - float(a))
        else:  # the parabola through the three values
            if f is None:
                f = float(fun(x.copy()))
            p, q = float(a) - float(x[i]), float(b) - float(x[i])
            gradient[i] = (value(i, a) - f) / p * (q / (q - p)) - (value(i, b) - f) / q * (
                p / (q - p)
            )
    return gradient


def _visible(x: Any, h: float) -> float:
    """h, or where x + h is x the step by default."""
    if x + type(x)(h) != x:
        return h
    return math.copysign(math.sqrt(np.finfo(x.dtype).eps) * max(1.0, abs(float(x))), h)


def _to_a_side(x: Any, h: float, low: Any, up: Any) -> Any:
    """x + h if that is between the bounds, else x - h, else the bound that is further away."""
    for z in (x + type(x)(h), x - type(x)(h)):
        if low <= z <= up and z != x:
            return z
    return up if float(up) - float(x) >= float(x) - float(low) else low


def _to_two_places(x: Any, h: float, low: Any, up: Any) -> tuple[Any, Any]:
    """x - h and x + h, or two places to one side, or as far apart as there is room.

    The second is x itself if one place is all there is beside it.
    """
    kind = type(x)
    below, above = x - kind(h), x + kind(h)
    if low <= below and above <= up:
        return below, above
    up_is_further = float(up) - float(x) >= float(x) - float(low)
    far, sign = (up, 1.0) if up_is_further else (low, -1.0)
    once, twice = x + kind(sign * h), x + kind(sign * 2.0 * h)
    if low <= twice <= up and once != twice:
        return once, twice
    near = low if up_is_further else up
    room, rest = abs(float(far) - float(x)), abs(float(near) - float(x))
    if rest >= 0.5 * room:  # about as much to either side
        other = x + kind(sign * rest)
        if low <= other <= up and other != x and near != x:
            return (near, other) if up_is_further else (other, near)
    middle = x + kind(sign * 0.5 * room)
    if min(x, far) < middle < max(x, far):
        return middle, far
    return far, x


def _is_central(x: Any, a: Any, b: Any) -> bool:
    """Whether x is in the middle of a and b, but for rounding."""
    behind, ahead = float(x) - float(a), float(b) - float(x)
    return abs(ahead - behind) <= 1e-3 * (ahead + behind)


def reach(x: np.ndarray, d: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """For each variable the largest t with x + t d, and with x - t d, in the box."""
    size = np.abs(d.astype(np.float64))
    point = x.astype(np.float64)
    below, above = point - box.lower, box.upper - point
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ahead = np.where(d > 0.0, above, below) / size
        behind = np.where(d > 0.0, below, above) / size
    unmoved = size == 0.0
    ahead[unmoved] = behind[unmoved] = math.inf
    return ahead, behind


def parts_in_box(
    x: np.ndarray, d: np.ndarray, h: float, box: Box
) -> Iterator[tuple[np.ndarray, float]]:
    """Points z of a box, and numbers t, so that the sum of (g(z) - g(x)) / t is about H(x) d.

    One point where x + h d or x - h d is in the box, or would be for an h that is not much shorter.
    Else d is a sum of parts, each of variables that can go to the same side as far as each other.
    Mostly there are two: what is near a bound goes away from it, the others ahead.

    Parameters
    ----------
    x, d : arrays, shape (n,)
        A point of the box, and a direction that is 0 in fixed variables.
    h : float
        What is best for a point x + h d.
    box : Box
    """
    ahead, behind = reach(x, d, box)
    most, least = float(ahead.min()), float(behind.min())

    def point(t: float, part: np.ndarray) -> np.ndarray:
        return box.project((x + t * part).astype(x.dtype))  # of which rounding may go too far

    if most >= h or most >= max(least, _SHORTER * h):
        t = min(most, h)
        yield point(t, d), t
        return
    if least >= _SHORTER * h:
        t = min(least, h)
        yield point(-t, d), -t
        return
    # Where the box leaves a variable hardly a number beside x, no curvature can be seen along it.
    widest = np.maximum(box.upper - x.astype(np.float64), x.astype(np.float64) - box.lower)
    moved = (d != 0.0) & (widest >= _UNITS * np.spacing(np.abs(x)))
    room = np.minimum(np.maximum(ahead, behind), h)
    rank = np.zeros(x.shape, np.int64)
    rank[moved] = np.floor(np.log(room[moved] / h) / math.log(_SHORTER) + 1e-9).astype(np.int64)
    for k in np.unique(rank[moved]):
        group = moved & (rank == k)
        t = float(room[group].min())
        forward = group & (ahead >= t)
        for sign, members in ((1.0, forward), (-1.0, group & ~forward)):
            if members.any():
                yield point(sign * t, np.where(members, d, d.dtype.type(0.0))), sign * t


#: A second difference is one of the function where it is so many times the noise in f.
_SEEN = 8.0
#: Bounds on a step, and on a first one, in units of max(1, |x_i|); and on its change.
_LEAST, _WIDEST, _CHANGE = 1e-6, 0.5, 4.0


class NoisySteps:
    r"""Steps of the differences of f with noise of standard deviation :math:`\sigma`.

    The error of a central difference, :math:`\sigma/(\sqrt2 h) + |f'''| h^2/6`, is least near
    :math:`h = (3\sigma/|f'''|)^{1/3}`, that of a forward one at
    :math:`8^{1/4}(\sigma/|f''|)^{1/2}` (Moré & Wild, *Estimating derivatives of noisy
    simulations*, ACM Trans. Math. Softw. 38, 2012). Central ones learn f'' from their values, and
    f''' is taken to be f''/l with l = max(1, |x_i|). A first step, and every forward one, takes
    the derivatives to be those of a function that changes by |f| over l.

    Parameters
    ----------
    noise : float
        sigma > 0.
    n : int

    Attributes
    ----------
    widths : float64 array, shape (n,)
        Steps in units of l, NaN before the first gradient.
    gradient_noise : float
        Norm of the error of the last gradient.
    """

    def __init__(self, noise: float, n: int) -> None:
        self.noise = noise
        self.widths = np.full(n, math.nan)
        self.gradient_noise = 0.0

    def restore(self, saved: np.ndarray) -> None:
        """Go on from saved `widths`."""
        if saved.shape != self.widths.shape:
            raise ValueError(f"difference_steps has shape {saved.shape}, not {self.widths.shape}")
        self.widths[...] = saved

    def steps(self, x: np.ndarray, f: float, scheme: str) -> np.ndarray:
        """The steps for a gradient at x, where the value is about f."""
        power = 1.0 / 3.0 if scheme == "3-point" else 0.5
        size = np.maximum(1.0, abs(x.astype(np.float64)))
        if np.isnan(self.widths).any():
            relative = self.noise / max(abs(f), self.noise)
            self.widths[:] = min(max(relative**power, _LEAST), _WIDEST / _CHANGE)
        h = np.asarray(self.widths * size)
        self.gradient_noise = self.noise * float(np.linalg.norm(1.0 / h))
        return h

    def learn(
        self, x: np.ndarray, f: float, seen: list[tuple[np.ndarray, float]]
    ) -> None:
        """Adapt the steps to the values that a gradient at x was made of."""
        beside: dict[int, list[tuple[float, float]]] = {}
        for z, value in seen:
            moved = np.flatnonzero(z != x)
            if len(moved) == 1 and math.isfinite(value):
                i = int(moved[0])
                beside.setdefault(i, []).append((float(z[i]) - float(x[i]), value))
        size = np.maximum(1.0, abs(x.astype(np.float64)))
        for i, places in beside.items():
            if len(places) != 2:
                continue
            (a, fa), (b, fb) = places  # z - x, and f there
            bend = 2.0 * ((fb - f) / b - (fa - f) / a) / (b - a)
            h, width = self.widths[i], size[i]
            wanted = h * _CHANGE
            if abs(bend * a * b) > _SEEN * self.noise:
                wanted = float(np.cbrt(3.0 * self.noise / (abs(bend) * width * width)))
            self.widths[i] = min(
                max(min(max(wanted, h / _CHANGE), h * _CHANGE), _LEAST), _WIDEST
            )
