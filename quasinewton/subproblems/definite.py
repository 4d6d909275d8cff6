r"""The subproblems of a positive definite matrix, by a factorisation in place of a spectrum.

While :math:`-B^{-1}g` is no longer than the bound on the step, it is the minimiser of every
subproblem without a weight: in either norm, and in a trust region. Beyond it, Newton's method
finds the :math:`\mu` of the 2-norm with :math:`\|(B + \mu I)^{-1} g\| = \Delta` (Conn, Gould &
Toint 2000, sec. 7.3.1). A factorisation takes :math:`n^3/6` additions and multiplications, an
eigendecomposition fifty times as many.
"""

from __future__ import annotations

import math

from ..kernels import kernel

__all__ = ["definite_step"]

#: Part of the bound by which the length of a step may differ from it.
_ACCURACY = 1e-10


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
    for k in range(n):
        pivot = factor[k, k]
        if not pivot > 0.0:
            return False
        inverse = 1.0 / pivot
        for i in range(k + 1, n):
            multiple = factor[k, i] * inverse
            for j in range(i, n):
                factor[i, j] -= multiple * factor[k, j]
        for j in range(k + 1, n):
            factor[k, j] *= inverse
            s[j] -= factor[k, j] * s[k]
    for i in range(n - 1, -1, -1):
        total = s[i] / factor[i, i]
        for j in range(i + 1, n):
            total -= factor[i, j] * s[j]
        s[i] = total
    return True


@kernel
def definite_step(matrix, shift, g, longest, euclidean, factor, s, w):
    """Minimiser of g.s + s.(matrix + shift I)s/2 over |s| <= longest for a positive definite one.

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
    mu : float
        Multiplier of the bound.
    """
    n = g.size
    mu = 0.0
    for _ in range(50):
        if not _solve(matrix, shift + mu, g, factor, s):
            return math.inf, 0.0
        square = 0.0
        for i in range(n):
            square += s[i] * s[i]
        length = math.sqrt(square)
        if not length < math.inf:
            return math.inf, 0.0
        if length <= longest or (mu > 0.0 and length <= longest * (1.0 + _ACCURACY)):
            return length, mu
        if not euclidean:
            return math.inf, 0.0
        # |s| is convex in mu, 1/|s| nearly linear: from the left the iterates stay left.
        bend = 0.0
        for i in range(n):
            total = s[i]
            for j in range(i):
                total -= factor[j, i] * w[j]
            w[i] = total
            bend += total * total / factor[i, i]
        mu += (square / bend) * ((length - longest) / longest)
    return math.inf, 0.0
