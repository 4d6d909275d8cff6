r"""The subproblems of a positive definite matrix, without its spectrum.

While :math:`p = -B^{-1}g` is no longer than the bound on the step, it is the minimiser of every
subproblem without a weight: in either norm, and in a trust region. Where it is longer,

* Newton's method finds the :math:`\mu` of the 2-norm with
  :math:`\|(B + \mu I)^{-1} g\| = \Delta` (Conn, Gould & Toint 2000, sec. 7.3.1), or
* the minimiser in the plane of g and p takes the place of the one in all directions (Byrd,
  Schnabel & Shultz 1988). It decreases the model by no less than the Cauchy point and the dogleg
  do, and takes :math:`O(n^2)`.

p is a product where B's inverse is kept up to date. Else it comes of a factorisation, which takes
:math:`n^3/6` additions and multiplications; an eigendecomposition takes fifty times as many.
"""

from __future__ import annotations

import math

from ..kernels import copy, inline_kernel, kernel, multiply_symmetric

__all__ = ["EXACT", "NOTHING", "PLANE", "definite_step", "invert"]

#: What to do where the bound holds the step back: nothing, or which minimiser to take.
NOTHING, EXACT, PLANE = range(3)

#: The part of its length by which a step may be too long for the last iteration of Newton's, which
#: needs no factorisation: it moves along the derivative, and errs by the square of this.
_LAST = 1e-4
#: Residual of a Newton step by an inverse, as a part of g, beyond which that is of no use.
_RESIDUAL = 1e-8
#: Sine of the angle of two vectors that are parallel.
_PARALLEL = 1e-8


