r"""The quadratic model of a problem with constraints, in a box, with the constraints as a penalty.

.. math:: \min_s \; g^T s + \tfrac12 s^T B s + \sum_i \nu_i \,
          \mathrm{dist}\bigl(c_i + (J s)_i, [l_i, u_i]\bigr), \qquad lower \le s \le upper,

which is elastic: where the linearised constraints can be met and the weights are more than their
multipliers, it meets them; else it is as near to them as pays. The multipliers v, of which
:math:`|v_i| \le \nu_i`, are found by the method of multipliers: the distances are replaced by

.. math:: \max_{|z_i| \le \nu_i} \; z_i r_i - \sigma_i(z_i) - (z_i - v_i)^2 / (2 w_i),
          \qquad r = c + J s,

with :math:`\sigma_i(z) = \max(u_i z, l_i z)`, whose maximisers are the next v (Rockafellar 1976;
Nocedal & Wright 2006, section 17.4). In between a function that is quadratic by pieces is minimised
in the box by Newton steps: on the face of the variables that no bound holds and for the piece of
now, projected and shortened until the function falls. No evaluation is spent.

B is a matrix, or :math:`\gamma I + Q^T K Q` with few rows Q. There the Newton matrix is
:math:`\gamma I + Z_F^T K' Z_F` with Z of the rows of Q and J, and
:math:`Z_F Z_F^T = L L^T, Z_F = L W` makes it a matrix in the coordinates W, as in `models.face`.
"""

from __future__ import annotations

import math

import numpy as np

from ..kernels import EPS, kernel
from ..models.face import factor_gram

__all__ = ["penalized_workspace", "solve_penalized"]

#: w_i |J_i|^2 in units of the curvature of B: large, that few rounds are needed; and how it grows
#: in a round that did not bring the residual down by _SLOW.
_STIFFNESS, _STIFFER, _SLOW = 1e3, 10.0, 0.1
#: Rounds of the method of multipliers, Newton steps a round, shortenings of a step.
_ROUNDS, _STEPS, _CUTS = 40, 100, 40
#: Whole Newton steps in a row that gain nothing, after which none will.
_IDLE = 5
#: Change of the multipliers, relative to the largest, with which they are good enough.
_SETTLED_MULTIPLIERS = 1e-10
#: What is missed of a constraint, beside the terms of its sum, that is near to roundoff.
_ROUNDOFF = 1e-12
#: Shortenings along the projected path.
_PROJECTED = 2
#: Fraction of the slope by which a step must decrease the function.
_ARMIJO = 1e-4
#: Beside which curvature at least the constraints are made stiff, in units of the slope over the
#: width of the box; shifts of a Newton matrix, in units of the stiffest curvature and of that of B:
#: always, and of one not definite.
_LITTLE_CURVATURE, _REGULAR, _FIRST_SHIFT = 1e-3, 1e-13, 1e-2
#: Lines of the small part of the workspace after its five matrices.
_LINES = 6


