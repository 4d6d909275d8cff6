r"""The subproblems of a positive definite matrix, by a factorisation in place of a spectrum.

While :math:`-B^{-1}g` is no longer than the bound on the step, it is the minimiser of every
subproblem without a weight: in either norm, and in a trust region. Beyond it, Newton's method
finds the :math:`\mu` of the 2-norm with :math:`\|(B + \mu I)^{-1} g\| = \Delta` (Conn, Gould &
Toint 2000, sec. 7.3.1). A factorisation takes :math:`n^3/6` additions and multiplications, an
eigendecomposition fifty times as many.
"""

from __future__ import annotations

import math

from ..kernels import copy, inline_kernel, kernel

__all__ = ["definite_step"]

#: The part of its length by which a step may be too long for the last iteration of Newton's, which
#: needs no factorisation: it moves along the derivative, and errs by the square of this.
_LAST = 1e-4


@kernel
def _solve(matrix, shift, g, factor, inverse, s):
    """s = -(matrix + shift I)^-1 g by L D L^T; False where that is not positive definite.

    `factor` becomes D L^T with D^-1 in `inverse`; its column n begins as the right-hand side. After
    n mod 4 pivots four at a time: a quarter of the passes over the rest. They are passes over
    whole rows of n + 4, as SIMD takes less time for those than a slice takes to be made.
    """
    n = g.size
    single = n % 4
    width = n + 4
    for i in range(n):
        row, out = matrix[i], factor[i]
        for j in range(n):
            out[j] = row[j]
        out[i] += shift
        out[n] = -g[i]
        out[n + 1] = out[n + 2] = out[n + 3] = 0.0
    for k in range(single):
        a = factor[k]
        if not a[k] > 0.0:
            return False
        inverse[k] = 1.0 / a[k]
        for i in range(k + 1, n):
            la = a[i] * inverse[k]
            row = factor[i]
            for j in range(width):
                row[j] -= la * a[j]
    for k in range(single, n, 4):
        a, b, c, d = factor[k], factor[k + 1], factor[k + 2], factor[k + 3]
        # four pivots, and what L and D L^T have between them
        ab, ac, ad = a[k + 1], a[k + 2], a[k + 3]
        pa = 1.0 / a[k]
        ba, ca, da = ab * pa, ac * pa, ad * pa
        pivot = b[k + 1] - ba * ab
        definite = a[k] > 0.0 and pivot > 0.0
        pb = 1.0 / pivot
        bc, bd = b[k + 2] - ba * ac, b[k + 3] - ba * ad
        cb, db = bc * pb, bd * pb
        pivot = (c[k + 2] - ca * ac) - cb * bc
        definite = definite and pivot > 0.0
        pc = 1.0 / pivot
        cd = (c[k + 3] - ca * ad) - cb * bd
        dc = cd * pc
        pivot = (d[k + 3] - da * ad) - (db * bd + dc * cd)
        if not (definite and pivot > 0.0):
            return False
        pd = 1.0 / pivot
        inverse[k], inverse[k + 1], inverse[k + 2], inverse[k + 3] = pa, pb, pc, pd
        for j in range(width):
            b[j] -= ba * a[j]
            c[j] -= ca * a[j] + cb * b[j]
            d[j] = (d[j] - da * a[j]) - (db * b[j] + dc * c[j])
        for i in range(k + 4, n):
            la, lb, lc, ld = a[i] * pa, b[i] * pb, c[i] * pc, d[i] * pd
            row = factor[i]
            for j in range(width):
                row[j] -= (la * a[j] + lb * b[j]) + (lc * c[j] + ld * d[j])
    for k in range(n - 4, single - 1, -4):
        a, b, c, d = factor[k], factor[k + 1], factor[k + 2], factor[k + 3]
        sa, sb, sc, sd = a[n], b[n], c[n], d[n]
        for j in range(k + 4, n):
            sa -= a[j] * s[j]
            sb -= b[j] * s[j]
            sc -= c[j] * s[j]
            sd -= d[j] * s[j]
        sd *= inverse[k + 3]
        sc = (sc - c[k + 3] * sd) * inverse[k + 2]
        sb = (sb - (b[k + 2] * sc + b[k + 3] * sd)) * inverse[k + 1]
        s[k] = (sa - (a[k + 1] * sb + (a[k + 2] * sc + a[k + 3] * sd))) * inverse[k]
        s[k + 1], s[k + 2], s[k + 3] = sb, sc, sd
    for k in range(single - 1, -1, -1):
        a = factor[k]
        sa = a[n]
        for j in range(k + 1, n):
            sa -= a[j] * s[j]
        s[k] = sa * inverse[k]
    return True


@inline_kernel
def definite_step(matrix, shift, g, longest, euclidean, factor, inverse, s, w):
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
    factor : float64 array, shape (>= n, >= n + 4)
        Workspace.
    inverse : float64 array, shape (n,)
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
        if not _solve(matrix, shift + mu, g, factor, inverse, s):
            return math.inf, 0.0, 0.0, 0.0
        square = 0.0
        slope = 0.0
        for i in range(n):
            square += s[i] * s[i]
            slope += g[i] * s[i]
        length = math.sqrt(square)
        if not length < math.inf:
            return math.inf, 0.0, 0.0, 0.0
        if length <= longest:
            return length, slope, -slope - mu * square, mu
        if not euclidean:
            return math.inf, 0.0, 0.0, 0.0
        # |s| is convex in mu, 1/|s| nearly linear: from the left the iterates stay left.
        change = 0.0  # -(d|s|^2/d mu)/2
        copy(s, w)
        for i in range(n):
            part = w[i] * inverse[i]
            change += w[i] * part
            row = factor[i]
            for j in range(i + 1, n):
                w[j] -= row[j] * part
            w[i] = part
        step = (square / change) * ((length - longest) / longest)
        mu += step
        if length <= longest * (1.0 + _LAST):
            square = 0.0
            slope = 0.0
            for i in range(n - 1, -1, -1):  # w becomes -ds/d mu
                total = 0.0
                for j in range(i + 1, n):
                    total += factor[i, j] * w[j]
                w[i] -= total * inverse[i]
                s[i] -= step * w[i]
                square += s[i] * s[i]
            part = longest / math.sqrt(square)
            for i in range(n):
                s[i] *= part
                slope += g[i] * s[i]
            return longest, slope, -slope - mu * longest * longest, mu
    return math.inf, 0.0, 0.0, 0.0