@kernel
def _solve(matrix, shift, g, factor, pivots, s):
    """s = -(matrix + shift I)^-1 g by L D L^T; False where that is not positive definite.

    `factor` becomes D L^T with D^-1 in `pivots`; its column n begins as the right-hand side. After
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
        pivots[k] = 1.0 / a[k]
        for i in range(k + 1, n):
            la = a[i] * pivots[k]
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
        pivots[k], pivots[k + 1], pivots[k + 2], pivots[k + 3] = pa, pb, pc, pd
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
        sd *= pivots[k + 3]
        sc = (sc - c[k + 3] * sd) * pivots[k + 2]
        sb = (sb - (b[k + 2] * sc + b[k + 3] * sd)) * pivots[k + 1]
        s[k] = (sa - (a[k + 1] * sb + (a[k + 2] * sc + a[k + 3] * sd))) * pivots[k]
        s[k + 1], s[k + 2], s[k + 3] = sb, sc, sd
    for k in range(single - 1, -1, -1):
        a = factor[k]
        sa = a[n]
        for j in range(k + 1, n):
            sa -= a[j] * s[j]
        s[k] = sa * pivots[k]
    return True


@kernel
def invert(matrix, shift, inverse):
    """inverse = (matrix + shift I)^-1 by Gauss & Jordan; False where that is not positive definite.

    `matrix` may have more rows than columns. `inverse` becomes symmetric to the bit.
    """
    n = inverse.shape[0]
    for i in range(n):
        for j in range(n):
            inverse[i, j] = matrix[i, j]
        inverse[i, i] += shift
    for k in range(n):
        a = inverse[k]
        if not a[k] > 0.0:
            return False
        pivot = 1.0 / a[k]
        a[k] = 1.0
        for j in range(n):
            a[j] *= pivot
        for i in range(n):
            if i != k:
                row = inverse[i]
                factor = row[k]
                row[k] = 0.0
                for j in range(n):
                    row[j] -= factor * a[j]
    for i in range(n):
        for j in range(i):
            inverse[i, j] = inverse[j, i] = 0.5 * (inverse[i, j] + inverse[j, i])
    return True


@kernel
def _multiply(matrix, shift, inverse, g, s, w):
    """s = -inverse g; False where (matrix + shift I) s is not -g, or not finite."""
    multiply_symmetric(inverse, g, s)
    multiply_symmetric(matrix, s, w)
    square = 0.0
    for i in range(g.size):
        residual = (w[i] + shift * s[i]) - g[i]
        square += residual * residual
        s[i] = -s[i]
    return square <= _RESIDUAL * _RESIDUAL


@kernel
def _plane(matrix, shift, g, longest, slope, length, s, v, bg):
    r"""Turn s = p = -B^-1 g, which is too long, into the minimiser in the plane of g and p.

    In the orthonormal basis of g and v/r, :math:`v = p - (p^T g) g`, B has the elements
    :math:`g^T B g`, :math:`v^T B g/r` and, as Bp = -g, :math:`-(p^T g)\, v^T B g/r^2`, and the
    determinant :math:`v^T B g/r^2`. Returns g.s, s.Bs and the multiplier.
    """
    n = g.size
    multiply_symmetric(matrix, g, bg)
    copy(s, v)
    product = slope
    r = 0.0
    for _ in range(2):  # once more for the digits lost where p is nearly parallel to g
        following = 0.0
        r = 0.0
        for i in range(n):
            v[i] -= product * g[i]
            following += v[i] * g[i]
            r += v[i] * v[i]
        product = following
    r = math.sqrt(r)
    gg = shift
    vg = 0.0
    for i in range(n):
        gg += g[i] * bg[i]
        vg += v[i] * bg[i]
    vg /= r
    if not (r > _PARALLEL * length and vg > 0.0):
        part = longest / length
        for i in range(n):
            s[i] *= part
        mu = (length - longest) / (length * longest)
        return slope * part, -slope * part * part, mu
    vv = -slope * vg / r
    determinant = vg / r
    mu = 0.0
    along = -1.0
    across = 0.0
    for _ in range(50):  # as in `_on_sphere`, from the left
        now = determinant + mu * ((gg + vv) + mu)
        along = -(vv + mu) / now
        across = vg / now
        square = along * along + across * across
        length = math.sqrt(square)
        if length <= longest * (1.0 + 1e-14):
            break
        change = (
            ((vv + mu) * along - vg * across) * along + ((gg + mu) * across - vg * along) * across
        ) / now
        mu += (square / change) * ((length - longest) / longest)
    part = longest / length
    along *= part
    across *= part / r
    for i in range(n):
        s[i] = along * g[i] + across * v[i]
    return along, -along - mu * longest * longest, mu


@kernel
def _on_sphere(matrix, shift, g, longest, length, factor, pivots, s, w):
    """Turn s = -B^-1 g, which is too long, into the minimiser; `factor` is that of B.

    Returns its length, inf where B + mu I is not definite by roundoff, g.s, s.Bs and mu.
    """
    n = g.size
    mu = 0.0
    for _ in range(50):
        # |s| is convex in mu, 1/|s| nearly linear: from the left the iterates stay left.
        change = 0.0  # -(d|s|^2/d mu)/2
        copy(s, w)
        for i in range(n):
            part = w[i] * pivots[i]
            change += w[i] * part
            row = factor[i]
            for j in range(i + 1, n):
                w[j] -= row[j] * part
            w[i] = part
        step = (length * length / change) * ((length - longest) / longest)
        mu += step
        if length <= longest * (1.0 + _LAST):
            square = 0.0
            slope = 0.0
            for i in range(n - 1, -1, -1):  # w becomes -ds/d mu
                total = 0.0
                for j in range(i + 1, n):
                    total += factor[i, j] * w[j]
                w[i] -= total * pivots[i]
                s[i] -= step * w[i]
                square += s[i] * s[i]
            part = longest / math.sqrt(square)
            for i in range(n):
                s[i] *= part
                slope += g[i] * s[i]
            return longest, slope, -slope - mu * longest * longest, mu
        if not _solve(matrix, shift + mu, g, factor, pivots, s):
            break
        square = 0.0
        for i in range(n):
            square += s[i] * s[i]
        length = math.sqrt(square)
    return math.inf, 0.0, 0.0, 0.0


@inline_kernel
def definite_step(
    matrix, shift, g, longest, beyond, inverted, inverse, factor, pivots, s, w
):  # fmt: skip
    """Minimiser of g.s + s.Bs/2, B = matrix + shift I, under a bound on its length.

    Parameters
    ----------
    matrix : float64 array, shape (>= n, n)
    shift : float
    g : float64 array, shape (n,)
        Of length one.
    longest : float
    beyond : int
        What to do where the bound holds the step back: NOTHING, or find the EXACT minimiser or
        that in the PLANE of g and B^-1 g.
    inverted : bool
        Whether `inverse` is that of B.
    inverse : float64 array, shape (n, n)
    factor : float64 array, shape (>= n, >= n + 4)
        Workspace.
    pivots : float64 array, shape (n,)
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
        s.Bs
    mu : float
        Multiplier of the bound.
    exact : bool
        Whether `inverse` was used; False, where `inverted`, tells that it is no inverse.
    """
    exact = inverted and _multiply(matrix, shift, inverse, g, s, w)
    if not exact and not _solve(matrix, shift, g, factor, pivots, s):
        return math.inf, 0.0, 0.0, 0.0, exact
    square = 0.0
    slope = 0.0
    for i in range(g.size):
        square += s[i] * s[i]
        slope += g[i] * s[i]
    length = math.sqrt(square)
    if not length < math.inf:
        return math.inf, 0.0, 0.0, 0.0, exact
    if length <= longest:
        return length, slope, -slope, 0.0, exact
    if beyond == PLANE:
        slope, bend, mu = _plane(matrix, shift, g, longest, slope, length, s, w, factor[0])
        return longest, slope, bend, mu, exact
    if beyond == EXACT and (not exact or _solve(matrix, shift, g, factor, pivots, s)):
        length, slope, bend, mu = _on_sphere(
            matrix, shift, g, longest, length, factor, pivots, s, w
        )
        return length, slope, bend, mu, exact
    return math.inf, 0.0, 0.0, 0.0, exact
