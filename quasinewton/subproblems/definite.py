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

from ..kernels import EPS, HUGE, inline_kernel, kernel
from ..models.pairs import is_settled
from ..models.symmetric import invert, multiply_symmetric
from ..models.updates import SR1

__all__ = ["EXACT", "NOTHING", "PLANE", "definite_step", "step_without_spectrum"]

#: What to do where the bound holds the step back: nothing, or which minimiser to take.
NOTHING, EXACT, PLANE = range(3)

#: Variables up to which a trust region takes the exact step of a definite B: it costs some
#: hundreds of nanoseconds more than that in a plane.
_FEW = 8

#: The part of its length by which a step may be too long for the last iteration of Newton's, which
#: needs no factorisation: it moves along the derivative, and errs by the square of this.
_LAST = 1e-4
#: Residual of a Newton step by an inverse, as a part of g, beyond which that is of no use.
_RESIDUAL = 1e-8
#: Roundoff of a product with a matrix, as a part of its norm.
_ROUNDOFF = 16.0 * EPS
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
def _multiply(matrix, shift, inverse, size, g, s, w):
    """s = -inverse g; False where (matrix + shift I) s is not -g, or not finite.

    But for the roundoff of that product, of a matrix whose terms have the norm `size`: the inverse
    knows small curvatures better than the matrix does, in which they drown beside large ones.
    """
    multiply_symmetric(inverse, g, s)
    multiply_symmetric(matrix, s, w)
    square = 0.0
    ss = 0.0
    for i in range(g.size):
        residual = (w[i] + shift * s[i]) - g[i]
        square += residual * residual
        ss += s[i] * s[i]
        s[i] = -s[i]
    most = _RESIDUAL + _ROUNDOFF * size * math.sqrt(ss)
    return square <= most * most


@kernel
def _plane(matrix, shift, g, longest, slope, length, s, v, bg):
    r"""Turn s = p = -B^-1 g, which is too long, into the minimiser in the plane of g and p.

    In the orthonormal basis of g and v/r, :math:`v = p - (p^T g) g`, B has the elements
    :math:`g^T B g`, :math:`v^T B g/r` and, as Bp = -g, :math:`-(p^T g)\, v^T B g/r^2`, and the
    determinant :math:`v^T B g/r^2`. Returns g.s, s.Bs and the multiplier.
    """
    n = g.size
    multiply_symmetric(matrix, g, bg)
    for i in range(n):
        v[i] = s[i]
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
        for i in range(n):
            w[i] = s[i]
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
    matrix, shift, g, longest, beyond, inverse, inverted, size, factor, lines
):  # fmt: skip
    """Minimiser of g.s + s.Bs/2, B = matrix + shift I, under a bound on its length.

    Parameters
    ----------
    matrix : float64 array, shape (>= n, >= n)
    shift : float
    g : float64 array, shape (n,)
        Of length one.
    longest : float
    beyond : int
        What to do where the bound holds the step back: NOTHING, or find the EXACT minimiser or
        that in the PLANE of g and B^-1 g.
    inverse : float64 array, shape (n, n)
    inverted : bool
        Whether `inverse` is that of B.
    size : float
        Bound on the norm of the terms of which the matrix is the sum.
    factor : float64 array, shape (>= n, >= n + 4)
        Workspace.
    lines : float64 array, shape (>= 3, >= n)
        The first is filled with the step, the next two are workspace.

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
    n = g.size
    s, w, pivots = lines[0, :n], lines[1, :n], lines[2, :n]
    exact = inverted and _multiply(matrix, shift, inverse, size, g, s, w)
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


@inline_kernel
def step_without_spectrum(ring, gram, matrix, factor, lines, state, rule):
    """The step of a positive definite B without its spectrum, if that can be.

    Parameters
    ----------
    ring, gram, lines, state
        As `renew_dense` or `renew_compact` leaves them, and in lines[6] the coordinates of
        ``g/|g|``.
    matrix, factor : float64 arrays, shape (>= rank + 1, >= rank + 5)
        B - gamma I of a limited-memory model, in units of `unit`; workspace.
    rule : RULE array

    Returns
    -------
    alpha : float
        The step is -alpha g + U c with c in lines[6]; NaN where the spectrum has to decide.
    """
    record, constants = state[0], rule[0]
    dense = record.dense != 0
    if record.weight != 0.0 or constants.published != 0 or not record.unit > 0.0:
        return math.nan
    if record.update == SR1 and not dense:  # its eigenvalues are to be confined
        return math.nan
    rank, unit, g_norm = record.rank, record.unit, record.g_norm
    size = rank
    outside = 0.0
    if record.outside != 0:  # one more variable, along the gradient outside of the pairs
        inside = 0.0
        for i in range(rank):
            inside += lines[6, i] * lines[6, i]
            matrix[i, rank] = matrix[rank, i] = 0.0
        matrix[rank, rank] = 0.0
        outside = math.sqrt(max(0.0, 1.0 - inside))
        lines[6, rank] = outside
        size = rank + 1
    gamma = record.matrix_gamma / unit
    per_unit = g_norm / unit  # of the step
    beyond = EXACT
    if constants.euclidean == 0:
        beyond = NOTHING
    elif constants.radius != 0 and dense and size > _FEW:
        beyond = PLANE
    inverse = matrix
    if dense:
        matrix, inverse = gram, gram[gram.shape[1] :]
        # An inverse that is kept takes the place of a factorisation while no pair makes B anew.
        if record.inverted == 0 and is_settled(ring, state):
            record.inverted = 1 if invert(gram, gamma, rank, inverse) else 0
    step_norm, slope, bend, mu, exact = definite_step(
        matrix, gamma, lines[6, :size], record.length / per_unit, beyond, inverse,
        record.inverted != 0, record.added, factor, lines,
    )  # fmt: skip
    if not exact:
        record.inverted = 0
    predicted = -(slope + 0.5 * bend)
    if not (step_norm < math.inf and predicted > 0.0 and step_norm > 0.0):
        return math.nan
    record.step_norm = step_norm * per_unit
    record.slope = slope * per_unit * g_norm
    record.predicted = predicted * per_unit * g_norm
    record.multiplier = mu * unit
    if constants.radius == 0:
        record.multiplier = min(record.multiplier / record.step_norm, HUGE)
    record.convex = 1
    alpha = 0.0
    if outside > 0.0:
        alpha = -lines[0, rank] / (outside * unit)
    for i in range(rank):
        lines[6, i] = lines[0, i] * per_unit + alpha * (lines[6, i] * g_norm)
    return alpha
