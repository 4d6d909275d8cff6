"""What the rejected trials of a run that got stuck say of the functions that it was given."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

from ..status import Status

__all__ = ["Rejections"]

#: A trial this much closer than the first of those rejected in a row is a short step.
_CLOSER = 1e-3
#: How many times its rounding a change has to be, to be one of the function.
_CLEAR = 1e3


@dataclass(slots=True)
class Rejections:
    """Counts rejected trials, and of short steps those on which f does what its gradient denies.

    On ever shorter steps f comes to change by g.s if the gradient is right and f smooth. That is a
    decrease, of at most |g| |s|; what curvature adds falls as |s|^2. So a change that falls more
    slowly is a fault of the functions: f jumps, stays flat, or rises.
    """

    total: float = 0.0
    in_a_row: float = 0.0
    undefined: float = 0.0  # of those, f was not finite
    first: float = 0.0  # length of the first of them, and the change of f there
    first_change: float = 0.0
    last: float = 0.0
    last_change: float = 0.0
    jumps: float = 0.0
    jump: float = 0.0  # the size of the last
    flat: float = 0.0
    rises: float = 0.0

    def saved(self) -> list[float]:
        """The numbers, to be given to a new one."""
        return [float(value) for value in astuple(self)]

    def note(
        self, step: float, f: float, f_trial: float, g_norm: float, x_norm: float, eps: float
    ) -> None:
        """Take note of a rejected trial.

        Parameters
        ----------
        step : float
            |s|.
        f, f_trial : float
        g_norm, x_norm : float
            2-norms at x.
        eps : float
            Of the arithmetic of x.
        """
        change = f_trial - f
        if self.in_a_row == 0:
            self.undefined = self.first_change = 0.0
            self.first = self.last = step
        self.total += 1
        self.in_a_row += 1
        if not math.isfinite(change):
            self.undefined += 1
            return
        last, last_change = self.last, self.last_change
        self.last, self.last_change = step, change
        if self.in_a_row == self.undefined + 1:  # the first that is finite
            self.first, self.first_change = step, change
        rounding = _CLEAR * eps * x_norm  # steps below it are not what they are meant to be
        noise = _CLEAR * eps * abs(f)
        if step > _CLOSER * self.first and step > rounding:
            return
        slope = g_norm * max(step, rounding)
        linear = abs(self.first_change) * step / self.first if step < self.first else 0.0
        if abs(change) > noise + 10.0 * max(slope, linear):
            self.jumps += 1
            self.jump = abs(change)
        elif step > rounding and slope > noise:
            self.flat += change == 0.0
            slower = step < 0.6 * last and change * last > 0.6 * last_change * step
            self.rises += change > noise and slower

    def advice(self, status: Status, nit: int, optimality: float, differences: bool) -> str:
        """A sentence to follow the message of a status; empty where nothing was seen.

        Parameters
        ----------
        status : Status
        nit : int
            Trials in all.
        optimality : float
            max|g| at the best point.
        differences : bool
            Whether the gradient is made of differences.
        """
        stuck = status is Status.PRECISION
        seen = self.jumps + self.flat + self.rises
        if not stuck and not (status is Status.MAXITER and (2 * self.total > nit or seen >= 3)):
            return ""
        share = "" if stuck else f"{self.total:.0f} of {nit} trials were rejected. "
        if stuck and self.undefined and self.undefined == self.in_a_row:
            return f"At the last {self.undefined:.0f} trials f was not finite."
        if self.jumps > self.flat + self.rises:
            return (
                f"{share}f jumps by {self.jump:.0e} between points that are almost the same: that "
                "is its noise, which hides any smaller decrease (see the how-to on noise)."
            )
        if self.flat > self.rises:
            return (
                f"{share}f stays the same on short steps on which it changes by its gradient: it "
                "seems to be computed in less precision than x has."
            )
        if differences and (stuck or seen):
            return (
                f"{share}The gradient is made of differences, which are too coarse here: give "
                "`jac`, or a larger `gtol`."
            )
        if self.rises:
            return (
                f"{share}f rises on short steps on which it falls by its gradient: "
                "options={'check_derivatives': True} compares `jac` with differences."
            )
        if stuck:
            return (
                f"No decrease was found at max|g| = {optimality:.1e}: rounding may hide it (see "
                "the how-to on scaling), or the gradient is wrong ('check_derivatives')."
            )
        return f"{share}The scaling of the variables may be why (see the how-to on scaling)."
