r"""The subproblems of a positive definite matrix, by a factorisation in place of a spectrum.

While :math:`-B^{-1}g` is no longer than the bound on the step, it is the minimiser of every
subproblem without a weight: in either norm, and in a trust region. Beyond it, Newton's method
finds the :math:`\mu` of the 2-norm with :math:`\|(B + \mu I)^{-1} g\| = \Delta` (Conn, Gould &
Toint 2000, sec. 7.3.1). A factorisation takes :math:`n^3/6` additions and multiplications, an
eigendecomposition fifty times as many.
"""

from __future__ import annotations

import math

from ..kernels import copy, kernel

__all__ = ["definite_step"]

#: Part of its length by which a step may be shortened to the bound.
_ACCURACY = 1e-9


@kernel
def _solve(matrix, shift, g, factor, s):
    """s = -(matrix + shift I)^-1 g by L D L^T; False where that is not positive definite.

    `factor` holds D on its diagonal and L^T above it.
    """
    n = g.size
    for i in range(n):
        for j in range(i, n):
            factor[i, j] = matrix[i, j]
        factor[i, i] += shift
        s[i] = -g[i]
    for k in range(0, n, 2):  # two pivots at a time: half the passes over the rest
        pivot = factor[k, k]
        if not pivot > 0.0:
            return False
        inverse = 1.0 / pivot
        if k + 1 == n:
            break
        multiple = factor[k, k + 1] * inverse
        for j in range(k + 1, n):
            factor[k + 1, j] -= multiple * factor[k, j]
        next_pivot = factor[k + 1, k + 1]
        if not next_pivot > 0.0:
            return False
        next_inverse = 1.0 / next_pivot
        for i in range(k + 2, n):
            multiple = factor[k, i] * inverse
            next_multiple = factor[k + 1, i] * next_inverse
            for j in range(i, n):
                factor[i, j] -= multiple * factor[k, j] + next_multiple * factor[k + 1, j]
        for j in range(k + 1, n):
            factor[k, j] *= inverse
            s[j] -= factor[k, j] * s[k]
        for j in range(k + 2, n):
            factor[k + 1, j] *= next_inverse
            s[j] -= factor[k + 1, j] * s[k + 1]
    for i in range(n):
        s[i] /= factor[i, i]
    for i in range(n - 1, 0, -1):  # by columns: no chain of additions
        for j in range(i):
            s[j] -= factor[j, i] * s[i]
    return True


@kernel
def definite_step(matrix, shift, g, longest, euclidean, factor, s, w):
    """Minimiser of g.s + s.(matrix + shift I)s/2 under a bound on its length, if this is convex.

    Parameters
    ----------
    matrix : float64 array, shape (n, n)
    shift : float
    g : float64 array, shape (n,)
        Of length one.
    longest : float
    euclidean : bool
        Whether to go on where the bound holds the step back.
    factor : float64 array, shape (n, n)
        Workspace.
    s : float64 array, shape (n,)
        Filled with the step.
    w : float64 array, shape (n,)
        Workspace.

    Returns
    -------
    length : float
        Of the step; inf where the spectrum has to decide.
    slope : float
        g.s
    bend : float
        s.(matrix + shift I)s
    mu : float
        Multiplier of the bound.
    """
    n = g.size
    mu = 0.0
    for _ in range(50):
        if not _solve(matrix, shift + mu, g, factor, s):
            return math.inf, 0.0, 0.0, 0.0
        square = 0.0
        slope = 0.0
        for i in range(n):
            square += s[i] * s[i]
            slope += g[i] * s[i]
        length = math.sqrt(square)
        if not length < math.inf:
            return math.inf, 0.0, 0.0, 0.0
        part = 1.0  # of the step that the bound allows
        if length > longest and mu > 0.0 and length <= longest * (1.0 + _ACCURACY):
            part = longest / length
            for i in range(n):
                s[i] *= part
            length = longest
        if length <= longest:
            return length, part * slope, part * part * (-slope - mu * square), mu
        if not euclidean:
            return math.inf, 0.0, 0.0, 0.0
        # |s| is convex in mu, 1/|s| nearly linear: from the left the iterates stay left.
        change = 0.0  # -(d|s|^2/d mu)/2
        copy(s, w)
        for i in range(n):
            change += w[i] * w[i] / factor[i, i]
            for j in range(i + 1, n):
                w[j] -= factor[i, j] * w[i]
        mu += (square / change) * ((length - longest) / longest)
    return math.inf, 0.0, 0.0, 0.0
