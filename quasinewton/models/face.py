r"""A model restricted to the variables that are free, in orthonormal coordinates of its own.

Every kind of model is :math:`B = \gamma I + Q^T K Q` with orthonormal rows Q: those of a reduced
model, combinations of the pairs, or the variables themselves. Where the variables of a set A are
held, :math:`Q_F Q_F^T = I - Q_A Q_A^T = L L^T` by a pivoted Cholesky factorisation, and

.. math:: B_{FF} = \gamma I + W^T (L^T K L) W, \qquad Q_F = L W,

with orthonormal rows W, which are not formed: again a matrix in coordinates, whose subproblems are
solved as those of the whole model are. All is in units in which the curvature `unit` is 1.
"""

from __future__ import annotations

import math

import numpy as np

from ..kernels import inline_kernel, kernel, view_kernel
from ..records import STATE
from ..vectors import add_combination, multiply_rows, multiply_rows_by_three
from .compact import confine
from .eigen import from_eigenbasis
from .model import decompose, planes
from .updates import SR1

__all__ = [
    "add_at", "begin_face", "combine", "coordinates_on_face", "face_workspace", "factor_gram",
    "hold", "leave_face", "multiply_curvature", "names", "products_on_face", "restrict",
]  # fmt: skip

#: Squared part of a coordinate direction inside of the face below which it is none.
_INDEPENDENT = 1e-12
#: Lines of `face` after its matrices, the last four for columns of Q.
_LINES = 21
#: Planes of `face`: the matrix on the face and room for an inverse, L, K L, K, Q_F Q_F^T.
_PLANES = 6
#: Changes of a Gram matrix after which it is made anew.
_CHANGES = 50
#: Part of the variables from which on a pass over all of them is faster than one by a list.
_MANY = 0.25


