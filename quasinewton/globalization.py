"""Acceptance of a trial, and the rules for what bounds the next one.

One function compares the actual with the predicted reduction; one function per
rule turns that ratio into the next cubic weight and step length.
"""

from __future__ import annotations

import math

import numpy as np

from .kernels import EPS, kernel, vector_function
from .records import RULE
from .subproblems.table import SUBPROBLEMS, Subproblem
from .vectors import LARGE, SMALL, difference_products, difference_sizes, width

__all__ = [
    "WIDEST",
    "RuleParameters",
    "count_idle",
    "first_length",
    "interpolate",
    "interpolate_cubic",
    "is_clear",
    "judge",
    "level",
    "next_length",
    "noise_between",
    "ratio",
    "room",
    "term_size",
]

#: Relative roundoff to be expected in f.
NOISE = 10.0 * EPS
#: Noise is added so many times to the actual and to the predicted decrease, and a smaller predicted
#: one cannot be seen: in standard deviations of the noise that f is given with.
_SLACK, _UNSEEN = 4.0, 2.0
#: A change of the gradient is clear if it is so many times its noise, whose norm in a difference
#: is 1.4 times that in a gradient.
_CLEAR = 2.0
#: A gradient is a gain where it is as much smaller than any before.
GAIN = 0.9
#: Iterations without gain after which none is expected.
IDLE = 10
#: Part of f that noise is at most.
_MOST_NOISE = 1e-3
#: Part of f by which a first step should decrease it at least.
_VISIBLE = 1e-4
#: After a rejection the length becomes at most this multiple of the step, or what was too long.
_AFTER = 2.0
#: Width of a variable's bounds, beside max(1, |x0|), above which they stand for none.
WIDEST = 1e4


class RuleParameters:
    """Constants of the globalization.

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
    cubic : float
        Where positive, a rejected step is shortened by `interpolate_cubic` if its gradient came
        with f.
    """

    names = tuple(name for name in RULE.names or () if RULE[name] == np.float64)

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
        self.cubic = 0.0
        for name, value in changes.items():
            if name not in self.names:
                raise TypeError(f"unknown rule parameter {name!r}; known: {self.names}")
            setattr(self, name, float(value))

    def record(
        self, subproblem: Subproblem = SUBPROBLEMS["shape"], published: bool = False
    ) -> np.ndarray:
        """A RULE record, shape (1,), as the kernels take it.

        Parameters
        ----------
        subproblem : Subproblem
        published : bool
            Whether the weight follows `ranganath_weight`.
        """
        constants = (getattr(self, name) for name in self.names)
        facts = subproblem.number, subproblem.radius, subproblem.euclidean
        return np.array([(*constants, *facts, published)], RULE)


@kernel
def level(given):
    """The decrease that noise of this standard deviation in f hides."""
    return _UNSEEN * given


@kernel
def ratio(f, f_trial, predicted, scale, relative, seen, given=0.0):
    """rho = (f - f_trial) / predicted, and whether noise in f hides a decrease.

    Both with a multiple of `given` added (Sun & Nocedal 2023, eq. 2.4), so that noise alone does
    not reject a step, or shorten the next.

    Parameters
    ----------
    f, f_trial, predicted : float
    scale : float
        Size of the terms that f is a sum of, as far as known: see `term_size`.
    relative : float
        Relative roundoff to be expected in f, `NOISE` in double precision.
    seen : float
        Noise that values of f have shown, see `noise_between`; at least `level(given)`.
    given : float, default 0
        Standard deviation of the noise that f is said to have, 0 for none.

    Returns
    -------
    rho : float
        -inf for a trial that is not finite or a prediction that is no decrease.
    small : bool
        Whether the predicted decrease is too small to be seen in f.
    in_noise : bool
        ... and f did not rise by more than its noise either. Such a step may be judged by its
        gradient instead.
    """
    if not (math.isfinite(f_trial) and predicted > 0.0):
        return -math.inf, False, False
    size = max(abs(f), abs(f_trial))
    small = predicted <= max(relative * max(size, scale), seen)
    in_noise = small and f_trial - f <= max(relative * size, seen)
    slack = _SLACK * given
    return (f - f_trial + slack) / (predicted + slack), small, in_noise


@kernel
def count_idle(idle, least, f_trial, g_norm_trial, outcome, given):
    """Count iterations that gain nothing that can be seen.

    If noise hides the decrease that is predicted, or is given and f does not come below all of it,
    the gradient may show a gain.

    Parameters
    ----------
    idle : int
        Iterations without a gain before this one.
    least : (float, float)
        The least norm of a gradient since f has shown a gain, and f there.
    f_trial, g_norm_trial : float
    outcome : (bool, bool)
        Whether the trial was accepted, and `small`, see `ratio`.
    given : float

    Returns
    -------
    idle : int
    g_least, f_least : float
    """
    g_least, f_least = least
    accepted, small = outcome
    gain = accepted and not small
    if given > 0.0:
        gain = accepted and f_trial < f_least - level(given)
    if gain:
        return 0, math.inf, f_trial
    if accepted and (small or given > 0.0) and g_norm_trial < GAIN * g_least:
        return 0, g_norm_trial, f_least
    return idle + 1 if small or accepted else idle, g_least, f_least


