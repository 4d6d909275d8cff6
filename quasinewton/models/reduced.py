r"""A quasi-Newton matrix on the span of the gradients seen: the reduced Hessian.

While :math:`B = \gamma I` outside of the span of the gradients, every step lies in it (Gill &
Leonard 2001), so that half as many n-vectors as the pairs have tell all that these tell:

.. math:: B = Z^T A Z + \gamma (I - Z^T Z)

with orthonormal rows Z. The matrix A is updated in these coordinates as a dense one is in the
variables: an iteration takes a few passes over Z and :math:`O(r^2)` beside.

While all pairs are kept, A is made anew from them with the gamma of each iteration: the one that a
direction came with may be far from what is there now, where no pair has met it since. Later a
direction comes with the gamma of then ("reinitialization"). Where there is no room left, the span
of the newest pairs is kept, and what A is on it (Gill & Leonard 2003 keep as many gradients).
"""

from __future__ import annotations

import math

from ..kernels import MANY, inline_kernel, kernel, vector_function, view_kernel
from ..vectors import (
    add_combination,
    add_multiple,
    copy,
    divide,
    dot,
    multiply_rows,
    multiply_rows_by_three,
    norm2,
    rotate_rows,
    subtract_from_two,
)
from .dense import begin_matrix, work_in
from .pairs import absorb, choose_gamma
from .symmetric import invert

__all__ = ["append", "make_room", "parts", "renew_reduced", "rows_of", "split", "split_both"]

#: A part of a vector outside of the span that is smaller than this is none.
_INDEPENDENT = 1e-10
#: Part of its length that a vector keeps in the first projection if no other is needed: what the
#: rows lack of being orthonormal, the new one has then half of. Parts kept in others.
_CLEAR, _SETTLED = 0.9, 0.5
#: What is kept of the rows where there is no room left, without bounds and with them: there two
#: directions come in an iteration, and to make room takes as long as some of those.
_KEPT, _KEPT_IN_BOX = 0.75, 0.5
#: A pair whose part outside of the span of newer ones is smaller than this adds no direction.
_NEW = 1e-6


def rows_of(r: int, m: int) -> int:
    """Rows of `gram` for r directions and m pairs: A, its inverse, the pairs, `parts`."""
    return 2 * r + 2 * m + 4


@view_kernel
def parts(gram, m):
    """The pairs, g, the step, and two lines to work in, the second of zeros: parts of `gram`."""
    k = 2 * gram.shape[1]
    last = k + 2 * m
    return gram[k:last], gram[last], gram[last + 1], gram[last + 2], gram[last + 3]


@vector_function(0)
def split(v, rows, rank, out, line, buffer):
    """out = the coordinates of v on the first rows; the next row becomes the rest, of length one.

    Returns the length that the rest had, 0 where there is none. `line`, a float64 array of as many
    elements as there are rows, and `buffer`, see `add_combination`, are workspace.
    """
    for j in range(out.size):
        out[j] = 0.0
    if rank == len(rows):
        multiply_rows(rows, v, out)
        return 0.0
    rest, basis = rows[rank], rows[:rank]
    copy(v, rest)
    norm = norm2(v)
    smallest = _INDEPENDENT * norm
    left = norm
    for projection in range(4 if rank > 0 else 0):
        multiply_rows(basis, rest, line[:rank])
        for j in range(rank):
            out[j] += line[j]
            line[j] = -line[j]
        add_combination(0.0, rest, basis, line[:rank], rest, rest, buffer)
        left = norm2(rest)
        if left >= (_CLEAR if projection == 0 else _SETTLED) * norm or left <= smallest:
            break
        norm = left
    if left <= smallest:
        return 0.0
    divide(rest, left, rest)
    out[rank] = left
    return left


