r"""The cubic subproblem, in the eigenbasis of the model.

.. math:: \min_s\; g^T s + \tfrac12 s^T B s + \tfrac{\sigma}{3}\,\varphi(s)^3

In the *shape-changing* norm :math:`\varphi(s)^3 = \sum_i |\bar s_i|^3` it separates into
scalar problems with closed-form solutions (Ranganath et al., arXiv:2502.12298; the norm
is that of Burdakov et al. 2017). In the *Euclidean* norm it is a secular equation.

Both take a bound on the length of the step as well: the weight used is the smallest
one, not below the one given, whose step is no longer than that. In the eigenbasis this
costs O(k) a trial weight.
"""

from __future__ import annotations

import math

from ..kernels import TINY, kernel
from .secular import secular

__all__ = ["cubic_euclidean", "cubic_shape"]


@kernel
def _separate(lam, g, sigma, s):
    """Closed form of every component; length of the step and d(length^2)/d(sigma)/2."""
    square = 0.0
    slope = 0.0
    for i in range(lam.size):
        a = abs(g[i])
        root = math.hypot(lam[i], 2.0 * math.sqrt(sigma) * math.sqrt(a))
        if lam[i] >= 0.0:
            # 2|g|/(lam + root), not (root - lam)/(2 sigma), which cancels here
            size = 2.0 * a / (lam[i] + root) if a > 0.0 else 0.0
        else:
            size = (root - lam[i]) / (2.0 * sigma) if sigma > 0.0 else math.inf
        s[i] = -size if g[i] > 0.0 else size
        square += size * size
        if root > 0.0:
            slope -= size * size * size / root  # implicit derivative of sigma t^2 + lam t = a
    return math.sqrt(square), slope


@kernel
def cubic_shape(lam, g, sigma, longest, s):
    """Global minimiser in the shape-changing norm, no longer than `longest`.

    Parameters
    ----------
    lam, g : float64 arrays, shape (k,)
        Spectrum of B and gradient in its eigenbasis, scaled to be of order one.
    sigma : float
        Least cubic weight, >= 0.
    longest : float
        Bound on the Euclidean length of the step; inf for none.
    s : float64 array, shape (k,)
        Filled with the step in the eigenbasis. Where g_i = 0 and lam_i < 0 both
        signs are optimal and + is taken.

    Returns
    -------
    length, sigma : float
        Euclidean length of the step and the weight that it solves the problem for.
    """
    length, slope = _separate(lam, g, sigma, s)
    if length <= longest or lam.size == 0:
        return length, sigma
    # Newton on log|s| against log(sigma), inside a bracket.
    low, high = sigma, math.inf
    trial = sigma if sigma > 0.0 and math.isfinite(length) else 0.0
    if trial == 0.0:
        # from t <= (|lam| + sqrt(lam^2 + 4 sigma |g|)) / (2 sigma): a weight of the right order
        for i in range(lam.size):
            trial = max(trial, max(-lam[i], abs(g[i]) / longest - lam[i]) / longest)
        trial = max(trial, TINY)
        length, slope = _separate(lam, g, trial, s)
    for _ in range(200):
        if length > longest:
            low = max(low, trial)
        else:
            high = min(high, trial)
            if length >= longest * (1.0 - 1e-10):
                break
        if high <= low * (1.0 + 1e-14):
            trial = high
            break
        following = 0.0
        if math.isfinite(length) and length > 0.0 and slope < 0.0:
            power = trial * slope / (length * length)
            # aim a hair inside, so that the last iterate is feasible
            target = math.log(longest / length) - 5e-11
            following = trial * math.exp(min(max(target / power, -40.0), 40.0))
        if not (low < following < high):
            if not math.isfinite(high):
                following = 16.0 * max(low, TINY)
            elif low == 0.0:
                following = high / 16.0
            else:
                following = math.sqrt(low) * math.sqrt(high)
        trial = following
        length, slope = _separate(lam, g, trial, s)
    if length > longest and math.isfinite(high):
        trial = high
        length, slope = _separate(lam, g, trial, s)
    return length, trial


@kernel
def _length(s):
    square = 0.0
    for i in range(s.size):
        square += s[i] * s[i]
    return math.sqrt(square)


@kernel
def cubic_euclidean(lam, g, sigma, longest, s):
    """Global minimiser in the 2-norm, no longer than `longest`; arguments as `cubic_shape`.

    A step of given length solves the trust-region problem of that radius with a multiplier mu,
    and the cubic problem of weight mu / length. For sigma = 0 this is the trust-region problem.
    """
    if sigma > 0.0 or longest == math.inf:
        secular(lam, g, sigma, math.inf, s)
        length = _length(s)
        if length <= longest or longest == math.inf:
            return length, sigma
    mu = secular(lam, g, 0.0, longest, s)
    length = _length(s)
    return length, max(mu / length, sigma) if length > 0.0 else sigma