@kernel
def term_size(scale, rho, small):
    """The size of the terms that f is a sum of, after an accepted step: at first ``|f|``.

    It is less than was thought where f shows a decrease that should be too small for that. So is
    the noise that f has seemed to show.
    """
    return 0.1 * scale if small and 0.25 <= rho <= 4.0 else scale


@kernel
def noise_between(f, f_trial, slope, slope_trial):
    """The error of a difference of f that its slopes prove, else 0.

    Along a step on which the slope hardly changes, ``(slope + slope_trial)/2`` is the change of a
    smooth f up to less than the change of the slope.
    """
    change = f_trial - f
    spread = abs(slope_trial - slope)
    error = abs(change - 0.5 * (slope + slope_trial))
    if spread <= abs(slope) and spread < error <= _MOST_NOISE * max(abs(f), abs(f_trial)):
        return error
    return 0.0


@vector_function(0, inline=True)
def is_clear(x, x_trial, g, g_trial, noise):
    """Whether the gradient changes by more than its noise does: else a pair says nothing."""
    _, _, yy = difference_products(x, x_trial, g, g_trial, 1.0, 1.0)
    if SMALL < yy < LARGE:
        return math.sqrt(yy) > _CLEAR * noise
    s_max, y_max = difference_sizes(x, x_trial, g, g_trial)
    if not (s_max > 0.0 and y_max > 0.0 and math.isfinite(1.0 / s_max)):
        return True  # which `absorb` sees to
    _, _, yy = difference_products(x, x_trial, g, g_trial, 1.0 / s_max, 1.0 / y_max)
    return y_max * math.sqrt(yy) > _CLEAR * noise


@kernel
def judge(rho, in_noise, g_norm, g_norm_trial, least, good):
    """Whether to accept a trial.

    Parameters
    ----------
    rho, in_noise
        By `ratio`.
    g_norm, g_norm_trial : float
        Norms of the gradients; NaN for a trial whose gradient is unknown or not finite, which
        is never accepted.
    least, good : float
        Ratios above which a step is accepted, and from which on it is a good one.

    Returns
    -------
    accepted : bool
    meaningful : bool
        False for an accepted step whose poor ratio is roundoff: it says nothing of its length.
    """
    known = math.isfinite(g_norm_trial)
    accepted = known and (rho > least or (in_noise and g_norm_trial < g_norm))
    meaningful = not (accepted and in_noise and rho < good)
    return accepted, meaningful


@kernel
def first_length(x_norm, f, g_norm):
    """Bound on the first step: ``|x0|``, or ``min(1, |g|)`` from 0 (in a box `room`).

    But no step whose decrease of f could hardly be seen. All scales as x and f do.
    """
    if not (x_norm > 0.0 and math.isfinite(x_norm)):
        return min(1.0, g_norm)
    least = _VISIBLE * abs(f) / g_norm if g_norm > 0.0 else 0.0
    return max(x_norm, least) if math.isfinite(least) else x_norm


@vector_function(0)
def room(lower, upper):
    """What stands for |x0| where that is 0, which says nothing: the norm of the bounds' widths."""
    return width(lower, upper, WIDEST)


@kernel
def interpolate(f, f_trial, slope, lowest, highest):
    """Factor on a rejected step: the minimiser of the parabola through f, slope, f_trial."""
    if not math.isfinite(f_trial):
        return highest  # it tells nothing but that the step was too long
    bend = f_trial - f - slope
    if not bend > 0.0:
        return highest
    return min(max(-0.5 * slope / bend, lowest), highest)


@kernel
def interpolate_cubic(f, f_trial, slope, slope_trial, lowest, highest):
    """Factor on a rejected step: the minimiser of the cubic through both values and slopes.

    Nocedal & Wright (2006), eq. 3.59. The parabola where it has none.
    """
    d = slope + slope_trial - 3.0 * (f_trial - f)
    square = d * d - slope * slope_trial
    if square >= 0.0:
        root = math.sqrt(square)
        bend = slope_trial - slope + 2.0 * root
        t = 1.0 - (slope_trial + root - d) / bend if bend != 0.0 else math.nan
        if math.isfinite(t):
            return min(max(t, lowest), highest)
    return interpolate(f, f_trial, slope, lowest, highest)


@kernel
def next_length(length, step, rho, accepted, shrink, convex, rule, refused=0.0):
    """The bound on the length of the next step (also the trust radius).

    `refused` is the length of the trial that was rejected just before, 0 if none was: what was too
    long once is not tried again at once.
    """
    constants = rule[0]
    if not accepted:
        return shrink * step
    if rho < constants.poor:
        return min(length, 0.5 * step)
    if rho >= constants.good:
        grown = (constants.grow_convex if convex else constants.grow) * step
        if refused > 0.0:
            grown = min(grown, max(refused, _AFTER * step))
        return max(length, grown)
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