@vector_function(0)
def split_both(a, b, rows, rank, out_a, out_b, lines):
    """`split` of a, and then of b on the direction of a too, in half the passes over the rows.

    There have to be two rows more than `rank`. `lines` as in `renew_reduced`. Returns both lengths.
    """
    basis, rest_a, rest_b = rows[:rank], rows[rank], rows[rank + 1]
    products, buffer = lines[:3, :rank], lines[6:]
    for j in range(out_a.size):
        out_a[j] = out_b[j] = 0.0
    copy(a, rest_a)
    copy(b, rest_b)
    norm_a = left_a = norm2(rest_a)
    norm_b = left_b = norm2(rest_b)
    smallest_a, smallest_b = _INDEPENDENT * norm_a, _INDEPENDENT * norm_b
    for projection in range(4 if rank > 0 else 0):
        # a third product takes no time beside the reading of the rows
        multiply_rows_by_three(basis, rest_a, rest_b, rest_b, products)
        subtract_from_two(basis, products, rest_a, rest_b, buffer)
        for j in range(rank):
            out_a[j] += products[0, j]
            out_b[j] += products[1, j]
        left_a, left_b = norm2(rest_a), norm2(rest_b)
        kept = _CLEAR if projection == 0 else _SETTLED
        if (left_a >= kept * norm_a or left_a <= smallest_a) and (
            left_b >= kept * norm_b or left_b <= smallest_b
        ):
            break
        norm_a, norm_b = left_a, left_b
    if left_b <= smallest_b:
        left_b = 0.0
    if left_a <= smallest_a:
        if left_b > 0.0:
            divide(rest_b, left_b, rest_a)
            out_b[rank] = left_b
        return 0.0, left_b
    divide(rest_a, left_a, rest_a)
    out_a[rank] = left_a
    line = products[0]
    for _ in range(4 if left_b > 0.0 else 0):
        along = dot(rest_a, rest_b)
        out_b[rank] += along
        add_multiple(rest_b, -along, rest_a, rest_b)
        norm_b, left_b = left_b, norm2(rest_b)
        if left_b >= _SETTLED * norm_b or left_b <= smallest_b:
            break
        multiply_rows(basis, rest_b, line)  # of what is left the part in the rows is more now
        for j in range(rank):
            out_b[j] += line[j]
            line[j] = -line[j]
        add_combination(0.0, rest_b, basis, line, rest_b, rest_b, lines[7])
    if left_b <= smallest_b:
        return left_a, 0.0
    divide(rest_b, left_b, rest_b)
    out_b[rank + 1] = left_b
    return left_a, left_b


@inline_kernel
def append(gamma, gram, state):
    """One more direction, along which B is gamma."""
    record = state[0]
    n, k = gram.shape[1], record.rank
    if k == 0:
        begin_matrix(gamma, 1, gram, state)
    row, inverse = gram[k], gram[n + k]
    for j in range(k):
        row[j] = gram[j, k] = inverse[j] = gram[n + j, k] = 0.0
    row[k] = gamma / record.unit
    inverse[k] = record.unit / gamma
    record.rank = k + 1


