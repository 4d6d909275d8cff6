"""min g.s + s.B s / 2 subject to |s| <= radius, in the eigenbasis of the model."""

from __future__ import annotations

import math

from ..kernels import kernel
from .secular import secular

__all__ = ["trust_region"]


@kernel
def trust_region(lam, g, radius, s):
    """Fill `s` with the global minimiser; return its length and the multiplier.

    Parameters
    ----------
    lam, g : float64 arrays, shape (k,)
        Spectrum of B and gradient in its eigenbasis, scaled to be of order one.
    radius : float
        Trust radius, > 0.
    s : float64 array, shape (k,)
        The step in the eigenbasis.
    """
    mu = secular(lam, g, 0.0, radius, s)
    square = 0.0
    for i in range(s.size):
        square += s[i] * s[i]
    return math.sqrt(square), mu