def penalized_workspace(
    n: int, p: int, rank: int, dense: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where `solve_penalized` works: ``vectors, rows, small, order``.

    Of n variables, p constraints, and a model of `rank` rows, or of a matrix.
    """
    k = n if dense else rank + p
    matrices = 1 if dense else 5
    return (
        np.zeros((5, n)), np.zeros((7, p)), np.zeros((matrices * k + _LINES, max(k, 1))),
        np.zeros((7, max(n, k, p, 1)), np.int64),
    )  # fmt: skip


@kernel
def _multiply(model, v, line, out):
    """out = B v: by the matrix, or gamma v + Q^T K Q v with K for `matrix`."""
    dense, matrix, gamma, rows = model
    n = v.size
    if dense:
        for i in range(n):
            row = matrix[i]
            total = 0.0
            for j in range(n):
                total += row[j] * v[j]
            out[i] = total
        return
    rank = rows.shape[0]
    for i in range(n):
        out[i] = gamma * v[i]
    for j in range(rank):
        line[j] = _dot(rows[j], v)
    for j in range(rank):
        row = matrix[j]
        total = 0.0
        for l in range(rank):
            total += row[l] * line[l]
        if total != 0.0:
            _add(total, rows[j], out)


@kernel
def _dot(row, v):
    total = 0.0
    for i in range(v.size):
        total += row[i] * v[i]
    return total


@kernel
def _dot_of_sizes(row, v):
    total = 0.0
    for i in range(v.size):
        total += abs(row[i] * v[i])
    return total


@kernel
def _add(factor, row, out):
    for i in range(out.size):
        out[i] += factor * row[i]


@kernel
def _penalty(r, linear, v, w, z, active):
    """The smoothed distances: their sum and its size, the multipliers z, and where they are curved.

    The size is that of the terms, of which roundoff is a part.
    """
    _, _, sides, weights = linear
    lower, upper = sides[0], sides[1]
    value = 0.0
    size = 0.0
    for i in range(r.size):
        active[i] = 0
        above, below = v[i] + w[i] * (r[i] - upper[i]), v[i] + w[i] * (r[i] - lower[i])
        gap = 0.0
        z[i] = 0.0
        if above > 0.0:
            z[i], gap = min(above, weights[i]), r[i] - upper[i]
            active[i] = 1 if above < weights[i] else 0
        elif below < 0.0:
            z[i], gap = max(below, -weights[i]), r[i] - lower[i]
            active[i] = 1 if below > -weights[i] else 0
        change = z[i] - v[i]
        bend = change * change / (2.0 * w[i])
        value += z[i] * gap - bend
        size += abs(z[i] * r[i]) + bend
    return value, size


@kernel
def _value(g, model, linear, v, w, s, line, found):
    """The function at s and the size of its terms, with B s, r, z and what is active in `found`."""
    c, jac, _, _ = linear
    bs, r, z, active = found
    _multiply(model, s, line, bs)
    for i in range(r.size):
        r[i] = c[i] + _dot(jac[i], s)
    value, size = _penalty(r, linear, v, w, z, active)
    for i in range(s.size):
        value += s[i] * (g[i] + 0.5 * bs[i])
        size += abs(s[i]) * (abs(g[i]) + abs(bs[i]))
    return value, size


@kernel
def _cholesky(a, k):
    """Overwrite the lower triangle of a by its factor; False where a is not definite."""
    for j in range(k):
        own = a[j]
        total = own[j]
        for l in range(j):
            total -= own[l] * own[l]
        if not (total > 0.0 and math.isfinite(total)):
            return False
        root = math.sqrt(total)
        own[j] = root
        for i in range(j + 1, k):
            row = a[i]
            total = row[j]
            for l in range(j):
                total -= row[l] * own[l]
            row[j] = total / root
    return True


@kernel
def _solve(a, k, b):
    """Overwrite b by the solution for the factor in a."""
    for i in range(k):
        row = a[i]
        total = b[i]
        for l in range(i):
            total -= row[l] * b[l]
        b[i] = total / row[i]
    for i in range(k - 1, -1, -1):
        total = b[i]
        for l in range(i + 1, k):
            total -= a[l, i] * b[l]
        b[i] = total / a[i, i]


@kernel
def _dense_direction(model, stiff, face, shift, gradient, a, d):
    """The Newton step on a face into d, of which only the free elements are set.

    Parameters
    ----------
    model
        As of `solve_penalized`.
    stiff : (jac, scales, w, active)
    face : (held, which, count)
        Whether a variable is held, and the numbers of those that are not.
    """
    _, matrix, _, _ = model
    jac, _, w, active = stiff
    _, which, count = face
    for k in range(count):
        row, source = a[k], matrix[which[k]]
        for l in range(k + 1):
            row[l] = source[which[l]]
        row[k] += shift
    for i in range(active.size):
        if active[i] != 0:
            line = jac[i]
            for k in range(count):
                scaled = w[i] * line[which[k]]
                if scaled != 0.0:
                    row = a[k]
                    for l in range(k + 1):
                        row[l] += scaled * line[which[l]]
    if not _cholesky(a, count):
        return False
    b = a[matrix.shape[0]]
    for k in range(count):
        b[k] = -gradient[which[k]]
    _solve(a, count, b)
    for k in range(count):
        d[which[k]] = b[k]
    return True


@kernel
def _whole_gram(rows, jac, scales, gram):
    """Inner products of all rows, those of the constraints scaled to length 1."""
    rank, p = rows.shape[0], jac.shape[0]
    for i in range(p):
        length = math.sqrt(_dot(jac[i], jac[i]))
        scales[i] = 1.0 / length if length > 0.0 else 0.0
    for i in range(rank + p):
        a = rows[i] if i < rank else jac[i - rank]
        factor = 1.0 if i < rank else scales[i - rank]
        for j in range(i + 1):
            other = 1.0 if j < rank else scales[j - rank]
            b = rows[j] if j < rank else jac[j - rank]
            gram[i, j] = gram[j, i] = factor * other * _dot(a, b)


@kernel
def _low_rank_direction(model, stiff, face, shift, gradient, small, order, d):
    """The same by coordinates in which the Newton matrix is gamma I and a small matrix."""
    _, matrix, gamma, rows = model
    jac, scales, w, active = stiff
    held, which, count = face
    rank, p, n = rows.shape[0], jac.shape[0], gradient.size
    size = rank + p
    whole, gram, factor = small[:size], small[size : 2 * size], small[2 * size : 3 * size]
    a, kl = small[3 * size : 4 * size], small[4 * size : 5 * size]
    residual, product, part = small[5 * size], small[5 * size + 1], small[5 * size + 2]
    chosen = order[2]
    k = 0
    for i in range(size):
        if i < rank or active[i - rank] != 0:
            chosen[k] = i
            k += 1
    by_held = n - count < count
    for i in range(k):
        for j in range(i + 1):
            gram[i, j] = whole[chosen[i], chosen[j]] if by_held else 0.0
    for h in range(n):
        if (held[h] != 0) == by_held:
            sign = -1.0 if by_held else 1.0
            for i in range(k):
                row = chosen[i]
                scale = 1.0 if row < rank else scales[row - rank]
                element = rows[row, h] if row < rank else jac[row - rank, h]
                product[i] = scale * element
            for i in range(k):
                if product[i] != 0.0:
                    line, scaled = gram[i], sign * product[i]
                    for j in range(i + 1):
                        line[j] += scaled * product[j]
    for i in range(k):
        for j in range(i):
            gram[j, i] = gram[i, j]
    columns = factor_gram(gram, k, count, factor, order, residual)
    pivots, ends = order[0], order[1]
    # K' L, then L^T K' L with gamma and the shift
    for i in range(k):
        row = kl[i]
        for l in range(columns):
            row[l] = 0.0
        if chosen[i] >= rank:
            own = chosen[i] - rank
            curvature = w[own] / (scales[own] * scales[own]) if scales[own] > 0.0 else 0.0
            for l in range(ends[i]):
                row[l] = curvature * factor[i, l]
        else:
            for j in range(k):
                if chosen[j] < rank:
                    curvature = matrix[chosen[i], chosen[j]]
                    if curvature != 0.0:
                        for l in range(ends[j]):
                            row[l] += curvature * factor[j, l]
    for i in range(columns):
        for j in range(columns):
            a[i, j] = 0.0
        a[i, i] = gamma + shift
    for i in range(k):
        for j in range(ends[i]):
            scaled, row, line = factor[i, j], a[j], kl[i]
            for l in range(j + 1):
                row[l] += scaled * line[l]
    if not (gamma + shift > 0.0 and _cholesky(a, columns)):
        return False
    # W b = L^-1 Z_F b, by the rows of the pivots
    for l in range(columns):
        row = chosen[pivots[l]]
        scale = 1.0 if row < rank else scales[row - rank]
        line = rows[row] if row < rank else jac[row - rank]
        total = 0.0
        for j in range(count):
            total -= line[which[j]] * gradient[which[j]]
        product[l] = scale * total
    for l in range(columns):
        row = factor[pivots[l]]
        total = product[l]
        for j in range(l):
            total -= row[j] * product[j]
        product[l] = total / row[l]
        part[l] = product[l]
    _solve(a, columns, part)
    for l in range(columns):
        part[l] -= product[l] / (gamma + shift)
    for l in range(columns - 1, -1, -1):
        total = part[l]
        for j in range(l + 1, columns):
            total -= factor[pivots[j], l] * part[j]
        part[l] = total / factor[pivots[l], l]
    for j in range(count):
        d[which[j]] = -gradient[which[j]] / (gamma + shift)
    for l in range(columns):
        row = chosen[pivots[l]]
        scaled = part[l] if row < rank else part[l] * scales[row - rank]
        line = rows[row] if row < rank else jac[row - rank]
        for j in range(count):
            d[which[j]] += scaled * line[which[j]]
    return True


@kernel
def _largest_curvature(model):
    """A bound on the diagonal of B, up to a factor."""
    dense, matrix, gamma, _ = model
    largest = abs(gamma) if not dense else 0.0
    for i in range(matrix.shape[0]):
        largest = max(largest, abs(matrix[i, i] + (0.0 if dense else gamma)))
    return largest


@kernel
def solve_penalized(g, model, linear, box, tolerance, s, v, work):
    """Minimise the penalised model; s and v are the start and become the solution.

    Parameters
    ----------
    g : float64 array, shape (n,)
    model : (dense, matrix, gamma, rows)
        Whether B is the matrix, of shape (n, n); else it is gamma I + Q^T K Q, K the matrix, of
        shape (rank, rank), and Q the rows, of shape (rank, n). All float64.
    linear : (c, jac, sides, weights)
        float64 arrays of shapes (p,), (p, n), (2, p) with l and u, and (p,).
    box : float64 array, shape (2, n)
        Finite bounds on s.
    tolerance : (float, float)
        On the projected gradient, and on what is missed of a constraint, absolute.
    s, v : float64 arrays, shapes (n,) and (p,)
    work
        See `penalized_workspace`.

    Returns
    -------
    steps : int
        Newton steps taken.
    """
    dense = model[0]
    c, jac, _, weights = linear
    vectors, lines, small, order = work
    n, p = g.size, c.size
    lower, upper = box[0], box[1]
    gradient, bs, d, s_new, bs_new = vectors[0], vectors[1], vectors[2], vectors[3], vectors[4]
    r, z, r_new, z_new, w, scales = lines[0], lines[1], lines[2], lines[3], lines[4], lines[5]
    squares = lines[6]
    line = small[small.shape[0] - 1]
    held, which, active, active_new = order[3], order[4], order[5, :p], order[6, :p]
    slope, width = 0.0, 0.0
    for i in range(n):
        slope, width = max(slope, abs(g[i])), max(width, upper[i] - lower[i])
    curvature = _largest_curvature(model)
    if slope > 0.0 and width > 0.0:
        curvature = max(curvature, _LITTLE_CURVATURE * slope / width)
    if curvature == 0.0:
        curvature = 1.0
    for i in range(p):
        squares[i] = _dot(jac[i], jac[i])
        w[i] = _STIFFNESS * curvature / squares[i] if squares[i] > 0.0 else 1.0
        v[i] = min(max(v[i], -weights[i]), weights[i])
    for i in range(n):
        s[i] = min(max(s[i], lower[i]), upper[i])
    found, found_new = (bs, r, z, active), (bs_new, r_new, z_new, active_new)
    stiff = jac, scales, w, active
    if not dense:
        _whole_gram(model[3], jac, scales, small)
    steps = 0
    last = math.inf
    for _round in range(_ROUNDS):
        stiffest = curvature
        for i in range(p):
            stiffest = max(stiffest, w[i] * squares[i])
        value, size = _value(g, model, linear, v, w, s, line, found)
        idle = 0
        for _step in range(_STEPS):
            for i in range(n):
                gradient[i] = g[i] + bs[i]
            for i in range(p):
                if z[i] != 0.0:
                    _add(z[i], jac[i], gradient)
            count = 0
            residual = 0.0
            for i in range(n):
                held[i] = 1
                if (s[i] > lower[i] or gradient[i] < 0.0) and (
                    s[i] < upper[i] or gradient[i] > 0.0
                ):
                    held[i] = 0
                    which[count] = i
                    count += 1
                    room = upper[i] - s[i] if gradient[i] < 0.0 else s[i] - lower[i]
                    residual = max(residual, min(abs(gradient[i]), room * stiffest))
            if not residual > tolerance[0]:
                break
            shift = _REGULAR * stiffest
            face = held, which, count
            definite = False
            for _attempt in range(_CUTS + n):
                if dense:
                    definite = _dense_direction(model, stiff, face, shift, gradient, small, d)
                else:
                    definite = _low_rank_direction(
                        model, stiff, face, shift, gradient, small, order, d
                    )
                if not definite:
                    shift = max(4.0 * shift, _FIRST_SHIFT * curvature)
                    continue
                # A variable at its bound whom the step would take out of the box is held after all.
                kept = 0
                for k in range(count):
                    i = which[k]
                    if (s[i] <= lower[i] and d[i] < 0.0) or (s[i] >= upper[i] and d[i] > 0.0):
                        held[i] = 1
                    else:
                        which[kept] = i
                        kept += 1
                if kept == 0:  # down the slope, into the box
                    for k in range(count):
                        i = which[k]
                        held[i] = 0
                        d[i] = -gradient[i] / stiffest
                if kept == count or kept == 0:
                    break
                count = kept
                face = held, which, count
                definite = False
            if not definite:
                break
            reach = 1.0  # to the first bound on the way
            for k in range(count):
                i = which[k]
                if s[i] + d[i] < lower[i]:
                    reach = min(reach, (lower[i] - s[i]) / d[i])
                elif s[i] + d[i] > upper[i]:
                    reach = min(reach, (upper[i] - s[i]) / d[i])
            steps += 1
            t = 1.0
            moved = False
            for cut in range(_CUTS):
                slope = 0.0
                for i in range(n):
                    s_new[i] = s[i]
                for k in range(count):
                    i = which[k]
                    s_new[i] = min(max(s[i] + t * d[i], lower[i]), upper[i])
                    slope += gradient[i] * (s_new[i] - s[i])
                value_new, size_new = _value(g, model, linear, v, w, s_new, line, found_new)
                noise = 2.0 * EPS * max(size, size_new)
                if slope < 0.0 and value_new <= value + _ARMIJO * slope + noise:
                    moved = True
                    break
                # First along the projected path, then no farther than to the first bound.
                t = min(0.5 * t, reach) if cut == _PROJECTED and reach > 0.0 else 0.5 * t
            if not moved:
                break
            idle = idle + 1 if cut == 0 and value - value_new <= noise else 0
            value, size = value_new, size_new
            far = 0.0
            for i in range(n):
                change = abs(s_new[i] - s[i])
                if change > EPS * max(abs(s[i]), abs(s_new[i])):
                    far = max(far, change)
                s[i], bs[i] = s_new[i], bs_new[i]
            for i in range(p):
                r[i], z[i], active[i] = r_new[i], z_new[i], active_new[i]
            if far == 0.0 or idle == _IDLE:
                break
        change = 0.0
        largest = 0.0
        violation = 0.0
        visible = stiffen = False
        for i in range(p):
            change = max(change, abs(z[i] - v[i]))
            largest = max(largest, abs(z[i]))
            if abs(z[i]) < weights[i]:
                missed = abs(z[i] - v[i]) / w[i]
                violation = max(violation, missed)
                terms = abs(c[i]) + _dot_of_sizes(jac[i], s)
                visible = visible or missed > 4.0 * EPS * terms
                stiffen = stiffen or missed > max(_ROUNDOFF * terms, tolerance[1])
            v[i] = z[i]
        if change <= _SETTLED_MULTIPLIERS * largest or not visible:
            break
        if violation > _SLOW * last:
            if not stiffen:  # or roundoff would be multiplied
                break
            for i in range(p):
                w[i] *= _STIFFER
        last = violation
    return steps