def face_workspace(
    n: int, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the steps in a box work in, for n variables and a model of `most` directions.

    ``vectors``, nine n-vectors; ``marks``, six of integers: whether a variable is held, the numbers
    of those that are held, of those that are free, and of some, whether it was held on the face
    that Q_F Q_F^T is of, and the numbers of those that changed sides; ``face``, see `names`;
    ``order``, the pivots; and the record of the model on the face.
    """
    width = most + 1  # one more for the gradient outside of the coordinates
    return (
        np.zeros((9, n)), np.zeros((6, n), np.int64),
        np.zeros((_PLANES * width + _LINES, width)), np.zeros((2, width), np.int64),
        np.zeros(1, STATE),
    )  # fmt: skip


@view_kernel
def names(face):
    """The matrix on the face, L, K L, K, Q_F Q_F^T, and the lines, of `face`."""
    r = face.shape[1]
    return (
        face[: 2 * r], face[2 * r : 3 * r], face[3 * r : 4 * r], face[4 * r : 5 * r],
        face[5 * r : 6 * r], face[6 * r :],
    )  # fmt: skip


@kernel
def begin_face(ring, gram, work, lines, state, face):
    """Fill K; the unit and, in it, gamma.

    A limited-memory model has its matrix in a plane of `work`, which the steps overwrite.
    """
    record = state[0]
    rank = record.rank
    _, _, _, curvature, _, _ = names(face)
    unit = record.unit if record.unit > 0.0 and math.isfinite(record.unit) else 1.0
    gamma = record.gamma / unit
    source = gram if record.dense != 0 else planes(work)[2]
    factor = record.unit / unit
    for i in range(rank):
        row, out = source[i], curvature[i]
        for j in range(rank):
            out[j] = factor * row[j]
        out[i] += record.matrix_gamma / unit - gamma
    if record.dense == 0 and record.update == SR1:
        _confine(ring, gram, work, lines, state, curvature)
    return unit, gamma


@kernel
def _confine(ring, gram, work, lines, state, curvature):
    """K with the eigenvalues that the model's steps take, where these are others."""
    record = state[0]
    rank = record.rank
    _, copy, matrix, _, cosines, sines = planes(work)
    for i in range(rank):
        for j in range(rank):
            copy[i, j] = matrix[i, j]
    kept = decompose(gram, work, lines, state)
    lam = lines[0, :kept]
    changed = False
    for i in range(kept):
        lines[3, i] = lam[i]
    confine(ring, record.pairs, lam)
    for i in range(kept):
        changed = changed or lam[i] != lines[3, i]
    if changed:
        unit = record.unit
        for i in range(rank):
            for j in range(rank):
                curvature[i, j] = 0.0
        vector = lines[4, :rank]
        for i in range(kept):
            for j in range(rank):
                vector[j] = 0.0
            vector[int(lines[1, i])] = 1.0
            from_eigenbasis(matrix, lines[2], cosines, sines, record.sweeps, vector)
            part = (lam[i] - record.gamma) / unit
            for j in range(rank):
                row, scaled = curvature[j], part * vector[j]
                for l in range(rank):
                    row[l] += scaled * vector[l]
    for i in range(rank):
        for j in range(rank):
            matrix[i, j] = copy[i, j]


@kernel
def multiply_curvature(curvature, v, rank, out):
    """out = K v."""
    for j in range(rank):
        out[j] = 0.0
    for i in range(rank):
        row, factor = curvature[i], v[i]
        if factor != 0.0:
            for j in range(rank):
                out[j] += factor * row[j]


@inline_kernel
def _from_rows(basis, products, rank, out):
    """out = basis products: coordinates from the products with the stored rows."""
    for i in range(rank):
        row = basis[i]
        total = 0.0
        for j in range(products.size):
            total += row[j] * products[j]
        out[i] += total


@kernel
def products_on_face(rows, basis, marks, side, count, values, state, line, out, spare):
    """out += sum of Q_i values_i over the variables that are held, `side` 1, or free, 0.

    `spare`, an n-vector, is workspace.
    """
    rank = state[0].rank
    if state[0].reduced == 0 or count <= _MANY * values.size:
        combine(rows, basis, marks[2 - side], count, values, state, line, out)
        return
    for i in range(values.size):
        spare[i] = values[i] if marks[0, i] == side else 0.0
    multiply_rows(rows[:rank], spare, line[:rank])
    for j in range(rank):
        out[j] += line[j]


@kernel
def combine(rows, basis, which, count, values, state, line, out):
    """out += sum of Q_i values_i over the listed variables.

    Parameters
    ----------
    rows, basis : arrays
        Those of the model, and of a limited-memory one its coordinates in terms of the rows.
    which : int64 array
        The first `count` are the variables.
    values : float64 array, shape (n,)
    line, out : float64 arrays, shape (>= rank,)
        Workspace; the sum.
    """
    record = state[0]
    rank = record.rank
    if record.dense != 0 and record.reduced == 0:
        for k in range(count):
            out[which[k]] += values[which[k]]
        return
    if record.reduced != 0:
        for j in range(rank):
            row = rows[j]
            total = 0.0
            for k in range(count):
                i = which[k]
                total += row[i] * values[i]
            out[j] += total
        return
    products = line[: rows.shape[0]]
    for j in range(rows.shape[0]):
        row = rows[j]
        total = 0.0
        for k in range(count):
            i = which[k]
            total += row[i] * values[i]
        products[j] = total
    _from_rows(basis, products, rank, out)


@kernel
def add_at(rows, basis, which, count, w, state, line, out, buffer):
    """out_i += (Q^T w)_i for the listed variables; the others may change too.

    `buffer` as in `add_combination`.
    """
    record = state[0]
    rank = record.rank
    if record.reduced != 0 and count > _MANY * out.size:
        add_combination(0.0, out, rows[:rank], w[:rank], out, out, buffer)
        return
    if record.dense != 0 and record.reduced == 0:
        for k in range(count):
            out[which[k]] += w[which[k]]
        return
    used = rank
    factors = w
    if record.reduced == 0:
        used = rows.shape[0]
        factors = line
        for j in range(used):
            line[j] = 0.0
        for i in range(rank):
            row = basis[i]
            for j in range(used):
                line[j] += w[i] * row[j]
    for j in range(used):
        row, factor = rows[j], factors[j]
        if factor != 0.0:
            for k in range(count):
                i = which[k]
                out[i] += factor * row[i]


@kernel
def _add_columns(rows, basis, which, count, sign, rank, state, line, gram):
    """The lower triangle of gram += sign sum of Q_i Q_i^T over the listed variables.

    Of the first `rank` rows of Q; four columns at a time, as gram is longer than they are.
    """
    columns = line[-4:]
    ca, cb, cc, cd = columns[0], columns[1], columns[2], columns[3]
    reduced = state[0].reduced != 0
    for start in range(0, count, 4):
        used = min(4, count - start)
        if reduced:
            last = start + used - 1
            a, b = which[start], which[min(start + 1, last)]
            c, d = which[min(start + 2, last)], which[last]
            for j in range(rank):
                row = rows[j]
                ca[j], cb[j], cc[j], cd[j] = row[a], row[b], row[c], row[d]
        else:
            products = line[0, : rows.shape[0]]
            for k in range(used):
                column = columns[k]
                i = which[start + k]
                for j in range(products.size):
                    products[j] = rows[j, i]
                for j in range(rank):
                    column[j] = 0.0
                _from_rows(basis, products, rank, column)
        for k in range(used, 4):
            column = columns[k]
            for j in range(rank):
                column[j] = 0.0
        for j in range(rank):
            fa, fb, fc, fd = sign * ca[j], sign * cb[j], sign * cc[j], sign * cd[j]
            row = gram[j]
            for l in range(j + 1):
                row[l] += (fa * ca[l] + fb * cb[l]) + (fc * cc[l] + fd * cd[l])


@kernel
def _add_row(rows, j, marks, held, free, gram):
    """The row of gram for a row of a reduced model, by the list of fewer variables."""
    by_held = held <= free
    count, which = (held, marks[1]) if by_held else (free, marks[2])
    own, out = rows[j], gram[j]
    for l in range(j + 1):
        row = rows[l]
        total = 0.0
        for k in range(count):
            i = which[k]
            total += np.float64(own[i]) * np.float64(row[i])
        out[l] = -total if by_held else total
    if by_held:
        out[j] += 1.0


@kernel
def _add_rows(rows, covered, rank, marks, held, free, own, gram, vectors):
    """The rows of gram for the new rows of a reduced model.

    Returns whether own[8] has become Q_F g_F: in a pass over the rows it takes no time of its own.
    """
    target, trial, gs, excess = vectors[3], vectors[4], vectors[5], vectors[6]
    if min(held, free) <= _MANY * gs.size:
        for j in range(covered, rank):
            _add_row(rows, j, marks, held, free, gram)
        return False
    for first in range(covered, rank, 2):  # mostly there are two, or one
        last = min(first + 1, rank - 1)
        a, b = rows[first], rows[last]
        for i in range(gs.size):
            part = 1.0 if marks[0, i] == 0 else 0.0
            target[i], trial[i], excess[i] = part * a[i], part * b[i], part * gs[i]
        products = own[12:15, : last + 1]
        multiply_rows_by_three(rows[: last + 1], target, trial, excess, products)
        for l in range(last + 1):
            gram[last, l] = products[1, l]
            own[8, l] = products[2, l]
        for l in range(first + 1):
            gram[first, l] = products[0, l]
    return True


@kernel
def _gram_on_face(rows, basis, marks, held, free, state, line, gram, vectors):
    """Q_F Q_F^T: that of the last face changed, or from whichever set has fewer variables.

    A reduced model keeps its rows, so that the matrix is carried from step to step: `covered` says
    of how many it is. Returns whether Q_F g_F is known, see `_add_rows`.
    """
    known = False
    record = state[0]
    rank, covered = record.rank, record.covered
    before = marks[4]
    came = left = 0
    if covered > 0:
        for i in range(before.size):
            if marks[0, i] != before[i]:
                if before[i] != 0:
                    came += 1
                else:
                    left += 1
        if came + left == 0 and covered == rank:
            return known
    if covered > 0 and came + left < min(held, free) and record.changes < _CHANGES:
        for sign in (1.0, -1.0):
            k = 0
            for i in range(before.size):
                if marks[0, i] != before[i] and (before[i] != 0) == (sign > 0.0):
                    marks[3, k] = i
                    k += 1
            _add_columns(rows, basis, marks[3], k, sign, covered, state, line, gram)
        if covered < rank:
            known = _add_rows(rows, covered, rank, marks, held, free, line, gram, vectors)
        record.changes += 1
    else:
        by_held = held <= free
        for i in range(rank):
            row = gram[i]
            for j in range(i + 1):
                row[j] = 0.0
            row[i] = 1.0 if by_held else 0.0
        if by_held:
            _add_columns(rows, basis, marks[1], held, -1.0, rank, state, line, gram)
        else:
            _add_columns(rows, basis, marks[2], free, 1.0, rank, state, line, gram)
        record.changes = 0
    for i in range(before.size):
        before[i] = marks[0, i]
    record.covered = rank
    for j in range(rank):
        for l in range(j):
            gram[l, j] = gram[j, l]
    return known


@kernel
def factor_gram(gram, rank, most, factor, order, residual):
    """Pivoted Cholesky: factor factor^T = gram, columns by pivots; how many there are.

    order[0] has the pivots, order[1] for each row how many elements it has.
    """
    pivots, ends = order[0], order[1]
    for i in range(rank):
        residual[i] = gram[i, i]
        ends[i] = 0
    count = 0
    for k in range(min(rank, most)):
        pivot = -1
        best = _INDEPENDENT
        for i in range(rank):
            if ends[i] == 0 and residual[i] > best:
                best = residual[i]
                pivot = i
        if pivot < 0:
            break
        own = factor[pivot]
        root = math.sqrt(best)
        line = gram[pivot]
        for i in range(rank):
            if ends[i] == 0 and i != pivot:
                row = factor[i]
                total = line[i]
                for j in range(k):
                    total -= row[j] * own[j]
                row[k] = total / root
                residual[i] -= row[k] * row[k]
        own[k] = root
        ends[pivot] = k + 1
        pivots[k] = pivot
        count += 1
    for i in range(rank):
        if ends[i] == 0:
            ends[i] = count
    return count


@kernel
def restrict(rows, basis, marks, held, free, state, face, order, vectors):
    """The model on the face: its matrix is in the first rows of `face`.

    Of `vectors`, see `face_workspace`, the fourth, fifth and seventh are workspace. Returns the
    number of coordinates, and whether own[8] has become Q_F g_F.
    """
    count, known = _restrict(rows, basis, marks, held, free, state, face, order, vectors)
    for i in range(count + 1):  # for the gradient outside of the coordinates
        face[i, count] = face[count, i] = 0.0
    return count, known


@kernel
def _restrict(rows, basis, marks, held, free, state, face, order, vectors):
    record = state[0]
    rank = record.rank
    matrix, factor, product, curvature, gram, own = names(face)
    if record.dense != 0 and record.reduced == 0:
        which = marks[2]
        for a in range(free):
            source, row = curvature[which[a]], matrix[a]
            for b in range(free):
                row[b] = source[which[b]]
        return free, False
    if held == 0:
        for i in range(rank):
            for j in range(rank):
                matrix[i, j] = curvature[i, j]
        return rank, False
    known = _gram_on_face(rows, basis, marks, held, free, state, own, gram, vectors)
    count = factor_gram(gram, rank, free, factor, order, own[0])
    ends = order[1]
    for i in range(rank):
        row, out = curvature[i], product[i]
        for j in range(count):
            out[j] = 0.0
        for k in range(rank):
            part, line = row[k], factor[k]
            for j in range(ends[k]):
                out[j] += part * line[j]
    for a in range(count):
        row = matrix[a]
        for b in range(count):
            row[b] = 0.0
    for k in range(rank):
        left, right = factor[k], product[k]
        for a in range(ends[k]):
            part, row = left[a], matrix[a]
            for b in range(a + 1):
                row[b] += part * right[b]
    for a in range(count):
        for b in range(a):
            matrix[b, a] = matrix[a, b]
    return count, known


@kernel
def coordinates_on_face(v, count, marks, held, state, face, order, out):
    """out = W v_F, from v = Q v_F."""
    record = state[0]
    if record.dense != 0 and record.reduced == 0:
        which = marks[2]
        for k in range(count):
            out[k] = v[which[k]]
        return
    if held == 0:
        for k in range(count):
            out[k] = v[k]
        return
    _, factor, _, _, _, _ = names(face)
    pivots = order[0]
    for k in range(count):
        row = factor[pivots[k]]
        total = v[pivots[k]]
        for j in range(k):
            total -= row[j] * out[j]
        out[k] = total / row[k]


@kernel
def leave_face(c, count, marks, held, state, face, order, out):
    """out, with W^T c = Q_F^T out."""
    record = state[0]
    for i in range(record.rank):
        out[i] = 0.0
    if record.dense != 0 and record.reduced == 0:
        which = marks[2]
        for k in range(count):
            out[which[k]] = c[k]
        return
    if held == 0:
        for k in range(count):
            out[k] = c[k]
        return
    _, factor, _, _, _, _ = names(face)
    pivots = order[0]
    for k in range(count - 1, -1, -1):
        total = c[k]
        for l in range(k + 1, count):
            total -= factor[pivots[l], k] * out[pivots[l]]
        out[pivots[k]] = total / factor[pivots[k], k]


@kernel
def hold(held_now, marks):
    """List the variables that are held and those that are free; how many there are of each."""
    held = 0
    free = 0
    for i in range(held_now.size):
        if held_now[i] != 0:
            marks[1, held] = i
            held += 1
        else:
            marks[2, free] = i
            free += 1
    return held, free
