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
in the box by Newton steps for the piece of now, shortened until the function falls. Such a step
leads to a minimiser of the piece in the box: the variables that it would take out are put on their
bounds, those that their bound holds against the slope there are let free, and the others solved
for, until no variable changes (Hintermüller, Ito & Kunisch 2002). Where that goes round in a circle
the step ends at the first bound on its way. No evaluation is spent.

B is a matrix, or :math:`\gamma I + Q^T K Q` with few rows Q. There the Newton matrix is
:math:`\gamma I + Z_F^T K' Z_F` with Z of the rows of Q and J, and
:math:`Z_F Z_F^T = L L^T, Z_F = L W` makes it a matrix in the coordinates W, as in `models.face`.
"""

from __future__ import annotations

import math

import numpy as np

from ..kernels import EPS, kernel
from ..models.face import factor_gram

__all__ = ["penalized_workspace", "sizes_of_products", "solve_penalized"]

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
#: Faces that are looked at for a step; a slope, beside the largest, that is none.
_FACES, _NO_SLOPE = 25, 1e-12
#: Most steps from bound to bound in a row.
_LONGEST = 127
#: Shortenings along the projected path.
_PROJECTED = 2
#: Changes of a Gram matrix after which it is made anew; variables in a block of it.
_CHANGES, _BLOCK = 50, 256
#: Fraction of the slope by which a step must decrease the function.
_ARMIJO = 1e-4
#: Beside which curvature at least the constraints are made stiff, in units of the slope over the
#: width of the box; shifts of a Newton matrix, in units of the stiffest curvature and of that of B:
#: always, and of one not definite.
_LITTLE_CURVATURE, _REGULAR, _FIRST_SHIFT = 1e-3, 1e-13, 1e-2
#: Proximal points, and by how much less their distance counts from one to the next.
_PROXIMAL, _LESS = 30, 0.1
#: Steps in the coordinates a round, shortenings of one.
_SMALL_STEPS, _SMALL_CUTS = 100, 25
#: Lines of the small part of the workspace after its matrices.
_LINES = 14


def penalized_workspace(n: int, p: int, rank: int, dense: bool) -> tuple[np.ndarray, ...]:
    """Where `solve_penalized` works: ``vectors, rows, small, order, which, marks, panel, spare``.

    Of n variables, p constraints, and a model of `rank` rows, or of a matrix.
    """
    k = n if dense else rank + p
    matrices = 1 if dense else 6
    return (
        np.zeros((5, n)), np.zeros((7, p)), np.zeros((matrices * k + _LINES, max(k, 1))),
        np.zeros((5, max(k, p, 1)), np.int64), np.zeros(n, np.int32), np.zeros((2, n + 1), np.int8),
        np.zeros((_BLOCK, 0 if dense else k + rank)), np.zeros(0 if dense else n, np.int32),
    )  # fmt: skip


@kernel
def _multiply(model, v, lines, out):
    """out = B v: by the matrix, or gamma v + Q^T K Q v with K for `matrix`."""
    dense, matrix, gamma, _, rows = model
    n = v.size
    if dense:
        for i in range(n):
            row = matrix[i]
            total = 0.0
            for j in range(n):
                total += row[j] * v[j]
            out[i] = total
        return
    rank = matrix.shape[0]
    products, curved = lines[0], lines[1]
    for i in range(n):
        out[i] = gamma * v[i]
    for j in range(rows.shape[0]):
        products[j] = _dot(rows[j], v)
    _combine(model, products, curved)
    for j in range(rank):
        row = matrix[j]
        total = 0.0
        for l in range(rank):
            total += row[l] * curved[l]
        products[j] = total
    _spread(model, products, curved)
    for j in range(rows.shape[0]):
        if curved[j] != 0.0:
            _add(curved[j], rows[j], out)


@kernel
def _combine(model, products, out):
    """out = Q v from the products of the rows with v."""
    basis = model[3]
    for i in range(basis.shape[1]):
        out[i] = 0.0
    for j in range(basis.shape[0]):
        factor, row = products[j], basis[j]
        for i in range(row.size):
            out[i] += factor * row[i]


@kernel
def _spread(model, w, out):
    """The factors of the rows in Q^T w."""
    basis = model[3]
    for j in range(basis.shape[0]):
        row = basis[j]
        total = 0.0
        for i in range(row.size):
            total += w[i] * row[i]
        out[j] = total


@kernel
def _dot(row, v):
    """Four sums that are added up at the end: each addition of one waits for that before it."""
    a = b = c = d = 0.0
    n = v.size
    fours = n - n % 4
    for i in range(0, fours, 4):
        a += row[i] * v[i]
        b += row[i + 1] * v[i + 1]
        c += row[i + 2] * v[i + 2]
        d += row[i + 3] * v[i + 3]
    for i in range(fours, n):
        a += row[i] * v[i]
    return (a + b) + (c + d)


@kernel
def _dot_of_sizes(row, v):
    total = 0.0
    for i in range(v.size):
        total += abs(row[i] * v[i])
    return total


@kernel
def sizes_of_products(jac, s, out):
    """out = |J| |s|."""
    for i in range(out.size):
        out[i] = _dot_of_sizes(jac[i], s)


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
def _value(g, model, linear, v, w, s, lines, found):
    """The function at s and the size of its terms, with B s, r, z and what is active in `found`."""
    c, jac, _, _ = linear
    bs, r, z, active = found
    _multiply(model, s, lines, bs)
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
    matrix = model[1]
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
def _whole_gram(model, jac, scales, panel, spare, gram):
    """Inner products of all rows, those of the constraints scaled to length 1."""
    size = model[1].shape[0] + jac.shape[0]
    for i in range(jac.shape[0]):
        length = math.sqrt(_dot(jac[i], jac[i]))
        scales[i] = 1.0 / length if length > 0.0 else 0.0
    for i in range(size):
        for j in range(i + 1):
            gram[i, j] = 0.0
    for i in range(spare.size):
        spare[i] = i
    _add_columns(model, jac, scales, spare, panel, 1.0, gram)
    for i in range(size):
        for j in range(i):
            gram[j, i] = gram[i, j]


@kernel
def _add_columns(model, jac, scales, variables, panel, sign, gram):
    """The lower triangle of gram += sign times the inner products over some variables."""
    rows = model[4]
    rank, p = model[1].shape[0], jac.shape[0]
    for first in range(0, variables.size, _BLOCK):
        block = variables[first : first + _BLOCK]
        m = block.size
        for i in range(rows.shape[0]):
            row = rows[i]
            for k in range(m):
                panel[k, rank + p + i] = row[block[k]]
        for k in range(m):
            _combine(model, panel[k, rank + p :], panel[k])
        for i in range(p):
            row, scale = jac[i], scales[i]
            for k in range(m):
                panel[k, rank + i] = scale * row[block[k]]
        for i in range(rank + p):
            line = gram[i]
            for k in range(m):
                column = panel[k]
                factor = sign * column[i]
                for j in range(i + 1):
                    line[j] += factor * column[j]


@kernel
def _renew_gram(model, stiff, face, small, marks, panel, spare):
    """The inner products over the free variables of now, in the sixth matrix of `small`.

    Those of before are changed where fewer variables are others than are free, or held.
    """
    jac, scales, _, _ = stiff
    held, which, count = face
    before = marks[1]
    n, size = held.size, model[1].shape[0] + jac.shape[0]
    gram, whole = small[5 * size : 6 * size], small[:size]
    came = gone = 0
    if before[n] > 0:
        for i in range(n):
            if held[i] != before[i]:
                if held[i] == 0:
                    came += 1
                else:
                    gone += 1
        if came + gone == 0:
            return
    if 0 < before[n] < _CHANGES and came + gone < min(count, n - count):
        for sign in (1.0, -1.0):
            m = 0
            for i in range(n):
                if held[i] != before[i] and (held[i] == 0) == (sign > 0.0):
                    spare[m] = i
                    m += 1
            _add_columns(model, jac, scales, spare[:m], panel, sign, gram)
        before[n] += 1
    else:
        by_held = n - count < count
        for i in range(size):
            for j in range(i + 1):
                gram[i, j] = whole[i, j] if by_held else 0.0
        if by_held:
            m = 0
            for i in range(n):
                if held[i] != 0:
                    spare[m] = i
                    m += 1
            _add_columns(model, jac, scales, spare[:m], panel, -1.0, gram)
        else:
            _add_columns(model, jac, scales, which[:count], panel, 1.0, gram)
        before[n] = 1
    for i in range(n):
        before[i] = held[i]


@kernel
def _reduce(model, stiff, count, shift, inner, small, order):
    """The Newton matrix in coordinates W of the rows, factorised; how many, -1 if not definite.

    `inner` has the inner products of all rows over the `count` free variables.
    """
    _, matrix, gamma, _, _ = model
    _, scales, w, active = stiff
    rank, p = matrix.shape[0], scales.size
    size = rank + p
    gram, factor = small[size : 2 * size], small[2 * size : 3 * size]
    a, kl = small[3 * size : 4 * size], small[4 * size : 5 * size]
    residual = small[6 * size]
    chosen = order[2]
    k = 0
    for i in range(size):
        if i < rank or active[i - rank] != 0:
            chosen[k] = i
            k += 1
    for i in range(k):
        for j in range(i + 1):
            gram[i, j] = gram[j, i] = inner[chosen[i], chosen[j]]
    columns = factor_gram(gram, k, count, factor, order, residual)
    ends = order[1]
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
    return columns if gamma + shift > 0.0 and _cholesky(a, columns) else -1


@kernel
def _low_rank_direction(model, stiff, face, shift, gradient, small, order, d):
    """The same by coordinates in which the Newton matrix is gamma I and a small matrix."""
    _, matrix, gamma, _, rows = model
    jac, scales, _, _ = stiff
    _, which, count = face
    rank, p = matrix.shape[0], jac.shape[0]
    size = rank + p
    factor, a, last = small[2 * size : 3 * size], small[3 * size : 4 * size], 6 * size
    product, part, of_all, line = small[last + 1], small[last + 2], small[last + 3], small[last + 4]
    columns = _reduce(model, stiff, count, shift, small[5 * size : last], small, order)
    if columns < 0:
        return False
    chosen, pivots = order[2], order[0]
    # W b = L^-1 Z_F b, by the rows of the pivots
    for i in range(rows.shape[0]):
        line[i] = -_dot_listed(rows[i], gradient, which, count)
    _combine(model, line, of_all)
    for l in range(columns):
        row = chosen[pivots[l]]
        product[l] = of_all[row]
        if row >= rank:
            own = row - rank
            product[l] = -scales[own] * _dot_listed(jac[own], gradient, which, count)
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
    for i in range(rank):
        of_all[i] = 0.0
    for l in range(columns):
        row = chosen[pivots[l]]
        if row < rank:
            of_all[row] = part[l]
        else:
            own = row - rank
            _add_listed(part[l] * scales[own], jac[own], which, count, d)
    _spread(model, of_all, line)
    for i in range(rows.shape[0]):
        if line[i] != 0.0:
            _add_listed(line[i], rows[i], which, count, d)
    return True


@kernel
def _dot_listed(row, v, which, count):
    total = 0.0
    for j in range(count):
        total += row[which[j]] * v[which[j]]
    return total


@kernel
def _add_listed(factor, row, which, count, out):
    for j in range(count):
        out[which[j]] += factor * row[which[j]]


@kernel
def _curve(model, stiff, d, lines, out):
    """out = the Newton matrix times d."""
    jac, _, w, active = stiff
    _multiply(model, d, lines, out)
    for i in range(active.size):
        if active[i] != 0:
            factor = w[i] * _dot(jac[i], d)
            if factor != 0.0:
                _add(factor, jac[i], out)


@kernel
def _find_target(s, gradient, box, model, stiff, stiffness, room, d, careful):
    """The way d to a minimiser of the piece of now in the box.

    Parameters
    ----------
    careful : bool
        No variable is put on a bound where it is not; d may lead out of the box.
    stiffness : (float, float)
        The curvature of the stiffest constraint and that of B.
    room : (face, shifted, curved, work)
        The marks and numbers of the free variables; two n-vectors to work in.

    Returns
    -------
    outcome : int
        0 where the Newton matrix cannot be made definite, 1 where the faces do not come to an end.
    """
    lower, upper = box[0], box[1]
    (held, which), shifted, curved, work = room
    _, _, small, order, _, marks, panel, spare = work
    lines = small[small.shape[0] - 2 :]
    n = s.size
    dense = model[0]
    steep = 0.0
    for i in range(n):
        d[i] = 0.0
        steep = max(steep, abs(gradient[i]))
    shift = _REGULAR * stiffness[0]
    moved = False
    for _trip in range(_FACES + (n if careful else 0)):
        count = 0
        for i in range(n):
            if held[i] == 0:
                d[i] = 0.0
                which[count] = i
                count += 1
        if moved:  # what those that go to their bounds bring with them
            _curve(model, stiff, d, lines, curved)
            for i in range(n):
                shifted[i] = gradient[i] + curved[i]
        else:
            for i in range(n):
                shifted[i] = gradient[i]
        face = held, which, count
        if count > 0:
            definite = False
            if not dense:
                _renew_gram(model, stiff, face, small, marks, panel, spare)
            for _attempt in range(_CUTS + n):
                if dense:
                    definite = _dense_direction(model, stiff, face, shift, shifted, small, d)
                else:
                    definite = _low_rank_direction(
                        model, stiff, face, shift, shifted, small, order, d
                    )
                if definite:
                    break
                shift = max(4.0 * shift, _FIRST_SHIFT * stiffness[1])
            if not definite:
                return 0
        changed = False
        if not careful:
            _curve(model, stiff, d, lines, curved)
        for i in range(n):
            end = s[i] + d[i]
            if held[i] == 0:
                if (end < lower[i] or end > upper[i]) and (
                    not careful or s[i] == (lower[i] if end < lower[i] else upper[i])
                ):
                    held[i] = 1
                    d[i] = (lower[i] if end < lower[i] else upper[i]) - s[i]
                    changed = True
                    moved = moved or d[i] != 0.0
            elif lower[i] < upper[i] and not careful:
                slope = gradient[i] + curved[i]
                if abs(slope) > _NO_SLOPE * steep and (slope < 0.0) == (
                    end - lower[i] < upper[i] - end
                ):
                    held[i] = 0
                    changed = True
        if not changed:
            return 2
    return 1


@kernel
def _is_definite(model, stiff, n, small, order):
    """Whether B is, of which `small` has the inner products of the rows."""
    active = stiff[3]
    for i in range(active.size):
        active[i] = 0
    return _reduce(model, stiff, n, 0.0, small, small, order) >= 0


@kernel
def _place(a, g, model, stiff, box, s, held, products, lines):
    """The s of coordinates a, which of its variables the box holds, and the products Z s."""
    _, matrix, gamma, _, rows = model
    jac, scales, _, _ = stiff
    rank, stored = matrix.shape[0], rows.shape[0]
    factors, sums = lines[0], lines[1]
    _spread(model, a, factors)
    for i in range(stored):
        sums[i] = 0.0
    for i in range(scales.size):
        products[rank + i] = 0.0
    for first in range(0, s.size, _BLOCK):
        end = min(first + _BLOCK, s.size)
        out = s[first:end]
        for k in range(end - first):
            out[k] = -g[first + k]
        for i in range(stored):
            if factors[i] != 0.0:
                _add(-factors[i], rows[i, first:end], out)
        for i in range(scales.size):
            if a[rank + i] != 0.0:
                _add(-a[rank + i] * scales[i], jac[i, first:end], out)
        for k in range(end - first):
            low, up, to = box[0, first + k], box[1, first + k], out[k] / gamma
            held[first + k] = 0 if low < to < up else 1
            out[k] = min(max(to, low), up)
        for i in range(stored):
            sums[i] += _dot(rows[i, first:end], out)
        for i in range(scales.size):
            products[rank + i] += scales[i] * _dot(jac[i, first:end], out)
    _combine(model, sums, products)


@kernel
def _miss(a, products, model, linear, stiff, v, line, missed):
    """What a lacks of the slope of the rest at these products, and its size; see `_approach`."""
    _, matrix, gamma, _, _ = model
    c, _, _, _ = linear
    _, scales, w, active = stiff
    rank = matrix.shape[0]
    total = 0.0
    for i in range(rank):
        missed[i] = a[i]
        for j in range(rank):
            missed[i] -= matrix[i, j] * products[j]
        total += missed[i] / gamma * (missed[i] / gamma)
    r, z = line[: c.size], missed[rank:]
    for i in range(c.size):
        r[i] = c[i] + (products[rank + i] / scales[i] if scales[i] > 0.0 else 0.0)
    _penalty(r, linear, v, w, z, active)
    for i in range(c.size):
        if scales[i] > 0.0:
            z[i] = a[rank + i] - z[i] / scales[i]
            part = z[i] * scales[i] * scales[i] / w[i]
            total += part * part
        else:
            z[i] = 0.0
    return math.sqrt(total)


@kernel
def _eliminate(a, k, b):
    """Overwrite b by the solution of a x = b, with pivots; False if there is none."""
    for j in range(k):
        pivot = j
        for i in range(j + 1, k):
            if abs(a[i, j]) > abs(a[pivot, j]):
                pivot = i
        if not (abs(a[pivot, j]) > 0.0 and math.isfinite(a[pivot, j])):
            return False
        if pivot != j:
            for l in range(j, k):
                a[j, l], a[pivot, l] = a[pivot, l], a[j, l]
            b[j], b[pivot] = b[pivot], b[j]
        own = a[j]
        for i in range(j + 1, k):
            row = a[i]
            factor = row[j] / own[j]
            if factor != 0.0:
                for l in range(j + 1, k):
                    row[l] -= factor * own[l]
                b[i] -= factor * b[j]
    for j in range(k - 1, -1, -1):
        for l in range(j + 1, k):
            b[j] -= a[j, l] * b[l]
        b[j] /= a[j, j]
    return True


@kernel
def _approach(g, model, linear, stiff, v, box, s, work, s_new):
    r"""Bring s and v to the solution, or nearer, where B is definite.

    The function is g^T s + gamma/2 s^T s and a function h of few products Z s, so that s minimises
    it if s(a) = P(-(g + Z^T a) / gamma) does, for an a that is the slope of h at Z s(a). These are
    as many equations as rows, linear by pieces. Newton's steps are shortened until what is missed
    of them falls. All variables change at once between the faces of the box, so there is no
    way from bound to bound. The multipliers become what the method of multipliers has them.

    Where gamma is small beside the slope, few variables are between their bounds, and steps may
    come to nothing. Then the caller adds a multiple of the squared distance to the s of now, which
    becomes smaller (proximal points, Rockafellar 1976).

    Returns
    -------
    found : bool
        Whether it is the solution, but for the last digits of the multipliers.
    """
    _, matrix, gamma, _, rows = model
    _, scales, w, active = stiff
    _, _, small, _, which, marks, panel, spare = work
    n, rank = s.size, matrix.shape[0]
    size = rank + scales.size
    held, before = marks[0, :n], marks[1]
    newton, inner, last = small[size : 2 * size], small[5 * size : 6 * size], 6 * size
    a, a_new, missed, products = small[last], small[last + 1], small[last + 2], small[last + 3]
    d, line, lines = small[last + 4], small[last + 5], small[small.shape[0] - 2 :]
    for i in range(rows.shape[0]):
        lines[0, i] = _dot(rows[i], s)
    _combine(model, lines[0], line)
    for i in range(rank):
        a[i] = 0.0
        for j in range(rank):
            a[i] += matrix[i, j] * line[j]
    for i in range(scales.size):
        a[rank + i] = v[i] / scales[i] if scales[i] > 0.0 else 0.0
    _place(a, g, model, stiff, box, s_new, held, products, lines)
    far = _miss(a, products, model, linear, stiff, v, line, missed)
    last_change = math.inf
    found = False
    for _step in range(_SMALL_STEPS):
        count = 0
        for i in range(n):
            if held[i] == 0:
                which[count] = i
                count += 1
        _renew_gram(model, stiff, (held, which, count), small, marks, panel, spare)
        for i in range(size):
            row = newton[i]
            d[i] = -missed[i]
            for j in range(size):
                row[j] = 0.0
            if i >= rank:
                own = i - rank
                if active[own] != 0 and scales[own] > 0.0:
                    factor = w[own] / (scales[own] * scales[own]) / gamma
                    for j in range(size):
                        row[j] = factor * inner[max(i, j), min(i, j)]
            else:
                for l in range(rank):
                    factor = matrix[i, l] / gamma
                    if factor != 0.0:
                        for j in range(size):
                            row[j] += factor * inner[max(l, j), min(l, j)]
            row[i] += 1.0
            largest = 0.0
            for j in range(size):
                largest = max(largest, abs(row[j]))
            for j in range(size):
                row[j] /= largest
            d[i] /= largest
        if not _eliminate(newton, size, d):
            break
        t = 1.0
        nearer = False
        for _cut in range(_SMALL_CUTS):
            for i in range(size):
                a_new[i] = a[i] + t * d[i]
            _place(a_new, g, model, stiff, box, s_new, held, products, lines)
            far_new = _miss(a_new, products, model, linear, stiff, v, line, missed)
            if far_new <= (1.0 - _ARMIJO * t) * far:
                nearer = True
                break
            t *= 0.5
        if not nearer:
            break
        far = far_new
        for i in range(size):
            a[i] = a_new[i]
        same = t == 1.0
        for i in range(n):
            same = same and held[i] == before[i]
            s[i] = s_new[i]
        if same:
            found = True
            change = largest = 0.0
            for i in range(scales.size):
                if scales[i] > 0.0:
                    to = a[rank + i] * scales[i]
                    change, largest = max(change, abs(to - v[i])), max(largest, abs(to))
                    v[i] = to
            if not change > _SETTLED_MULTIPLIERS * largest or change > _SLOW * last_change:
                break
            last_change = change
            far = _miss(a, products, model, linear, stiff, v, line, missed)
    return found


@kernel
def _largest_curvature(model):
    """A bound on the diagonal of B, up to a factor."""
    dense, matrix, gamma, _, _ = model
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
    model : (dense, matrix, gamma, basis, rows)
        Whether B is the matrix, of shape (n, n); else it is gamma I + Q^T K Q, K the matrix, of
        shape (rank, rank), and Q = basis^T rows, of shapes (rank, rank) and (rank, n).
        All float64 but the rows.
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
    vectors, lines, small, order, which, marks, _, _ = work
    n, p = g.size, c.size
    lower, upper = box[0], box[1]
    gradient, bs, d, s_new, bs_new = vectors[0], vectors[1], vectors[2], vectors[3], vectors[4]
    r, z, r_new, z_new, w, scales = lines[0], lines[1], lines[2], lines[3], lines[4], lines[5]
    squares = lines[6]
    lines = small[small.shape[0] - 2 :]
    held, active, active_new = marks[0, :n], order[3, :p], order[4, :p]
    marks[1, n] = 0  # no Gram matrix on a face is known
    steep, width = 0.0, 0.0
    for i in range(n):
        steep, width = max(steep, abs(g[i])), max(width, upper[i] - lower[i])
    curvature = _largest_curvature(model)
    if steep > 0.0 and width > 0.0:
        curvature = max(curvature, _LITTLE_CURVATURE * steep / width)
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
    definite = False
    if not dense:
        _whole_gram(model, jac, scales, work[6], work[7], small)
        definite = width > 0.0 and _is_definite(model, stiff, n, small, order)
    steps = skip = skipped = 0
    last = math.inf
    for _round in range(_ROUNDS):
        stiffest = curvature
        for i in range(p):
            stiffest = max(stiffest, w[i] * squares[i])
        if definite and not _approach(g, model, linear, stiff, v, box, s, work, s_new):
            near = max(model[2], steep / width)
            solved = False
            for i in range(p):
                z_new[i] = v[i]
            for _trip in range(_PROXIMAL):
                for i in range(n):
                    gradient[i] = g[i] - near * s[i]
                nearer = dense, model[1], model[2] + near, model[3], model[4]
                if not _approach(gradient, nearer, linear, stiff, v, box, s, work, s_new):
                    break
                near *= _LESS
                if near < _LESS * model[2]:
                    solved = _approach(g, model, linear, stiff, v, box, s, work, s_new)
                    if solved:
                        break
            if not solved:
                for i in range(p):
                    v[i] = z_new[i]
        value, size = _value(g, model, linear, v, w, s, lines, found)
        idle = 0
        for _step in range(_STEPS):
            for i in range(n):
                gradient[i] = g[i] + bs[i]
            for i in range(p):
                if z[i] != 0.0:
                    _add(z[i], jac[i], gradient)
            residual = 0.0
            for i in range(n):
                held[i] = 1
                if (s[i] > lower[i] or gradient[i] < 0.0) and (
                    s[i] < upper[i] or gradient[i] > 0.0
                ):
                    held[i] = 0
                    room = upper[i] - s[i] if gradient[i] < 0.0 else s[i] - lower[i]
                    residual = max(residual, min(abs(gradient[i]), room * stiffest))
            if not residual > tolerance[0]:
                break
            reach = 1.0
            room = (held, which), s_new, bs_new, work
            stiffness = stiffest, curvature
            outcome = 1
            if skipped < skip:
                skipped += 1
            else:
                outcome = _find_target(s, gradient, box, model, stiff, stiffness, room, d, False)
                # Where faces go round in a circle they mostly do so for a while.
                skip, skipped = min(2 * skip + 1, _LONGEST) if outcome == 1 else 0, 0
            if outcome == 1:  # from bound to bound
                for i in range(n):
                    outward = (s[i] <= lower[i] and gradient[i] >= 0.0) or (
                        s[i] >= upper[i] and gradient[i] <= 0.0
                    )
                    held[i] = 1 if outward else 0
                outcome = _find_target(s, gradient, box, model, stiff, stiffness, room, d, True)
                for i in range(n):
                    if s[i] + d[i] < lower[i]:
                        reach = min(reach, (lower[i] - s[i]) / d[i])
                    elif s[i] + d[i] > upper[i]:
                        reach = min(reach, (upper[i] - s[i]) / d[i])
            if outcome == 0:
                break
            slope = 0.0
            for i in range(n):
                slope += gradient[i] * d[i]
            if not slope < 0.0:  # down the slope, in the box
                reach = 1.0
                for i in range(n):
                    to = s[i] - gradient[i] / stiffest
                    d[i] = min(max(to, lower[i]), upper[i]) - s[i]
            steps += 1
            t = 1.0
            moved = False
            for cut in range(_CUTS):
                slope = 0.0
                for i in range(n):
                    to = s[i] + t * d[i]
                    near = 4.0 * EPS * max(abs(to), abs(s[i]))
                    if to < lower[i] + near:
                        to = lower[i]
                    elif to > upper[i] - near:
                        to = upper[i]
                    s_new[i] = to
                    slope += gradient[i] * (to - s[i])
                value_new, size_new = _value(g, model, linear, v, w, s_new, lines, found_new)
                noise = 2.0 * EPS * max(size, size_new)
                if slope < 0.0 and value_new <= value + _ARMIJO * slope + noise:
                    moved = True
                    break
                # First along the projected path, then no farther than to the first bound.
                t = min(0.5 * t, reach) if cut == _PROJECTED else 0.5 * t
            if not moved:
                break
            idle = idle + 1 if t == 1.0 and value - value_new <= noise else 0
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
