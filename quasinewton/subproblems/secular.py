r"""The secular equation of both 2-norm subproblems, in the eigenbasis of the model.

With :math:`B = U \operatorname{diag}(\lambda) U^T` and :math:`\bar g = U^T g` the step is

.. math:: \bar s_i(\mu) = -\bar g_i / (\lambda_i + \mu), \qquad \mu \ge \max(0, -\lambda_{\min}),

and :math:`\mu` makes its length :math:`\Delta` (trust region) or :math:`\mu/\sigma` (cubic
regularization). Conn, Gould & Toint, *Trust-Region Methods* (2000), sec. 7.3;
Cartis, Gould & Toint (2011), eq. (6.4).
"""

from __future__ import annotations

import math

from ..kernels import EPS, kernel

__all__ = ["secular"]


@kernel
def _length_and_slope(lam, g, base, t, s):
    """Fill s(base + t); return its length and half the slope of length^2, negated."""
    square = 0.0
    slope = 0.0
    for i in range(lam.size):
        denominator = (lam[i] + base) + t
        if g[i] == 0.0:
            s[i] = 0.0
            continue
        s[i] = -g[i] / denominator
        square += s[i] * s[i]
        slope += s[i] * s[i] / denominator
    return math.sqrt(square), slope


@kernel
def secular(lam, g, sigma, radius, s):
    """Global minimiser of g.s + s.diag(lam).s/2 under a radius or, if that is inf, + sigma|s|^3/3.

    Parameters
    ----------
    lam, g : float64 arrays, shape (k,)
        Spectrum and gradient in the eigenbasis, scaled to be of order one.
    sigma : float
        Weight, >= 0; 0 where the radius is finite.
    radius : float
        > 0; inf for the cubic problem.
    s : float64 array, shape (k,)
        Filled with the step in the eigenbasis.

    Returns
    -------
    mu : float
        The multiplier: (B + mu I) s = -g with B + mu I positive semidefinite.

    Notes
    -----
    The unknown is t = mu - max(0, -lambda_min), so that denominators next to a pole
    keep all their digits however close to the hard case the data are. The function
    ``1/|s(t)| - 1/radius(t)`` is concave and increasing, so Newton's method from any
    point left of the root climbs to it without a safeguard; the componentwise lower
    bound on the root gives that point, at most a factor sqrt(k) away.
    """
    k = lam.size
    if k == 0:
        return 0.0
    lowest = lam[0]
    for i in range(1, k):
        lowest = min(lowest, lam[i])
    base = max(0.0, -lowest)

    # The step at t = 0, without the components that a zero denominator leaves open.
    square = 0.0
    pole = False
    for i in range(k):
        denominator = lam[i] + base
        s[i] = 0.0
        if g[i] != 0.0:
            if denominator > 0.0:
                s[i] = -g[i] / denominator
                square += s[i] * s[i]
            else:
                pole = True
    cubic = radius == math.inf
    if cubic and sigma > 0.0:
        radius = base / sigma
    if not pole and math.sqrt(square) <= radius:
        if base > 0.0 and math.isfinite(radius):  # hard case: complete along the lowest
            gap = math.sqrt(max(0.0, (radius - math.sqrt(square)) * (radius + math.sqrt(square))))
            for i in range(k):
                if lam[i] == lowest:
                    s[i] = gap
                    break
        return base

    t = 0.0
    for i in range(k):
        a = abs(g[i])
        if a == 0.0:
            continue
        d = lam[i] + base
        if cubic:
            # (t + base)(t + d) >= sigma |g_i|
            below = sigma * a - base * d
            bound = 0.0
            if below > 0.0:
                root = math.hypot(base - d, 2.0 * math.sqrt(sigma) * math.sqrt(a))
                bound = 2.0 * below / ((base + d) + root)
        else:
            bound = a / radius - d
        t = max(t, bound)
    for _ in range(100):
        length, slope = _length_and_slope(lam, g, base, t, s)
        if length == 0.0 or not math.isfinite(length):
            if math.isfinite(length):
                break
            t = max(2.0 * t, 1e-300)
            continue
        if cubic:
            mu = base + t
            value = 1.0 / length - sigma / mu
            derivative = slope / (length * length * length) + sigma / (mu * mu)
        else:
            value = 1.0 / length - 1.0 / radius
            derivative = slope / (length * length * length)
        if not value < 0.0:
            break
        step = -value / derivative
        if not step > EPS * t:
            break
        t += step
    return base + t
