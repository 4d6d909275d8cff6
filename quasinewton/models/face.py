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
from .compact import confine
from .eigen import from_eigenbasis
from .model import decompose, planes
from .updates import SR1

__all__ = [
    "add_at", "begin_face", "combine", "coordinates_on_face", "face_workspace", "factor_gram",
    "hold", "leave_face", "multiply_curvature", "names", "restrict",
]  # fmt: skip

#: Squared part of a coordinate direction inside of the face below which it is none.
_INDEPENDENT = 1e-12
#: Lines of `face` after its matrices.
_LINES = 16
#: Planes of `face`: the matrix on the face and room for an inverse, L, K L, K, Q_F Q_F^T.
_PLANES = 6


def face_workspace(
    n: int, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the steps in a box work in, for n variables and a model of `most` directions.

    ``vectors``, nine n-vectors; ``marks``, five of integers: whether a variable is held, the
    numbers of those that are held, of those that are free, and of some, and whether it was held on
    the face before; ``face``, see `names`; ``order``, the pivots; and the record of the model on
    the face.
    """
    width = most + 1  # one more for the gradient outside of the coordinates
    return (
        np.zeros((9, n)), np.zeros((5, n), np.int64),
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
def add_at(rows, basis, which, count, w, state, line, out):
    """out_i += (Q^T w)_i for the listed variables."""
    record = state[0]
    rank = record.rank
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
def _add_columns(rows, basis, which, count, sign, state, line, gram):
    """The lower triangle of gram += sign sum of Q_i Q_i^T over the listed variables."""
    record = state[0]
    rank = record.rank
    column, products = line[0], line[1]
    for k in range(count):
        i = which[k]
        if record.reduced != 0:
            for j in range(rank):
                column[j] = rows[j, i]
        else:
            for j in range(rows.shape[0]):
                products[j] = rows[j, i]
            for j in range(rank):
                column[j] = 0.0
            _from_rows(basis, products[: rows.shape[0]], rank, column)
        for j in range(rank):
            factor = sign * column[j]
            if factor != 0.0:
                row = gram[j]
                for l in range(j + 1):
                    row[l] += factor * column[l]


@kernel
def _gram_on_face(rows, basis, marks, held, free, state, line, gram, on_face):
    """Q_F Q_F^T: that of the last face changed, or from whichever set has fewer variables."""
    rank = state[0].rank
    before = marks[4]
    came = left = 0
    if on_face[0].applied != 0:
        for i in range(before.size):
            if marks[0, i] != before[i]:
                if before[i] != 0:
                    came += 1
                else:
                    left += 1
    if on_face[0].applied != 0 and came + left < min(held, free):
        k = 0
        for i in range(before.size):
            if before[i] != 0 and marks[0, i] == 0:
                marks[3, k] = i
                k += 1
        _add_columns(rows, basis, marks[3], came, 1.0, state, line, gram)
        k = 0
        for i in range(before.size):
            if before[i] == 0 and marks[0, i] != 0:
                marks[3, k] = i
                k += 1
        _add_columns(rows, basis, marks[3], left, -1.0, state, line, gram)
    else:
        by_held = held <= free
        for i in range(rank):
            row = gram[i]
            for j in range(rank):
                row[j] = 0.0
            row[i] = 1.0 if by_held else 0.0
        if by_held:
            _add_columns(rows, basis, marks[1], held, -1.0, state, line, gram)
        else:
            _add_columns(rows, basis, marks[2], free, 1.0, state, line, gram)
    for i in range(before.size):
        before[i] = marks[0, i]
    on_face[0].applied = 1
    for j in range(rank):
        for l in range(j):
            gram[l, j] = gram[j, l]


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
def restrict(rows, basis, marks, held, free, state, face, order, on_face):
    """The model on the face: its matrix, in the first rows of `face`, and how many coordinates."""
    count = _restrict(rows, basis, marks, held, free, state, face, order, on_face)
    for i in range(count + 1):  # for the gradient outside of the coordinates
        face[i, count] = face[count, i] = 0.0
    return count


@kernel
def _restrict(rows, basis, marks, held, free, state, face, order, on_face):
    record = state[0]
    rank = record.rank
    matrix, factor, product, curvature, gram, own = names(face)
    if record.dense != 0 and record.reduced == 0:
        which = marks[2]
        for a in range(free):
            source, row = curvature[which[a]], matrix[a]
            for b in range(free):
                row[b] = source[which[b]]
        return free
    if held == 0:
        for i in range(rank):
            for j in range(rank):
                matrix[i, j] = curvature[i, j]
        return rank
    _gram_on_face(rows, basis, marks, held, free, state, own, gram, on_face)
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
    return count


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
