r"""Truncated conjugate gradients in a box and a ball, face after face.

.. math:: \min_s\ q(s) = g^T s + \tfrac12 s^T H s, \qquad l - x \le s \le u - x,\quad
    \|s\| \le \Delta

On a face, the variables that the residual :math:`r = g + Hs` does not hold on their bounds, run the
iterates of Steihaug's method, with products of vectors that are zero elsewhere. Where they leave
the box, q is asked at the projection of their end, which takes one product; unless that decreases q
sufficiently, the point stands where the path met the first bound, whose residual is known. Then
the next face (Moré & Toraldo 1991; Lin & Moré 1999). In reverse communication: `direction` is what
the caller multiplies by H, `receive` takes the product.

Points are kept with their residuals, so that q is known along the chords between them, which lie
in the box: a smaller radius is answered without a product.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..saving import fill, set_numbers
from ..vectors import read_only
from .steihaug import _to_boundary

__all__ = ["ProjectedCG"]

#: Part of the decrease along a projected path that its slope promises.
_ARMIJO = 0.1
#: Part of what was gained so far that a face has to gain for another to be looked at.
_GAIN = 0.05
#: Points that are kept.
_POINTS = 9
#: |s| / radius from which on a point is on the sphere.
_ON_SPHERE = 1.0 - 1e-8

# What is saved of a run.
_ARRAYS = ("s", "r", "z", "r_end", "d", "step", "wall", "r_wall", "path", "residuals", "held")
_NUMBERS = (
    "g_norm", "unit", "ratio", "rr", "tolerance", "late_tolerance", "late", "most", "products",
    "q", "q_end", "q_wall", "gained", "length", "predicted", "slope", "kept", "has_wall",
    "projecting", "negative_curvature", "on_boundary",
)  # fmt: skip


class ProjectedCG:
    """Truncated CG at one point after another; see the module.

    The calls and attributes are those of `SteihaugCG`.

    Parameters
    ----------
    x : array, shape (n,)
        The point that steps start from: an array that the caller changes.
    lower, upper : arrays, shape (n,)
        The bounds, which x keeps.
    """

    def __init__(self, x: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        n = x.size
        self.x, self.lower, self.upper = x, lower, upper
        # all in float64, points in units of the radius, residuals in those of |g|
        self.s, self.r, self.z, self.r_end, self.wall, self.r_wall = np.zeros((6, n))
        self.low, self.high = np.zeros((2, n))
        self.path, self.residuals = np.zeros((2, _POINTS, n))
        self.held = np.zeros(n, np.int8)
        self.d, self.step = np.zeros((2, n), x.dtype)
        self._shown = read_only(self.d)  # a caller must not change it
        self.direction: Any = None
        self.length = self.predicted = self.slope = 0.0
        self.on_boundary = self.negative_curvature = self.has_wall = self.projecting = False
        self.g_norm = self.unit = self.ratio = 0.0
        self.tolerance = self.late_tolerance = 0.0
        self.late = self.most = self.products = self.kept = 0
        self.rr = self.q = self.q_end = self.q_wall = self.gained = 0.0

    def prepare(
        self, g: Any, g_norm: float, radius: float, tolerance: float, most: int,
        late_tolerance: float = 0.0, late: int = 10,
    ) -> None:  # fmt: skip
        """Start at a new point, as `SteihaugCG.prepare`; `g_norm` is |g| of what no bound holds."""
        self.g_norm, self.unit, self.ratio = g_norm, radius, g_norm / radius
        self.g = g
        self._set_box()
        self.s[:] = 0.0
        self.r[:] = np.asarray(g, np.float64) / g_norm
        self.q = self.gained = 0.0
        self.tolerance, self.late_tolerance, self.late = tolerance, late_tolerance, late
        self.most, self.products = most, 0
        self.kept = 0
        self._keep(self.s, self.r)
        self.negative_curvature = False
        self._begin_face()

    def _set_box(self) -> None:
        x = self.x.astype(np.float64)
        with np.errstate(over="ignore"):
            self.low[:] = np.minimum((self.lower - x) / self.unit, 0.0)
            self.high[:] = np.maximum((self.upper - x) / self.unit, 0.0)

    def _begin_face(self) -> None:
        """Go on with the variables that are free at s, or end."""
        s, r, low, high = self.s, self.r, self.low, self.high
        self.held[:] = ((s <= low) & (r > 0.0)) | ((s >= high) & (r < 0.0)) | (low >= high)
        d = np.where(self.held, 0.0, -r)
        self.rr = float(d @ d)
        if self.products > 0 and (
            math.sqrt(self.rr) <= self._enough() or self.products >= self.most
            or float(np.linalg.norm(s)) >= _ON_SPHERE
        ):  # fmt: skip
            self._ready(s, self.q)
            return
        self.z[:], self.r_end[:], self.q_end = s, r, self.q
        self.has_wall = self.projecting = False
        self.d[:] = d
        self.direction = self._shown

    def _enough(self) -> float:
        late = self.products >= self.late
        return max(self.tolerance, self.late_tolerance if late else 0.0)

    def receive(self, hd: Any) -> None:
        """Take the product H d of the `direction` d."""
        self.products += 1
        hd = np.asarray(hd, np.float64)
        d = self.d.astype(np.float64)
        curvature = float(d @ hd)
        if self.projecting:
            self._judge_projection(hd, curvature)
            return
        if not math.isfinite(curvature):
            if self.products == 1:
                hd, curvature = np.zeros_like(d), 0.0  # all that is left is the linear model
            else:
                self._end_face()
                return
        z = self.z
        zd, dd = float(z @ d), float(d @ d)
        longest = _to_boundary(float(z @ z), zd, dd, 1.0)
        t = self.rr / curvature * self.ratio if curvature > 0.0 else math.inf
        self.negative_curvature = self.negative_curvature or curvature <= 0.0
        ended = not t < longest
        t = min(t, longest)
        self._meet_wall(d, hd, t, curvature)
        bend = curvature / self.ratio if self.ratio > 0.0 else 0.0
        slope = float(self.r_end @ d)
        self.q_end += t * (slope + 0.5 * t * bend)
        z += t * d
        self.r_end += (t / self.ratio if self.ratio > 0.0 else 0.0) * hd
        if not self.has_wall:
            self._keep(z, self.r_end)
        r = np.where(self.held, 0.0, self.r_end)
        rr = float(r @ r)
        if ended or math.sqrt(rr) <= self._enough() or self.products >= self.most:
            self._end_face()
            return
        self.d[:] = rr / self.rr * d - r
        self.rr = rr

    def _meet_wall(self, d: np.ndarray, hd: np.ndarray, t: float, curvature: float) -> None:
        """Remember where the path leaves the box, if it does so before t and for the first time."""
        if self.has_wall:
            return
        z = self.z
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            reach = np.where(d > 0.0, (self.high - z) / d, (self.low - z) / d)
        reach[d == 0.0] = math.inf
        nearest = max(0.0, float(reach.min()))
        if nearest > t:
            return
        self.has_wall = nearest < t or bool(np.any(reach <= t))
        ratio = self.ratio
        self.wall[:] = np.clip(z + nearest * d, self.low, self.high)
        met = reach <= nearest
        self.wall[met] = np.where(d > 0.0, self.high, self.low)[met]
        self.r_wall[:] = self.r_end + (nearest / ratio if ratio > 0.0 else 0.0) * hd
        bend = curvature / ratio if ratio > 0.0 else 0.0
        self.q_wall = self.q_end + nearest * (float(self.r_end @ d) + 0.5 * nearest * bend)

    def _end_face(self) -> None:
        if not self.has_wall:
            self._move(self.z, self.r_end, self.q_end)
            return
        np.clip(self.z, self.low, self.high, out=self.z)
        change = self.z - self.s
        size = float(np.linalg.norm(change))
        if self.products >= self.most or not float(self.r @ change) < 0.0:
            self._take_wall()
            return
        self.rr = size
        self.d[:] = change / size
        self.projecting = True
        self.direction = self._shown

    def _judge_projection(self, hd: np.ndarray, curvature: float) -> None:
        size = self.rr
        slope = float(self.r @ (self.z - self.s))
        part = size / self.ratio if self.ratio > 0.0 else 0.0
        q = self.q + slope + 0.5 * curvature * size * part
        if q <= self.q + _ARMIJO * slope and q < self.q_wall:
            self.r_end[:] = self.r + part * hd
            self._keep(self.z, self.r_end)
            self._move(self.z, self.r_end, q)
        else:
            self._take_wall()

    def _take_wall(self) -> None:
        if self.q_wall < self.q:
            self._keep(self.wall, self.r_wall)
        self._move(self.wall, self.r_wall, self.q_wall)

    def _move(self, s: np.ndarray, r: np.ndarray, q: float) -> None:
        gain = self.q - q
        self.s[:], self.r[:], self.q = s, r, q
        self.gained += max(0.0, gain)
        if gain < _GAIN * self.gained and not self.has_wall:
            self._ready(self.s, self.q)
        else:
            self._begin_face()

    def _keep(self, s: np.ndarray, r: np.ndarray) -> None:
        if self.kept == _POINTS:  # every second but the first step, whose chord leads down
            for i in range(2, (_POINTS + 2) // 2):
                self.path[i], self.residuals[i] = self.path[2 * i - 1], self.residuals[2 * i - 1]
            self.kept = (_POINTS + 2) // 2
        self.path[self.kept], self.residuals[self.kept] = s, r
        self.kept += 1

    def recut(self, radius: float) -> None:
        """The step for a smaller radius, from the points that are kept."""
        radius = radius / self.unit
        norms = [float(np.linalg.norm(self.path[i])) for i in range(self.kept)]
        end = next((i for i in range(1, self.kept) if norms[i] > radius), None)
        if end is None:
            last = self.kept - 1
            self._ready(self.path[last], self._value(self.path[last], self.residuals[last]))
            return
        a, ra = self.path[end - 1], self.residuals[end - 1]
        chord, change = self.path[end] - a, self.residuals[end] - ra
        slope = float(ra @ chord)
        bend = float(chord @ change)
        square = float(chord @ chord)
        t = min(_to_boundary(norms[end - 1] ** 2, float(a @ chord), square, radius), 1.0)
        if slope < 0.0 < bend:
            t = min(t, -slope / bend)
        elif slope >= 0.0 and end > 1:
            t = 0.0
        point = a + t * chord
        self._ready(point, self._value(point, ra + t * change))

    def _value(self, s: np.ndarray, r: np.ndarray) -> float:
        """q at a point, of the gradient and the residual there: s.(g + r)/2."""
        return 0.5 * (float(s @ self.residuals[0]) + float(s @ r))

    def _ready(self, s: np.ndarray, q: float) -> None:
        self.direction = None
        self.projecting = False
        self.step[:] = s * self.unit
        size = float(np.linalg.norm(s))
        self.length = size * self.unit
        self.predicted = (-q * self.g_norm) * self.unit
        self.slope = (float(s @ self.residuals[0]) * self.g_norm) * self.unit
        self.on_boundary = size >= _ON_SPHERE
        self._final = s.copy()

    def move(self, trial: np.ndarray) -> bool:
        """Write the trial, exactly on the bounds that the step leads to; whether it differs."""
        x, s = self.x, self._final
        with np.errstate(over="ignore", invalid="ignore"):
            trial[:] = x + self.step
        np.clip(trial, self.lower, self.upper, out=trial)
        at_lower, at_upper = s <= self.low, s >= self.high
        trial[at_lower], trial[at_upper] = self.lower[at_lower], self.upper[at_upper]
        return bool(np.any(trial != x))

    def saved(self) -> dict[str, Any]:
        """All that the steps to come depend on, but for g and x; arrays are not copies."""
        return {name: getattr(self, name) for name in (*_ARRAYS, *_NUMBERS)} | {
            "waiting": self.direction is not None
        }

    def restore(self, state: Mapping[str, Any], g: Any) -> None:
        """Go on from what was `saved` at the gradient g."""
        for name in _ARRAYS:
            fill(getattr(self, name), name, state)
        set_numbers(self, _NUMBERS, state)
        if not 0 <= self.kept <= _POINTS:
            raise ValueError("the stored path has a false length")
        self.direction = self._shown if state["waiting"] else None
        self.g = g
        if self.unit > 0.0:
            self._set_box()