@kernel
def _choose_span(ring, gram, basis, vector, state):
    """Fill `basis` with orthonormal coordinates: those of g and of the pairs, the newest first."""
    record = state[0]
    m = ring.size
    pairs, g, _, _, _ = parts(gram, m)
    rank = record.rank
    most = int((_KEPT if record.bounded == 0 else _KEPT_IN_BOX) * rank)
    kept = 0
    for candidate in range(2 * record.pairs + 1):
        source = g
        if candidate > 0:
            slot = ring[record.pairs - 1 - (candidate - 1) // 2].slot
            source = pairs[slot if candidate % 2 == 1 else m + slot]
        norm = 0.0
        for i in range(rank):
            norm = max(norm, abs(source[i]))
        if norm == 0.0:
            continue
        for i in range(rank):
            vector[i] = source[i] / norm
        first = 0.0
        for i in range(rank):
            first += vector[i] * vector[i]
        left = first
        for _ in range(2):
            for j in range(kept):
                row = basis[j]
                product = 0.0
                for i in range(rank):
                    product += row[i] * vector[i]
                for i in range(rank):
                    vector[i] -= product * row[i]
            left = 0.0
            for i in range(rank):
                left += vector[i] * vector[i]
        if left > _NEW * _NEW * first:
            root = math.sqrt(left)
            for i in range(rank):
                basis[kept, i] = vector[i] / root
            kept += 1
        if kept == most:
            break
    return kept


@kernel
def _project(ring, gram, basis, kept, product, vector, state):
    """A and all coordinates in those of `basis`."""
    record = state[0]
    m = ring.size
    rank = record.rank
    for i in range(kept):
        row, out = basis[i], product[i]
        for j in range(rank):
            out[j] = 0.0
        for l in range(rank):
            factor, line = row[l], gram[l]
            for j in range(rank):
                out[j] += factor * line[j]
    for i in range(kept):
        for j in range(i + 1):
            total = 0.0
            for l in range(rank):
                total += product[i, l] * basis[j, l]
            gram[i, j] = gram[j, i] = total
    n = gram.shape[1]
    for l in range(2 * m + 1):  # the pairs and g
        line = gram[2 * n + l]
        for i in range(kept):
            total = 0.0
            for j in range(rank):
                total += basis[i, j] * line[j]
            vector[i] = total
        for i in range(n):
            line[i] = vector[i] if i < kept else 0.0
    if record.inverted != 0:
        record.inverted = 1 if invert(gram, 0.0, kept, gram[n:]) else 0
    record.rank = kept


@vector_function(0, pointer=True, patient=MANY)
def make_room(rows, ring, gram, basis, product, lines, state):
    """Keep the span of g and the newest pairs, some part of all.

    Parameters
    ----------
    rows, ring, gram, lines, state
        As in `renew_reduced`.
    basis, product : float64 arrays, shape (>= r + 1, >= r)
        Workspace.
    """
    rank = state[0].rank
    kept = _choose_span(ring, gram, basis, lines[0], state)
    _project(ring, gram, basis, kept, product, lines[0], state)
    rotate_rows(rows[:rank], basis[:kept, :rank], product)
    state[0].covered = 0


@vector_function(0, pointer=True, patient=MANY)
def renew_reduced(points, rows, ring, gram, work, lines, state):
    """Bring the model up to date where x has moved.

    Where bounds make steps leave the span of the gradients, the last step is a direction of its
    own.

    Parameters
    ----------
    points : array, shape (>= 2, n)
        The gradient at x in row 1; where `bounded` the step to x in row 7.
    rows : array, shape (r, n)
        Z in the first `rank` rows.
    ring : RING array, shape (m,)
    gram : float64 array, shape (rows_of(r, m), r)
        A and, where `inverted`, its inverse, in units of `unit` and 1 / `unit`; and `parts`.
    work : float64 array
        Not used: models of all kinds are renewed by the same arguments.
    lines : float64 array, shape (>= 8, >= r)
        Workspace.
    state : STATE array
        `stored` says that the step to x and the change of the gradient make a pair, of which
        `theta` and `theta_noise` say the rest, see `absorb`. It becomes 0, as does `outdated`;
        `gamma`, `unit`, `rank`, `used`, `newest`, `inverted` and `applied` are brought up to date.

    Returns
    -------
    crowded : bool
        Whether `make_room` is to be called before x moves again.
    """
    record = state[0]
    spanned = record.bounded != 0
    needed = 2 if spanned else 1
    full = len(rows) - needed if len(rows) < record.n else len(rows)
    if record.outdated == 0 and record.applied >= 0 and record.rank > 0:
        return record.rank > full
    g = points[1]
    fallback = record.g_norm / record.length
    pairs, h, step, h_new, zero = parts(gram, ring.size)
    if record.applied < 0:  # what was there is of no use
        record.applied = record.rank = record.stored = record.covered = 0
    before = rank = record.rank
    if not (spanned and record.stored != 0):
        rest = split(g, rows, rank, h_new, lines[0], lines[7])
    elif rank + 2 <= len(rows):
        along, rest = split_both(points[7], g, rows, rank, step, h_new, lines)
        rank += 1 if along > 0.0 else 0
    else:
        along = split(points[7], rows, rank, step, lines[0], lines[7])
        rank += 1 if along > 0.0 else 0
        rest = split(g, rows, rank, h_new, lines[0], lines[7])
    if record.stored != 0:
        absorb(zero, step, h, h_new, (record.theta, record.theta_noise), pairs, ring, state)
    # steps that stay in the span do not meet gamma; the others do, which must not be stiff for ever
    last_resort = fallback if spanned or before == 0 else record.gamma
    record.gamma = choose_gamma(ring, state, last_resort)
    record.matrix_gamma = 0.0
    record.outside = 0
    if record.stored > 1 and record.pairs < ring.size:  # made anew from all pairs
        record.rank = record.applied = 0
    if rest > 0.0:
        rank += 1
    while record.rank < rank:
        append(record.gamma, gram, state)
    work_in(0.0, record.applied, record.rank, pairs, ring, gram, lines, state)
    for i in range(h.size):
        h[i] = h_new[i]
    record.stored = record.outdated = 0
    return record.rank > full
