r"""ECnoise: the noise of a function from a table of its differences (Moré & Wild 2011).

k-th differences of a smooth function over equal steps fall as the k-th power of the step. Those of
noise do not: of independent errors of standard deviation :math:`\sigma` they have the variance
:math:`\binom{2k}{k}\sigma^2`. So columns of the table that agree on :math:`\sigma` show noise.
(J. Moré & S. Wild, *Estimating computational noise*, SIAM J. Sci. Comput. 33, 2011, section 3.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..box import Box

__all__ = ["NoiseEstimate", "noise_of"]

#: Points of a table, the first step in units of max(1, |x_i|), and the factor on it where it does
#: not suit.
POINTS, STEP, FACTOR = 7, 1e-5, 100.0
#: Tables at most.
TRIES = 3
#: Columns in a row that must agree, and the factor within which they do.
_AGREE, _WITHIN = 3, 4.0
#: Part of the values that they may vary by, else the points are too far apart.
_VARIES = 0.1


def noise_of(values: Any) -> tuple[float, str]:
    """The standard deviation of the noise in values at equal distances.

    Parameters
    ----------
    values : array, shape (m,), or (m, k)
        m >= 5. Those of a vector function have a noise in its norm.

    Returns
    -------
    noise : float
        NaN if it is not found.
    fault : {'', 'near', 'far'}
        The points are too near to each other if half of the values are alike, and too far apart if
        the function's own changes hide its noise.
    """
    table = np.array(values, np.float64).reshape(len(values), -1)
    if not np.isfinite(table).all():
        return math.nan, "far"
    scale = float(abs(table).max())
    if scale == 0.0:
        return math.nan, "near"
    table /= scale
    if table.shape[1] == 1 and np.ptp(table) > _VARIES:
        return math.nan, "far"
    levels, signs = [], []
    variance = 1.0
    for k in range(1, len(table)):
        table = np.diff(table, axis=0)
        if k == 1 and np.count_nonzero((table == 0.0).all(1)) >= 0.5 * len(table):
            return math.nan, "near"
        variance *= k / (2.0 * (2.0 * k - 1.0))  # 1 / (2k over k)
        levels.append(math.sqrt(variance * float((table * table).sum(1).mean())))
        signs.append(bool((table.min(0) * table.max(0) < 0.0).any()))
    for k in range(len(levels) - _AGREE + 1):
        some = levels[k : k + _AGREE]
        if signs[k] and max(some) <= _WITHIN * min(some):
            return levels[k] * scale, ""
    return math.nan, "far"


class NoiseEstimate:
    """Asks for f, and the gradient where it is at hand, at points beside x0 until noise is known.

    Parameters
    ----------
    x0 : array, shape (n,)
    box : Box or None
        No point is outside of it.

    Attributes
    ----------
    finished : bool
    f_noise, g_noise : float
        When it is finished; 0 for what could not be found out.
    """

    def __init__(self, x0: np.ndarray, box: Box | None) -> None:
        self.box = box
        self.x0 = x0
        self.step, self.tries = STEP, 1
        self.values: list[float] = []
        self.gradients: list[Any] = []
        self.finished = False
        self.f_noise = self.g_noise = 0.0
        self.fault = ""
        # the same for every run: a run is to be repeatable
        u = np.random.default_rng(0).standard_normal(x0.size)
        self._widths = u / np.linalg.norm(u) * np.maximum(1.0, abs(x0.astype(np.float64)))

    @property
    def trial(self) -> np.ndarray:
        """The point to evaluate next."""
        half = self.step * (POINTS // 2)
        centre, widths = self.x0.astype(np.float64), self._widths
        if self.box is not None:
            lower, upper = (b.astype(np.float64) for b in (self.box.lower, self.box.upper))
            widths = np.clip(widths, (lower - upper) / (2.0 * half), (upper - lower) / (2.0 * half))
            centre = np.clip(centre, lower + half * abs(widths), upper - half * abs(widths))
        t = self.step * (len(self.values) - POINTS // 2)
        point = (centre + t * widths).astype(self.x0.dtype)
        return point if self.box is None else self.box.project(point)

    def receive(self, f: float, g: Any) -> None:
        """Take f and the gradient, or None, at the trial."""
        self.values.append(f)
        if g is not None:
            self.gradients.append(np.asarray(g, np.float64))
        if len(self.values) < POINTS:
            return
        noise, self.fault = noise_of(self.values)
        if self.fault and self.tries < TRIES:
            self.tries += 1
            self.step *= FACTOR if self.fault == "near" else 1.0 / FACTOR
            self.values, self.gradients = [], []
            return
        self.finished = True
        self.f_noise = 0.0 if self.fault else noise
        if len(self.gradients) == POINTS and not self.fault:
            noise, fault = noise_of(self.gradients)
            self.g_noise = 0.0 if fault else noise

    def message(self) -> str:
        """What a result says where there is no estimate."""
        if not self.fault:
            return ""
        if self.fault == "near":
            return (
                "The noise of f could not be estimated, since f hardly changes beside x0: give "
                "`noise` as a number if there is any."
            )
        return (
            "The noise of f could not be estimated, since f's own changes hide it: give `noise` as "
            "a number if there is any."
        )

    def saved(self) -> dict[str, Any]:
        """All that the points to come depend on."""
        state: dict[str, Any] = {
            "step": self.step, "tries": self.tries, "values": np.array(self.values),
            "finished": self.finished, "f_noise": self.f_noise, "g_noise": self.g_noise,
            "fault": self.fault,
        }  # fmt: skip
        if self.gradients and not self.finished:
            state["gradients"] = np.array(self.gradients)
        return state

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what was saved; ValueError where that cannot be."""
        self.values = [float(f) for f in saved["values"]]
        self.gradients = list(saved.get("gradients", ()))
        if len(self.values) > POINTS or len(self.gradients) > POINTS:
            raise ValueError("the table of differences has too many points")
        self.step, self.tries = float(saved["step"]), int(saved["tries"])
        self.finished, self.fault = bool(saved["finished"]), str(saved["fault"])
        self.f_noise, self.g_noise = float(saved["f_noise"]), float(saved["g_noise"])
