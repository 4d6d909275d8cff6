r"""Truncated conjugate gradients for the trust-region subproblem (Steihaug 1983, Toint 1981).

.. math:: \min_s\; q(s) = g^T s + \tfrac12 s^T H s \quad\text{subject to}\quad \|s\| \le \Delta

Nocedal & Wright (2006), Algorithm 7.2, in reverse communication: `direction` is what the
caller multiplies by H, `receive` takes the product.

The iterates are kept, so a smaller radius is answered from the path without a product.
When the store is full every second point is dropped: along the chord between two CG
iterates :math:`z_i, z_k` the model falls monotonically, because
:math:`r_i^T d_j = -\|r_j\|^2` for :math:`i \le j` gives
:math:`q(z_i + t(z_k - z_i)) = q_i + (q_k - q_i)(2t - t^2)`, so a thinned path is a
descent path still and its values are known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..kernels import kernel
from ..saving import fill, set_numbers
from ..vectors import (
    add_multiple,
    advance,
    conjugate,
    divide,
    dot,
    read_only,
    scale,
    zeros,
)

__all__ = ["SteihaugCG"]


@kernel
def _to_boundary(zz, zd, dd, radius):
    """The t >= 0 at which |z + t d| = radius, for |z| <= radius."""
    gap = max(0.0, radius * radius - zz)
    root = math.sqrt(zd * zd + dd * gap)
    if zd > 0.0:
        return gap / (zd + root)
    return (root - zd) / dd


# What is saved of a run.
_ARRAYS = ("z", "r", "d", "step", "path")
_NUMBERS = (
    "g_norm", "unit", "ratio", "rr", "tolerance", "late_tolerance", "late", "most", "products",
    "zz", "zd", "dd", "q", "last_slope", "ended_on_boundary", "negative_curvature", "length",
    "predicted", "slope", "on_boundary",
)  # fmt: skip


class SteihaugCG:
    """Truncated CG at one point after another; see the module.

    Parameters
    ----------
    like : array, shape (n,)
        All n-vectors are to be of its kind and dtype.
    points : int
        Iterates of the path that are kept; odd.

    Attributes
    ----------
    direction : array or None
        What to multiply by the Hessian next; None when the step is ready.
    step : array, shape (n,)
        The step, when ready; `predicted` is the decrease of the model, `slope` is g.s,
        `length` its norm and `on_boundary` whether the radius stopped it.
    """

    def __init__(self, like: Any, points: int = 9) -> None:
        n = like.shape[0]
        self.z, self.r, self.d, self.step = zeros((4, n), like)
        self.path = zeros((points, n), like)
        self._shown = read_only(self.d)  # a caller must not change it
        self.direction: Any = None
        self.length = self.predicted = self.slope = 0.0
        self.on_boundary = self.negative_curvature = self.ended_on_boundary = False
        self.g_norm = self.unit = self.ratio = 0.0
        self.tolerance = self.late_tolerance = 0.0
        self.late = self.most = self.products = 0
        self.rr = self.zz = self.zd = self.dd = self.q = self.last_slope = 0.0
        self.values: list[float] = []  # q at the kept points
        self.norms: list[float] = []

    def prepare(
        self, g: Any, g_norm: float, radius: float, tolerance: float, most: int,
        late_tolerance: float = 0.0, late: int = 10,
    ) -> None:  # fmt: skip
        """Start at a new point.

        Parameters
        ----------
        g : array, shape (n,)
        g_norm, radius, tolerance : float
            ``|g|``; the trust radius; stop when ``|r| <= tolerance |g|``.
        most : int
            Most products.
        late_tolerance : float
            Takes the place of `tolerance` from product `late` on.
        """
        # Residuals and directions are in units of |g|, points in units of the radius, values of
        # the model in units of their product: no square overflows or vanishes at any scale.
        self.g_norm, self.unit = g_norm, radius
        self.ratio = g_norm / radius
        self.z[...] = 0.0
        divide(g, g_norm, self.r)
        scale(-1.0, self.r, self.d)
        self.g = g
        self.rr = 1.0
        self.tolerance = tolerance
        self.late_tolerance, self.late = late_tolerance, late
        self.most = most
        self.products = 0
        self.zz = self.zd = 0.0
        self.dd = 1.0
        self.q = 0.0
        self.path[0] = 0.0
        self.values = [0.0]
        self.norms = [0.0]
        self.last_slope = 0.0  # of q along the last chord, if that ends on the boundary
        self.ended_on_boundary = False
        self.direction = self._shown
        self.negative_curvature = False

    def receive(self, hd: Any) -> None:
        """Take the product H d of the `direction` d."""
        self.products += 1
        curvature = dot(self.d, hd)
        if not math.isfinite(curvature):
            if self.products == 1:
                self._finish_on_boundary(0.0)  # all that is left is the linear model
            else:
                self._finish_inside()
            return
        # The path leaves the region along d, on negative curvature or by its own length.
        if curvature <= 0.0:
            self.negative_curvature = True
            self._finish_on_boundary(curvature)
            return
        alpha = self.rr / curvature
        t = alpha * self.ratio
        if not self.zz + t * (2.0 * self.zd + t * self.dd) < 1.0:
            self._finish_on_boundary(curvature)
            return
        self.zz, rr = advance(self.z, t, self.d, self.r, alpha, hd)
        self.q -= 0.5 * t * self.rr
        self._keep(self.z)
        enough = self.tolerance if self.products < self.late else self.late_tolerance
        if math.sqrt(rr) <= max(enough, self.tolerance) or self.products >= self.most:
            self._finish_inside()
            return
        beta = rr / self.rr
        self.zd = beta * (self.zd + t * self.dd)
        self.dd = rr + beta * beta * self.dd
        self.rr = rr
        conjugate(self.d, beta, self.r)

    def recut(self, radius: float) -> None:
        """The step for a smaller radius, from the stored path."""
        radius = radius / self.unit
        last = len(self.values) - 1
        end = next((i for i in range(1, last + 1) if self.norms[i] > radius), None)
        if end is None:
            self._ready(self.path[last], self.values[last], self.norms[last], False)
            return
        start, chord = self.path[end - 1], self.path[end] - self.path[end - 1]
        t = _to_boundary(
            self.norms[end - 1] ** 2, dot(start, chord), dot(chord, chord), radius
        )
        t = min(t, 1.0)
        difference = self.values[end] - self.values[end - 1]
        slope = 2.0 * difference
        if end == last and self.ended_on_boundary:
            slope = self.last_slope
        value = self.values[end - 1] + t * slope + t * t * (difference - slope)
        square = add_multiple(start, t, chord, self.step)
        self._ready(self.step, value, math.sqrt(square), True)

    def saved(self) -> dict[str, Any]:
        """All that the steps to come depend on, but for g; arrays are not copies."""
        names = (*_ARRAYS, *_NUMBERS, "values", "norms")
        return {name: getattr(self, name) for name in names} | {
            "waiting": self.direction is not None
        }

    def restore(self, state: Mapping[str, Any], g: Any) -> None:
        """Go on from what was `saved` at the gradient g."""
        for name in _ARRAYS:
            fill(getattr(self, name), name, state)
        set_numbers(self, _NUMBERS, state)
        self.values = [float(value) for value in state["values"]]
        self.norms = [float(norm) for norm in state["norms"]]
        if not len(self.values) == len(self.norms) <= len(self.path):
            raise ValueError("the stored path has a false length")
        self.direction = self._shown if state["waiting"] else None
        self.g = g

    def _keep(self, z: Any) -> None:
        if len(self.values) == len(self.path):
            for i in range(1, (len(self.path) + 1) // 2):  # an odd number: the last one stays
                self.path[i] = self.path[2 * i]
            self.values = self.values[::2]
            self.norms = self.norms[::2]
        self.path[len(self.values)] = z
        self.values.append(self.q)
        self.norms.append(math.sqrt(self.zz))

    def _finish_on_boundary(self, curvature: float) -> None:
        t = _to_boundary(self.zz, self.zd, self.dd, 1.0)
        self.last_slope = -t * self.rr
        bend = curvature / self.ratio if self.ratio > 0.0 else 0.0  # both vanish together
        self.q += t * (-self.rr + 0.5 * t * bend)
        self.zz = add_multiple(self.z, t, self.d, self.z)
        self._keep(self.z)
        self.ended_on_boundary = True
        self._ready(self.z, self.q, math.sqrt(self.zz), True)

    def _finish_inside(self) -> None:
        self.ended_on_boundary = False
        self._ready(self.z, self.q, math.sqrt(self.zz), False)

    def _ready(self, z: Any, value: float, norm: float, on_boundary: bool) -> None:
        if z is not self.step:
            self.step[...] = z
        self.direction = None
        scale(self.unit, self.step, self.step)
        self.length = norm * self.unit
        self.predicted = (-value * self.g_norm) * self.unit
        self.slope = dot(self.g, self.step)
        self.on_boundary = on_boundary
