"""Acceptance of a trial, and the rules for what bounds the next one.

One function compares the actual with the predicted reduction; one function per
rule turns that ratio into the next cubic weight and step length.
"""

from __future__ import annotations

import math

import numpy as np

from .kernels import EPS, kernel

__all__ = [
    "RULES",
    "RuleParameters",
    "first_length",
    "interpolate",
    "judge",
    "next_length",
    "ratio",
]

#: Weight rules of the cubic methods, by the name that options use.
RULES = {"length": 0, "ranganath": 1}
RANGANATH = RULES["ranganath"]

#: Relative roundoff to be expected in f.
NOISE = 10.0 * EPS


class RuleParameters:
    """Constants of the globalization, packed for the kernels as one array.

    Attributes
    ----------
    accept : float
        A trial is accepted when rho > accept.
    poor, good : float
        Below `poor` an accepted step tightens the length, from `good` on it loosens.
    grow, grow_convex : float
        The length becomes at least this multiple of a good step; the second where
        the model has no negative curvature.
    shrink_min, shrink_max : float
        A rejected step is shortened by a factor in this interval.
    relax : float
        Factor on sigma after a successful step.
    keep : float
        The pair of a rejected trial is used where rho > keep.
    patience : float
        Rejections in a row for which no gradient is asked for that does not come with f.
    secant : float
        Where positive, pairs reproduce f along the step as well as g.
    """

    names = (
        "accept", "poor", "good", "grow", "grow_convex", "shrink_min", "shrink_max",
        "relax", "keep", "patience", "secant",
    )  # fmt: skip

    def __init__(self, **changes: float) -> None:
        self.accept = 0.0
        self.poor = 0.1
        self.good = 0.75
        self.grow = 4.0
        self.grow_convex = 4.0
        self.shrink_min = 0.1
        self.shrink_max = 0.5
        self.relax = 0.0
        self.keep = -10.0
        self.patience = 1.0
        self.secant = 0.0
        for name, value in changes.items():
            if name not in self.names:
                raise TypeError(f"unknown rule parameter {name!r}; known: {self.names}")
            setattr(self, name, float(value))

    def array(self) -> np.ndarray:
        """The constants in the order of `names`, as the kernels take them."""
        return np.array([getattr(self, name) for name in self.names])


(
    ACCEPT, POOR, GOOD, GROW, GROW_CONVEX, SHRINK_MIN, SHRINK_MAX, RELAX, KEEP, PATIENCE,
    SECANT,
) = range(11)  # fmt: skip


@kernel
def ratio(f, f_trial, predicted, scale):
    """rho = (f - f_trial) / predicted, and whether roundoff hides a decrease.

    Parameters
    ----------
    f, f_trial, predicted : float
    scale : float
        Size of the terms that f is a sum of, as far as known: ``|f|`` at the start.

    Returns
    -------
    rho : float
        -inf for a trial that is not finite or a prediction that is no decrease.
    in_noise : bool
        True where f did not rise by more than roundoff and the predicted decrease is too
        small to be seen in it. Such a step may be judged by its gradient instead.
    """
    if not math.isfinite(f_trial):
        return -math.inf, False
    if not predicted > 0.0:
        return -math.inf, False
    size = max(abs(f), abs(f_trial))
    in_noise = f_trial - f <= NOISE * size and predicted <= NOISE * max(size, scale)
    return (f - f_trial) / predicted, in_noise


@kernel
def judge(f, f_trial, predicted, scale, g_norm, g_norm_trial, par):
    """Whether to accept a trial.

    Parameters
    ----------
    f, f_trial, predicted, scale
        As in `ratio`.
    g_norm, g_norm_trial : float
        Norms of the gradients; NaN for a trial whose gradient is unknown or not finite, which
        is never accepted.
    par : float64 array
        See `RuleParameters`.

    Returns
    -------
    rho : float
    accepted : bool
    meaningful : bool
        False for an accepted step whose poor ratio is roundoff: it says nothing of its length.
    """
    rho, in_noise = ratio(f, f_trial, predicted, scale)
    known = math.isfinite(g_norm_trial)
    accepted = known and (rho > par[ACCEPT] or (in_noise and g_norm_trial < g_norm))
    meaningful = not (accepted and in_noise and rho < par[GOOD])
    return rho, accepted, meaningful


@kernel
def first_length(x_norm, g_norm):
    """Bound on the first step: ``|x0|``, which scales as x does, or ``min(1, |g|)`` from 0."""
    return x_norm if x_norm > 0.0 and math.isfinite(x_norm) else min(1.0, g_norm)


@kernel
def interpolate(f, f_trial, slope, lowest, highest):
    """Factor on a rejected step: the minimiser of the parabola through f, slope, f_trial."""
    if not math.isfinite(f_trial):
        return max(lowest, 0.1)  # it tells nothing but that the step was too long
    bend = f_trial - f - slope
    if not bend > 0.0:
        return highest
    return min(max(-0.5 * slope / bend, lowest), highest)


@kernel
def next_length(length, step, rho, accepted, shrink, convex, par):
    """The bound on the length of the next step (also the trust radius)."""
    if not accepted:
        return shrink * step
    if rho < par[POOR]:
        return min(length, 0.5 * step)
    if rho >= par[GOOD]:
        return max(length, (par[GROW_CONVEX] if convex else par[GROW]) * step)
    return length


@kernel
def ranganath_weight(sigma, rho):
    """The published rule: halve, keep, or multiply by (gamma1 + gamma2)/2 = 5.5.

    eta1 = 0.15, eta2 = 0.25, gamma1 = 1, gamma2 = 10 (arXiv:2502.12298).
    """
    if rho > 0.25:
        return 0.5 * sigma
    if rho >= 0.15:
        return sigma
    return 5.5 * sigma
